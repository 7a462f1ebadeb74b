//! One lane: from a request to the answer that its provider would give.
//!
//! It is synchronous and reads no clock. The order is the server's: route,
//! credentials, windows, headers, body, record.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::HeaderMap;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::access::{Access, Credentials, header};
use super::answer::{self, Reply};
use super::apply::apply;
use super::fault::FaultKind;
use super::held::Held;
use super::judge::judge;
use super::list;
use super::records::RecordsFile;
use super::route::{Matched, Route, Serves, routes};
use super::throttle::Throttle;
use super::{SandboxError, SandboxLane, UnknownIds, lane_error, lock, minimal};
use crate::core::Json;
use crate::provider::{Provider, Scheme, Settings};

/// The most members of one object in a body. The tree of a body looks members
/// up one by one, so a hostile body could otherwise take minutes.
const MEMBERS: usize = 2_000;

/// A request to a lane.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) method: &'a str,
    /// The decoded segments of the path below the lane's prefix.
    pub(super) segments: &'a [String],
    /// The query, as it came.
    pub(super) query: Option<&'a str>,
    pub(super) headers: &'a HeaderMap,
    /// The body; `None` where it is larger than the cap or was cut off.
    pub(super) body: Option<&'a [u8]>,
    pub(super) now: Instant,
}

/// One lane and its records.
pub(super) struct Lane {
    name: String,
    provider: Arc<Provider>,
    settings: Settings,
    routes: Vec<Route>,
    access: Access,
    throttle: Throttle,
    records: Held,
    commands: BTreeMap<String, BTreeMap<String, u64>>,
    file: Option<Arc<Mutex<RecordsFile>>>,
    unknown_ids: UnknownIds,
    /// The requests so far that a fault could strike.
    strikable: u64,
}

impl Lane {
    pub(super) fn new(
        lane: SandboxLane,
        records: Held,
        file: Option<Arc<Mutex<RecordsFile>>>,
        unknown_ids: UnknownIds,
    ) -> Result<Self, SandboxError> {
        let SandboxLane {
            name,
            provider,
            settings,
            limits,
        } = lane;
        // These are taken by the sandbox itself or by the rules of URLs.
        if ["", ".", "..", super::serve::OWN_PREFIX].contains(&name.as_str()) {
            return Err(lane_error(&name, "its name cannot be a path prefix"));
        }
        Ok(Self {
            routes: routes(&name, &provider, &settings)?,
            access: Access::new(&name, &provider.manifest.auth),
            throttle: Throttle::new(&limits),
            name,
            provider,
            settings,
            records,
            commands: BTreeMap::new(),
            file,
            unknown_ids,
            strikable: 0,
        })
    }

    pub(super) fn credentials(&self) -> Credentials {
        self.access.credentials()
    }

    pub(super) fn record(&self, id: &str) -> Option<&Json> {
        self.records.get(id)
    }

    pub(super) fn commands(&self, id: &str) -> BTreeMap<String, u64> {
        self.commands.get(id).cloned().unwrap_or_default()
    }

    /// The number of the next request that a fault could strike, from 1.
    pub(super) fn next_number(&mut self) -> u64 {
        self.strikable += 1;
        self.strikable
    }

    /// The header that carries a credential, in lower case.
    pub(super) fn secret_header(&self) -> &str {
        &self.access.header
    }

    /// Whether a path is the one where passwords are sent.
    pub(super) fn is_token_path(&self, segments: &[String]) -> bool {
        self.routes
            .iter()
            .any(|route| route.serves == Serves::Token && route.matches(segments).is_some())
    }

    /// Answers a request.
    pub(super) fn answer(&mut self, call: Call<'_>) -> Reply {
        let found = self
            .routes
            .iter()
            .filter(|route| route.method.as_str() == call.method)
            .find_map(|route| Some((route.serves, route.matches(call.segments)?)));
        let Some((serves, Matched { id })) = found else {
            return self.no_route();
        };
        if serves == Serves::Token {
            return match call.body {
                Some(body) => self.access.grant(call.headers, body, call.now),
                None => Reply::plain(413, "the body is too large"),
            };
        }
        if !self.access.admits(call.headers, call.now) {
            return answer::unauthorized(&self.provider);
        }
        if let Err(wait) = self.throttle.admit(call.now, serves == Serves::Update) {
            return answer::throttled(&self.provider, wait);
        }
        if let Some(name) = self.missing_header(call.headers) {
            let why = format!("the request lacks the header `{name}`");
            return answer::refusal(&self.provider, 400, &why, &[]);
        }
        match serves {
            Serves::Update => self.update(id, call),
            Serves::List => list::page(&self.provider, &self.records, call.query),
            Serves::Read | Serves::Token => match id.and_then(|id| self.find(&id)) {
                Some(record) => answer::record(&self.provider, &record),
                None => self.not_found(),
            },
        }
    }

    /// The answer of a server that does not get as far as the request, for
    /// those faults that have one.
    pub(super) fn failed(&self, fault: FaultKind) -> Option<Reply> {
        let refusal = |status, why| answer::refusal(&self.provider, status, why, &[]);
        match fault {
            FaultKind::ServerError => Some(refusal(500, "the sandbox was asked to fail")),
            FaultKind::Unavailable => Some(refusal(503, "the sandbox was asked to be down")),
            FaultKind::Throttle => Some(answer::throttled(&self.provider, Duration::from_secs(1))),
            FaultKind::Html => Some(Reply::page()),
            FaultKind::ResetBefore
            | FaultKind::ResetAfter
            | FaultKind::Timeout
            | FaultKind::Truncated => None,
        }
    }

    fn no_route(&self) -> Reply {
        let served: Vec<String> = self
            .routes
            .iter()
            .map(|route| format!("{} {}", route.method.as_str(), route.template))
            .collect();
        Reply::json(
            404,
            &json!({ "error": "the sandbox serves no such route in this lane", "served": served }),
        )
    }

    fn not_found(&self) -> Reply {
        answer::refusal(&self.provider, 404, "there is no record of this id", &[])
    }

    /// The first header that the manifest sends with every request and that
    /// this one lacks.
    fn missing_header(&self, headers: &HeaderMap) -> Option<&str> {
        self.provider
            .manifest
            .request
            .headers
            .keys()
            .find(|name| header(headers, name).is_none())
            .map(String::as_str)
    }

    /// The record of an id, or the minimal one where unknown ids are made up.
    /// A made-up record is kept only once it is written.
    fn find(&self, id: &str) -> Option<Json> {
        if let Some(record) = self.records.get(id) {
            return Some(record.clone());
        }
        let create = self.unknown_ids == UnknownIds::Create && self.provider.check_id(id).is_ok();
        create.then(|| minimal::record(&self.provider, id))
    }

    fn update(&mut self, in_path: Option<String>, call: Call<'_>) -> Reply {
        let (value, sent) = match parse(&call) {
            Ok(body) => body,
            Err((status, why)) => return answer::refusal(&self.provider, status, why, &[]),
        };
        let bad_id = |field: String, why: &str| {
            let fields = [(field, why.to_owned())];
            answer::refusal(&self.provider, 400, "the id is not valid", &fields)
        };
        let mut id = in_path;
        if let Some(at) = &self.provider.manifest.id.body {
            let field = at.tokens().join(".");
            let Some(in_body) = sent.pointer(at).and_then(answer::id_text) else {
                return bad_id(field, "is a required field");
            };
            if self.provider.check_id(&in_body).is_err() {
                return bad_id(field, "does not have the form of an id");
            }
            if id.as_ref().is_some_and(|id| *id != in_body) {
                return bad_id(field, "is not the id in the path");
            }
            id = Some(in_body);
        }
        let Some((id, stored)) = id.and_then(|id| {
            let stored = self.find(&id)?;
            Some((id, stored))
        }) else {
            return self.not_found();
        };
        let wrong = judge(&self.provider, &value, &stored);
        if let Some((field, message)) = wrong.first() {
            let message = if field.is_empty() {
                format!("the body {message}")
            } else {
                format!("{field}: {message}")
            };
            return answer::refusal(&self.provider, 400, &message, &wrong);
        }
        let applied = apply(&self.provider, &stored, &sent);
        if let Some(file) = &self.file
            && let Err(error) = lock(file).append(&self.name, &id, &applied.record)
        {
            let why = format!("the sandbox cannot keep the record: {error}");
            return answer::refusal(&self.provider, 500, &why, &[]);
        }
        if !applied.commands.is_empty() {
            let counts = self.commands.entry(id.clone()).or_default();
            for command in applied.commands {
                *counts.entry(command).or_default() += 1;
            }
        }
        let reply = answer::accepted(&self.provider, &id, &applied.record);
        self.records.insert(id, applied.record);
        reply
    }

    /// What a stranger needs to go on with this lane.
    pub(super) fn page(&self, base_url: &str) -> Value {
        let (credentials, sent_as) = match self.access.credentials() {
            Credentials::Token(token) => {
                let raw = self.provider.manifest.auth.scheme == Scheme::Header;
                let prefix = if raw { "" } else { "Bearer " };
                (
                    json!({ "token": token.expose() }),
                    format!("{}: {prefix}{}", self.access.header, token.expose()),
                )
            }
            Credentials::Password { username, password } => (
                json!({ "username": username.expose(), "password": password.expose() }),
                "authorization: Bearer ACCESS_TOKEN (from the token route, form-encoded)"
                    .to_owned(),
            ),
        };
        let token_headers = self
            .provider
            .token_endpoint(&self.settings)
            .ok()
            .flatten()
            .map(|endpoint| endpoint.headers)
            .unwrap_or_default();
        let headers = |names: Vec<(String, String)>| -> BTreeMap<String, String> {
            names.into_iter().collect()
        };
        let served: Vec<String> = self
            .routes
            .iter()
            .map(|route| format!("{} {base_url}{}", route.method.as_str(), route.template))
            .collect();
        json!({
            "kind": self.provider.name(),
            "base_url": base_url,
            "credentials": credentials,
            "header": sent_as,
            "request_headers": self.provider.manifest.request.headers.keys().collect::<Vec<_>>(),
            "token_headers": headers(token_headers),
            "settings": self.settings.all().collect::<BTreeMap<_, _>>(),
            "routes": served,
            "records": self.records.len(),
            "an_id": self.records.first(),
        })
    }
}

/// The body of an update, for judging and for keeping; or a status and why not.
fn parse(call: &Call<'_>) -> Result<(Value, Json), (u16, &'static str)> {
    let body = call.body.ok_or((413, "the body is too large"))?;
    let is_json = header(call.headers, "content-type").is_some_and(|kind| {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("application/json")
    });
    if !is_json {
        return Err((415, "the content type must be application/json"));
    }
    let not_json = (400, "the body is not JSON that this server reads");
    let value: Value = serde_json::from_slice(body).map_err(|_| not_json)?;
    if !value.is_object() {
        return Err((400, "the body must be a JSON object"));
    }
    if !is_modest(&value) {
        return Err((400, "an object in the body has too many members"));
    }
    Ok((value, Json::parse(body).map_err(|_| not_json)?))
}

/// Whether no object has more members than can be handled in good time. The
/// depth is bounded by the parser.
fn is_modest(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().all(is_modest),
        Value::Object(members) => members.len() <= MEMBERS && members.values().all(is_modest),
        _ => true,
    }
}
