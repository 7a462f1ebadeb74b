//! A case: what a provider holds, what a row says, and what is known.

use std::collections::BTreeMap;
use std::fmt;

use clientsync::core::{
    Access, Acknowledged, CellSource, Clear, Compare, Desired, Field, FieldPath, Json, Key, Known,
    Mapping, Place, Policy, is_blank,
};
use serde_json::Value;

use super::choices::Choices;
use super::world::{JUNK, World, json};

/// What the snapshot knows before the round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Knowing {
    Nothing,
    All,
    Some,
    /// Someone else changed the record since.
    Stale,
}

/// Several entries could be meant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Several;

/// One random round.
pub(super) struct Case {
    pub(super) world: &'static World,
    /// The record as the server holds it, by its write names.
    pub(super) state: Json,
    pub(super) mappings: Vec<Mapping>,
    pub(super) desired: Vec<Desired>,
    pub(super) knowing: Knowing,
    /// What is known, as plain values.
    pub(super) known: BTreeMap<FieldPath, Value>,
}

/// The key of digests in all cases.
pub(super) fn key() -> Key {
    Key::new([7; 32])
}

impl Case {
    /// Reads a case out of random decisions.
    pub(super) fn draw(world: &'static World, bytes: &[u8]) -> Self {
        let mut choices = Choices::new(bytes);
        let choices = &mut choices;
        let mut case = Self {
            world,
            state: world.base.clone(),
            mappings: Vec::new(),
            desired: Vec::new(),
            knowing: *choices.one(&[
                Knowing::Nothing,
                Knowing::All,
                Knowing::Some,
                Knowing::Stale,
            ]),
            known: BTreeMap::new(),
        };
        case.draw_row(choices);
        case.draw_record(choices);
        case.draw_known(choices);
        case
    }

    /// The same case once more, to be varied.
    pub(super) fn again(&self) -> Self {
        Self {
            world: self.world,
            state: self.state.clone(),
            mappings: self.mappings.clone(),
            desired: self.desired.clone(),
            knowing: self.knowing,
            known: self.known.clone(),
        }
    }

    fn draw_row(&mut self, choices: &mut Choices<'_>) {
        for candidate in &self.world.fields {
            let field = &candidate.field;
            let desired = match choices.below(8) {
                0 | 1 => Desired::Keep,
                2 if field.clear != Clear::Unsupported => Desired::Set(Value::Null),
                _ => Desired::Set(choices.one(&candidate.desired).clone()),
            };
            let policy = match (choices.below(10), field.access) {
                (7, Access::ReadWrite) => Policy::Once,
                (8, Access::ReadWrite) => Policy::FillBlank,
                (9, _) => Policy::Ignore,
                _ => Policy::Source,
            };
            // Half the fields change in most cases, one or two in some.
            if choices.chance(5, 8) {
                self.mappings.push(Mapping {
                    field: field.clone(),
                    policy,
                    cell: CellSource::column(&field.path.to_string()),
                });
                self.desired.push(desired);
            }
        }
        if !self.mappings.is_empty() {
            let by = choices.below(self.mappings.len());
            self.mappings.rotate_left(by);
            self.desired.rotate_left(by);
        }
    }

    fn draw_record(&mut self, choices: &mut Choices<'_>) {
        let mut lists: BTreeMap<Vec<String>, Vec<Json>> = BTreeMap::new();
        for candidate in &self.world.fields {
            match &candidate.field.place {
                Place::Member(members) if !candidate.remote.is_empty() => {
                    let required = self.state.at(members).is_some();
                    let value = match choices.below(6) {
                        0 => None,
                        1 if !required => Some(Json::null()),
                        _ => Some(choices.one(&candidate.remote).clone()),
                    };
                    if let Some(value) = value {
                        self.state.set_at(members, value);
                    }
                }
                Place::Entry { list, key } => {
                    let items = lists.entry(list.at.clone()).or_default();
                    for _ in 0..*choices.one(&[0, 1, 1, 1, 2]) {
                        let mut item = Json::object();
                        item.set(&list.key, Json::from_value(&Value::from(key.as_str())));
                        item.set(&list.value, choices.one(&candidate.remote).clone());
                        let at = choices.below(items.len() + 1);
                        items.insert(at, item);
                    }
                    if choices.chance(1, 3) {
                        let mut item = Json::object();
                        item.set(&list.key, json("\"fa\\u0078\""));
                        item.set(&list.value, json(choices.one::<&str>(&JUNK)));
                        let at = choices.below(items.len() + 1);
                        items.insert(at, item);
                    }
                }
                _ => {}
            }
        }
        for (at, mut items) in lists {
            if let Some(member) = self.flag_of(&at)
                && !items.is_empty()
            {
                let flagged = choices.below(items.len());
                for (index, item) in items.iter_mut().enumerate() {
                    if index == flagged || choices.chance(1, 2) {
                        item.set(&member, Json::from_value(&Value::Bool(index == flagged)));
                    }
                }
            }
            match (items.is_empty(), choices.below(3)) {
                (true, 0) => {}
                (true, 1) => self.state.set_at(&at, Json::null()),
                _ => self.state.set_at(&at, Json::Array(items)),
            }
        }
        for pointer in self.world.foreign {
            if choices.chance(2, 3) {
                let path = FieldPath::parse(pointer).unwrap();
                self.state
                    .set_at(path.members(), json(choices.one::<&str>(&JUNK)));
            }
        }
        // A unit without members is absent, empty or null.
        for whole in &self.world.provider.manifest.update.whole {
            if self.state.at(whole.tokens()).is_none() {
                match choices.below(3) {
                    0 => {}
                    1 => self.state.set_at(whole.tokens(), Json::null()),
                    _ => self.state.set_at(whole.tokens(), json("{}")),
                }
            }
        }
    }

    fn flag_of(&self, at: &[String]) -> Option<String> {
        self.world.fields.iter().find_map(|c| match &c.field.place {
            Place::Flag { list, member } if list.at == at => Some(member.clone()),
            _ => None,
        })
    }

    fn draw_known(&mut self, choices: &mut Choices<'_>) {
        if self.knowing == Knowing::Nothing {
            return;
        }
        // Flags last: which entry one means depends on what is known of it.
        let mut order: Vec<usize> = (0..self.mappings.len()).collect();
        order.sort_by_key(|&i| matches!(self.mappings[i].field.place, Place::Flag { .. }));
        for index in order {
            let field = self.mappings[index].field.clone();
            let candidate = self
                .world
                .fields
                .iter()
                .find(|c| c.field.path == field.path)
                .unwrap();
            let truth = if field.access == Access::WriteOnly {
                choices.one(&candidate.desired).clone()
            } else {
                let entries = self.entries(&field);
                if entries.len() > 1 {
                    choices.one(&entries).1.clone()
                } else {
                    self.view(&field).unwrap_or(Value::Null)
                }
            };
            let value = match (self.knowing, choices.below(4)) {
                (Knowing::Some, 0 | 1) | (Knowing::Stale, 0) => None,
                (Knowing::Stale, 1) => Some(Value::Null),
                (Knowing::Stale, 2) => Some(choices.one(&candidate.desired).clone()),
                _ => Some(truth),
            };
            if let Some(value) = value {
                self.known.insert(field.path, value);
            }
        }
    }

    /// The entries of a field's key, by index; nothing for a plain member.
    fn entries(&self, field: &Field) -> Vec<(usize, Value)> {
        let Place::Entry { list, key } = &field.place else {
            return Vec::new();
        };
        entries(&self.items(&list.at), &list.key, &list.value, key)
    }

    /// The items of the list at a place of the record.
    pub(super) fn items(&self, at: &[String]) -> Vec<Json> {
        match self.state.at(at) {
            Some(Json::Array(items)) => items.clone(),
            _ => Vec::new(),
        }
    }

    /// The value that a row gives a field which its policy lets be sent.
    pub(super) fn said(&self, path: &FieldPath) -> Option<&Value> {
        let index = self.mappings.iter().position(|m| m.field.path == *path)?;
        self.desired[index]
            .value()
            .filter(|_| self.mappings[index].policy != Policy::Ignore)
    }

    /// What the record holds of a field; `None` where several entries could
    /// be meant.
    pub(super) fn view(&self, field: &Field) -> Option<Value> {
        match &field.place {
            Place::Member(members) => {
                Some(self.state.at(members).map_or(Value::Null, Json::to_value))
            }
            Place::Entry { .. } => Some(match self.addressed(field).ok()? {
                Some((_, value)) => value,
                None => Value::Null,
            }),
            Place::Flag { list, member } => {
                let items = self.items(&list.at);
                let flagged = items
                    .iter()
                    .position(|item| item.get(member).is_some_and(|m| m.to_text() == "true"));
                // Where the row asks for a key, an other entry of that key that
                // carries the flag is not the one that is meant.
                Some(flagged.map_or(Value::Null, |index| {
                    let key = items[index].get(&list.key).unwrap().to_value();
                    let asked = self.said(&field.path) == Some(&key);
                    match self.entry_field(&list.at, &key).map(|f| self.addressed(f)) {
                        Some(Ok(Some((ours, _)))) if asked && ours != index => Value::Null,
                        _ => key,
                    }
                }))
            }
        }
    }

    /// The entry that a field means: the only one, else the one that the row
    /// wants, else the one that is known.
    pub(super) fn addressed(&self, field: &Field) -> Result<Option<(usize, Value)>, Several> {
        let found = self.entries(field);
        if found.len() < 2 {
            return Ok(found.into_iter().next());
        }
        self.meant(field)
            .into_iter()
            .flatten()
            .find_map(|wanted| {
                found
                    .iter()
                    .find(|(_, value)| field.compare.equal(value, wanted))
            })
            .map(|entry| Some(entry.clone()))
            .ok_or(Several)
    }

    /// The values that tell which entry a field means: the one that the row
    /// asks for, then the one that is known.
    pub(super) fn meant(&self, field: &Field) -> [Option<&Value>; 2] {
        let known = self.known.get(&field.path);
        // What is set already is not asked for again.
        let kept = self
            .mappings
            .iter()
            .position(|m| m.field.path == field.path)
            .is_some_and(|i| self.guards(i) && known.is_some_and(|known| !is_blank(known)));
        [self.said(&field.path).filter(|_| !kept), known]
    }

    /// The field that addresses the entry of a key.
    pub(super) fn entry_field(&self, at: &[String], key: &Value) -> Option<&'static Field> {
        self.world
            .fields
            .iter()
            .map(|candidate| &candidate.field)
            .find(|field| match &field.place {
                Place::Entry { list, key: own } => list.at == at && *key == own.as_str(),
                _ => false,
            })
    }

    /// Whether some mapped key stands in the record twice.
    pub(super) fn has_duplicates(&self) -> bool {
        self.world
            .fields
            .iter()
            .any(|candidate| self.entries(&candidate.field).len() > 1)
    }

    /// The snapshot, with values or with digests.
    pub(super) fn acknowledged(&self, digests: Option<&Key>) -> Acknowledged {
        self.known
            .iter()
            .map(|(path, value)| {
                let mapping = self
                    .mappings
                    .iter()
                    .find(|m| m.field.path == *path)
                    .unwrap();
                (path.clone(), Known::of(&mapping.field, value, digests))
            })
            .collect()
    }

    /// Whether a mapped field is never overwritten, given what is known.
    pub(super) fn guards(&self, index: usize) -> bool {
        let mapping = &self.mappings[index];
        matches!(mapping.policy, Policy::Once | Policy::FillBlank)
            && mapping.field.access == Access::ReadWrite
    }
}

/// The entries of a key in a list, with their values.
pub(super) fn entries(items: &[Json], key: &str, value: &str, wanted: &str) -> Vec<(usize, Value)> {
    items
        .iter()
        .enumerate()
        .filter(|(_, item)| item.get(key).is_some_and(|k| k.to_value() == wanted))
        .map(|(index, item)| (index, item.get(value).map_or(Value::Null, Json::to_value)))
        .collect()
}

/// Whether two values are the same to a field.
pub(super) fn same(compare: Compare, one: &Value, other: &Value) -> bool {
    compare.canonical(one) == compare.canonical(other)
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "record: {}", self.state.to_text())?;
        for (mapping, desired) in self.mappings.iter().zip(&self.desired) {
            let known = self.known.get(&mapping.field.path);
            writeln!(
                f,
                "{} ({:?}): {desired:?}, known {known:?}",
                mapping.field.path, mapping.policy
            )?;
        }
        write!(f, "known: {:?}", self.knowing)
    }
}
