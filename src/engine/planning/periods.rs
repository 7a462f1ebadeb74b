//! Who is away when, over a whole plan: what the check `no_overlap` is judged by.
//!
//! It is gathered in a pass of its own before any row is planned, so that the
//! order of the rows says nothing, and holds the rows that have a period or
//! lose one, no others. Whether an earlier period ends at the provider in time
//! depends on the order of sending and is left to the next run.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde_json::Value;

use super::planner::{PlanError, Selection};
use super::rows::{Links, SourceView, identify};
use crate::core::{Acknowledged, Desired, Draft, FieldPath, Known, Pointer, Policy, Problem, Row};
use crate::engine::lane::Lane;
use crate::provider::NamedCheck;
use crate::store::{Store, StoreError};

/// Days from the first to the last, both inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Period {
    from: Date,
    to: Date,
}

impl Period {
    fn overlaps(self, other: Self) -> bool {
        self.from <= other.to && other.from <= self.to
    }
}

/// The members of one `no_overlap`.
#[derive(Clone, Copy)]
struct Rule<'a> {
    pointer: &'a Pointer,
    on: &'a Pointer,
    from: &'a Pointer,
    to: &'a Pointer,
}

/// The periods that a plan knows of its lanes' records.
#[derive(Debug, Default)]
pub struct Periods {
    /// Lane, then check, then remote id; `None` where the plan ends a period.
    of: BTreeMap<(u8, usize, String), Option<Period>>,
}

impl Periods {
    /// Whether any lane has a check that needs the periods of other rows.
    #[must_use]
    pub fn are_needed(lanes: &[Lane]) -> bool {
        lanes.iter().any(|lane| rules(lane).next().is_some())
    }

    /// Gathers the periods of all rows that the plan is about.
    pub fn gather<S: std::error::Error>(
        lanes: &[Lane],
        source: &mut SourceView<'_, S>,
        store: Option<&Store>,
        selection: &Selection,
    ) -> Result<Self, PlanError<S>> {
        let mut periods = Self::default();
        let judged: Vec<&Lane> = lanes.iter().filter(|l| rules(l).next().is_some()).collect();
        let mut links = judged
            .iter()
            .map(|lane| Links::new(lane, known_lane(lane, store)))
            .collect::<Result<Vec<_>, _>>()?;
        let mut row = Row::default();
        while (source.next)(&mut row).map_err(PlanError::Source)? {
            let Ok(key) = identify(&row, source) else {
                continue;
            };
            if selection.leaves_out(&key) || (source.is_repeat)(row.line()) {
                continue;
            }
            for (lane, links) in judged.iter().zip(&mut links) {
                let link = links.of(&row, &key, source)?;
                let (Some(id), true) = (link.remote_id, link.problems.is_empty()) else {
                    continue;
                };
                // A row that is invalid changes nothing.
                let Ok(desired) = lane.desired(&row) else {
                    continue;
                };
                let nothing = Acknowledged::new();
                let known = link.known.as_ref().map_or(&nothing, |known| &known.values);
                for (number, rule) in rules(lane) {
                    let before = period(rule, |pointer| known_value(known, pointer));
                    let after = period(rule, |pointer| stands(lane, &desired, known, pointer));
                    if before.is_some() || after.is_some() {
                        let place = (lane.ordinal, number, id.clone());
                        periods.of.insert(place, after);
                    }
                }
            }
        }
        Ok(periods)
    }

    /// Refuses an update whose record names another one that is away in the
    /// same days, by this plan or else by what was acknowledged.
    pub(in crate::engine) fn judge(
        &self,
        lane: &Lane,
        store: Option<&Store>,
        draft: &Draft,
        (desired, known): (&[Desired], &Acknowledged),
        remote_id: &str,
    ) -> Result<Vec<Problem>, StoreError> {
        let mut problems = Vec::new();
        for (number, rule) in rules(lane) {
            let touched = [rule.pointer, rule.on, rule.from, rule.to];
            let is_touched = |field: &FieldPath| touched.iter().any(|p| path(p) == *field);
            if !draft.changes.iter().any(|c| is_touched(&c.field)) {
                continue;
            }
            let value = |pointer: &Pointer| stands(lane, desired, known, pointer);
            let (Some(own), Some(other)) = (
                period(rule, value),
                value(rule.pointer).and_then(|value| id_text(&value)),
            ) else {
                continue;
            };
            // A record that names itself is told so, in the words of that check.
            if other == remote_id && must_not_name_itself(lane, rule.pointer) {
                continue;
            }
            let theirs = match self.of.get(&(lane.ordinal, number, other.clone())) {
                Some(planned) => *planned,
                None => acknowledged(lane, store, rule, &other)?,
            };
            if theirs.is_some_and(|theirs| theirs.overlaps(own)) {
                problems.push(problem(lane, rule.pointer));
            }
        }
        Ok(problems)
    }
}

/// The checks of a lane that its mapped fields can break, by their number.
fn rules(lane: &Lane) -> impl Iterator<Item = (usize, Rule<'_>)> {
    let is_mapped = |pointer: &Pointer| lane.mapping(&path(pointer)).is_some();
    let checks = lane.provider.manifest.check.iter().enumerate();
    checks.filter_map(move |(number, check)| match check {
        NamedCheck::NoOverlap {
            pointer,
            on,
            from,
            to,
        } if [pointer, on, from, to].into_iter().any(is_mapped) => Some((
            number,
            Rule {
                pointer,
                on,
                from,
                to,
            },
        )),
        _ => None,
    })
}

/// Whether a check of its own refuses a record that names itself there.
fn must_not_name_itself(lane: &Lane, at: &Pointer) -> bool {
    let mut checks = lane.provider.manifest.check.iter();
    checks.any(|check| matches!(check, NamedCheck::NotSelf { pointer } if pointer == at))
}

/// The state, where it knows the lane.
fn known_lane<'a>(lane: &Lane, store: Option<&'a Store>) -> Option<&'a Store> {
    store.filter(|store| store.lanes().any(|name| name == lane.name))
}

fn path(pointer: &Pointer) -> FieldPath {
    FieldPath::new(pointer.tokens().to_vec())
}

fn known_value(known: &Acknowledged, pointer: &Pointer) -> Option<Value> {
    known.get(&path(pointer)).and_then(Known::value).cloned()
}

/// What a member holds once the row is applied: what the row says where it
/// certainly wins, else what was acknowledged.
fn stands(
    lane: &Lane,
    desired: &[Desired],
    known: &Acknowledged,
    pointer: &Pointer,
) -> Option<Value> {
    let field = path(pointer);
    let said = lane
        .mappings
        .iter()
        .zip(desired)
        .find(|(mapping, _)| mapping.field.path == field && mapping.policy == Policy::Source)
        .and_then(|(_, desired)| desired.value());
    said.cloned().or_else(|| known_value(known, pointer))
}

fn period(rule: Rule<'_>, value: impl Fn(&Pointer) -> Option<Value>) -> Option<Period> {
    let day = |pointer: &Pointer| value(pointer)?.as_str()?.parse().ok();
    (value(rule.on)? == Value::Bool(true)).then_some(())?;
    Some(Period {
        from: day(rule.from)?,
        to: day(rule.to)?,
    })
}

/// The acknowledged period of a record that the plan says nothing of.
fn acknowledged(
    lane: &Lane,
    store: Option<&Store>,
    rule: Rule<'_>,
    id: &str,
) -> Result<Option<Period>, StoreError> {
    let Some(store) = known_lane(lane, store) else {
        return Ok(None);
    };
    let Some(key) = store.link_of(&lane.name, id)? else {
        return Ok(None);
    };
    let known = store.acknowledged(&lane.name, &key)?;
    Ok(known.and_then(|known| period(rule, |pointer| known_value(&known.values, pointer))))
}

fn id_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn problem(lane: &Lane, pointer: &Pointer) -> Problem {
    let field = path(pointer);
    let mut problem = Problem::new(
        "E_OVERLAP",
        "names somebody who is away in the same days; name another, or move the days",
    )
    .field(&field);
    let mapping = lane.mapping(&field);
    problem.column = mapping.and_then(|mapping| mapping.cell.columns().first().cloned());
    problem
}
