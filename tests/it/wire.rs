//! An independent judge of what leaves the machine: real runs against a plain
//! recording server that knows nothing of manifests.
//!
//! Methods, paths, headers and bodies are literals typed from the vendors'
//! documents; the answers are the documents' example bodies. Nothing expected
//! here may be computed by the code under test.

mod complycube;
mod nexudus;
mod placio;
mod spp;
mod weel;

use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use clientsync::core::{LaneCounts, Outcome, Scope};
use clientsync::engine::{
    ApplyLane, Bounds, Clock, Interrupt, LaneEnd, Ledger, Past, Recorder, Silent, Stop, Stopped,
    apply,
};
use clientsync::store::{OutcomeRow, RunStart, Store, StoreError};
use jiff::Timestamp;
use tempfile::TempDir;

use crate::support::lane::{Setup, transport};
use crate::support::server::{Answer, Hit, Server};

/// What a request carries beside its host, its length and our name.
type Headers<'a> = &'a [(&'a str, &'a str)];

const JSON: (&str, &str) = ("content-type", "application/json");
const ACCEPT: (&str, &str) = ("accept", "application/json");
const RAW_KEY: (&str, &str) = ("authorization", "test_key_1");
const BEARER: (&str, &str) = ("authorization", "Bearer test_key_1");

/// A user's folder: configuration, source and state.
struct Folder {
    directory: TempDir,
    config: String,
    runs: AtomicUsize,
}

impl Folder {
    fn new(kind: &str, server: &Server, fields: &str, source: &str) -> Self {
        Self::with(kind, server, "", fields, source)
    }

    /// With more settings than the base URL.
    fn with(kind: &str, server: &Server, settings: &str, fields: &str, source: &str) -> Self {
        let directory = TempDir::new().unwrap();
        fs::write(directory.path().join("clients.csv"), source).unwrap();
        let base_url = server.url("");
        let config = format!(
            "version = 1\n\
             [source]\npath = \"clients.csv\"\nkey = \"client_id\"\n\
             [providers.{kind}]\nid = \"remote\"\n\
             settings = {{ base_url = \"{base_url}\"{settings} }}\n\
             limits = {{ quota = [{{ calls = 1000, per = \"second\" }}], concurrency = 1 }}\n\
             [providers.{kind}.fields]\n{fields}\n"
        );
        Self {
            directory,
            config,
            runs: AtomicUsize::new(0),
        }
    }

    /// Plans, and applies what was planned.
    async fn sync(&self) -> (LaneEnd, Vec<OutcomeRow>) {
        let mut store = Store::open(&self.directory.path().join("state.db")).unwrap();
        let mut setup = Setup::read(&self.config, self.directory.path()).unwrap();
        setup.bind(&mut store);
        let plan = setup.plan(&store);
        let lane = Arc::new(setup.lanes.remove(0));
        let counts = plan.trailer.lanes[&lane.name].clone();
        let number = self.runs.fetch_add(1, Ordering::SeqCst);
        let run_id = format!("run-{number}");
        let run = store.begin(&start(&run_id, &lane.name, &counts)).unwrap();
        let (handle, recorder) = Recorder::start(store, run);
        let lanes = vec![ApplyLane {
            transport: transport(&lane),
            lane: Arc::clone(&lane),
            tps_limit: None,
            ledger: Ledger::empty(Timestamp::UNIX_EPOCH),
            bounds: Bounds::default(),
            counts,
            past: Past::default(),
            plan: Box::new(move || Ok(Box::new(Cursor::new(plan.bytes.clone())))),
        }];
        let clock = Clock {
            now: || "2026-01-01T00:00:00Z".parse().unwrap(),
            share: || 0.0,
        };
        let ends = apply(lanes, handle, Arc::new(Silent), clock, &Interrupt::new().1).await;
        let (store, ended) = recorder.finish().unwrap();
        ended.unwrap();
        let mut outcomes = Vec::new();
        store
            .outcomes::<StoreError>(&run_id, |row| {
                outcomes.push(row);
                Ok(())
            })
            .unwrap();
        (ends[&lane.name].clone(), outcomes)
    }
}

fn start(run_id: &str, lane: &str, counts: &LaneCounts) -> RunStart {
    RunStart {
        run_id: run_id.to_owned(),
        command: "sync".to_owned(),
        scope: Scope::Whole,
        started: "2026-01-01T00:00:00Z".parse().unwrap(),
        plan_sha256: None,
        plan_path: None,
        source_sha256: None,
        source_rows: Some(counts.rows),
        tool_version: "0".to_owned(),
        guards: Vec::new(),
        allowed: Vec::new(),
        lanes: BTreeMap::from([(lane.to_owned(), counts.clone())]),
    }
}

/// Asserts that a request is this one, with these headers and no others.
fn assert_sent(hit: &Hit, server: &Server, request: &str, headers: Headers<'_>, body: &str) {
    assert_eq!(format!("{} {}", hit.method, hit.target), request);
    assert_eq!(hit.text(), body, "{request}");
    let host = server.url("").replace("http://", "");
    let length = body.len().to_string();
    let agent = format!("clientsync/{}", env!("CARGO_PKG_VERSION"));
    let mut wanted: Vec<(String, String)> = headers
        .iter()
        .chain(&[("host", host.as_str()), ("user-agent", agent.as_str())])
        .chain(
            (!body.is_empty())
                .then_some(("content-length", length.as_str()))
                .as_ref(),
        )
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let mut sent: Vec<(String, String)> = hit
        .headers
        .iter()
        .map(|(name, value)| (name.to_lowercase(), value.clone()))
        .collect();
    wanted.sort();
    sent.sort();
    assert_eq!(sent, wanted, "{request}");
}

fn requests(server: &Server) -> Vec<String> {
    let hits = server.hits();
    let line = |hit: &Hit| format!("{} {}", hit.method, hit.target);
    hits.iter().map(line).collect()
}
