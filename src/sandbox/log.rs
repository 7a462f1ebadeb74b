//! The log of requests: what the sandbox was asked and how it answered.
//!
//! It is bounded in entries and in bytes, lives in memory only, and never holds
//! a credential.

use std::collections::VecDeque;
use std::fmt;

use serde_json::{Map, Value, json};

use super::fault::FaultKind;

/// How many requests are kept.
const ENTRIES: usize = 10_000;
/// How many bytes of bodies, paths and headers are kept.
const BYTES: usize = 64 * 1024 * 1024;
/// What stands in place of a credential.
pub(super) const MASK: &str = "[redacted]";

/// One request to a lane.
#[derive(Clone, PartialEq, Eq)]
pub struct LoggedRequest {
    /// Its number, from 1, in the order of answering.
    pub n: u64,
    /// The lane; empty where no lane was meant.
    pub lane: String,
    /// The method.
    pub method: String,
    /// Path and query, as they came.
    pub path: String,
    /// The headers in the order they came, credentials masked.
    pub headers: Vec<(String, String)>,
    /// The body as text; masked where it holds credentials.
    pub body: String,
    /// The status of the answer; 0 where the client saw none.
    pub status: u16,
    /// The chosen fault that struck it.
    pub fault: Option<FaultKind>,
    /// When it was answered, in milliseconds since the sandbox started.
    pub at_ms: u64,
}

impl fmt::Debug for LoggedRequest {
    /// Prints no path, header or body: they hold ids and personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoggedRequest")
            .field("n", &self.n)
            .field("lane", &self.lane)
            .field("method", &self.method)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

impl LoggedRequest {
    pub(super) fn to_value(&self) -> Value {
        let mut headers = Map::new();
        for (name, value) in &self.headers {
            // A header that came twice is one list in HTTP.
            let joined = match headers.get(name).and_then(Value::as_str) {
                Some(earlier) => format!("{earlier}, {value}"),
                None => value.clone(),
            };
            headers.insert(name.clone(), Value::from(joined));
        }
        json!({
            "n": self.n, "lane": self.lane, "method": self.method, "path": self.path,
            "headers": headers, "body": self.body, "status": self.status,
            "fault": self.fault.map(FaultKind::name), "at_ms": self.at_ms,
        })
    }

    fn size(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(n, v)| n.len() + v.len()).sum();
        self.body.len() + self.path.len() + headers
    }
}

/// The last requests.
#[derive(Debug, Default)]
pub(super) struct Log {
    entries: VecDeque<LoggedRequest>,
    bytes: usize,
    count: u64,
}

impl Log {
    /// Adds a request and gives it its number.
    pub(super) fn push(&mut self, mut request: LoggedRequest) {
        self.count += 1;
        request.n = self.count;
        self.bytes += request.size();
        self.entries.push_back(request);
        while self.entries.len() > ENTRIES || self.bytes > BYTES {
            let Some(oldest) = self.entries.pop_front() else {
                break;
            };
            self.bytes -= oldest.size();
        }
    }

    pub(super) fn snapshot(&self) -> Vec<LoggedRequest> {
        self.entries.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_bounded_in_entries_and_bytes() {
        let request = |bytes: usize| LoggedRequest {
            n: 0,
            lane: String::new(),
            method: "GET".to_owned(),
            path: String::new(),
            headers: Vec::new(),
            body: "x".repeat(bytes),
            status: 200,
            fault: None,
            at_ms: 0,
        };
        let mut log = Log::default();
        for _ in 0..ENTRIES + 5 {
            log.push(request(1));
        }
        assert_eq!(log.snapshot().len(), ENTRIES);
        assert_eq!(log.snapshot()[0].n, 6);
        log.push(request(BYTES));
        assert_eq!(log.snapshot().len(), 1);
    }
}
