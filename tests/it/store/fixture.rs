//! Databases of every released version open, and keep what they hold.
//!
//! `v1.db` was written by [`made_up`] at schema version 1; it is never written
//! again. A later version adds its own file and its own builder.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use clientsync::core::{
    Compare, GuardVerdict, Key, Known, LaneCounts, LeftOut, LeftOutReason, Method, Outcome,
    Problem, Ruling, Scope,
};
use clientsync::store::{
    Adopted, AttemptResult, Counted, Entry, Intent, RunStart, SnapshotWrite, Store, StoreError,
};
use rusqlite::Connection;
use serde_json::{Value, json};

use super::{
    LANE, answer, at, end, intent, key, lane, path, planned, read, settled, start, update, write,
};

/// Made-up content that uses every table and every kind of value.
fn made_up(store: &mut Store) {
    store
        .bind(&[
            lane(LANE, "https://a.example workspace_id=ws_1"),
            lane("beta", "https://b.example"),
        ])
        .unwrap();
    store
        .set_mapped_fields(
            LANE,
            &BTreeSet::from([path("name"), path("city"), path("/metadata/a.b")]),
        )
        .unwrap();
    store.set_blocked_until("beta", Some(at(99))).unwrap();
    adopted(store);
    synced(store);
    killed(store);
}

fn adopted(store: &mut Store) {
    let adopt = RunStart {
        command: "adopt".to_owned(),
        plan_sha256: None,
        scope: Scope::Partial,
        ..start("run-1", 2)
    };
    let run = store.begin(&adopt).unwrap();
    let secret = Key::new([7; 32]).digest(&path("ssn"), Compare::Exact, &json!("123"));
    let records = [
        Adopted {
            key: key("eu,\"1,7\""),
            snapshot: SnapshotWrite {
                remote_id: "00042".to_owned(),
                settled: vec![
                    (path("name"), Some(Known::Value(json!("Zoë \u{1f98a}")))),
                    (path("city"), Some(Known::Value(Value::Null))),
                    (
                        path("/metadata/a.b"),
                        Some(Known::Value(json!(["x", 1.5, true]))),
                    ),
                    (path("ssn"), Some(Known::Digest(secret))),
                ],
            },
        },
        Adopted {
            key: key("bob"),
            snapshot: write("r-bob", &[("name", Some("Bob")), ("city", Some("Oslo"))]),
        },
    ];
    store.adopt(run, LANE, &records).unwrap();
    store.adopt(run, "beta", &records[1..]).unwrap();
    store.end(run, &end(0, "ok", planned(0))).unwrap();
}

fn synced(store: &mut Store) {
    let sync = RunStart {
        plan_path: Some("plans/run-2.jsonl".to_owned()),
        guards: vec![GuardVerdict {
            guard: "max_updates".to_owned(),
            lane: Some(LANE.to_owned()),
            ruling: Ruling::Passed,
            message: "3 of 10".to_owned(),
        }],
        allowed: vec!["max_updates=80%".to_owned()],
        ..start("run-2", 10)
    };
    let run = store.begin(&sync).unwrap();
    update(
        store,
        run,
        1,
        "ann",
        &[("name", Some("Ann")), ("city", Some("Rome"))],
    );
    let invalid = LeftOut {
        lane: LANE.to_owned(),
        key: Some(key("dan")),
        line: 9,
        reason: LeftOutReason::Invalid,
        problems: vec![
            Problem::new("E_TYPE", "is not a date")
                .column("since")
                .line(9),
        ],
    };
    let rejected = answer(2, AttemptResult::Rejected);
    store
        .record(
            run,
            &[
                Entry::LeftOut(invalid, at(1)),
                intent(2, "cy", &["name"]),
                settled(2, "cy", Outcome::Rejected, Some(rejected), None),
            ],
        )
        .unwrap();
    let counts = LaneCounts {
        rows: 10,
        updated: 1,
        rejected: 1,
        unchanged: 7,
        invalid: 1,
        ..LaneCounts::default()
    };
    store.end(run, &end(3, "rejects", counts)).unwrap();
}

/// A run with one write in doubt, one unanswered, and one read unanswered.
fn killed(store: &mut Store) {
    let run = store.begin(&start("run-3", 3)).unwrap();
    let again = Entry::Intent(Intent {
        request: 2,
        lane: LANE.to_owned(),
        key: Some(key("bob")),
        line: Some(1),
        n: 2,
        method: Method::Put,
        at: at(9),
        body_sha256: None,
        fields: vec![path("city")],
    });
    let doubt = Entry::Answer(answer(1, AttemptResult::InDoubt));
    store
        .record(
            run,
            &[intent(1, "bob", &["city"]), doubt, again, read(3, "ann")],
        )
        .unwrap();
}

/// All that the state gives back, as text.
fn dump(store: &Store) -> String {
    let mut lines = vec![format!("{:#?}", store.last_good().unwrap())];
    for run in store.runs(100).unwrap() {
        lines.push(format!("{run:#?}"));
        store
            .outcomes(&run.run_id, |row| {
                lines.push(format!("{row:#?}"));
                Ok::<_, StoreError>(())
            })
            .unwrap();
        store
            .attempts(&run.run_id, |row| {
                lines.push(format!("{row:#?}"));
                Ok::<_, StoreError>(())
            })
            .unwrap();
    }
    for lane in store.lanes() {
        let ledger = store
            .requests_since(lane, (at(0), at(90)), Counted::Requests, 99)
            .unwrap();
        let mapped = store.mapped_fields(lane).unwrap();
        let blocked = store.blocked_until(lane).unwrap();
        lines.push(format!("{lane} {ledger:?} {mapped:?} {blocked:?}"));
        store
            .each_record(lane, |key, row| {
                let linked = store.link_of(lane, &row.remote_id)?;
                lines.push(format!(
                    "{key:?} {linked:?} {:?} {:?} {}",
                    row.values,
                    row.open,
                    row.basis()
                ));
                Ok::<_, StoreError>(())
            })
            .unwrap();
    }
    lines.join("\n")
}

#[test]
fn a_state_of_version_1_keeps_all_it_holds() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("clientsync.db");
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/state/v1.db");
    fs::copy(fixture, &state).unwrap();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o600)).unwrap();
    let mut fresh = Store::open_in_memory().unwrap();
    made_up(&mut fresh);

    let store = Store::open(&state).unwrap();
    assert_eq!(dump(&store), dump(&fresh));
    assert_eq!(store.verify().unwrap(), Vec::<String>::new());
    store
        .check_target(&lane(LANE, "https://a.example workspace_id=ws_1"))
        .unwrap();
}

#[test]
fn an_empty_database_of_ours_is_migrated_from_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("clientsync.db");
    let raw = Connection::open(&state).unwrap();
    raw.pragma_update(None, "application_id", 0x636c_7379)
        .unwrap();
    drop(raw);
    fs::set_permissions(&state, fs::Permissions::from_mode(0o600)).unwrap();
    let error = Store::open_read_only(&state).unwrap_err();
    assert!(matches!(error, StoreError::Version { .. }), "{error}");
    let mut store = Store::open(&state).unwrap();
    made_up(&mut store);
    assert_eq!(store.verify().unwrap(), Vec::<String>::new());
}
