//! Answers in a provider's own shape: `[response]` of its manifest run backwards.
//!
//! No answer repeats a value that was sent.

use std::time::Duration;

use serde_json::{Value, json};

use crate::core::{BodyId, IdKind, Json, Pointer};
use crate::provider::{ErrorsShape, IdType, Provider, Then};

/// The content type of JSON.
pub(super) const JSON: &str = "application/json";
/// The most errors by field that one answer tells.
const FIELDS: usize = 50;

/// An answer before it becomes HTTP.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    /// The content type.
    pub(super) kind: &'static str,
    pub(super) body: String,
}

impl Reply {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self::tree(status, &Json::from_value(body))
    }

    pub(super) fn tree(status: u16, body: &Json) -> Self {
        Self {
            status,
            headers: Vec::new(),
            kind: JSON,
            body: body.to_text(),
        }
    }

    /// A page for people, as something between client and provider sends it.
    pub(super) fn page() -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            kind: "text/html",
            body: "<!doctype html><title>Sandbox</title><p>This is not the provider.".to_owned(),
        }
    }

    /// An answer of the sandbox itself, in nobody's shape.
    pub(super) fn plain(status: u16, why: &str) -> Self {
        Self::json(status, &json!({ "error": why }))
    }

    pub(super) fn header(mut self, name: &str, value: String) -> Self {
        self.headers.push((name.to_owned(), value));
        self
    }
}

/// Where a record holds its id: as lists show it, else as bodies do.
pub(super) fn id_place(provider: &Provider) -> Pointer {
    let manifest = &provider.manifest;
    let listed = manifest.list.as_ref().map(|list| list.id.clone());
    listed
        .or_else(|| manifest.id.body.clone())
        .unwrap_or_else(|| Pointer::new(vec!["id".to_owned()]))
}

/// The text of an id as a record or a body holds it.
pub(super) fn id_text(json: &Json) -> Option<String> {
    match json.to_value() {
        Value::String(text) => Some(text),
        Value::Number(_) => Some(json.to_text()),
        _ => None,
    }
}

/// The id as the provider writes it.
pub(super) fn id_json(provider: &Provider, id: &str) -> Json {
    let kind = match provider.manifest.id.kind {
        IdType::Integer => IdKind::Integer,
        IdType::String => IdKind::Text,
    };
    BodyId {
        at: Vec::new(),
        kind,
    }
    .json(id)
}

/// A refusal, with messages by the provider's own field names.
pub(super) fn refusal(
    provider: &Provider,
    status: u16,
    message: &str,
    fields: &[(String, String)],
) -> Reply {
    Reply::tree(status, &refusal_body(provider, status, message, fields))
}

fn refusal_body(
    provider: &Provider,
    status: u16,
    message: &str,
    fields: &[(String, String)],
) -> Json {
    let rules = &provider.manifest.response;
    let fields = &fields[..fields.len().min(FIELDS)];
    let text = |text: &str| Json::from_value(&Value::from(text));
    let mut body = Json::object();
    match &rules.message {
        Some(at) => body.set_at(at.tokens(), text(message)),
        // A shape that nobody documents still tells a person what is wrong.
        None => body.set("message", text(message)),
    }
    if let Some(errors) = &rules.errors {
        let put = |error: &mut Json, at: Option<&Pointer>, value: &str| {
            if let Some(at) = at {
                error.set_at(at.tokens(), text(value));
            }
        };
        let one = |mut error: Json, (field, message): &(String, String)| {
            put(&mut error, errors.field.as_ref(), field);
            put(&mut error, errors.message.as_ref(), message);
            error
        };
        let at = errors.at.tokens();
        match (errors.shape, fields.first()) {
            (ErrorsShape::One, Some(first)) => {
                let there = body.at(at).cloned().unwrap_or_else(Json::object);
                body.set_at(at, one(there, first));
            }
            (ErrorsShape::One, None) => {}
            (ErrorsShape::List, _) => {
                let errors = fields.iter().map(|field| one(Json::object(), field));
                body.set_at(at, Json::Array(errors.collect()));
            }
            (ErrorsShape::Map, _) => {
                // A map at the root stands beside the message.
                let mut map = body.at(at).cloned().unwrap_or_else(Json::object);
                for (field, message) in fields {
                    let mut messages = match map.get(field) {
                        Some(Json::Array(messages)) => messages.clone(),
                        _ => Vec::new(),
                    };
                    messages.push(text(message));
                    map.set(field, Json::Array(messages));
                }
                body.set_at(at, map);
            }
        }
    }
    if let Some(success) = &rules.success {
        let failure = match success.equals {
            Value::Bool(value) => Value::Bool(!value),
            _ => Value::Null,
        };
        body.set_at(success.pointer.tokens(), Json::from_value(&failure));
    }
    if let Some(at) = &rules.status {
        body.set_at(at.tokens(), Json::from_value(&Value::from(status)));
    }
    body
}

/// The refusal of credentials.
pub(super) fn unauthorized(provider: &Provider) -> Reply {
    let why = "the credentials of this sandbox are missing or wrong; its index page tells them";
    refusal(provider, 401, why, &[]).header("www-authenticate", "Bearer".to_owned())
}

/// The provider's own way to ask everyone to wait: what its first throttle rule
/// looks for, else 429. `Retry-After` is in whole seconds, at least one.
pub(super) fn throttled(provider: &Provider, wait: Duration) -> Reply {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let seconds = seconds.max(1).to_string();
    let rules = &provider.manifest.response.rule;
    let rule = rules.iter().find(|rule| rule.then == Then::Throttle);
    let status = rule
        .and_then(|rule| rule.status.first().copied())
        .unwrap_or(429);
    let mut body = refusal_body(provider, status, "too many requests; wait", &[]);
    if let Some(test) = rule.and_then(|rule| rule.body.as_ref()) {
        body.set_at(test.pointer.tokens(), Json::from_value(&test.equals));
    }
    let reply = Reply::tree(status, &body);
    let reply = match rule.and_then(|rule| rule.header.as_deref()) {
        Some(name) if !name.eq_ignore_ascii_case("retry-after") => {
            reply.header(name, seconds.clone())
        }
        _ => reply,
    };
    reply.header("retry-after", seconds)
}

/// The answer to a read.
pub(super) fn record(provider: &Provider, record: &Json) -> Reply {
    let mut body = Json::object();
    if let Some(read) = &provider.manifest.read {
        body.set_at(read.record.tokens(), record.clone());
    }
    Reply::tree(200, &body)
}

/// The answer to an accepted update: the record where the provider echoes it,
/// else its id, inside the envelope that the success test looks for.
pub(super) fn accepted(provider: &Provider, id: &str, record: &Json) -> Reply {
    let rules = &provider.manifest.response;
    let mut body = Json::object();
    if let Some(echo) = &rules.echo {
        let mut shown = record.clone();
        for omitted in &echo.omits {
            leave_out(&mut shown, omitted.tokens());
        }
        body.set_at(echo.record.tokens(), shown);
    } else {
        let read = provider.manifest.read.as_ref();
        let mut at = read.map_or_else(Vec::new, |read| read.record.tokens().to_vec());
        at.extend_from_slice(id_place(provider).tokens());
        body.set_at(&at, id_json(provider, id));
    }
    if let Some(at) = &rules.status {
        body.set_at(at.tokens(), Json::from_value(&Value::from(200)));
    }
    if let Some(success) = &rules.success {
        if let Some(at) = &rules.message {
            let text = Value::from("the record was updated");
            body.set_at(at.tokens(), Json::from_value(&text));
        }
        body.set_at(success.pointer.tokens(), Json::from_value(&success.equals));
    }
    Reply::tree(200, &body)
}

/// Shows a list or an object empty, and anything else not at all.
fn leave_out(record: &mut Json, at: &[String]) {
    let Some((name, parent)) = at.split_last() else {
        return;
    };
    let Some(holder) = parent
        .iter()
        .try_fold(record, |json, name| json.get_mut(name))
    else {
        return;
    };
    match holder.get_mut(name) {
        Some(Json::Array(items)) => items.clear(),
        Some(Json::Object(members)) => members.clear(),
        _ => {
            holder.remove(name);
        }
    }
}
