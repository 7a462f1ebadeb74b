//! The JSON report.

use std::cell::Cell;
use std::convert::Infallible;
use std::io::{self, Write};
use std::rc::Rc;

use clientsync::core::{Before, LaneCounts, Outcome};
use clientsync::report::{
    Detail, Report, ReportError, Style, Values, needs_escape, write_json, write_text,
};
use serde_json::{Value, json};

use crate::support::members;

use super::samples::{change, collected, fine, plan, report, row, run};

fn json(report: &Report, details: &[Detail], values: Values) -> (String, Value) {
    let mut out = Vec::new();
    write_json(&mut out, report, values, fine(details), fine(details)).unwrap();
    let text = String::from_utf8(out).unwrap();
    let value = serde_json::from_str(&text).unwrap();
    (text, value)
}

#[test]
fn the_report_has_every_promised_member() {
    let (report, details) = run();
    let (_, value) = json(&report, &details, Values::Shown);
    let head = [
        "format",
        "tool_version",
        "run_id",
        "plan_id",
        "command",
        "started",
        "ended",
        "exit",
        "scope",
        "source",
        "providers",
        "guards",
        "allowed",
        "warnings",
        "problem_groups",
        "problems_not_grouped",
        "problems",
        "changes",
        "complete",
    ];
    assert_eq!(members(&value), head);
    assert_eq!(value["exit"], json!({ "code": 6, "name": "deferred" }));
    assert_eq!(
        members(&value["providers"]["complycube"]),
        [
            "kind",
            "target",
            "rows",
            "unchanged",
            "planned",
            "updated",
            "rejected",
            "failed",
            "in_doubt",
            "invalid",
            "skipped",
            "absent",
            "requests",
            "retries",
            "new_fields",
            "estimate",
            "stopped",
            "field_changes",
            "waited_seconds",
            "budget_left",
            "resume_at",
        ]
    );
    assert_eq!(
        value["providers"]["complycube"]["skipped"],
        json!({ "superseded": 1 })
    );
    assert_eq!(
        value["problems"][0],
        json!({
            "code": "E_REJECTED",
            "message": "email \"b@example.com\" is taken",
            "provider": "complycube",
            "column": null,
            "field": null,
            "line": 4,
            "key": "C-3",
            "remote_id": null,
            "outcome": "rejected",
            "status": 422,
            "provider_request_id": "req_9"
        })
    );
    assert_eq!(value["complete"], true);
}

#[test]
fn each_field_of_a_row_is_one_change() {
    let (report, details) = plan();
    let (_, value) = json(&report, &details, Values::Shown);
    let changes = value["changes"].as_array().unwrap();
    assert_eq!(
        changes[2],
        json!({
            "provider": "complycube", "key": "C-0017", "line": 18, "remote_id": "5eb04f",
            "push": "update", "outcome": "planned", "role": "change", "field": "email",
            "before_state": "value", "before": "old@example.com", "after": "new@example.com",
            "when": "always"
        })
    );
    assert_eq!(changes[0]["before_state"], "unknown");
    assert_eq!(changes[3]["after"], Value::Null);
    assert!(changes[3].as_object().unwrap().contains_key("after"));
    assert_eq!(changes[4]["before_state"], "new_field");
    assert_eq!(changes[5]["when"], "blank");
    assert_eq!(changes[6]["because"], json!({ "whole": "/address" }));
    assert_eq!(changes[8]["while_false"], "/away/enabled");
    assert_eq!(changes[9]["unit"], "/address");
    assert_eq!(value["problems"].as_array().unwrap().len(), 1_205);
    assert_eq!(value["problem_groups"][0]["rows"], 1_204);
    assert_eq!(value["problem_groups"][1]["outcome"], "skipped(unlinked)");
}

#[test]
fn hidden_values_are_absent_and_marked() {
    for (report, details) in [plan(), run()] {
        assert!(!json(&report, &details, Values::Shown).0.contains("CANARY"));
        let (text, value) = json(&report, &details, Values::Hidden);
        for hidden in ["CANARY", "example.com", "Oslo", "gold", "vip"] {
            let quoted = text.replace("https://api.complycube.com", "");
            assert!(!quoted.contains(hidden), "{hidden}");
        }
        for change in value["changes"].as_array().unwrap() {
            let shows = ["change", "extra"].contains(&change["role"].as_str().unwrap());
            assert_eq!(change["hidden"] == json!(true), shows, "{change}");
            assert!(change.get("before").is_none() && change.get("after").is_none());
        }
    }
}

#[test]
fn an_error_among_the_rows_leaves_valid_json_that_says_so() {
    let (report, details) = run();
    let broken = || {
        fine(&details[..3])
            .map(|detail| detail.map_err(|never| match never {}))
            .chain([Err("the plan file is cut off")])
    };
    let mut out = Vec::new();
    let error = write_json(&mut out, &report, Values::Shown, broken(), broken()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the report ends early: the plan file is cut off"
    );
    let value: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(value["complete"], false);
    assert_eq!(value["problems"].as_array().unwrap().len(), 1);
    assert_eq!(value["changes"].as_array().unwrap().len(), 3);
}

#[test]
fn json_on_a_terminal_is_harmless_and_says_the_same() {
    let nasty = "\u{1b}[2J\u{7f}\u{9b}\u{202e}\u{200b}\u{2028}\u{feff}\n";
    let changes = vec![change(
        "email",
        Before::Value(json!(nasty)),
        json!({ nasty: nasty }),
    )];
    let mut row = row(nasty, 2, changes);
    row.provider = nasty.to_owned();
    row.outcome = Outcome::Rejected;
    row.message = Some(nasty.to_owned());
    let details = [Detail::Row(Box::new(row))];
    let report = collected(report("sync", LaneCounts::default()), &details);
    let (text, value) = json(&report, &details, Values::Shown);
    assert!(!text.contains(|c| c != '\n' && needs_escape(c)), "{text:?}");
    assert_eq!(value["changes"][0]["before"], nasty);
    assert_eq!(value["changes"][0]["after"], json!({ nasty: nasty }));
    assert_eq!(value["problems"][0]["message"], nasty);
}

/// A writer that counts what it takes, and fails from some point on.
struct Counting {
    written: Rc<Cell<usize>>,
    room: usize,
}

impl Write for Counting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written.set(self.written.get() + bytes.len());
        if self.written.get() > self.room {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Rows of which each is only handed out once the one before is written.
fn rows_in_step(
    written: &Rc<Cell<usize>>,
) -> impl Iterator<Item = Result<Detail, Infallible>> + use<> {
    let written = Rc::clone(written);
    let mut last = None;
    (0..100_000_u64).map(move |n| {
        let now = written.get();
        assert!(
            last.is_none_or(|last| now > last),
            "row {n} is asked for before its turn"
        );
        last = Some(now);
        let changes = vec![change("email", Before::Unknown, json!("a@example.com"))];
        Ok(Detail::Row(Box::new(row("C", n, changes))))
    })
}

#[test]
fn a_hundred_thousand_rows_are_written_one_by_one() {
    let report = report("plan", LaneCounts::default());
    let written = Rc::new(Cell::new(0));
    let counting = || Counting {
        written: Rc::clone(&written),
        room: usize::MAX,
    };
    let none = std::iter::empty::<Result<Detail, Infallible>>();
    write_json(
        &mut counting(),
        &report,
        Values::Shown,
        none,
        rows_in_step(&written),
    )
    .unwrap();
    let mut report = report;
    report.exit.code = 3;
    write_text(
        &mut counting(),
        &report,
        Style::default(),
        rows_in_step(&written),
    )
    .unwrap();
}

#[test]
fn a_full_disk_is_an_error_at_once() {
    let (report, details) = run();
    for room in [0, 100, 2_000] {
        let mut out = Counting {
            written: Rc::default(),
            room,
        };
        let error = write_json(
            &mut out,
            &report,
            Values::Shown,
            fine(&details),
            fine(&details),
        );
        assert!(matches!(error, Err(ReportError::Write(_))));
        let mut out = Counting {
            written: Rc::default(),
            room: room / 4,
        };
        let error = write_text(&mut out, &report, Style::default(), fine(&details));
        assert!(matches!(error, Err(ReportError::Write(_))));
    }
}
