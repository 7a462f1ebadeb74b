//! What must hold wherever a run stops, and in the end.
//!
//! Judged by what the providers hold and were asked; the state is what is
//! judged, never the judge.

use std::collections::BTreeMap;
use std::time::Duration;

use clientsync::core::{Field, Json, Known, LaneCounts, Place, RecordKey, is_blank};
use clientsync::engine::{Bound, Lane, LaneEnd, Stopped};
use clientsync::provider::Window;
use clientsync::store::{Store, StoreError};
use serde_json::Value;

use super::outside::Outside;
use super::town::{LanePlan, Town};
use crate::pace::windows_over;

/// What a record holds in a field; null where it holds nothing.
pub(super) fn held(field: &Field, state: &Json) -> Value {
    let found = match &field.place {
        Place::Member(members) => state.at(members),
        Place::Entry { list, key } => items(state, &list.at)
            .find(|item| text_of(item, &list.key).as_deref() == Some(key))
            .and_then(|item| item.get(&list.value)),
        Place::Flag { list, member } => items(state, &list.at)
            .find(|item| {
                item.get(member)
                    .is_some_and(|flag| flag.to_text() == "true")
            })
            .and_then(|item| item.get(&list.key)),
    };
    found.map_or(Value::Null, Json::to_value)
}

fn items<'a>(state: &'a Json, at: &[String]) -> impl Iterator<Item = &'a Json> {
    match state.at(at) {
        Some(Json::Array(items)) => items.iter(),
        _ => [].iter(),
    }
}

fn text_of(item: &Json, member: &str) -> Option<String> {
    item.get(member)?.to_value().as_str().map(str::to_owned)
}

fn same(field: &Field, one: &Value, other: &Value) -> bool {
    field.compare.equal(one, other) || (is_blank(one) && is_blank(other))
}

/// A plan takes every row for what it is.
pub(super) fn plan(town: &Town, lanes: &BTreeMap<String, LaneCounts>) {
    for lane in &town.lanes {
        let counts = &lanes[lane.name()];
        let rows = || town.clients.iter().map(|client| &client.lanes[lane.name()]);
        let unlinked = rows().filter(|row| row.id.is_none()).count();
        let invalid = rows().filter(|row| row.id.is_some() && row.spoilt.is_some());
        assert!(counts.adds_up());
        assert_eq!(counts.rows, number(town.clients.len()));
        assert_eq!(counts.skipped_total(), number(unlinked));
        assert_eq!(counts.invalid, number(invalid.count()), "{}", lane.name());
    }
}

/// The counts of a run that ended add up, and are those of the other side.
pub(super) fn counts(
    ends: &BTreeMap<String, LaneEnd>,
    planned: &BTreeMap<String, LaneCounts>,
    requests: u64,
    budget: Option<u64>,
) {
    for (name, end) in ends {
        // All pauses and all waiting for a provider that fails are far shorter
        // than a run may take: whoever waits that long waits for nobody.
        assert_ne!(end.stopped, Some(Stopped::Bound(Bound::Time)), "{name}");
        let most = budget.unwrap_or(u64::MAX);
        assert!(end.counts.requests <= most, "{name}: {:?}", end.counts);
        assert!(end.counts.adds_up(), "{name}: {:?}", end.counts);
        assert_eq!(end.counts.rows, planned[name].rows, "{name}");
        assert_eq!(end.counts.invalid, planned[name].invalid, "{name}");
        if end.stopped.is_none() {
            assert_eq!(end.counts.planned, 0, "{name}: {:?}", end.counts);
        }
    }
    let counted: u64 = ends.values().map(|end| end.counts.requests).sum();
    assert_eq!(counted, requests, "requests are counted as they leave");
}

/// Every write that left has an intent of its own.
pub(super) fn journal(store: &Store, run_id: &str, town: &Town, outside: &Outside) {
    let mut intents: BTreeMap<(String, String, String), usize> = BTreeMap::new();
    let each = |attempt: clientsync::store::AttemptRow| -> Result<(), StoreError> {
        if let (Some(key), Some(hash)) = (attempt.key, attempt.body_sha256) {
            *intents
                .entry((attempt.lane, key.as_str().to_owned(), hash))
                .or_default() += 1;
        }
        Ok(())
    };
    store.attempts(run_id, each).unwrap();
    for lane in &town.lanes {
        for ((id, hash), count) in &outside.remotes[lane.name()].writes {
            let key = RecordKey::from_cells([key_of(town, lane, id)]);
            let intent = (
                lane.name().to_owned(),
                key.as_str().to_owned(),
                hash.clone(),
            );
            let intended = intents.get(&intent).copied().unwrap_or_default();
            assert!(
                *count <= intended,
                "{} {id}: {count} writes of one body, {intended} intents",
                lane.name()
            );
        }
    }
}

fn key_of<'a>(town: &'a Town, lane: &LanePlan, id: &str) -> &'a str {
    let is_of = |id_of: &Option<String>| id_of.as_deref() == Some(id);
    let mut clients = town.clients.iter();
    let client = clients.find(|client| is_of(&client.lanes[lane.name()].id));
    &client.unwrap().key
}

/// What the state knows, a provider has said, and still holds.
pub(super) fn snapshot(store: &Store, town: &Town, outside: &Outside) {
    for lane in &town.lanes {
        let remote = &outside.remotes[lane.name()];
        let each =
            |key: RecordKey, row: clientsync::store::SnapshotRow| -> Result<(), StoreError> {
                let record = &remote.records[&row.remote_id];
                let nothing = Vec::new();
                let told = remote.told.get(&row.remote_id).unwrap_or(&nothing);
                for (path, known) in &row.values {
                    let Known::Value(value) = known else {
                        panic!("no field here is sensitive");
                    };
                    let field = &lane
                        .fields
                        .iter()
                        .find(|candidate| candidate.field.path == *path)
                        .unwrap()
                        .field;
                    let place = format!("{} {} {path}: {value}", lane.name(), key.as_str());
                    let was_told = told
                        .iter()
                        .rev()
                        .any(|s| same(field, &held(field, s), value));
                    assert!(was_told, "{place} is known, and was never acknowledged");
                    let now = held(field, &record.server.state);
                    assert!(same(field, &now, value), "{place} is known, {now} is held");
                }
                Ok(())
            };
        store.each_record(lane.name(), each).unwrap();
    }
}

/// In the end every record holds what the file says, and what is not ours is as
/// its people left it.
pub(super) fn end(town: &Town, outside: &Outside) {
    for lane in &town.lanes {
        let remote = &outside.remotes[lane.name()];
        for client in &town.clients {
            let wishes = &client.lanes[lane.name()];
            let Some(id) = &wishes.id else { continue };
            let state = &remote.records[id].server.state;
            if wishes.spoilt.is_some() {
                continue;
            }
            for (candidate, wish) in lane.fields.iter().zip(&wishes.values) {
                let Some(wish) = wish else { continue };
                let held = held(&candidate.field, state);
                assert!(
                    same(&candidate.field, &held, wish),
                    "{} {id} {}: {held} is held, {wish} is wanted",
                    lane.name(),
                    candidate.field.path
                );
            }
        }
        for (id, record) in &remote.records {
            let fields: Vec<&Field> = lane.fields.iter().map(|c| &c.field).collect();
            let foreign = |state: &Json| {
                let mut found = BTreeMap::new();
                others(state, &mut Vec::new(), &fields, &mut found);
                found
            };
            assert_eq!(
                foreign(&record.began),
                foreign(&record.server.state),
                "{} {id}: what is not ours is untouched",
                lane.name()
            );
        }
    }
}

/// No window of a provider's clock ever held more than its quota, over all runs.
pub(super) fn pace(lane: &Lane, outside: &Outside) {
    let arrivals = &outside.remotes[&lane.name].arrivals;
    for quota in &lane.limits.quota {
        let counted = arrivals
            .iter()
            .filter(|(_, is_write)| *is_write || !quota.writes_only);
        let counted: Vec<Duration> = counted.map(|(at, _)| *at).collect();
        // A day is a day of our clock, not a window.
        if quota.per != Window::Day {
            let over = windows_over(&counted, quota.calls, quota.per);
            assert_eq!(over, 0, "{}: {quota:?}", lane.name);
        }
    }
}

/// The members that no field addresses, by their place, as their texts.
fn others(
    json: &Json,
    at: &mut Vec<String>,
    fields: &[&Field],
    found: &mut BTreeMap<Vec<String>, String>,
) {
    let places = || fields.iter().map(|field| &field.place);
    let is_ours = |place: &Place| matches!(place, Place::Member(members) if members == at);
    if places().any(is_ours) {
        return;
    }
    let lists = places().filter_map(|place| match place {
        Place::Entry { list, .. } | Place::Flag { list, .. } if list.at == *at => Some(list),
        _ => None,
    });
    let list = lists.into_iter().next().cloned();
    let is_above = places().any(|place| place.members().starts_with(at));
    match (json, list) {
        (Json::Object(members), _) => {
            for (name, member) in members {
                at.push(name.clone());
                others(member, at, fields, found);
                at.pop();
            }
        }
        (Json::Array(entries), Some(list)) => {
            let is_mapped = |name: &str| {
                places().any(|place| {
                    matches!(place, Place::Entry { list: of, key } if of.at == list.at && key == name)
                })
            };
            for entry in entries {
                let name = text_of(entry, &list.key).unwrap_or_default();
                if !is_mapped(&name) {
                    let mut entry = entry.clone();
                    if let Some(flag) = &list.flag {
                        entry.remove(flag);
                    }
                    let place = at.iter().cloned().chain([name]).collect();
                    found.insert(place, entry.to_text());
                }
            }
        }
        // Where our members stand, there is an object later.
        (_, _) if is_above => {}
        (other, _) => {
            found.insert(at.clone(), other.to_text());
        }
    }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap()
}
