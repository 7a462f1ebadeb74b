//! What an answer means: `(status, headers, body) -> Answer`, by the
//! manifest's ordered rules first, then by the default tail.
//!
//! It decides nothing about retries; the engine does. Server texts are cut to
//! a sane length here and escaped where they are shown.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use url::Url;

use super::Provider;
use super::manifest::{Condition, ErrorsShape, Rule, Then};
use super::paging::Position;
use super::wait::{asked_wait, has_retry_after, is_used_up, retry_after};
use crate::core::{Json, Response};

/// The longest server text that is kept, in characters.
const MESSAGE_CAP: usize = 500;

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// An update.
    Write,
    /// A record.
    Read,
    /// The page of the list of records that begins here.
    List(Position),
}

/// What an answer means for the row, or for the whole lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Done; for a read, the record is there.
    Accepted,
    /// This row will never pass as it is.
    Rejected(Refusal),
    /// It may pass if sent again; whether it was applied is not known.
    Transient(Refusal),
    /// Everyone shall wait; it was not applied.
    Throttled {
        /// How long the provider asks for, where it says so.
        wait: Option<Duration>,
        /// What its manifest begins with where it does not.
        usual: Option<Duration>,
        /// What it said.
        refusal: Refusal,
    },
    /// The credentials were refused.
    Unauthorized(Refusal),
    /// No row will pass today.
    Deferred(Refusal),
    /// No row will pass until someone acts.
    Stopped(Refusal),
    /// A success that cannot be trusted: whether it was applied is not known.
    Unreadable(Refusal),
}

/// What the provider said when it did not accept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// Its message, cut to 500 characters.
    pub message: String,
    /// Its messages by its own field names.
    pub fields: Vec<(String, String)>,
}

impl Answer {
    /// The same answer with its words changed.
    #[must_use]
    pub fn map_refusal(self, change: impl FnOnce(Refusal) -> Refusal) -> Self {
        match self {
            Self::Accepted => Self::Accepted,
            Self::Rejected(refusal) => Self::Rejected(change(refusal)),
            Self::Transient(refusal) => Self::Transient(change(refusal)),
            Self::Throttled {
                wait,
                usual,
                refusal,
            } => Self::Throttled {
                wait,
                usual,
                refusal: change(refusal),
            },
            Self::Unauthorized(refusal) => Self::Unauthorized(change(refusal)),
            Self::Deferred(refusal) => Self::Deferred(change(refusal)),
            Self::Stopped(refusal) => Self::Stopped(change(refusal)),
            Self::Unreadable(refusal) => Self::Unreadable(change(refusal)),
        }
    }
}

impl Refusal {
    /// A refusal of our own words.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            fields: Vec::new(),
        }
    }
}

impl Provider {
    /// What an answer means. `now` places a `Retry-After` date where the
    /// answer has no `Date` of its own.
    #[must_use]
    pub fn classify(&self, response: &Response, asked: Asked, now: Timestamp) -> Answer {
        let body = Json::parse(&response.body).ok();
        let refusal = self.refusal(response, body.as_ref());
        if let Some(rule) = self
            .manifest
            .response
            .rule
            .iter()
            .find(|rule| matches(rule, response, body.as_ref()))
        {
            return by_rule(rule, asked_wait(response, now), refusal);
        }
        match response.status {
            200..=299 => self.judge_success(response, body.as_ref(), asked, refusal),
            _ => default_tail(response, now, refusal),
        }
    }

    fn judge_success(
        &self,
        response: &Response,
        body: Option<&Json>,
        asked: Asked,
        refusal: Refusal,
    ) -> Answer {
        let rules = &self.manifest.response;
        if let (Asked::List(position), Some(body)) = (asked, body) {
            return match self.judge_page(body, position) {
                Ok(_) => Answer::Accepted,
                Err(refusal) => Answer::Unreadable(refusal),
            };
        }
        let Some(body) = body.filter(|body| matches!(body, Json::Object(_))) else {
            return Answer::Unreadable(Refusal::new(cut(&format!(
                "the answer {} holds no JSON object ({})",
                response.status,
                content_type(response)
            ))));
        };
        if asked == Asked::Read {
            let pointer = self
                .manifest
                .read
                .as_ref()
                .map(|read| read.record.clone())
                .unwrap_or_default();
            return match body.pointer(&pointer) {
                Some(Json::Object(_)) => Answer::Accepted,
                _ => Answer::Unreadable(Refusal::new("the answer to the read holds no record")),
            };
        }
        let status = response.status;
        if !matches!(status, 200 | 201) {
            return Answer::Unreadable(Refusal::new(format!(
                "the status {status} says nothing about the update"
            )));
        }
        if rules.success.as_ref().is_none_or(|test| holds(test, body)) {
            return Answer::Accepted;
        }
        // A failed success test that carries errors is a plain no; without
        // errors an inner status of 500 or more may pass later.
        let inner = rules
            .status
            .as_ref()
            .and_then(|p| body.pointer(p))
            .and_then(|s| s.to_value().as_u64())
            .unwrap_or_default();
        if refusal.fields.is_empty() && inner >= 500 {
            Answer::Transient(refusal)
        } else {
            Answer::Rejected(refusal)
        }
    }

    /// The record in the answer to a read.
    #[must_use]
    pub fn record(&self, response: &Response) -> Option<Json> {
        let pointer = &self.manifest.read.as_ref()?.record;
        Json::parse(&response.body).ok()?.pointer(pointer).cloned()
    }

    /// The id that a read record says it has, where the provider's records say
    /// it (the place is the list's); `None` where it says none.
    #[must_use]
    pub fn says_id(&self, record: &Json) -> Option<String> {
        text(record.pointer(&self.manifest.list.as_ref()?.id)?)
    }

    /// The record that the answer to a write shows, where the provider echoes
    /// it, without the members that it does not show truly.
    #[must_use]
    pub fn echo(&self, response: &Response) -> Option<(Json, Vec<Vec<String>>)> {
        let echo = self.manifest.response.echo.as_ref()?;
        let record = Json::parse(&response.body)
            .ok()?
            .pointer(&echo.record)
            .cloned()?;
        Some((
            record,
            echo.omits
                .iter()
                .map(|pointer| pointer.tokens().to_vec())
                .collect(),
        ))
    }

    fn refusal(&self, response: &Response, body: Option<&Json>) -> Refusal {
        let Some(body) = body else {
            return Refusal::new(cut(&format!(
                "HTTP {} without a JSON body ({})",
                response.status,
                content_type(response)
            )));
        };
        let rules = &self.manifest.response;
        let message = rules
            .message
            .as_ref()
            .and_then(|p| body.pointer(p))
            .and_then(text)
            .unwrap_or_default();
        let fields = rules.errors.as_ref().and_then(|errors| {
            let at = body.pointer(&errors.at)?;
            let one = |error: &Json| {
                let field = errors
                    .field
                    .as_ref()
                    .and_then(|p| error.pointer(p))
                    .and_then(text)?;
                let message = errors
                    .message
                    .as_ref()
                    .and_then(|p| error.pointer(p))
                    .and_then(text)
                    .unwrap_or_default();
                Some((cut(&field), cut(&message)))
            };
            Some(match (errors.shape, at) {
                (ErrorsShape::One, error) => one(error).into_iter().collect(),
                (ErrorsShape::List, Json::Array(items)) => items.iter().filter_map(one).collect(),
                (ErrorsShape::Map, Json::Object(members)) => members
                    .iter()
                    .map(|(name, member)| (cut(name), cut(&texts(member))))
                    .collect(),
                _ => Vec::new(),
            })
        });
        let message = if message.is_empty() {
            format!("HTTP {}", response.status)
        } else {
            message
        };
        Refusal {
            message: cut(&message),
            fields: fields.unwrap_or_default(),
        }
    }
}

fn text(json: &Json) -> Option<String> {
    match json.to_value() {
        Value::String(text) => Some(text),
        Value::Null => None,
        other => Some(other.to_string()),
    }
}

fn texts(json: &Json) -> String {
    match json {
        Json::Array(items) => items.iter().filter_map(text).collect::<Vec<_>>().join("; "),
        other => text(other).unwrap_or_default(),
    }
}

fn content_type(response: &Response) -> &str {
    response.header("content-type").unwrap_or("no content type")
}

fn cut(text: &str) -> String {
    text.chars().take(MESSAGE_CAP).collect()
}

fn matches(rule: &Rule, response: &Response, body: Option<&Json>) -> bool {
    (rule.status.is_empty() || rule.status.contains(&response.status))
        && rule
            .header
            .as_ref()
            .is_none_or(|name| response.header(name).is_some())
        && rule
            .body
            .as_ref()
            .is_none_or(|test| body.is_some_and(|body| holds(test, body)))
}

fn holds(test: &Condition, body: &Json) -> bool {
    body.pointer(&test.pointer)
        .is_some_and(|value| value.to_value() == test.equals)
}

fn by_rule(rule: &Rule, asked_wait: Option<Duration>, refusal: Refusal) -> Answer {
    match rule.then {
        Then::Accept => Answer::Accepted,
        Then::Retry => Answer::Transient(refusal),
        Then::Reject => Answer::Rejected(refusal),
        Then::Stop => Answer::Stopped(refusal),
        Then::Defer => Answer::Deferred(refusal),
        Then::Throttle => Answer::Throttled {
            wait: asked_wait,
            usual: rule.wait.as_deref().and_then(parse_wait),
            refusal,
        },
    }
}

/// A wait as manifests spell it, for example `30s`.
pub(super) fn parse_wait(text: &str) -> Option<Duration> {
    text.parse::<SignedDuration>()
        .ok()
        .and_then(|wait| Duration::try_from(wait).ok())
}

/// What answers mean that no rule names, for pages about a provider; it says
/// what `default_tail` does.
pub const USUAL_ANSWERS: [&str; 6] = [
    "HTTP 429, and HTTP 403 or 503 with Retry-After: throttle, all requests of the lane wait",
    "HTTP 401: the token is renewed where there is a way to, else the lane stops",
    "HTTP 402: defer, the lane goes on with a later run",
    "HTTP 408, 423, 425 and 5xx: retry, it may pass later",
    "any redirect, HTTP 501, 505 and 511: stop, nothing passes until someone acts",
    "any other 4xx: reject, this row never passes as it is",
];

/// What a status means where no rule of the provider says otherwise.
fn default_tail(response: &Response, now: Timestamp, refusal: Refusal) -> Answer {
    let throttled = |refusal| Answer::Throttled {
        wait: asked_wait(response, now),
        usual: None,
        refusal,
    };
    match (response.status, retry_after(response, now)) {
        (status @ 300..=399, _) => {
            let host =
                redirect_host(response).map_or_else(String::new, |host| format!(" to {host}"));
            Answer::Stopped(Refusal::new(format!(
                "the provider answers with a redirect{host} (HTTP {status}), which is never followed; check `base_url`"
            )))
        }
        (401, _) => Answer::Unauthorized(refusal),
        (402, _) => Answer::Deferred(refusal),
        (403 | 503, Some(_)) | (429, _) => throttled(refusal),
        // It asked to wait until a time that has passed: that is no refusal.
        (403, None) if has_retry_after(response) => throttled(refusal),
        // A 503 with an empty quota may have been applied all the same.
        (403, None) if is_used_up(response, now) => throttled(refusal),
        (501 | 505 | 511, _) => Answer::Stopped(refusal),
        (408 | 423 | 425 | 500..=599, _) => Answer::Transient(refusal),
        (400..=499, _) => Answer::Rejected(refusal),
        _ => Answer::Unreadable(refusal),
    }
}

/// The host that a redirect leads to: its path and query may name a client.
fn redirect_host(response: &Response) -> Option<String> {
    let host = Url::parse(response.header("location")?).ok()?;
    host.host_str().map(cut)
}

#[cfg(test)]
mod tests;
