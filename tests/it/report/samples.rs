//! Small reports that the tests share.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::{self, Write};
use std::rc::Rc;

use clientsync::core::{
    Before, Change, Draft, Drift, DriftedField, Estimate, Extra, FieldPath, GuardVerdict,
    LaneCounts, LeftOut, LeftOutReason, Outcome, Pointer, Problem, Push, RecordKey, Ruling, Says,
    Scope, Shown, SkipReason, Travels, When, Withheld,
};
use clientsync::report::{
    Collector, Detail, Exit, LaneReport, REPORT_FORMAT, Report, RowDetail, SourceReport, Style,
    left_out_problems, write_text,
};
use serde_json::{Value, json};

pub(crate) fn path(text: &str) -> FieldPath {
    FieldPath::parse(text).unwrap()
}

pub(crate) fn pointer(text: &str) -> Pointer {
    Pointer::parse(text).unwrap()
}

pub(crate) fn key(text: &str) -> RecordKey {
    RecordKey::from_cells([text])
}

pub(crate) fn change(field: &str, before: Before, after: Value) -> Change {
    Change {
        field: path(field),
        before,
        after,
        when: When::Always,
        shown: Shown::Clear,
    }
}

pub(crate) fn row(text: &str, line: u64, changes: Vec<Change>) -> RowDetail {
    RowDetail {
        provider: "complycube".to_owned(),
        key: key(text),
        line: Some(line),
        remote_id: "5eb04f".to_owned(),
        push: Push::Update,
        outcome: Outcome::Planned,
        draft: Draft {
            changes,
            ..Draft::default()
        },
        attempts: 0,
        status: None,
        provider_request_id: None,
        message: None,
        problems: Vec::new(),
    }
}

pub(crate) fn left_out(
    text: &str,
    line: u64,
    reason: LeftOutReason,
    problems: Vec<Problem>,
) -> Vec<Detail> {
    let left = LeftOut {
        lane: "complycube".to_owned(),
        key: Some(key(text)),
        line,
        reason,
        problems,
    };
    left_out_problems(left)
        .into_iter()
        .map(Detail::from)
        .collect()
}

pub(crate) fn report(command: &str, counts: LaneCounts) -> Report {
    assert!(counts.adds_up());
    Report {
        format: REPORT_FORMAT,
        tool_version: "0.1.0".to_owned(),
        run_id: None,
        plan_id: Some("p-1".to_owned()),
        command: command.to_owned(),
        started: "2026-11-20T03:00:00Z".to_owned(),
        ended: Some("2026-11-20T03:00:02Z".to_owned()),
        exit: Exit {
            code: 0,
            name: "ok".into(),
        },
        scope: Scope::Whole,
        source: SourceReport {
            rows: counts.rows,
            sha256: "9f86d081".to_owned(),
        },
        providers: BTreeMap::from([(
            "complycube".to_owned(),
            LaneReport {
                kind: "complycube".to_owned(),
                target: "https://api.complycube.com".to_owned(),
                counts,
                ..LaneReport::default()
            },
        )]),
        guards: Vec::new(),
        allowed: Vec::new(),
        warnings: Vec::new(),
        problem_groups: Vec::new(),
        problems_not_grouped: 0,
    }
}

/// A plan with one of everything.
pub(crate) fn plan() -> (Report, Vec<Detail>) {
    let counts = LaneCounts {
        rows: 1_210,
        unchanged: 2,
        planned: 3,
        invalid: 1_204,
        skipped: BTreeMap::from([("unlinked".to_owned(), 1)]),
        ..LaneCounts::default()
    };
    let mut report = report("plan", counts);
    report.exit = Exit {
        code: 4,
        name: "guard".into(),
    };
    let lane = report.providers.get_mut("complycube").unwrap();
    lane.estimate = Some(Estimate {
        requests: 1_004,
        seconds: 125,
    });
    lane.new_fields = vec![path("tier")];
    report.guards = vec![
        GuardVerdict {
            guard: "max_invalid".to_owned(),
            lane: Some("complycube".to_owned()),
            ruling: Ruling::Refused,
            message: "1,204 of 1,210 rows (99%) are invalid, over 20%; correct them, or add --allow max_invalid=100%".to_owned(),
        },
        GuardVerdict {
            guard: "min_rows".to_owned(),
            lane: None,
            ruling: Ruling::Passed,
            message: "1,210 rows, at least 1".to_owned(),
        },
    ];
    report.allowed = vec!["max_updates=80%".to_owned()];
    report.warnings = vec![Problem::new(
        "W_UNUSED_COLUMNS",
        "not mapped: fax, legacy_id",
    )];
    let mut details = vec![
        Detail::Row(Box::new(first_push())),
        Detail::Row(Box::new(update())),
        Detail::Row(Box::new(sensitive())),
    ];
    for n in 0..1_204 {
        let problem = Problem::new("E_FORMAT", "is not an email address; correct the cell")
            .column("email")
            .field(&path("email"));
        let key = format!("B-{n:04}");
        details.extend(left_out(
            &key,
            100 + n,
            LeftOutReason::Invalid,
            vec![problem],
        ));
    }
    let unlinked = LeftOutReason::Skipped(SkipReason::Unlinked);
    details.extend(left_out("C-0009", 9, unlinked, Vec::new()));
    (collected(report, &details), details)
}

fn first_push() -> RowDetail {
    RowDetail {
        push: Push::First,
        ..row(
            "C-0001",
            2,
            vec![
                change("email", Before::Unknown, json!("ann@example.com")),
                change("joinedDate", Before::Unknown, json!("2024-01-31")),
            ],
        )
    }
}

fn update() -> RowDetail {
    let mut update = row(
        "C-0017",
        18,
        vec![
            change(
                "email",
                Before::Value(json!("old@example.com")),
                json!("new@example.com"),
            ),
            change("address.city", Before::Value(json!("Oslo")), Value::Null),
            change("tier", Before::NewField, json!("gold")),
            Change {
                when: When::Blank,
                ..change("notes", Before::Value(Value::Null), json!("a \"vip\""))
            },
        ],
    );
    update.draft.extras = vec![
        Extra {
            field: path("address.line"),
            value: json!("Main St 1"),
            because: Travels::Whole(pointer("/address")),
            shown: Shown::Clear,
        },
        Extra {
            field: path("away.until"),
            value: json!("2026-12-01"),
            because: Travels::Together(pointer("/away/enabled")),
            shown: Shown::Clear,
        },
    ];
    update.draft.withheld = vec![Withheld {
        field: path("away.from"),
        while_false: pointer("/away/enabled"),
    }];
    update.draft.carried = vec![pointer("/address")];
    update.draft.expected = vec![(path("type"), json!("person"))];
    update
}

/// A row whose values are sealed, as a plan file holds them.
fn sensitive() -> RowDetail {
    let masked = |before, after: &str| Change {
        shown: Shown::Masked,
        ..change("taxId", before, json!(after))
    };
    let mut row = row("C-0020", 21, vec![masked(Before::Hidden, "CANARY-sealed")]);
    row.draft.changes.push(Change {
        field: path("pin"),
        ..masked(Before::Value(json!("CANARY-before")), "CANARY-after")
    });
    row.draft.extras = vec![Extra {
        field: path("password"),
        value: json!("CANARY-extra"),
        because: Travels::Whole(pointer("")),
        shown: Shown::Masked,
    }];
    row
}

/// A run in which everything went wrong once.
pub(crate) fn run() -> (Report, Vec<Detail>) {
    let counts = LaneCounts {
        rows: 8,
        unchanged: 2,
        planned: 1,
        updated: 1,
        rejected: 1,
        failed: 1,
        in_doubt: 1,
        invalid: 0,
        skipped: BTreeMap::from([("superseded".to_owned(), 1)]),
        absent: 0,
        requests: 12,
        retries: 1,
    };
    let mut report = report("sync", counts);
    report.run_id = Some("r-7".to_owned());
    report.exit = Exit {
        code: 6,
        name: "deferred".into(),
    };
    report.providers.get_mut("complycube").unwrap().stopped =
        Some("the budget of 12 requests is used up".to_owned());
    let changed = |key: &str, line, outcome| RowDetail {
        outcome,
        attempts: 1,
        status: Some(200),
        ..row(
            key,
            line,
            vec![change(
                "email",
                Before::Value(json!("a@example.com")),
                json!("b@example.com"),
            )],
        )
    };
    let rows = vec![
        changed("C-1", 2, Outcome::Updated),
        changed("C-2", 3, Outcome::Unchanged),
        RowDetail {
            status: Some(422),
            provider_request_id: Some("req_9".to_owned()),
            message: Some("email \"b@example.com\" is taken".to_owned()),
            ..changed("C-3", 4, Outcome::Rejected)
        },
        RowDetail {
            status: Some(503),
            attempts: 5,
            ..changed("C-4", 5, Outcome::Failed)
        },
        RowDetail {
            status: None,
            attempts: 2,
            ..changed("C-5", 6, Outcome::InDoubt)
        },
        RowDetail {
            attempts: 0,
            status: None,
            ..changed("C-6", 7, Outcome::Planned)
        },
        changed("C-7", 8, Outcome::Skipped(SkipReason::Superseded)),
    ];
    let details: Vec<Detail> = rows
        .into_iter()
        .map(|row| Detail::Row(Box::new(row)))
        .collect();
    (collected(report, &details), details)
}

/// One record that drifted in every way.
pub(crate) fn drift() -> (Report, Vec<Detail>) {
    let counts = LaneCounts {
        rows: 2,
        unchanged: 1,
        skipped: BTreeMap::from([("drifted".to_owned(), 1)]),
        requests: 1,
        ..LaneCounts::default()
    };
    let mut report = report("drift", counts);
    report.plan_id = None;
    let field = |field, acknowledged, now, source| DriftedField {
        field: path(field),
        acknowledged,
        now,
        source,
        shown: Shown::Clear,
    };
    let held = |text: &str| Before::Value(json!(text));
    let drift = Drift {
        lane: "complycube".to_owned(),
        key: key("C-1"),
        line: 2,
        remote_id: "5eb04f".to_owned(),
        fields: vec![
            field(
                "email",
                held("a@example.com"),
                json!("b@example.com"),
                Says::Other(json!("c@example.com")),
            ),
            field("tier", held("gold"), Value::Null, Says::Nothing),
            field(
                "joinedDate",
                Before::Unknown,
                json!("2024-01-31"),
                Says::Same,
            ),
            field("notes", held("x"), json!("y"), Says::Invalid),
            DriftedField {
                shown: Shown::Masked,
                ..field(
                    "taxId",
                    Before::Hidden,
                    json!("CANARY-now"),
                    Says::Other(json!("CANARY-file")),
                )
            },
        ],
    };
    let details = vec![Detail::Drift(Box::new(drift))];
    (collected(report, &details), details)
}

pub(crate) fn collected(mut report: Report, details: &[Detail]) -> Report {
    let mut collector = Collector::default();
    for detail in details {
        collector.take(detail);
    }
    collector.finish(&mut report);
    report
}

pub(crate) fn fine(details: &[Detail]) -> impl Iterator<Item = Result<Detail, Infallible>> {
    details.iter().cloned().map(Ok)
}

pub(crate) fn text(report: &Report, details: &[Detail], style: Style) -> String {
    let mut out = Vec::new();
    write_text(&mut out, report, style, fine(details)).unwrap();
    String::from_utf8(out).unwrap()
}

/// Counts what is written, so that rows can be asked for no earlier than what
/// was made of those before is gone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lagging(Rc<Cell<usize>>);

impl Lagging {
    pub(crate) fn writer(&self) -> impl Write + use<> {
        self.clone()
    }

    pub(crate) fn written(&self) -> usize {
        self.0.get()
    }
}

impl Write for Lagging {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.set(self.0.get() + bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// This many rows, none of which exists before it is asked for. Each makes at
/// least 20 bytes of a report: at most `lag` of them may be held back.
pub(crate) fn many(
    count: usize,
    lagging: &Lagging,
    lag: usize,
) -> impl Iterator<Item = Result<Detail, Infallible>> + use<> {
    let lagging = lagging.clone();
    (0..count).map(move |n| {
        let held = (20 * n).saturating_sub(lagging.written());
        assert!(held <= lag, "row {n} is asked for before its turn");
        let changes = vec![change("email", Before::Unknown, json!("a@example.com"))];
        let line = u64::try_from(n).unwrap();
        Ok(Detail::Row(Box::new(row("C", line, changes))))
    })
}
