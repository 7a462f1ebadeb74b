//! Planning: rows, lanes and the snapshot in, a plan file out.
//!
//! It is synchronous and has no transport, so a plan cannot send. It holds one
//! row at a time; every problem of every row is found in this one pass, with the
//! periods of other rows that an earlier pass may have gathered.

use std::collections::BTreeSet;

use serde_json::Value;
use thiserror::Error;

mod absent;

use super::estimate::estimate;
use super::periods::Periods;
use super::plan_file::{PlanFileError, PlanWriter};
use super::rows::{Links, SourceView, identify};
use crate::core::{
    Acknowledged, Change, Completed, Completing, Desired, DiffContext, Draft, FieldPath, Json,
    LaneCounts, LeftOut, LeftOutReason, Outcome, Overlay, PlannedUpdate, Problem, Push, RecordKey,
    Row, SkipReason, Trailer, assemble, complete, diff,
};
use crate::engine::lane::Lane;
use crate::engine::problems::{MatchCell, unlinked};
use crate::store::{SnapshotRow, Store, StoreError};

/// Why no plan was made.
#[derive(Debug, Error)]
pub enum PlanError<S: std::error::Error> {
    /// The source could not be read to its end.
    #[error(transparent)]
    Source(S),
    /// The state could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The plan file could not be written.
    #[error(transparent)]
    File(#[from] PlanFileError),
}

/// What narrows a plan.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// These keys only.
    pub only: Option<BTreeSet<RecordKey>>,
    /// At most so many updates in each lane.
    pub limit: Option<u64>,
    /// Whether the file is the whole population, so that a known key can be
    /// absent from it.
    pub is_whole: bool,
    /// Whether cells are judged that are not to be sent, because their row has
    /// no remote id.
    pub judge_unlinked: bool,
}

impl Selection {
    /// Whether the plan says nothing of a key.
    pub(in crate::engine) fn leaves_out(&self, key: &RecordKey) -> bool {
        self.only.as_ref().is_some_and(|only| !only.contains(key))
    }
}

/// Plans every row in every lane. The trailer has counts and estimates;
/// guards, source hash and warnings are the caller's to add. `periods` were
/// gathered from the same rows, where any lane needs them.
pub fn plan<S: std::error::Error, W: std::io::Write>(
    lanes: &[Lane],
    source: &mut SourceView<'_, S>,
    periods: &Periods,
    store: Option<&Store>,
    selection: &Selection,
    out: &mut PlanWriter<'_, W>,
) -> Result<Trailer, PlanError<S>> {
    let mut planners = lanes
        .iter()
        .map(|lane| LanePlanner::new(lane, store, periods, selection))
        .collect::<Result<Vec<_>, _>>()?;
    let mut row = Row::default();
    while (source.next)(&mut row).map_err(PlanError::Source)? {
        if (source.is_repeat)(row.line()) {
            continue;
        }
        let identity = identify(&row, source);
        if identity.as_ref().is_ok_and(|key| selection.leaves_out(key)) {
            continue;
        }
        for planner in &mut planners {
            let settled = match &identity {
                Ok(key) => planner.row(&row, key, source)?,
                Err(problem) => {
                    if let Some(key) = &problem.key {
                        planner.links.stands(key)?;
                    }
                    Settled::LeftOut(LeftOutReason::Invalid, vec![problem.clone()])
                }
            };
            let key = identity
                .as_ref()
                .map_or_else(|problem| problem.key.clone(), |key| Some(key.clone()));
            planner.write(row.line(), key.as_ref(), settled, out)?;
        }
    }
    let mut trailer = Trailer::default();
    for mut planner in planners {
        if selection.is_whole {
            planner.absent(out)?;
        }
        trailer.estimate.insert(
            planner.lane.name.clone(),
            estimate(&planner.lane.limits, planner.reads, planner.counts.planned),
        );
        trailer
            .lanes
            .insert(planner.lane.name.clone(), planner.counts);
    }
    Ok(trailer)
}

/// What planning makes of one row in one lane.
enum Settled {
    Unchanged,
    Update(Box<PlannedUpdate>),
    LeftOut(LeftOutReason, Vec<Problem>),
}

/// Why a row does not become an update.
enum Left {
    /// Its problems leave it out.
    Invalid(Vec<Problem>),
    /// The state could not be read.
    Store(StoreError),
}

struct LanePlanner<'a> {
    lane: &'a Lane,
    links: Links<'a>,
    store: Option<&'a Store>,
    periods: &'a Periods,
    mapped_before: Option<BTreeSet<FieldPath>>,
    limit: Option<u64>,
    judge_unlinked: bool,
    counts: LaneCounts,
    reads: u64,
}

impl<'a> LanePlanner<'a> {
    fn new(
        lane: &'a Lane,
        store: Option<&'a Store>,
        periods: &'a Periods,
        selection: &Selection,
    ) -> Result<Self, StoreError> {
        let known = store.filter(|store| store.lanes().any(|name| name == lane.name));
        Ok(Self {
            lane,
            links: Links::new(lane, known)?,
            store,
            periods,
            mapped_before: known
                .map(|store| store.mapped_fields(&lane.name))
                .transpose()?
                .flatten(),
            limit: selection.limit,
            judge_unlinked: selection.judge_unlinked,
            counts: LaneCounts::default(),
            reads: 0,
        })
    }

    fn row<S>(
        &mut self,
        row: &Row,
        key: &RecordKey,
        source: &SourceView<'_, S>,
    ) -> Result<Settled, StoreError> {
        let mut link = self.links.of(row, key, source)?;
        let Some(remote_id) = link.remote_id else {
            return Ok(self.unlinked(row));
        };
        let settled = match self.of_row(row, key, remote_id, link.known.as_ref()) {
            Ok(settled) => settled,
            Err(Left::Store(error)) => return Err(error),
            Err(Left::Invalid(found)) => {
                link.problems.extend(found);
                return Ok(Settled::LeftOut(LeftOutReason::Invalid, link.problems));
            }
        };
        if link.problems.is_empty() {
            Ok(settled)
        } else {
            Ok(Settled::LeftOut(LeftOutReason::Invalid, link.problems))
        }
    }

    /// A row without a remote id; its cells are judged where that is asked for.
    fn unlinked(&self, row: &Row) -> Settled {
        let judged = self.judge_unlinked.then(|| self.lane.desired(row).err());
        if let Some(problems) = judged.flatten() {
            return Settled::LeftOut(LeftOutReason::Invalid, problems);
        }
        let looked_for = unlinked(self.lane, MatchCell::of(self.lane, row));
        let reason = LeftOutReason::Skipped(SkipReason::Unlinked);
        Settled::LeftOut(reason, looked_for.into_iter().collect())
    }

    fn of_row(
        &mut self,
        row: &Row,
        key: &RecordKey,
        remote_id: String,
        known: Option<&SnapshotRow>,
    ) -> Result<Settled, Left> {
        let nothing = Acknowledged::new();
        let acknowledged = known.map_or(&nothing, |known| &known.values);
        let desired = self.lane.desired(row).map_err(Left::Invalid)?;
        let changes = self.changes(&desired, acknowledged)?;
        self.update(row.line(), key, remote_id, known, &desired, changes)
    }

    /// What differs, where the record that is wanted is a sound one.
    fn changes(&self, desired: &[Desired], known: &Acknowledged) -> Result<Vec<Change>, Left> {
        self.check_record(desired, known)?;
        let context = DiffContext {
            key: self.lane.keeping.key.as_ref(),
            mapped_before: self.mapped_before.as_ref(),
        };
        diff(&self.lane.mappings, desired, known, context).map_err(Left::Invalid)
    }

    fn update(
        &mut self,
        line: u64,
        key: &RecordKey,
        remote_id: String,
        known: Option<&SnapshotRow>,
        desired: &[Desired],
        changes: Vec<Change>,
    ) -> Result<Settled, Left> {
        let lane = self.lane;
        let nothing = Acknowledged::new();
        let acknowledged = known.map_or(&nothing, |known| &known.values);
        if changes.is_empty() {
            return Ok(Settled::Unchanged);
        }
        let draft = assemble(&lane.provider.shape, &lane.mappings, desired, changes);
        if draft.changes.is_empty() {
            return Ok(Settled::Unchanged);
        }
        let overlaps = self
            .periods
            .judge(
                lane,
                self.store,
                &draft,
                (desired, acknowledged),
                &remote_id,
            )
            .map_err(Left::Store)?;
        if !overlaps.is_empty() {
            return Err(Left::Invalid(overlaps));
        }
        let overlay = self.overlay(&draft, acknowledged, &remote_id)?;
        Ok(Settled::Update(Box::new(PlannedUpdate {
            lane: lane.name.clone(),
            key: key.clone(),
            remote_id,
            line,
            push: if acknowledged.is_empty() {
                Push::First
            } else {
                Push::Update
            },
            draft,
            overlay: Overlay::Clear(overlay),
            basis: known.map(SnapshotRow::basis).unwrap_or_default(),
        })))
    }

    /// The exact body where no read is needed; else our values in the view.
    fn overlay(&self, draft: &Draft, known: &Acknowledged, remote_id: &str) -> Result<Json, Left> {
        let lane = self.lane;
        if !draft.read.is_empty() {
            let mut json = Json::object();
            let changes = draft
                .changes
                .iter()
                .map(|change| (&change.field, &change.after));
            for (path, value) in changes.chain(
                draft
                    .extras
                    .iter()
                    .map(|extra| (&extra.field, &extra.value)),
            ) {
                json.set_at(path.members(), Json::from_value(value));
            }
            return Ok(json);
        }
        let with = Completing {
            shape: &lane.provider.shape,
            mappings: &lane.mappings,
            known,
            key: lane.keeping.key.as_ref(),
            remote_id,
        };
        match complete(draft, None, &with).map_err(Left::Invalid)? {
            Completed::Unchanged(_) => Ok(Json::object()),
            Completed::Body(body) => {
                let problems = crate::engine::body_problems(lane, &body, remote_id);
                if problems.is_empty() {
                    Ok(body.json)
                } else {
                    Err(Left::Invalid(problems))
                }
            }
        }
    }

    /// The rules on the desired record, with what is known of the rest.
    fn check_record(&self, desired: &[Desired], known: &Acknowledged) -> Result<(), Left> {
        let mut record = Json::object();
        for (path, value) in known
            .iter()
            .filter_map(|(path, known)| Some((path, known.value()?)))
        {
            record.set_at(path.members(), Json::from_value(value));
        }
        for (mapping, value) in self
            .lane
            .mappings
            .iter()
            .zip(desired)
            .filter_map(|(m, d)| Some((m, d.value()?)))
        {
            record.set_at(mapping.field.path.members(), Json::from_value(value));
        }
        let record = without_nulls(record.to_value());
        let violations = self.lane.provider.contract.check_record(&record);
        let problems: Vec<Problem> = violations
            .into_iter()
            .map(|v| crate::engine::violation_problem(self.lane, v))
            .collect();
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Left::Invalid(problems))
        }
    }

    fn write<W: std::io::Write>(
        &mut self,
        line: u64,
        key: Option<&RecordKey>,
        settled: Settled,
        out: &mut PlanWriter<'_, W>,
    ) -> Result<(), PlanFileError> {
        let over_limit = self.limit.is_some_and(|limit| self.counts.planned >= limit);
        let mut leave_out = |counts: &mut LaneCounts, reason: LeftOutReason, problems| {
            counts.add(reason.into());
            out.left_out(LeftOut::of(
                &self.lane.name,
                key.cloned(),
                line,
                reason,
                problems,
            ))
        };
        match settled {
            Settled::Unchanged => self.counts.add(Outcome::Unchanged),
            Settled::Update(_) if over_limit => leave_out(
                &mut self.counts,
                LeftOutReason::Skipped(SkipReason::Limit),
                Vec::new(),
            )?,
            Settled::LeftOut(reason, problems) => leave_out(&mut self.counts, reason, problems)?,
            Settled::Update(update) => {
                self.counts.add(Outcome::Planned);
                self.reads += u64::from(!update.draft.read.is_empty());
                out.update(*update)?;
            }
        }
        Ok(())
    }
}

/// A record in which what is empty is not there, as rules on it expect.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .filter(|(_, member)| !member.is_null())
                .map(|(name, member)| (name, without_nulls(member)))
                .collect(),
        ),
        other => other,
    }
}
