//! Texts that try to become something else, in every place of a report that
//! holds text from outside.

use std::collections::BTreeMap;
use std::time::Duration;

use clientsync::core::{
    Before, Change, Draft, Drift, DriftedField, Estimate, Extra, FieldPath, GuardVerdict,
    LaneCounts, LeftOutReason, Outcome, Pointer, Problem, Push, ReadReason, RecordKey, Ruling,
    Says, Scope, Shown, Travels, When, Withheld,
};
use clientsync::report::{
    AttemptLine, Detail, Exit, OutcomeLine, Report, RowDetail, RunDetail, RunLine,
};
use serde_json::{Value, json};

use super::samples::{change, collected, left_out, report};

/// Markup, formulas, links, mentions, controls and directions.
pub(crate) const TEXTS: [&str; 92] = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</SCRIPT >",
    "<script",
    "<!--",
    "<!--<script>",
    "-->",
    "--!>",
    "]]>",
    "<![CDATA[",
    "<?php",
    "</style>",
    "</title><b>",
    "</textarea>",
    "</td></tr></table>",
    "</details>",
    "</summary>",
    "<details>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<a href=\"javascript:alert(1)\">x</a>",
    "<base href=//example.com>",
    "<meta http-equiv=refresh content=0>",
    "<b>",
    "<",
    ">",
    "&",
    "&lt;script&gt;",
    "&#60;b&#62;",
    "&amp;amp;",
    "\"",
    "'",
    "\" onmouseover=\"alert(1)",
    "' onmouseover='alert(1)",
    "\"><b>",
    "x\u{0}<b>",
    "javascript:alert(1)",
    "=1+1",
    "=cmd|' /C calc'!A0",
    "=HYPERLINK(\"https://example.com\")",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "'=1",
    "'",
    "''=1",
    ";=1",
    ",\"=1",
    "a,b\"c\r\nd",
    "|",
    "a|b",
    "a\\|b",
    "\\",
    "\\\\|",
    "| --- | --- |",
    "`",
    "``",
    "`a` <b>",
    "a`",
    "`` `<b>` ``",
    "```\n<b>\n```",
    "*a* **b** _c_ ~~d~~",
    "# a",
    "- a",
    "1. a",
    "> a",
    "***",
    "    code",
    "[a](https://example.com)",
    "![a](https://example.com/a.png)",
    "[a]: https://example.com",
    "<https://example.com>",
    "https://example.com",
    "www.example.com",
    "ann@example.com",
    "@example-team",
    "#1 GH-1 example/a#1",
    ":smile: $a$ $$b$$",
    "0123456789abcdef0123456789abcdef01234567",
    "\u{202e}gnp.exe\u{202c}",
    "\u{2066}a\u{2069}\u{200b}\u{feff}\u{ad}",
    "\u{2028}a\u{2029}",
    "\u{1b}[2J\u{1b}]0;a\u{7}",
    "\u{7f}\u{80}\u{85}\u{9b}31m",
    "\u{0}\u{1}\u{8}\u{c}\u{1f}",
    "\u{e0041}\u{fff9}\u{180e}",
    " a ",
    "",
    "Zoë 山田 🙂",
];

/// What a text would look like if it were harmless.
pub(crate) const HARMLESS: &str = "harmless";

/// A run with this text wherever a report holds text from outside.
pub(crate) fn everywhere(text: &str) -> (Report, Vec<Detail>) {
    let counts = LaneCounts {
        rows: 6,
        updated: 1,
        rejected: 1,
        failed: 1,
        in_doubt: 1,
        invalid: 1,
        skipped: BTreeMap::from([(text.to_owned(), 1)]),
        requests: 9,
        retries: 2,
        ..LaneCounts::default()
    };
    let mut report = report(text, counts);
    report.run_id = Some(text.to_owned());
    report.plan_id = Some(text.to_owned());
    report.tool_version = text.to_owned();
    report.started = text.to_owned();
    report.ended = Some(text.to_owned());
    report.exit = Exit {
        code: 1,
        name: text.to_owned().into(),
    };
    report.source.sha256 = format!("{text}x");
    report.allowed = vec![text.to_owned()];
    let mut lane = report.providers.remove("complycube").unwrap();
    lane.kind = format!("{text} kind");
    lane.target = text.to_owned();
    lane.stopped = Some(text.to_owned());
    lane.new_fields = vec![field(text)];
    lane.estimate = Some(Estimate {
        requests: 3,
        seconds: 4,
    });
    report.providers.insert(text.to_owned(), lane);
    let verdict = |ruling| GuardVerdict {
        guard: text.to_owned(),
        lane: Some(text.to_owned()),
        ruling,
        message: text.to_owned(),
    };
    report.guards = vec![verdict(Ruling::Refused), verdict(Ruling::Passed)];
    let mut warning = problem(text).line(3).key(&key(text));
    warning.remote_id = Some(text.to_owned());
    report.warnings = vec![warning];
    let outcomes = [
        (Outcome::Updated, 2, Push::First),
        (Outcome::Rejected, 3, Push::Update),
        (Outcome::Failed, 4, Push::Update),
        (Outcome::InDoubt, 5, Push::Update),
    ];
    let mut details: Vec<Detail> = outcomes
        .into_iter()
        .map(|(outcome, line, push)| Detail::Row(Box::new(row(text, outcome, line, push))))
        .collect();
    // A cause of its own, whatever becomes of the text in a provider's words.
    let invalid = problem(text).column(format!("{text} invalid"));
    for mut detail in left_out(text, 6, LeftOutReason::Invalid, vec![invalid]) {
        if let Detail::Problem(problem) = &mut detail {
            problem.provider = Some(text.to_owned());
        }
        details.push(detail);
    }
    details.push(Detail::Drift(Box::new(drift(text))));
    (collected(report, &details), details)
}

fn drift(text: &str) -> Drift {
    let field = |source| DriftedField {
        field: field(text),
        acknowledged: Before::Value(json!(text)),
        now: json!(format!("{text}x")),
        source,
        shown: Shown::Clear,
    };
    Drift {
        lane: text.to_owned(),
        key: key(text),
        line: 7,
        remote_id: text.to_owned(),
        fields: vec![
            field(Says::Nothing),
            field(Says::Other(json!(text))),
            field(Says::Invalid),
        ],
    }
}

/// The history of a run with this text everywhere.
pub(crate) fn history(text: &str) -> (RunDetail, Vec<OutcomeLine>) {
    let run = RunLine {
        run_id: text.to_owned(),
        command: text.to_owned(),
        started: text.to_owned(),
        ended: Some(text.to_owned()),
        exit: Some(Exit {
            code: 3,
            name: text.to_owned().into(),
        }),
        scope: Scope::Partial,
        providers: BTreeMap::from([(
            text.to_owned(),
            LaneCounts {
                rows: 1,
                rejected: 1,
                ..LaneCounts::default()
            },
        )]),
    };
    let detail = RunDetail {
        run,
        plan_id: Some(text.to_owned()),
        tool_version: text.to_owned(),
        source_sha256: Some(text.to_owned()),
    };
    let attempt = AttemptLine {
        n: 1,
        method: text.to_owned(),
        started: text.to_owned(),
        status: Some(422),
        provider_request_id: Some(text.to_owned()),
        message: Some(text.to_owned()),
        took: Some(Duration::from_millis(340)),
    };
    let outcome = OutcomeLine {
        provider: text.to_owned(),
        key: key(text),
        line: Some(2),
        remote_id: Some(text.to_owned()),
        outcome: Outcome::Rejected,
        message: Some(text.to_owned()),
        attempts: vec![attempt],
    };
    (detail, vec![outcome])
}

pub(crate) fn key(text: &str) -> RecordKey {
    RecordKey::from_cells([text])
}

fn field(text: &str) -> FieldPath {
    FieldPath::new(vec![text.to_owned()])
}

/// The column never equals the field: reports leave out what is the same.
fn problem(text: &str) -> Problem {
    let mut problem = Problem::new("E_X", text)
        .column(format!("{text} column"))
        .field(&field(text));
    problem.code = text.to_owned().into();
    problem
}

fn row(text: &str, outcome: Outcome, line: u64, push: Push) -> RowDetail {
    let at = || Pointer::new(vec![text.to_owned()]);
    let of_field = |before, after| Change {
        field: field(text),
        ..change("any", before, after)
    };
    RowDetail {
        provider: text.to_owned(),
        key: key(text),
        line: Some(line),
        remote_id: text.to_owned(),
        push,
        outcome,
        draft: Draft {
            changes: vec![
                of_field(Before::Value(json!(text)), json!(format!("{text}x"))),
                of_field(Before::Value(json!([text])), json!({ text: text })),
                Change {
                    when: When::Blank,
                    ..of_field(Before::Unknown, Value::Null)
                },
            ],
            extras: vec![
                Extra {
                    field: field(text),
                    value: json!(text),
                    because: Travels::Whole(at()),
                    shown: Shown::Clear,
                },
                Extra {
                    field: field(text),
                    value: json!(text),
                    because: Travels::Together(at()),
                    shown: Shown::Clear,
                },
            ],
            withheld: vec![Withheld {
                field: field(text),
                while_false: at(),
            }],
            expected: vec![(field(text), json!(text))],
            carried: vec![at()],
            read: [ReadReason::Together].into(),
        },
        attempts: 2,
        status: Some(422),
        provider_request_id: Some(text.to_owned()),
        message: (outcome == Outcome::Rejected).then(|| text.to_owned()),
        problems: match outcome {
            Outcome::Failed => vec![problem(text)],
            _ => Vec::new(),
        },
    }
}
