//! The HTTP side: from a connection on loopback to a lane and back.
//!
//! It answers whatever comes, without panicking and within fixed bounds. A
//! request that names another host is refused, so that no page in a browser can
//! read the records through a name that points here.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::access::header;
use super::answer::{JSON, Reply};
use super::cut::{Cut, Cuttable};
use super::fault::{FaultKind, Faults};
use super::lane::{Call, Lane};
use super::log::{Log, LoggedRequest, MASK};
use super::{lock, percent};

/// The largest body that is read, in bytes.
const BODY_CAP: usize = 1024 * 1024;
/// The path prefix of the sandbox's own pages.
pub(super) const OWN_PREFIX: &str = "_sandbox";

/// What all connections share.
pub(super) struct Shared {
    started: Instant,
    address: SocketAddr,
    pub(super) lanes: Vec<(String, Mutex<Lane>)>,
    pub(super) log: Mutex<Log>,
    faults: Faults,
}

/// What the log needs to know of a request's lane.
#[derive(Clone, Copy, Default)]
struct Served<'a> {
    lane: &'a str,
    secret_header: &'a str,
    /// Whether the body holds credentials.
    secret_body: bool,
    fault: Option<FaultKind>,
}

/// The base URL of a lane.
pub(super) fn base_url(address: SocketAddr, lane: &str) -> String {
    format!("http://{address}/{}", percent::encode(lane))
}

/// Serves until the other end is dropped or says so.
pub(super) async fn serve(listener: Cuttable, shared: Arc<Shared>, stopped: oneshot::Receiver<()>) {
    let router = Router::new().fallback(handle).with_state(shared);
    let service = router.into_make_service_with_connect_info::<Cut>();
    let until = async {
        // Both a word and a dropped sender mean the end.
        let _ = stopped.await;
    };
    // Accept errors are retried inside; there is nobody to tell of another end.
    let _ = axum::serve(listener, service)
        .with_graceful_shutdown(until)
        .await;
}

async fn handle(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let announced = header(&parts.headers, CONTENT_LENGTH.as_str())
        .and_then(|length| length.parse::<usize>().ok());
    let body = if announced.is_some_and(|length| length > BODY_CAP) {
        None
    } else {
        to_bytes(body, BODY_CAP).await.ok()
    };
    let (reply, fault) = shared.answer(&parts, body.as_deref());
    match fault {
        Some(FaultKind::ResetBefore | FaultKind::ResetAfter) => cut.reset(),
        Some(FaultKind::Truncated) => cut.halve(),
        // It ends when the client goes away.
        Some(FaultKind::Timeout) => std::future::pending().await,
        _ => {}
    }
    http(reply)
}

fn http(reply: Reply) -> Response {
    let mut response = Response::builder()
        .status(reply.status)
        .header(CONTENT_TYPE, reply.kind);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    // A manifest may name a header that HTTP does not allow.
    response.body(Body::from(reply.body)).unwrap_or_else(|_| {
        let mut failed = Response::new(Body::empty());
        *failed.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        failed
    })
}

impl Shared {
    pub(super) fn new(
        address: SocketAddr,
        lanes: Vec<(String, Mutex<Lane>)>,
        faults: Faults,
    ) -> Self {
        Self {
            started: Instant::now(),
            address,
            lanes,
            log: Mutex::new(Log::default()),
            faults,
        }
    }

    /// The answer to a request, and the fault that struck it.
    fn answer(&self, parts: &Parts, body: Option<&[u8]>) -> (Reply, Option<FaultKind>) {
        let own = |reply| (reply, None);
        if !names_loopback(&parts.headers) {
            let why = "the sandbox answers to 127.0.0.1 and localhost only";
            return own(Reply::plain(403, why));
        }
        let path = parts.uri.path();
        let decoded: Option<Vec<String>> = path
            .strip_prefix('/')
            .and_then(|path| path.split('/').map(percent::decode).collect());
        let Some(segments) = decoded else {
            let reply = Reply::plain(400, "the path is not valid percent-encoded UTF-8");
            self.note(parts, body, Served::default(), reply.status);
            return own(reply);
        };
        let is_get = parts.method.as_str() == "GET";
        match segments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [""] if is_get => return own(self.index()),
            [OWN_PREFIX, ref page @ ..] if is_get => return own(self.own_page(page)),
            _ => {}
        }
        let lane = segments
            .split_first()
            .and_then(|(name, rest)| Some((self.lanes.iter().find(|(n, _)| n == name)?, rest)));
        let Some(((name, lane), segments)) = lane else {
            let reply = Reply::plain(404, "there is no such lane; `GET /` lists them");
            self.note(parts, body, Served::default(), reply.status);
            return own(reply);
        };
        let mut lane = lock(lane);
        let secret_body = lane.is_token_path(segments);
        let fault = if secret_body {
            None
        } else {
            self.faults.strike(name, lane.next_number())
        };
        let failed = fault.filter(|fault| !fault.applies());
        let reply = match failed {
            Some(fault) => lane.failed(fault).unwrap_or_else(Reply::page),
            None => lane.answer(Call {
                method: parts.method.as_str(),
                segments,
                query: parts.uri.query(),
                headers: &parts.headers,
                body,
                now: Instant::now(),
            }),
        };
        let served = Served {
            lane: name,
            secret_header: lane.secret_header(),
            secret_body,
            fault,
        };
        let is_silent = fault.is_some_and(FaultKind::is_silent);
        let status = if is_silent { 0 } else { reply.status };
        self.note(parts, body, served, status);
        (reply, fault)
    }

    /// Logs a request.
    fn note(&self, parts: &Parts, body: Option<&[u8]>, served: Served<'_>, status: u16) {
        let Served {
            lane,
            secret_header,
            secret_body,
            fault,
        } = served;
        // Forms are how passwords travel, also to a path that is mistyped.
        let form = header(&parts.headers, CONTENT_TYPE.as_str())
            .is_some_and(|kind| kind.to_ascii_lowercase().contains("form"));
        let mask = |name: &str, value: &[u8]| {
            let always = ["authorization", "proxy-authorization", "cookie"];
            if always.contains(&name) || name == secret_header {
                MASK.to_owned()
            } else {
                String::from_utf8_lossy(value).into_owned()
            }
        };
        let headers = parts
            .headers
            .iter()
            .map(|(name, value)| {
                let name = name.as_str();
                (name.to_owned(), mask(name, value.as_bytes()))
            })
            .collect();
        let path = parts.uri.path_and_query();
        lock(&self.log).push(LoggedRequest {
            n: 0,
            lane: lane.to_owned(),
            method: parts.method.as_str().to_owned(),
            path: path.map_or_else(String::new, |path| path.as_str().to_owned()),
            headers,
            body: match body {
                Some(body) if !body.is_empty() && (secret_body || form) => MASK.to_owned(),
                Some(body) => String::from_utf8_lossy(body).into_owned(),
                None => String::new(),
            },
            status,
            fault,
            at_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
        });
    }

    fn index(&self) -> Reply {
        let mut lanes = Map::new();
        for (name, lane) in &self.lanes {
            let page = lock(lane).page(&base_url(self.address, name));
            lanes.insert(name.clone(), page);
        }
        let own = format!("http://{}/{OWN_PREFIX}", self.address);
        Reply::json(
            200,
            &json!({
                "title": "clientsync sandbox: made-up records and credentials, on this machine only",
                "lanes": lanes,
                "requests": format!("{own}/requests"),
                "record": format!("{own}/records/LANE/ID"),
            }),
        )
    }

    fn own_page(&self, page: &[&str]) -> Reply {
        match *page {
            ["requests"] => {
                let requests = lock(&self.log).snapshot();
                let requests = requests.iter().map(LoggedRequest::to_value).collect();
                Reply::json(200, &Value::Array(requests))
            }
            ["records", name, id] => {
                let lane = self.lanes.iter().find(|(n, _)| n == name);
                let record = lane.and_then(|(_, lane)| lock(lane).record(id).cloned());
                match record {
                    Some(record) => Reply {
                        status: 200,
                        headers: Vec::new(),
                        kind: JSON,
                        body: record.to_text(),
                    },
                    None => Reply::plain(404, "this lane holds no record of this id"),
                }
            }
            _ => Reply::plain(404, "the sandbox has no such page"),
        }
    }
}

/// Whether the request means this machine by a name that only it has.
fn names_loopback(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(HOST) else {
        return true;
    };
    let Ok(host) = host.to_str() else {
        return false;
    };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    ["127.0.0.1", "localhost"].contains(&name.to_ascii_lowercase().as_str())
}
