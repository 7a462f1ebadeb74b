//! What a record should hold after a round, by the words of the product page
//! and by nothing of the payload's code.

use std::collections::BTreeMap;

use clientsync::core::{Access, Clear, Desired, Field, Json, KeyedList, Place, Policy, is_blank};
use serde_json::Value;

use super::case::{Case, entries, same};
use super::server::Reading;

/// What a round should do to one mapped field.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Effect {
    /// It stands on the record afterwards.
    Stands(Value),
    /// Its place is left as it is.
    Untouched,
}

/// Whether the row should be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Nothing is wrong with it.
    Never,
    /// It depends on what else is sent.
    Possible,
    /// Nothing of it may be sent.
    Certain,
}

/// The record after a round, where the snapshot tells the truth.
pub(super) struct Expected {
    pub(super) state: Json,
    pub(super) refusal: Refusal,
}

/// The member that decides whether the dates of an absence travel.
const MODE: &str = "out_of_office_mode";
const DATES: [&str; 2] = ["out_of_office_start_date", "out_of_office_end_date"];

impl Case {
    /// What the round should do to a mapped field.
    pub(super) fn effect(&self, index: usize) -> Effect {
        let mapping = &self.mappings[index];
        let field = &mapping.field;
        let name = field.path.to_string();
        if DATES.contains(&name.as_str()) && !self.is_away() {
            return Effect::Untouched;
        }
        let Desired::Set(value) = &self.desired[index] else {
            return Effect::Untouched;
        };
        if field.access != Access::ReadWrite {
            return Effect::Untouched;
        }
        let fills = || {
            !is_blank(value)
                && self.known.get(&field.path).is_none_or(is_blank)
                && self.view(field).is_none_or(|seen| is_blank(&seen))
        };
        match mapping.policy {
            Policy::Source => Effect::Stands(value.clone()),
            Policy::Once | Policy::FillBlank if fills() => Effect::Stands(value.clone()),
            _ => Effect::Untouched,
        }
    }

    /// Whether the absence is on once the row is applied.
    fn is_away(&self) -> bool {
        let index = self
            .mappings
            .iter()
            .position(|m| m.field.path.to_string() == MODE);
        let said = index.map(|index| self.effect(index));
        match said {
            Some(Effect::Stands(value)) => value == Value::Bool(true),
            _ => self
                .state
                .get(MODE)
                .is_some_and(|mode| mode.to_text() == "true"),
        }
    }

    /// The record after the round.
    pub(super) fn expected(&self) -> Expected {
        let mut expected = Expected {
            state: self.state.clone(),
            refusal: Refusal::Never,
        };
        let mut lists: BTreeMap<Vec<String>, (KeyedList, Vec<Json>)> = BTreeMap::new();
        let is_flag = |i: &usize| matches!(self.mappings[*i].field.place, Place::Flag { .. });
        let all = 0..self.mappings.len();
        for index in all
            .clone()
            .filter(|i| !is_flag(i))
            .chain(all.filter(is_flag))
        {
            let field = &self.mappings[index].field;
            self.check_immutable(index, &mut expected);
            let effect = self.effect(index);
            match (&field.place, effect) {
                (Place::Member(members), Effect::Stands(value)) => {
                    if self
                        .view(field)
                        .is_some_and(|seen| same(field.compare, &seen, &value))
                    {
                        continue;
                    }
                    match (
                        members.split_last(),
                        value.is_null() && field.clear == Clear::Remove,
                    ) {
                        (Some((name, parent)), true) => {
                            let mut unit = expected.state.at(parent).unwrap().clone();
                            unit.remove(name);
                            expected.state.set_at(parent, unit);
                        }
                        _ => expected.state.set_at(members, Json::from_value(&value)),
                    }
                }
                (Place::Entry { list, key }, effect) => {
                    let (_, items) = lists
                        .entry(list.at.clone())
                        .or_insert_with(|| (list.clone(), self.items(&list.at)));
                    // A field that may be sent and could mean several entries
                    // refuses the row, whatever its policy says in the end.
                    let asks = self.said(&field.path).is_some_and(|value| {
                        !(self.guards(index)
                            && (is_blank(value)
                                || self.known.get(&field.path).is_some_and(|k| !is_blank(k))))
                    });
                    if asks && self.addressed(field).is_err() {
                        expected.refusal = Refusal::Certain;
                    } else if let Effect::Stands(value) = effect {
                        self.set_entry(field, list, key, &value, items);
                    }
                }
                (Place::Flag { list, member }, Effect::Stands(value)) => {
                    let (_, items) = lists
                        .entry(list.at.clone())
                        .or_insert_with(|| (list.clone(), self.items(&list.at)));
                    // A row that prefers what it clears contradicts itself.
                    let entry = self.entry_field(&list.at, &value);
                    if entry.and_then(|f| self.said(&f.path)) == Some(&Value::Null)
                        && expected.refusal == Refusal::Never
                    {
                        expected.refusal = Refusal::Possible;
                    }
                    if !self.set_flag(list, member, &value, items) {
                        // What is known to be so is sent only with other entries.
                        let planned = self.known.get(&field.path) != Some(&value);
                        expected.refusal = match expected.refusal {
                            Refusal::Never if !planned => Refusal::Possible,
                            Refusal::Possible | Refusal::Never if planned => Refusal::Certain,
                            other => other,
                        };
                    }
                }
                (Place::Flag { list, .. }, Effect::Untouched) => {
                    // Whether the one that carries it is meant cannot be told.
                    let meant = self.said(&field.path);
                    let entry = meant.and_then(|key| self.entry_field(&list.at, key));
                    if entry.is_some_and(|entry| self.addressed(entry).is_err())
                        && expected.refusal == Refusal::Never
                    {
                        expected.refusal = Refusal::Possible;
                    }
                }
                (_, Effect::Untouched) => {}
            }
        }
        for (at, (list, items)) in lists {
            if items == self.items(&at) {
                continue;
            }
            if let Some(flag) = &list.flag
                && flagged(&items, flag) != 1
                && expected.refusal == Refusal::Never
            {
                expected.refusal = Refusal::Possible;
            }
            expected.state.set_at(&at, Json::Array(items));
        }
        if self.world.name == "weel" && self.is_away() && !is_absence(&expected.state) {
            expected.refusal = Refusal::Possible;
        }
        expected
    }

    fn check_immutable(&self, index: usize, expected: &mut Expected) {
        let field = &self.mappings[index].field;
        let Desired::Set(value) = &self.desired[index] else {
            return;
        };
        if field.access != Access::Immutable {
            return;
        }
        // A record that does not show the field contradicts nothing.
        let differs = |seen: &Value| !seen.is_null() && !same(field.compare, seen, value);
        if self.known.get(&field.path).is_some_and(differs) {
            expected.refusal = Refusal::Certain;
        } else if self.view(field).is_none_or(|seen| differs(&seen))
            && expected.refusal == Refusal::Never
        {
            expected.refusal = Refusal::Possible;
        }
    }

    fn set_entry(
        &self,
        field: &Field,
        list: &KeyedList,
        key: &str,
        value: &Value,
        items: &mut Vec<Json>,
    ) {
        // Entries before ours may have been removed: find it again by its text.
        let original = self.items(&list.at);
        let ours = self
            .addressed(field)
            .ok()
            .flatten()
            .map(|(index, _)| &original[index]);
        let index = ours.and_then(|ours| items.iter().position(|item| item == ours));
        match (index, value.is_null()) {
            (Some(index), true) => drop(items.remove(index)),
            (None, true) => {}
            (Some(index), false) => {
                let seen = items[index]
                    .get(&list.value)
                    .map_or(Value::Null, Json::to_value);
                if !same(field.compare, &seen, value) {
                    items[index].set(&list.value, Json::from_value(value));
                }
            }
            (None, false) => {
                let mut item = Json::object();
                item.set(&list.key, Json::from_value(&Value::from(key)));
                item.set(&list.value, Json::from_value(value));
                if let Some(flag) = &list.flag {
                    item.set(flag, Json::from_value(&Value::Bool(false)));
                }
                items.push(item);
            }
        }
    }

    /// Moves the flag; false where the entry is not there or not the only one.
    fn set_flag(&self, list: &KeyedList, member: &str, value: &Value, items: &mut [Json]) -> bool {
        let found = entries(items, &list.key, &list.value, value.as_str().unwrap());
        let chosen = match found.len() {
            0 => None,
            1 => Some(found[0].0),
            _ => self.entry_field(&list.at, value).and_then(|field| {
                self.meant(field).into_iter().flatten().find_map(|wanted| {
                    let ours = found.iter().find(|(_, v)| same(field.compare, v, wanted));
                    ours.map(|(index, _)| *index)
                })
            }),
        };
        let Some(chosen) = chosen else {
            return false;
        };
        for (index, item) in items.iter_mut().enumerate() {
            let is_true = item.get(member).is_some_and(|m| m.to_text() == "true");
            if is_true != (index == chosen) {
                item.set(member, Json::from_value(&Value::Bool(index == chosen)));
            }
        }
        true
    }

    /// What differs between the record and what it should be; values of ours
    /// may be spelt otherwise, all else is the same text.
    pub(super) fn differs(
        &self,
        expected: &Json,
        actual: &Json,
        reading: Reading,
    ) -> Option<String> {
        let (mut expected, mut actual) = (leaves(expected), leaves(actual));
        for index in 0..self.mappings.len() {
            let field = &self.mappings[index].field;
            let Effect::Stands(value) = self.effect(index) else {
                continue;
            };
            match &field.place {
                Place::Member(members) => {
                    expected.remove(members);
                    let stands = actual
                        .remove(members)
                        .map_or(Value::Null, |leaf| leaf.to_value());
                    // A server that merges cannot be told to forget a member.
                    let forgets = value.is_null()
                        && field.clear == Clear::Remove
                        && reading == Reading::Merging;
                    if !forgets && !same(field.compare, &stands, &value) {
                        return Some(format!("{} holds {stands}, not {value}", field.path));
                    }
                }
                Place::Entry { list, key } => {
                    for side in [&mut expected, &mut actual] {
                        if let Some(Json::Array(items)) = side.get_mut(&list.at) {
                            spell_alike(items, list, key, &value, field);
                        }
                    }
                }
                Place::Flag { .. } => {}
            }
        }
        let all: std::collections::BTreeSet<_> = expected.keys().chain(actual.keys()).collect();
        all.into_iter()
            .find(|place| expected.get(*place) != actual.get(*place))
            .map(|place| {
                let text = |leaf: Option<&Json>| leaf.map(Json::to_text);
                format!(
                    "{place:?} holds {:?}, not {:?}",
                    text(actual.get(place)),
                    text(expected.get(place))
                )
            })
    }
}

/// Whether both days of an absence are there, in their order.
fn is_absence(record: &Json) -> bool {
    let day = |name: &str| record.get(name).filter(|day| !day.is_null());
    let [from, to] = DATES.map(|name| day(name).map(Json::to_text));
    from.is_some() && from <= to
}

/// Gives values of ours that are the same one spelling.
fn spell_alike(items: &mut [Json], list: &KeyedList, key: &str, value: &Value, field: &Field) {
    for (index, seen) in entries(items, &list.key, &list.value, key) {
        if same(field.compare, &seen, value) {
            items[index].set(&list.value, Json::from_value(value));
        }
    }
}

fn flagged(items: &[Json], flag: &str) -> usize {
    let is_set = |item: &&Json| item.get(flag).is_some_and(|f| f.to_text() == "true");
    items.iter().filter(is_set).count()
}

/// The leaves of a record: everything that is no object, by its place.
pub(super) fn leaves(record: &Json) -> BTreeMap<Vec<String>, Json> {
    fn collect(json: &Json, at: &[String], all: &mut BTreeMap<Vec<String>, Json>) {
        match json {
            Json::Object(members) => {
                for (name, member) in members {
                    let mut at = at.to_vec();
                    at.push(name.clone());
                    collect(member, &at, all);
                }
            }
            other => {
                all.insert(at.to_vec(), other.clone());
            }
        }
    }
    let mut all = BTreeMap::new();
    collect(record, &[], &mut all);
    all
}
