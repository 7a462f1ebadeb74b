//! Declaring: adopting from the source, which says that the providers hold what
//! the file does.
//!
//! It sends nothing and asks nobody. Rows that could not be planned are not
//! adopted either.

use std::collections::BTreeSet;

use super::planner::PlanError;
use super::rows::{Link, Links, SourceView, identify};
use crate::core::{
    LaneCounts, LeftOut, LeftOutReason, Outcome, Problem, RecordKey, Row, SkipReason,
};
use crate::engine::lane::Lane;
use crate::engine::problems::{MatchCell, unlinked};
use crate::store::{Adopted, SnapshotWrite, Store};

/// How many records are handed over at once.
const CHUNK: usize = 4096;

/// Where a declaration goes.
pub struct Takers<'a, E> {
    /// Takes over the next records.
    pub records: &'a mut dyn FnMut(Vec<Adopted>) -> Result<(), E>,
    /// Hears of a row that is left out.
    pub left_out: &'a mut dyn FnMut(LeftOut) -> Result<(), E>,
}

impl<E> std::fmt::Debug for Takers<'_, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Takers")
    }
}

/// Declares that a lane's provider holds what the rows say. Records are handed
/// over in chunks; what is said of them replaces what was known. The counts
/// have an adopted row as `unchanged`.
pub fn declare<S: std::error::Error>(
    lane: &Lane,
    source: &mut SourceView<'_, S>,
    store: Option<&Store>,
    only: Option<&BTreeSet<RecordKey>>,
    takers: &mut Takers<'_, PlanError<S>>,
) -> Result<LaneCounts, PlanError<S>> {
    let known = store.filter(|store| store.lanes().any(|name| name == lane.name));
    let mut links = Links::new(lane, known)?;
    let mut counts = LaneCounts::default();
    let mut chunk = Vec::new();
    let mut row = Row::default();
    while (source.next)(&mut row).map_err(PlanError::Source)? {
        if (source.is_repeat)(row.line()) {
            continue;
        }
        let (key, taken) = match identify(&row, source) {
            Err(problem) => (
                problem.key.clone(),
                Err((LeftOutReason::Invalid, vec![problem])),
            ),
            Ok(key) if only.is_some_and(|only| !only.contains(&key)) => continue,
            Ok(key) => (
                Some(key.clone()),
                declared(lane, &row, links.of(&row, &key, source)?),
            ),
        };
        match (key, taken) {
            (Some(key), Ok(snapshot)) => {
                chunk.push(Adopted { key, snapshot });
                counts.add(Outcome::Unchanged);
            }
            (key, Err((reason, problems))) => {
                counts.add(reason.into());
                (takers.left_out)(LeftOut::of(&lane.name, key, row.line(), reason, problems))?;
            }
            (None, Ok(_)) => {}
        }
        if chunk.len() == CHUNK {
            (takers.records)(std::mem::take(&mut chunk))?;
        }
    }
    (takers.records)(chunk)?;
    Ok(counts)
}

/// What a row declares that its provider holds, or why it declares nothing.
fn declared(
    lane: &Lane,
    row: &Row,
    link: Link,
) -> Result<SnapshotWrite, (LeftOutReason, Vec<Problem>)> {
    let Some(remote_id) = link.remote_id else {
        let reason = LeftOutReason::Skipped(SkipReason::Unlinked);
        let looked_for = unlinked(lane, MatchCell::of(lane, row));
        return Err((reason, looked_for.into_iter().collect()));
    };
    let mut problems = link.problems;
    match lane.desired(row) {
        Ok(desired) if problems.is_empty() => {
            let values = lane.mappings.iter().zip(&desired);
            let values: Vec<_> = values
                .filter_map(|(m, d)| Some((m.field.path.clone(), Some(d.value()?.clone()))))
                .collect();
            Ok(SnapshotWrite {
                remote_id,
                settled: lane.settled(&values),
            })
        }
        Ok(_) => Err((LeftOutReason::Invalid, problems)),
        Err(found) => {
            problems.extend(found);
            Err((LeftOutReason::Invalid, problems))
        }
    }
}
