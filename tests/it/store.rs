//! The state as its callers see it: files, locks, versions, journal, history.

mod files;
mod fixture;
mod journal;
mod locks;
mod snapshot;

use std::collections::BTreeMap;
use std::time::Duration;

use clientsync::core::{
    FieldPath, Known, LaneCounts, LaneHeader, Method, Outcome, RecordKey, Scope,
};
use clientsync::store::{
    Answer, AttemptResult, Entry, Holder, Intent, OpenRun, RunEnd, RunExit, RunStart, Settlement,
    SnapshotWrite, Store,
};
use jiff::Timestamp;
use serde_json::json;

/// The lane that most tests write to.
const LANE: &str = "alpha";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

fn key(text: &str) -> RecordKey {
    RecordKey::from_cells([text])
}

fn path(text: &str) -> FieldPath {
    FieldPath::parse(text).unwrap()
}

fn lane(name: &str, target: &str) -> LaneHeader {
    LaneHeader {
        lane: name.to_owned(),
        kind: "placio".to_owned(),
        target: target.to_owned(),
        manifest_sha256: String::new(),
        contract_sha256: String::new(),
        new_fields: Vec::new(),
    }
}

/// A state in memory with the one lane bound.
fn bound() -> Store {
    let mut store = Store::open_in_memory().unwrap();
    store.bind(&[lane(LANE, "https://a.example")]).unwrap();
    store
}

/// This process, as it holds a lock.
fn holder(run_id: &str, second: i64) -> Holder {
    Holder {
        pid: std::process::id(),
        host: "example".to_owned(),
        started: at(second),
        run_id: run_id.to_owned(),
    }
}

fn planned(rows: u64) -> LaneCounts {
    LaneCounts {
        rows,
        planned: rows,
        ..LaneCounts::default()
    }
}

fn start(run_id: &str, rows: u64) -> RunStart {
    RunStart {
        run_id: run_id.to_owned(),
        command: "sync".to_owned(),
        scope: Scope::Whole,
        started: at(0),
        plan_sha256: Some("ab12".to_owned()),
        plan_path: None,
        source_sha256: Some("cd34".to_owned()),
        source_rows: Some(rows),
        tool_version: "0.1.0".to_owned(),
        guards: Vec::new(),
        allowed: Vec::new(),
        lanes: BTreeMap::from([(LANE.to_owned(), planned(rows))]),
    }
}

fn end(code: u8, name: &str, counts: LaneCounts) -> RunEnd {
    RunEnd {
        exit: RunExit {
            code,
            name: name.to_owned(),
        },
        at: at(60),
        lanes: BTreeMap::from([(LANE.to_owned(), counts)]),
    }
}

/// The intent of a first write of a row whose line is its request number.
fn intent(request: u64, who: &str, fields: &[&str]) -> Entry {
    Entry::Intent(Intent {
        request,
        lane: LANE.to_owned(),
        key: Some(key(who)),
        line: Some(request),
        n: 1,
        method: Method::Patch,
        at: at(i64::try_from(request).unwrap()),
        body_sha256: Some("ef56".to_owned()),
        fields: fields.iter().map(|field| path(field)).collect(),
    })
}

fn read(request: u64, who: &str) -> Entry {
    Entry::Intent(Intent {
        request,
        lane: LANE.to_owned(),
        key: Some(key(who)),
        line: Some(request),
        n: 1,
        method: Method::Get,
        at: at(i64::try_from(request).unwrap()),
        body_sha256: None,
        fields: Vec::new(),
    })
}

fn answer(request: u64, result: AttemptResult) -> Answer {
    Answer {
        request,
        result,
        status: Some(200),
        provider_request_id: Some(format!("req-{request}")),
        message: None,
        sent: at(i64::try_from(request).unwrap()),
        took: Duration::from_millis(20),
    }
}

fn write(remote_id: &str, values: &[(&str, Option<&str>)]) -> SnapshotWrite {
    SnapshotWrite {
        remote_id: remote_id.to_owned(),
        settled: values
            .iter()
            .map(|(field, value)| (path(field), value.map(|v| Known::Value(json!(v)))))
            .collect(),
    }
}

fn settled(
    line: u64,
    who: &str,
    outcome: Outcome,
    answer: Option<Answer>,
    snapshot: Option<SnapshotWrite>,
) -> Entry {
    Entry::Settle(Box::new(Settlement {
        lane: LANE.to_owned(),
        key: key(who),
        line,
        remote_id: snapshot.as_ref().map(|s| s.remote_id.clone()),
        outcome,
        code: None,
        message: None,
        attempts: 1,
        status: Some(200),
        provider_request_id: None,
        took: Duration::from_millis(25),
        at: at(30),
        problems: Vec::new(),
        note: None,
        answer,
        snapshot,
    }))
}

/// Sends a row's update and records that it was accepted.
fn update(
    store: &mut Store,
    run: OpenRun,
    request: u64,
    who: &str,
    values: &[(&str, Option<&str>)],
) {
    let fields: Vec<&str> = values.iter().map(|(field, _)| *field).collect();
    store.record(run, &[intent(request, who, &fields)]).unwrap();
    let accepted = answer(request, AttemptResult::Accepted);
    let remote_id = format!("r-{who}");
    let row = settled(
        request,
        who,
        Outcome::Updated,
        Some(accepted),
        Some(write(&remote_id, values)),
    );
    store.record(run, &[row]).unwrap();
}

/// What is known of a record, as path and text.
fn known(store: &Store, who: &str) -> Vec<(String, String)> {
    let Some(row) = store.acknowledged(LANE, &key(who)).unwrap() else {
        return Vec::new();
    };
    row.values
        .iter()
        .map(|(field, known)| {
            let text = known.value().and_then(|v| v.as_str()).unwrap().to_owned();
            (field.to_string(), text)
        })
        .collect()
}

fn pairs(values: &[(&str, &str)]) -> Vec<(String, String)> {
    values
        .iter()
        .map(|(field, value)| ((*field).to_owned(), (*value).to_owned()))
        .collect()
}
