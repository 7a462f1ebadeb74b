//! A model of the other side, written from the manifests' words alone.
//!
//! It holds the record by its write names, shows it as a read does, and takes
//! a body under the pessimistic reading (what may be replaced is replaced) or
//! the friendly one (nested objects merge).

use clientsync::core::Json;
use clientsync::provider::Mode;
use serde_json::Value;

use super::world::{World, json};

/// What an accepted body means for nested values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// A unit of `whole` is replaced by what was sent.
    Replacing,
    /// Nested objects merge; arrays replace.
    Merging,
}

/// A server with one record.
pub(crate) struct Server {
    world: &'static World,
    /// The remote id of the record.
    id: String,
    reading: Reading,
    pub(crate) state: Json,
    /// The commands received: members that can be written and not read.
    pub(crate) commands: Vec<(String, Value)>,
    /// How many bodies were accepted.
    pub(crate) writes: usize,
}

impl Server {
    pub(crate) fn new(world: &'static World, reading: Reading, state: &Json) -> Self {
        Self {
            world,
            id: world.id.to_owned(),
            reading,
            state: state.clone(),
            commands: Vec::new(),
            writes: 0,
        }
    }

    /// The same server with a record of another id.
    pub(crate) fn of(self, id: &str) -> Self {
        Self {
            id: id.to_owned(),
            ..self
        }
    }

    /// The record as a read shows it.
    pub(crate) fn read(&self) -> Json {
        self.showing(&self.state)
    }

    /// The record as a read shows it when it holds this.
    pub(crate) fn showing(&self, state: &Json) -> Json {
        let mut record = state.clone();
        if matches!(self.world.name, "renamed" | "spp") {
            if let Some(status) = record.remove("status_id") {
                record.set("status", status);
            }
            match record.remove("employee_id") {
                Some(Json::Array(ids)) => {
                    let first = ids.first().cloned().unwrap_or_else(Json::null);
                    let manager = |id: &Json| {
                        let mut manager = json(r#"{"name":"John Doe"}"#);
                        manager.set("id", id.clone());
                        manager
                    };
                    record.set("employee_id", first);
                    record.set("managers", Json::Array(ids.iter().map(manager).collect()));
                }
                Some(_) => record.set("managers", Json::null()),
                None => {}
            }
        }
        record
    }

    /// Takes a body, or says why not.
    pub(crate) fn apply(&mut self, body: &Json) -> Result<(), String> {
        let Json::Object(members) = body else {
            return Err("not an object".to_owned());
        };
        let schema = self.world.provider.contract.schema().clone();
        let listed = schema["properties"].as_object().unwrap();
        if let Some((name, _)) = members.iter().find(|(name, _)| !listed.contains_key(name)) {
            return Err(format!("the member {name} is unknown"));
        }
        self.rules(body)?;
        match self.world.provider.manifest.update.mode {
            Mode::Merge => {
                for (name, value) in members {
                    let node = listed.get(name).unwrap();
                    let whole = self.world.provider.manifest.update.whole.iter();
                    let unit = whole
                        .map(ToString::to_string)
                        .any(|p| p == format!("/{name}"));
                    let old = self.state.get(name).cloned();
                    let new = match (self.reading, old, value) {
                        (Reading::Replacing, Some(old), value) if unit => {
                            replaced(&old, value, node)
                        }
                        (_, Some(old), value) => merged(&old, value),
                        (_, None, value) => value.clone(),
                    };
                    self.state.set(name, new);
                }
            }
            Mode::Replace => {
                for (name, node) in listed {
                    let flag = |key: &str| node.get(key) == Some(&Value::Bool(true));
                    match body.get(name) {
                        Some(value) if flag("writeOnly") => {
                            self.commands.push((name.clone(), value.to_value()));
                        }
                        _ if flag("writeOnly") || flag("readOnly") => {}
                        Some(value) => self.state.set(name, value.clone()),
                        None => drop(self.state.remove(name)),
                    }
                }
            }
        }
        self.writes += 1;
        Ok(())
    }

    /// The rules that the servers document, in words of their own.
    fn rules(&self, body: &Json) -> Result<(), String> {
        match self.world.name {
            "nexudus" => {
                let required =
                    "Id FullName Email Language PasswordSalt LastHelpVisited InvalidLoginAttempts";
                if body.get("Id").map(Json::to_text).as_deref() != Some(self.id.as_str()) {
                    return Err("the id is wrong".to_owned());
                }
                match required
                    .split(' ')
                    .find(|name| body.get(name).is_none_or(Json::is_null))
                {
                    Some(name) => Err(format!("{name} is required")),
                    None => Ok(()),
                }
            }
            "keyed" | "placio" => {
                let Some(list) = body.get("contactMethods") else {
                    return if body == &Json::object() {
                        Err("at least one field".to_owned())
                    } else {
                        Ok(())
                    };
                };
                let Json::Array(items) = list else {
                    return Err("contactMethods is no list".to_owned());
                };
                let preferred = items
                    .iter()
                    .filter(|item| {
                        item.get("isPreferred")
                            .is_some_and(|p| p.to_text() == "true")
                    })
                    .count();
                if preferred == 1 {
                    Ok(())
                } else {
                    Err(format!("{preferred} are preferred"))
                }
            }
            "weel" => {
                let mode = body
                    .get("out_of_office_mode")
                    .or_else(|| self.state.get("out_of_office_mode"));
                let on = mode.is_some_and(|mode| mode.to_text() == "true");
                let sent = ["mode", "start_date", "end_date"]
                    .map(|name| body.get(&format!("out_of_office_{name}")).is_some());
                let date = |name: &str| {
                    let sent = body.get(name).or_else(|| self.state.get(name));
                    sent.map(|date| date.to_value().to_string())
                };
                let [from, to] =
                    ["start", "end"].map(|name| date(&format!("out_of_office_{name}_date")));
                if on && sent[1] && to < from {
                    return Err(format!("{to:?} is before {from:?}"));
                }
                match (on, sent) {
                    (true, [true, true, true] | [false, false, false])
                    | (false, [_, false, false]) => Ok(()),
                    _ => Err(format!("mode {on} with {sent:?}")),
                }
            }
            _ => Ok(()),
        }
    }
}

/// What was sent, and beside it what nobody can send.
fn replaced(old: &Json, sent: &Json, node: &Value) -> Json {
    let mut new = sent.clone();
    let open = node
        .get("additionalProperties")
        .is_some_and(Value::is_object);
    if let (Json::Object(old), false, Json::Object(_)) = (old, open, sent) {
        for (name, value) in old {
            let listed = node["properties"].get(name);
            if listed.is_none_or(|node| node["readOnly"] == Value::Bool(true)) {
                new.set(name, value.clone());
            }
        }
    }
    new
}

fn merged(old: &Json, sent: &Json) -> Json {
    let (Json::Object(_), Json::Object(members)) = (old, sent) else {
        return sent.clone();
    };
    let mut new = old.clone();
    for (name, value) in members {
        let inner = match old.get(name) {
            Some(old) => merged(old, value),
            None => value.clone(),
        };
        new.set(name, inner);
    }
    new
}
