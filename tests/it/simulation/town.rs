//! Who lives here: the lanes with the fields they map, the clients of the file
//! and what it says of them, and the records that the providers begin with.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clientsync::core::{Access, Field, FieldPath, Json, Place, Visibility};
use serde_json::Value;

use crate::properties::world::{
    COMPLYCUBE, Candidate, JUNK, NEXUDUS, PLACIO, SPP, WEEL, World, json,
};
use crate::support::campaign::Chance;

/// The providers beside the one that replaces records.
const MERGING: [&std::sync::LazyLock<World>; 4] = [&COMPLYCUBE, &PLACIO, &WEEL, &SPP];

/// A lane as it is configured.
pub(super) struct LanePlan {
    pub(super) world: &'static World,
    pub(super) fields: Vec<&'static Candidate>,
    /// The manifest's own where there are none here.
    limits: Option<String>,
}

/// A row of the file: its own key, and per lane what it says.
pub(super) struct Client {
    pub(super) key: String,
    pub(super) lanes: BTreeMap<&'static str, Wishes>,
}

/// What a row says in one lane.
pub(super) struct Wishes {
    /// The remote id; nobody linked the row where there is none.
    pub(super) id: Option<String>,
    /// What each mapped field is to hold; `None` says nothing of it.
    pub(super) values: Vec<Option<Value>>,
    /// A cell that no contract takes stands in this field.
    pub(super) spoilt: Option<usize>,
}

/// The lanes and the file.
pub(super) struct Town {
    pub(super) lanes: Vec<LanePlan>,
    pub(super) clients: Vec<Client>,
}

impl LanePlan {
    pub(super) fn name(&self) -> &'static str {
        self.world.name
    }

    fn draw(world: &'static World, chance: &mut Chance) -> Self {
        let mappable = |candidate: &&Candidate| {
            candidate.field.access == Access::ReadWrite
                && candidate.field.visibility == Visibility::Shown
                && !matches!(
                    candidate.field.path.to_string().as_str(),
                    "delegate_approver" | "created_at"
                )
        };
        let together = |candidate: &Candidate| is_together(&candidate.field);
        let all: Vec<&Candidate> = world.fields.iter().filter(mappable).collect();
        let (group, alone): (Vec<_>, Vec<_>) = all.into_iter().partition(|c| together(c));
        let mut fields: Vec<&Candidate> =
            alone.into_iter().filter(|_| chance.percent(60)).collect();
        if fields.is_empty() || chance.percent(70) {
            fields.extend(group);
        }
        if fields.is_empty() {
            fields.extend(world.fields.iter().find(mappable));
        }
        let limits = chance.percent(60).then(|| {
            let (per, calls) = *chance.one(&[("second", 50), ("second", 3), ("minute", 40)]);
            let calls = 1 + chance.below(calls);
            let concurrency = 1 + chance.below(6);
            format!("{{ quota = [{{ calls = {calls}, per = \"{per}\" }}], concurrency = {concurrency} }}")
        });
        Self {
            world,
            fields,
            limits,
        }
    }

    fn config(&self, text: &mut String) {
        let name = self.name();
        let settings = match name {
            "placio" => {
                r#"settings = { base_url = "https://placio.example.com", workspace_id = "ws_1" }"#
            }
            "spp" => r#"settings = { base_url = "https://spp.example.com" }"#,
            "weel" => "settings = { business_id = 7 }",
            _ => "",
        };
        writeln!(text, "[providers.{name}]\nid = \"{name}_id\"\n{settings}").unwrap();
        if let Some(limits) = &self.limits {
            writeln!(text, "limits = {limits}").unwrap();
        }
        writeln!(text, "[providers.{name}.fields]").unwrap();
        for (number, candidate) in self.fields.iter().enumerate() {
            let is_list = candidate.desired.iter().any(Value::is_array);
            let separator = if is_list { ", separator = \"|\"" } else { "" };
            writeln!(
                text,
                "\"{}\" = {{ column = \"{name}_{number}\"{separator} }}",
                candidate.field.path
            )
            .unwrap();
        }
    }

    /// What a row wants in each field.
    fn wishes(&self, chance: &mut Chance) -> Vec<Option<Value>> {
        let away = chance.percent(70);
        let mut from = None;
        let wish = |candidate: &&'static Candidate| {
            let path = candidate.field.path.to_string();
            let sayable: Vec<&Value> = candidate.desired.iter().filter(|v| is_sayable(v)).collect();
            let value = (*chance.one(&sayable)).clone();
            match path.as_str() {
                "out_of_office_mode" => Some(Value::Bool(away)),
                "out_of_office_start_date" | "out_of_office_end_date" if !away => None,
                "out_of_office_start_date" => {
                    from = value.as_str().map(str::to_owned);
                    Some(value)
                }
                // It does not end before it began.
                "out_of_office_end_date" if value.as_str() < from.as_deref() => {
                    from.clone().map(Value::from)
                }
                _ if is_together(&candidate.field) => Some(value),
                _ => chance.percent(90).then_some(value),
            }
        };
        self.fields.iter().map(wish).collect()
    }

    /// A field in which a cell can be wrong.
    fn spoilable(&self) -> Option<usize> {
        self.fields.iter().position(|c| spoilt(c).is_some())
    }

    /// The id of a client's record.
    fn id(&self, number: usize) -> String {
        match self.name() {
            "complycube" | "placio" => format!("5eb04fcd0f3e36{number:010}"),
            _ => (number + 100).to_string(),
        }
    }

    /// A record as the provider holds it in the beginning.
    pub(super) fn record(&self, id: &str, chance: &mut Chance) -> Json {
        let mut state = self.world.base.clone();
        let own = if self.name() == "nexudus" { "Id" } else { "id" };
        let is_text = matches!(state.get(own).map(Json::to_value), Some(Value::String(_)));
        let text = if is_text {
            format!("\"{id}\"")
        } else {
            id.to_owned()
        };
        state.set(own, json(&text));
        let mut lists: BTreeMap<Vec<String>, Vec<Json>> = BTreeMap::new();
        for candidate in &self.world.fields {
            match &candidate.field.place {
                Place::Member(members) if !candidate.remote.is_empty() && chance.percent(80) => {
                    state.set_at(members, chance.one(&candidate.remote).clone());
                }
                Place::Entry { list, key } => {
                    let items = lists.entry(list.at.clone()).or_default();
                    if chance.percent(70) {
                        let mut item = Json::object();
                        item.set(&list.key, Json::from_value(&Value::from(key.as_str())));
                        item.set(&list.value, chance.one(&candidate.remote).clone());
                        items.push(item);
                    }
                    if chance.percent(20) && items.iter().all(|item| !is_fax(item, &list.key)) {
                        let mut item = Json::object();
                        item.set(&list.key, json("\"fax\""));
                        item.set(&list.value, json(chance.one::<&str>(&JUNK)));
                        items.push(item);
                    }
                }
                _ => {}
            }
        }
        for candidate in &self.world.fields {
            if let Place::Flag { list, member } = &candidate.field.place {
                for (at, item) in lists
                    .entry(list.at.clone())
                    .or_default()
                    .iter_mut()
                    .enumerate()
                {
                    item.set(member, Json::from_value(&Value::Bool(at == 0)));
                }
            }
        }
        for (at, items) in lists {
            if !items.is_empty() {
                state.set_at(&at, Json::Array(items));
            }
        }
        for pointer in self.world.foreign {
            if chance.percent(60) {
                let path = FieldPath::parse(pointer).unwrap();
                state.set_at(path.members(), json(chance.one::<&str>(&JUNK)));
            }
        }
        state
    }
}

impl Town {
    pub(super) fn draw(chance: &mut Chance) -> Self {
        let beside: &'static World = chance.one::<&std::sync::LazyLock<World>>(&MERGING);
        let lanes: Vec<LanePlan> = [&*NEXUDUS, beside]
            .into_iter()
            .map(|world| LanePlan::draw(world, chance))
            .collect();
        // Mostly few, so that many seeds can be tried.
        let most = *chance.one(&[1, 1, 1, 1, 21, 81]);
        let rows = 20 + chance.below(most);
        let clients = (0..usize::try_from(rows).unwrap())
            .map(|number| Client::draw(number, &lanes, chance))
            .collect();
        Self { lanes, clients }
    }

    /// Some of the clients change.
    pub(super) fn change(&mut self, chance: &mut Chance) {
        let percent = 10 + chance.below(60);
        for client in &mut self.clients {
            for lane in &self.lanes {
                if chance.percent(percent) {
                    let wishes = client.lanes.get_mut(lane.name()).unwrap();
                    wishes.values = lane.wishes(chance);
                    wishes.spoilt = lane.spoilable().filter(|_| chance.percent(3));
                }
            }
        }
    }

    pub(super) fn config(&self) -> String {
        let mut text =
            "version = 1\n[source]\npath = \"clients.csv\"\nkey = \"client_id\"\n".to_owned();
        for lane in &self.lanes {
            lane.config(&mut text);
        }
        text
    }

    /// The file.
    pub(super) fn source(&self) -> String {
        let mut text = "client_id".to_owned();
        for lane in &self.lanes {
            write!(text, ",{}_id", lane.name()).unwrap();
            for number in 0..lane.fields.len() {
                write!(text, ",{}_{number}", lane.name()).unwrap();
            }
        }
        for client in &self.clients {
            write!(text, "\n{}", client.key).unwrap();
            for lane in &self.lanes {
                let wishes = &client.lanes[lane.name()];
                write!(text, ",{}", wishes.id.as_deref().unwrap_or_default()).unwrap();
                for (number, value) in wishes.values.iter().enumerate() {
                    let cell = if wishes.spoilt == Some(number) {
                        spoilt(lane.fields[number]).unwrap().to_owned()
                    } else {
                        value.as_ref().map(cell).unwrap_or_default()
                    };
                    write!(text, ",{cell}").unwrap();
                }
            }
        }
        text.push('\n');
        text
    }
}

impl Client {
    fn draw(number: usize, lanes: &[LanePlan], chance: &mut Chance) -> Self {
        let wishes = |lane: &LanePlan, chance: &mut Chance| Wishes {
            id: chance.percent(97).then(|| lane.id(number)),
            values: lane.wishes(chance),
            spoilt: lane.spoilable().filter(|_| chance.percent(3)),
        };
        Self {
            key: format!("c{number}"),
            lanes: lanes
                .iter()
                .map(|lane| (lane.name(), wishes(lane, chance)))
                .collect(),
        }
    }
}

fn is_fax(item: &Json, key: &str) -> bool {
    item.get(key).is_some_and(|key| key.to_value() == "fax")
}

/// Fields of which a row says all or nothing.
fn is_together(field: &Field) -> bool {
    let path = field.path.to_string();
    path.starts_with("out_of_office") || path.starts_with("contactMethods")
}

fn is_sayable(value: &Value) -> bool {
    value.as_array().is_none_or(|items| !items.is_empty())
}

fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join("|"),
        other => other.to_string(),
    }
}

/// A cell that the field's contract refuses, where there is one.
fn spoilt(candidate: &Candidate) -> Option<&'static str> {
    let is_date = candidate
        .field
        .path
        .to_string()
        .to_lowercase()
        .ends_with("date");
    match &candidate.desired[0] {
        Value::Number(_) => Some("many"),
        Value::Bool(_) => Some("perhaps"),
        _ if is_date => Some("31/02/2026"),
        _ => None,
    }
}
