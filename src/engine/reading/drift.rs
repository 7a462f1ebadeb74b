//! Drift: reads the providers back, and compares what they hold with what they
//! acknowledged last and with what the source says.
//!
//! It changes nothing, at the providers or in the state. Members that nobody
//! maps have no baseline, and are no drift.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::gathered::Batch;
use super::gathering::Breadth;
use super::lanes::{Keep, ReadLane, Sharing, read_lanes};
use super::roster::Roster;
use super::spool::{Place, Spool};
use crate::core::{
    Access, Acknowledged, Before, Desired, Drift, DriftedField, Field, FieldPath, Json, Known,
    Mapping, Outcome, Policy, Problem, RecordKey, Row, Says, Shown, SkipReason, Visibility,
};
use crate::engine::delivery::apply::Interrupt;
use crate::engine::ends::{LaneEnd, Stopped};
use crate::engine::event::Observer;
use crate::engine::exchange::exchanger::Clock;
use crate::engine::lane::Lane;
use crate::engine::planning::planner::PlanError;
use crate::engine::planning::rows::{Links, SourceView, identify};
use crate::engine::transport::Transport;
use crate::store::Store;

/// The records of one lane, read back and not yet compared.
#[derive(Debug)]
pub struct ReadBack {
    /// The rows. Those whose records were read count as unchanged until they
    /// are compared.
    pub roster: Roster,
    /// The counts so far, and why the reading ended early, if it did.
    pub end: LaneEnd,
    /// Where the records lie, by the place of their rows.
    records: BTreeMap<usize, Place>,
    spool: Spool,
}

/// Reads lanes back, side by side.
pub async fn read_back<T: Transport + 'static>(
    lanes: Vec<ReadLane<T>>,
    observer: Arc<dyn Observer>,
    clock: Clock,
    interrupt: &Interrupt,
) -> BTreeMap<String, ReadBack> {
    let with = Sharing {
        recorder: None,
        observer,
        clock,
        breadth: Breadth::Rows,
        interrupt,
    };
    let read = read_lanes(lanes, with, |lane| Spooler {
        lane: Arc::clone(lane),
        records: BTreeMap::new(),
    });
    let read = read.await.into_iter();
    let back = read.map(|(name, read)| {
        let back = ReadBack {
            roster: read.roster,
            end: read.end,
            records: read.keeper.records,
            spool: read.spool,
        };
        (name, back)
    });
    back.collect()
}

/// Keeps records for the comparison, which follows the source's order.
struct Spooler {
    lane: Arc<Lane>,
    records: BTreeMap<usize, Place>,
}

impl Keep for Spooler {
    async fn keep(
        &mut self,
        roster: &mut Roster,
        spool: &mut Spool,
        batch: Batch,
    ) -> Result<(), Stopped> {
        for taken in batch.taken {
            let kept = spool.keep(&self.lane, &taken.record);
            let place = kept.map_err(|error| super::spool::stopped(&error))?;
            self.records.insert(taken.place, place);
            roster.rows[taken.place].outcome = Outcome::Unchanged;
        }
        for missed in batch.missed {
            roster.miss(missed.place, missed.outcome, missed.problems);
        }
        Ok(())
    }
}

/// What a comparison tells.
pub struct Tellers<'a, E> {
    /// Hears of a record that drifted.
    pub drift: &'a mut dyn FnMut(Drift) -> Result<(), E>,
    /// Hears of a problem of a row.
    pub note: &'a mut dyn FnMut(Problem) -> Result<(), E>,
}

impl<E> std::fmt::Debug for Tellers<'_, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tellers")
    }
}

/// Compares what was read of a lane with the snapshot and with the rows, which
/// are the ones that the roster was gathered from.
pub fn compare<S: std::error::Error>(
    lane: &Lane,
    source: &mut SourceView<'_, S>,
    store: Option<&Store>,
    only: Option<&BTreeSet<RecordKey>>,
    read: &mut ReadBack,
    tell: &mut Tellers<'_, PlanError<S>>,
) -> Result<(), PlanError<S>> {
    let known = store.filter(|store| store.lanes().any(|name| name == lane.name));
    let mut links = Links::new(lane, known)?;
    let mut row = Row::default();
    let mut places = 0..read.roster.rows.len();
    while (source.next)(&mut row).map_err(PlanError::Source)? {
        if (source.is_repeat)(row.line()) {
            continue;
        }
        let key = match identify(&row, source) {
            Ok(key) if only.is_some_and(|only| !only.contains(&key)) => continue,
            Err(_) if only.is_some() => continue,
            identity => identity,
        };
        let Some(place) = places.next() else { break };
        let (Ok(key), Some(kept)) = (key, read.records.get(&place).copied()) else {
            continue;
        };
        let link = links.of(&row, &key, source)?;
        let nothing = Acknowledged::new();
        let known = link.known.as_ref().map_or(&nothing, |known| &known.values);
        let record = read
            .spool
            .get(kept)
            .map_err(crate::engine::PlanFileError::from)?;
        let desired = lane.desired(&row).ok();
        let compared = Comparing {
            lane,
            known,
            desired: desired.as_deref(),
        };
        let (fields, ambiguous) = compared.fields(&record);
        for field in ambiguous {
            let why = "the provider holds several entries of this kind, and none is the one that the row or the snapshot names";
            let problem = Problem::new("W_AMBIGUOUS_ENTRY", why).field(&field);
            (tell.note)(problem.line(row.line()).key(&key))?;
        }
        if fields.is_empty() {
            continue;
        }
        read.roster.rows[place].outcome = Outcome::Skipped(SkipReason::Drifted);
        (tell.drift)(Drift {
            lane: lane.name.clone(),
            remote_id: link.remote_id.unwrap_or_default(),
            line: row.line(),
            key,
            fields,
        })?;
    }
    let sent = (read.end.counts.requests, read.end.counts.retries);
    read.end.counts = read.roster.counts();
    (read.end.counts.requests, read.end.counts.retries) = sent;
    Ok(())
}

/// One record's comparison.
struct Comparing<'a> {
    lane: &'a Lane,
    known: &'a Acknowledged,
    /// What the row says; `None` where its cells cannot be used.
    desired: Option<&'a [Desired]>,
}

impl Comparing<'_> {
    /// The fields that differ, and those that cannot be told.
    fn fields(&self, record: &Json) -> (Vec<DriftedField>, Vec<FieldPath>) {
        let wanted = |path: &FieldPath| self.says(path)?.value();
        let held = self.lane.view(record, &wanted, self.known);
        let mut fields = Vec::new();
        let mut ambiguous = Vec::new();
        for (path, now) in held {
            let (Some(mapping), Some(now)) = (self.lane.mapping(&path), now) else {
                ambiguous.push(path);
                continue;
            };
            if self.differs(mapping, &now, record) {
                fields.push(self.field(mapping, now));
            }
        }
        (fields, ambiguous)
    }

    fn says(&self, path: &FieldPath) -> Option<&Desired> {
        let all = self.lane.mappings.iter().zip(self.desired?);
        all.into_iter()
            .find(|(mapping, _)| mapping.field.path == *path)
            .map(|(_, desired)| desired)
    }

    /// Whether the provider holds something else than it acknowledged, or than
    /// the row says where nothing was acknowledged.
    fn differs(&self, mapping: &Mapping, now: &serde_json::Value, record: &Json) -> bool {
        let field = &mapping.field;
        if let Some(known) = self.known.get(&field.path) {
            return !known.equals(field, now, self.lane.keeping.key.as_ref());
        }
        // Under the other policies what the provider holds may stay.
        let is_ours = mapping.policy == Policy::Source || field.access == Access::Immutable;
        let wanted = self.says(&field.path).and_then(Desired::value);
        is_ours
            && wanted.is_some_and(|wanted| !field.compare.equal(now, wanted))
            && !self.is_idle(field, record)
    }

    /// Whether a field travels only under a condition that does not hold: then
    /// the row's value is never sent, and what stands there may stay.
    fn is_idle(&self, field: &Field, record: &Json) -> bool {
        let holds_not = |(member, wanted): &(Vec<String>, serde_json::Value)| {
            let all = self
                .lane
                .mappings
                .iter()
                .zip(self.desired.unwrap_or_default());
            let said = all
                .into_iter()
                .find(|(mapping, _)| mapping.field.place.members() == member.as_slice())
                .and_then(|(_, desired)| desired.value());
            match said {
                Some(value) => value != wanted,
                None => record
                    .at(member)
                    .is_none_or(|held| held.to_value() != *wanted),
            }
        };
        self.lane.provider.shape.groups.iter().any(|group| {
            group.depends(field.place.members()) && group.when.as_ref().is_some_and(holds_not)
        })
    }

    fn field(&self, mapping: &Mapping, now: serde_json::Value) -> DriftedField {
        let field = &mapping.field;
        let is_hidden = field.visibility == Visibility::Sensitive;
        let acknowledged = match self.known.get(&field.path) {
            None => Before::Unknown,
            Some(Known::Value(value)) if !is_hidden => Before::Value(value.clone()),
            Some(_) => Before::Hidden,
        };
        let source = match (self.desired, self.says(&field.path)) {
            (None, _) => Says::Invalid,
            (_, Some(Desired::Set(value))) if field.compare.equal(&now, value) => Says::Same,
            (_, Some(Desired::Set(_))) if is_hidden => Says::Other(serde_json::Value::Null),
            (_, Some(Desired::Set(value))) => Says::Other(value.clone()),
            (_, Some(Desired::Keep) | None) => Says::Nothing,
        };
        DriftedField {
            field: field.path.clone(),
            acknowledged,
            now: if is_hidden {
                serde_json::Value::Null
            } else {
                now
            },
            source,
            shown: Shown::from(field.visibility),
        }
    }
}
