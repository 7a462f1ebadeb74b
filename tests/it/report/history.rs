//! The history of runs.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use clientsync::core::{LaneCounts, Outcome, Scope, SkipReason};
use clientsync::report::{
    AttemptLine, Colour, Exit, OutcomeLine, RunDetail, RunLine, Style, Values, needs_escape,
    write_run_json, write_run_text, write_runs_json, write_runs_text,
};
use serde_json::{Value, json};

use super::samples::key;

fn runs() -> Vec<RunLine> {
    let counts = LaneCounts {
        rows: 1_204,
        unchanged: 1_200,
        updated: 2,
        rejected: 1,
        planned: 1,
        ..LaneCounts::default()
    };
    vec![
        RunLine {
            run_id: "r-8".to_owned(),
            command: "apply".to_owned(),
            started: "2026-11-21T03:00:00Z".to_owned(),
            ended: None,
            exit: None,
            scope: Scope::Partial,
            providers: BTreeMap::new(),
        },
        RunLine {
            run_id: "r-7".to_owned(),
            command: "sync".to_owned(),
            started: "2026-11-20T03:00:00Z".to_owned(),
            ended: Some("2026-11-20T03:05:00Z".to_owned()),
            exit: Some(Exit {
                code: 3,
                name: "rejects".into(),
            }),
            scope: Scope::Whole,
            providers: BTreeMap::from([("weel".to_owned(), counts)]),
        },
    ]
}

fn detail() -> RunDetail {
    RunDetail {
        run: runs().remove(1),
        plan_id: Some("p-1".to_owned()),
        tool_version: "0.1.0".to_owned(),
        source_sha256: Some("9f86d081".to_owned()),
    }
}

fn outcomes() -> Vec<OutcomeLine> {
    let attempt = |n, status, message: Option<&str>| AttemptLine {
        n,
        method: "PATCH".to_owned(),
        started: "2026-11-20T03:00:01Z".to_owned(),
        status,
        provider_request_id: status.map(|_| "req_9".to_owned()),
        message: message.map(str::to_owned),
        took: Some(Duration::from_millis(340)),
    };
    vec![
        OutcomeLine {
            provider: "weel".to_owned(),
            key: key("C-1"),
            line: Some(2),
            remote_id: Some("17".to_owned()),
            outcome: Outcome::Rejected,
            message: Some("email b@example.com is taken".to_owned()),
            attempts: vec![
                attempt(1, None, Some("the time ran out")),
                attempt(2, Some(422), Some("email b@example.com is taken")),
            ],
        },
        OutcomeLine {
            provider: "weel".to_owned(),
            key: key("C-2"),
            line: None,
            remote_id: None,
            outcome: Outcome::Skipped(SkipReason::Superseded),
            message: None,
            attempts: Vec::new(),
        },
    ]
}

fn fine(outcomes: Vec<OutcomeLine>) -> impl Iterator<Item = Result<OutcomeLine, Infallible>> {
    outcomes.into_iter().map(Ok)
}

fn shown(style: Style, outcomes: Vec<OutcomeLine>) -> String {
    let mut out = Vec::new();
    write_run_text(&mut out, &detail(), style, fine(outcomes)).unwrap();
    String::from_utf8(out).unwrap()
}

const HISTORY: &str = "\
run  command  started               ended                  rows  updated  troubled  planned  exit
r-8  apply    2026-11-21T03:00:00Z  -                         0        0         0        0  not ended
r-7  sync     2026-11-20T03:00:00Z  2026-11-20T03:05:00Z  1,204        2         1        1  3 rejects

Rows are counted once per provider. Troubled: rejected, failed, in doubt or invalid. Planned: not yet attempted.
";

const ONE_RUN: &str = "\
run r-7: sync
started  2026-11-20T03:00:00Z
ended    2026-11-20T03:05:00Z
exit     3 rejects
plan     p-1
source   the whole population
SHA-256  9f86d081
version  0.1.0

weel: 1,204 rows = 1,200 unchanged + 1 planned + 2 updated + 1 rejected

C-1  weel 17  (line 2)  rejected
    email b@example.com is taken
    attempt 1  2026-11-20T03:00:01Z  PATCH  no answer  340 ms  the time ran out
    attempt 2  2026-11-20T03:00:01Z  PATCH  status 422  request id req_9  340 ms  email b@example.com is taken
C-2  weel  skipped(superseded)
";

#[test]
fn the_history_reads_like_this() {
    let mut out = Vec::new();
    write_runs_text(&mut out, &runs(), Colour::Plain).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), HISTORY);
    let mut out = Vec::new();
    write_runs_text(&mut out, &[], Colour::Plain).unwrap();
    assert_eq!(out, b"No run is recorded.\n");
}

#[test]
fn a_run_in_full_reads_like_this() {
    assert_eq!(shown(Style::default(), outcomes()), ONE_RUN);
}

#[test]
fn the_history_is_json_too() {
    let mut out = Vec::new();
    write_runs_json(&mut out, &runs()).unwrap();
    let value: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(value["format"], 1);
    assert_eq!(value["runs"][0]["exit"], Value::Null);
    assert_eq!(value["runs"][1]["providers"]["weel"]["rows"], 1_204);
}

#[test]
fn a_run_in_full_is_json_too() {
    let mut out = Vec::new();
    write_run_json(&mut out, &detail(), Values::Shown, fine(outcomes())).unwrap();
    let value: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(value["run_id"], "r-7");
    assert_eq!(value["plan_id"], "p-1");
    assert_eq!(value["outcomes"][1]["outcome"], "skipped(superseded)");
    assert_eq!(
        value["outcomes"][0]["attempts"][1],
        json!({
            "n": 2, "method": "PATCH", "started": "2026-11-20T03:00:01Z", "status": 422,
            "provider_request_id": "req_9", "message": "email b@example.com is taken",
            "took_ms": 340
        })
    );
    assert_eq!(value["complete"], true);
}

#[test]
fn outcomes_that_end_in_an_error_say_so_and_leave_valid_json() {
    let broken = [Ok(outcomes().remove(0)), Err("the state is corrupt")];
    let mut out = Vec::new();
    assert!(write_run_json(&mut out, &detail(), Values::Shown, broken).is_err());
    let value: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(value["complete"], false);
    assert_eq!(value["outcomes"].as_array().unwrap().len(), 1);
    let broken = [Ok(outcomes().remove(0)), Err("the state is corrupt")];
    let mut out = Vec::new();
    assert!(write_run_text(&mut out, &detail(), Style::default(), broken).is_err());
    let text = String::from_utf8(out).unwrap();
    assert!(text.ends_with("\nthe report ends early: the state is corrupt\n"));
}

#[test]
fn hidden_values_hide_the_words_of_a_provider() {
    let style = Style {
        values: Values::Hidden,
        ..Style::default()
    };
    let text = shown(style, outcomes());
    assert!(!text.contains("example.com") && text.contains("words are hidden"));
    let mut out = Vec::new();
    write_run_json(&mut out, &detail(), Values::Hidden, fine(outcomes())).unwrap();
    assert!(!String::from_utf8(out).unwrap().contains("example.com"));
}

#[test]
fn a_provider_cannot_reach_the_terminal_through_the_history() {
    let nasty = "\u{1b}]0;x\u{7}\u{9b}2J\n\r\u{202e}\u{200b}\u{feff}";
    let mut outcome = outcomes().remove(0);
    outcome.key = key(nasty);
    outcome.provider = nasty.to_owned();
    outcome.remote_id = Some(nasty.to_owned());
    outcome.message = Some(nasty.to_owned());
    for attempt in &mut outcome.attempts {
        attempt.message = Some(nasty.to_owned());
        attempt.provider_request_id = Some(nasty.to_owned());
    }
    let text = shown(Style::default(), vec![outcome]);
    assert!(!text.contains(|c| c != '\n' && needs_escape(c)), "{text:?}");
}
