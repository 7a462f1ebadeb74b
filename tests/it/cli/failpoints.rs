//! Every named place x every way to fail, once and from then on: whatever
//! happens, the next run puts all right.

use std::collections::BTreeMap;

use clientsync::failpoint::{Point, VARIABLE};

use crate::support::judge::{Judge, READ_BACK, rows};
use crate::support::workdir::{FIELDS, ROWS, Ran, Remote, Workdir, assert_adds_up};

const ROWS_OF_FILE: u32 = 20;
const OPEN: u32 = 4;
const SYNC: [&str; 3] = ["sync", "--report", "report.json"];

/// One way to fail.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Kill,
    Error,
    Full,
    Delay,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Error => "error",
            Self::Full => "full",
            Self::Delay => "delay",
        }
    }

    /// How the run ends; `None` where it is killed. Nothing else may come of it.
    fn ends(self, point: Point, again: bool) -> Option<i32> {
        let is_commit = matches!(
            point,
            Point::Intend
                | Point::Answer
                | Point::Settle
                | Point::Acknowledge
                | Point::Acknowledged
        );
        match (self, point) {
            (Self::Kill, _) => None,
            // A commit that finds no room is tried again, and once there is
            // room nothing has come of it.
            (Self::Full, _) if is_commit && !again => Some(3),
            // One row is invalid in one lane. A request that goes wrong is
            // tried again, and a row that always does has failed.
            (Self::Delay, _) | (_, Point::Send | Point::Sent | Point::Received) => Some(3),
            _ => Some(74),
        }
    }
}

/// Rows for two lanes; the last one is invalid in the first lane.
fn file(count: u32) -> String {
    let with_one_more = rows(count + 1, 1);
    let address = format!("c{}.v1@example.com", count + 1);
    assert!(with_one_more.contains(&address));
    with_one_more.replace(&address, "nobody")
}

/// A run that fails like this, and the run after it.
fn judged(point: Point, way: Way, again: bool) {
    let case = format!(
        "{}={}{}",
        point.name(),
        way.name(),
        if again { "+" } else { "" }
    );
    // Each attempt of a request that always goes wrong costs a wait.
    let fails_to_send = again && way.ends(point, again) == Some(3) && way != Way::Delay;
    let count = if fails_to_send { 1 } else { ROWS_OF_FILE };
    let judge = Judge::of(2);
    let workdir = judge.workdir(OPEN);
    workdir.write("clients.csv", file(count));
    let mut command = workdir.command(&SYNC);
    let output = command.env(VARIABLE, &case).output().unwrap();
    assert_eq!(
        output.status.code(),
        way.ends(point, again),
        "{case}: {output:#?}"
    );
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        !stderr.contains("panicked") && !stderr.contains("internal error"),
        "{stderr}"
    );
    if way != Way::Kill && workdir.path("report.json").exists() {
        let report: serde_json::Value = serde_json::from_str(&workdir.read("report.json")).unwrap();
        assert_adds_up(&report["providers"]);
    }

    let before = judge.writes();
    let open = judge.assert_recorded(&workdir.path("state.db"));
    for (lane, clients) in &open {
        assert!(
            *clients <= OPEN || fails_to_send,
            "{case}: {lane}: {clients} in doubt"
        );
    }
    let ran = workdir.run(&SYNC);
    assert_eq!(ran.code, 3, "{case}: {ran:#?}");
    judge.assert_holds(count, 1);
    assert_eq!(
        judge.assert_recorded(&workdir.path("state.db")),
        BTreeMap::new(),
        "{case}"
    );
    for (lane, resent) in judge.repeated_since(before) {
        let open = open.get(&lane).copied().unwrap_or_default();
        let allowed = if READ_BACK.contains(&&lane[..]) {
            0
        } else {
            open
        };
        assert!(
            resent <= allowed,
            "{case}: {lane}: {resent} resent, {open} were open"
        );
    }
}

fn everywhere(way: Way) {
    for point in Point::ALL {
        for again in [false, true] {
            judged(*point, way, again);
        }
    }
}

#[test]
fn killed_at_any_place_nothing_is_lost() {
    everywhere(Way::Kill);
}

#[test]
fn an_error_at_any_place_loses_nothing() {
    everywhere(Way::Error);
}

#[test]
fn a_full_disk_at_any_place_loses_nothing() {
    everywhere(Way::Full);
}

#[test]
fn a_delay_at_any_place_changes_nothing() {
    everywhere(Way::Delay);
}

#[test]
fn every_place_is_reached_by_a_run() {
    let judge = Judge::of(2);
    let workdir = judge.workdir(OPEN);
    for point in Point::ALL {
        workdir.write("clients.csv", file(1));
        // A place that no run comes by would make all of the above vain.
        let mut command = workdir.command(&SYNC);
        let armed = format!("{}=kill", point.name());
        let killed = command.env(VARIABLE, &armed).output().unwrap();
        assert_eq!(killed.status.code(), None, "{armed}");
        for left in ["state.db", "state.db-wal", "state.db-shm"] {
            // Only a run that has all to do comes by all places.
            drop(std::fs::remove_file(workdir.path(left)));
        }
    }
}

#[test]
fn failpoints_that_are_not_understood_end_the_program_before_it_begins() {
    let remote = Remote::accepting();
    let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
    for wrong in ["nowhere=kill", "send=explode", "send", "send=kill@x", ""] {
        let mut command = workdir.command(&["sync"]);
        Ran::from(command.env(VARIABLE, wrong).output().unwrap()).ended(64);
    }
    assert_eq!(remote.count(), 0);
}

/// The features of this package that cargo's normal build has. What the test
/// has is the other way round: without the feature it would not compile.
#[test]
fn no_build_but_that_of_the_tests_has_failpoints() {
    let manifest: toml::Table = include_str!("../../../Cargo.toml").parse().unwrap();
    let features = manifest["features"].as_table().unwrap();
    let names: Vec<&String> = features.keys().collect();
    assert_eq!(
        names,
        ["failpoints"],
        "no default, and none that could imply it"
    );
    let on = manifest["dev-dependencies"]["clientsync"]["features"].clone();
    assert_eq!(on, toml::Value::Array(vec!["failpoints".into()]));
    assert!(manifest["dependencies"].get("clientsync").is_none());
    let built = std::process::Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--depth", "0"])
        .args(["--edges", "normal", "--format", "{p} [{f}]"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let built = String::from_utf8(built.stdout).unwrap();
    assert!(
        built.starts_with("clientsync ") && built.trim_end().ends_with("[]"),
        "{built}"
    );
}
