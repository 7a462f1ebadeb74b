//! Adopting from the source: declaring that the providers hold what the file
//! says.
//!
//! It sends nothing and asks nobody. Rows that could not be planned are not
//! adopted either.

use super::lane::Lane;
use super::planner::PlanError;
use super::rows::{Links, SourceView, identify};
use crate::core::{LaneCounts, LeftOut, LeftOutReason, Outcome, Problem, RecordKey, Row, SkipReason};
use crate::store::{Adopted, SnapshotWrite, Store};

/// How many records are handed over at once.
const CHUNK: usize = 4096;

/// What one lane takes over.
#[derive(Debug, Default)]
pub struct Adoption {
    /// The counts: a row that is adopted counts as `unchanged`.
    pub counts: LaneCounts,
    /// The rows that were left out.
    pub left_out: Vec<LeftOut>,
}

/// Declares that a lane's provider holds what the rows say. Records are handed
/// over in chunks; what is said of them replaces what was known.
pub fn adopt<S: std::error::Error>(
    lane: &Lane,
    source: &mut SourceView<'_, S>,
    store: Option<&Store>,
    only: Option<&std::collections::BTreeSet<RecordKey>>,
    take: &mut dyn FnMut(Vec<Adopted>) -> Result<(), PlanError<S>>,
) -> Result<Adoption, PlanError<S>> {
    let known = store.filter(|store| store.lanes().any(|name| name == lane.name));
    let mut links = Links::new(lane, known)?;
    let mut adoption = Adoption::default();
    let mut chunk = Vec::new();
    let mut row = Row::default();
    while (source.next)(&mut row).map_err(PlanError::Source)? {
        if (source.is_repeat)(row.line()) {
            continue;
        }
        let key = match identify(&row, source) {
            Ok(key) => key,
            Err(problem) => {
                adoption.leave_out(lane, &row, problem.key.clone(), LeftOutReason::Invalid, vec![problem]);
                continue;
            }
        };
        if only.is_some_and(|only| !only.contains(&key)) {
            continue;
        }
        let mut link = links.of(&row, &key, source)?;
        let Some(remote_id) = link.remote_id else {
            adoption.leave_out(lane, &row, Some(key), LeftOutReason::Skipped(SkipReason::Unlinked), Vec::new());
            continue;
        };
        match lane.desired(&row) {
            Ok(desired) if link.problems.is_empty() => {
                let values: Vec<_> =
                    lane.mappings.iter().zip(&desired).filter_map(|(m, d)| Some((m.field.path.clone(), Some(d.value()?.clone())))).collect();
                chunk.push(Adopted { key, snapshot: SnapshotWrite { remote_id, settled: lane.settled(&values) } });
                adoption.counts.add(Outcome::Unchanged);
            }
            Ok(_) => adoption.leave_out(lane, &row, Some(key), LeftOutReason::Invalid, link.problems),
            Err(found) => {
                link.problems.extend(found);
                adoption.leave_out(lane, &row, Some(key), LeftOutReason::Invalid, link.problems);
            }
        }
        if chunk.len() == CHUNK {
            take(std::mem::take(&mut chunk))?;
        }
    }
    take(chunk)?;
    Ok(adoption)
}

impl Adoption {
    fn leave_out(&mut self, lane: &Lane, row: &Row, key: Option<RecordKey>, reason: LeftOutReason, problems: Vec<Problem>) {
        self.counts.add(match reason {
            LeftOutReason::Invalid => Outcome::Invalid,
            LeftOutReason::Skipped(skip) => Outcome::Skipped(skip),
        });
        let place = |mut problem: Problem| {
            problem.line = Some(row.line());
            problem.key.clone_from(&key);
            problem
        };
        let problems = problems.into_iter().map(place).collect();
        self.left_out.push(LeftOut { lane: lane.name.clone(), key, line: row.line(), reason, problems });
    }
}
