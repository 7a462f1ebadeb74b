//! The text of plans and runs.

use std::collections::BTreeSet;

use clientsync::core::{Before, LaneCounts, LeftOutReason, Outcome, Problem};
use clientsync::report::{
    Cause, Collector, Colour, Detail, MAX_GROUPS, Report, ReportError, RowDetail, Style, Values,
    needs_escape, summary_line, write_text,
};
use serde_json::json;

use super::samples::{change, collected, fine, key, left_out, path, plan, report, row, run, text};

const PLAN: &str = r#"plan p-1, made 2026-11-20T03:00:00Z
source: 1,210 rows, the whole population, SHA-256 9f86d081
provider complycube: https://api.complycube.com

+ first push  ~ update  = unchanged  ! invalid or refused  ? unknown or in doubt

+ C-0001  complycube 5eb04f  (line 2)
    email       ? -> "ann@example.com"
    joinedDate  ? -> "2024-01-31"
~ C-0017  complycube 5eb04f  (line 18)
    email         "old@example.com" -> "new@example.com"
    address.city  "Oslo" -> (empty)
    tier          new field -> "gold"
    notes         (empty) -> "a \"vip\""  (only if blank)
    address.line  "Main St 1"  (sent with it, because address is sent whole)
    away.until    "2026-12-01"  (sent with it, because the group of away.enabled is sent together)
    away.from     (not sent while away.enabled is false)
    carried from the read: the rest of address
    checked, never sent: type
~ C-0020  complycube 5eb04f  (line 21)
    taxId     (hidden) -> (hidden)
    pin       (hidden) -> (hidden)
    password  (hidden)  (sent with it, because the record is sent whole)

Problems
! 1,204 rows: email: is not an email address; correct the cell  (complycube, E_FORMAT)
    line 100  B-0000
    line 101  B-0001
    line 102  B-0002
    line 103  B-0003
    line 104  B-0004
    line 105  B-0005
    line 106  B-0006
    line 107  B-0007
    line 108  B-0008
    line 109  B-0009
    line 110  B-0010
    line 111  B-0011
    line 112  B-0012
    line 113  B-0013
    line 114  B-0014
    line 115  B-0015
    line 116  B-0016
    line 117  B-0017
    line 118  B-0018
    line 119  B-0019
    ... and 1,184 more: the JSON report lists all
  1 row: no remote id: fill the id column  (complycube, W_UNLINKED)
    line 9  C-0009
  warning: not mapped: fax, legacy_id  (W_UNUSED_COLUMNS)

Guards
! max_invalid (complycube) refuses the plan: 1,204 of 1,210 rows (99%) are invalid, over 20%; correct them, or add --allow max_invalid=100%
  1 passed
  allowed for this plan: max_updates=80%

Changed records, by field
  complycube: address.city 1, email 2, joinedDate 1, notes 1, pin 1, taxId 1, tier 1 (new field)

Totals       rows  unchanged  planned  invalid  skipped
complycube  1,210          2        3    1,204        1
complycube: skipped: 1 unlinked
complycube: applying it takes about 1,004 requests and 2 min 5 s

exit 4 guard
"#;

const RUN: &str = r#"run r-7 (sync) of plan p-1, 2026-11-20T03:00:00Z to 2026-11-20T03:00:02Z
source: 8 rows, the whole population, SHA-256 9f86d081
provider complycube: https://api.complycube.com

+ first push  ~ update  = unchanged  ! invalid or refused  ? unknown or in doubt

~ C-1  complycube 5eb04f  (line 2)  updated
    email  "a@example.com" -> "b@example.com"
= C-2  complycube 5eb04f  (line 3)  unchanged: the provider held it already
    email  "a@example.com" -> "b@example.com"
! C-3  complycube 5eb04f  (line 4)  rejected
    email  "a@example.com" -> "b@example.com"
    the provider said: email "b@example.com" is taken  (status 422, request id req_9, 1 attempt)
! C-4  complycube 5eb04f  (line 5)  failed
    email  "a@example.com" -> "b@example.com"
    failed: the retries are used up; the next run tries again  (status 503, 5 attempts)
? C-5  complycube 5eb04f  (line 6)  in doubt
    email  "a@example.com" -> "b@example.com"
    in doubt: no answer that can be trusted; the next run settles it first  (2 attempts)
~ C-6  complycube 5eb04f  (line 7)  not yet attempted
    email  "a@example.com" -> "b@example.com"
  C-7  complycube 5eb04f  (line 8)  skipped(superseded)
    email  "a@example.com" -> "b@example.com"

Problems
! 1 row: email … is taken  (complycube, E_REJECTED)
    line 4  C-3
! 1 row: the retries are used up; the next run tries again  (complycube, E_FAILED)
    line 5  C-4
? 1 row: no answer that can be trusted; the next run settles it first  (complycube, E_IN_DOUBT)
    line 6  C-5

Changed records, by field
  complycube: email 2

Totals      rows  unchanged  planned  updated  rejected  failed  in doubt  skipped
complycube     8          2        1        1         1       1         1        1
complycube: skipped: 1 superseded
complycube: 12 requests sent, 1 of them repeated
complycube: stopped early: the budget of 12 requests is used up

exit 6 deferred
"#;

#[test]
fn a_plan_reads_like_this() {
    let (report, details) = plan();
    assert_eq!(text(&report, &details, Style::default()), PLAN);
}

#[test]
fn a_run_reads_like_this() {
    let (report, details) = run();
    assert_eq!(text(&report, &details, Style::default()), RUN);
}

fn idle(rows: u64) -> LaneCounts {
    LaneCounts {
        rows,
        unchanged: rows,
        ..LaneCounts::default()
    }
}

#[test]
fn a_plan_with_nothing_to_do_says_so_in_one_line() {
    let table = [
        (1, "what the 1 row says"),
        (2, "what the 2 rows say"),
        (86_400, "what the 86,400 rows say"),
    ];
    for (rows, what) in table {
        assert_eq!(
            text(&report("plan", idle(rows)), &[], Style::default()),
            format!("Nothing to do: every provider already holds {what}.\nexit 0 ok\n")
        );
    }
}

#[test]
fn a_narrowed_plan_speaks_of_the_rows_that_it_looked_at() {
    let mut report = report("plan", idle(1));
    report.source.rows = 5;
    assert_eq!(
        text(&report, &[], Style::default()),
        "Nothing to do: every provider already holds what the 1 row says.\nexit 0 ok\n"
    );
}

#[test]
fn where_there_are_no_rows_nothing_is_said_of_the_providers() {
    let mut report = report("plan", idle(0));
    let said = |report: &Report| text(report, &[], Style::default());
    assert_eq!(
        said(&report),
        "Nothing to do. There are no rows in the file.\nexit 0 ok\n"
    );
    report.source.rows = 5;
    assert_eq!(
        said(&report),
        "Nothing to do. There are no rows to look at.\nexit 0 ok\n"
    );
}

#[test]
fn the_columns_of_the_totals_add_up() {
    let (mut report, details) = run();
    let mut other = report.providers["complycube"].clone();
    other.counts = LaneCounts {
        rows: 1_500,
        unchanged: 1_499,
        invalid: 1,
        ..LaneCounts::default()
    };
    report.providers.insert("weel".to_owned(), other);
    let text = text(&report, &details, Style::default());
    let table: Vec<Vec<u64>> = text
        .lines()
        .skip_while(|line| !line.starts_with("Totals"))
        .skip(1)
        .take(3)
        .map(|line| {
            line.split_whitespace()
                .skip(1)
                .map(|cell| cell.replace(',', "").parse().unwrap())
                .collect()
        })
        .collect();
    for row in &table {
        assert_eq!(row[0], row[1..].iter().sum::<u64>(), "{row:?}");
    }
    let sums = table[0].iter().zip(&table[1]).map(|(a, b)| a + b);
    assert!(sums.eq(table[2].iter().copied()));
}

#[test]
fn sensitive_values_never_appear_and_hidden_ones_do_not_either() {
    for (report, details) in [plan(), run()] {
        let text = text(&report, &details, Style::default());
        assert!(!text.contains("CANARY"), "{text}");
    }
    let hidden = Style {
        values: Values::Hidden,
        ..Style::default()
    };
    for (report, details) in [plan(), run()] {
        let text = text(&report, &details, hidden);
        for value in [
            "CANARY",
            "example.com",
            "Oslo",
            "gold",
            "vip",
            "Main St",
            "2024-01-31",
        ] {
            assert!(!text.contains(value), "{value} in {text}");
        }
        assert!(text.contains("C-") && text.contains("(hidden)"));
    }
}

/// Every character that must never reach a terminal, and some markup.
fn nasty() -> String {
    (0..=0x2_ffff)
        .chain(0xe_0000..=0xe_0100)
        .filter_map(char::from_u32)
        .filter(|c| needs_escape(*c))
        .chain("\"'\\<b>|".chars())
        .collect()
}

#[test]
fn nothing_from_outside_reaches_a_terminal_unescaped() {
    let nasty = nasty();
    let (mut report, _) = run();
    let name = nasty.as_str();
    let mut rows: Vec<RowDetail> = [
        Outcome::Updated,
        Outcome::Rejected,
        Outcome::Failed,
        Outcome::InDoubt,
    ]
    .into_iter()
    .map(|outcome| RowDetail {
        outcome,
        provider: name.to_owned(),
        remote_id: name.to_owned(),
        message: Some(name.to_owned()),
        provider_request_id: Some(name.to_owned()),
        ..row(
            name,
            7,
            vec![change(
                "x",
                Before::Value(json!(name)),
                json!({ name: [name] }),
            )],
        )
    })
    .collect();
    rows[0].draft.changes[0].field = clientsync::core::FieldPath::new(vec![name.to_owned()]);
    rows[0].problems = vec![Problem::new("W_X", name).column(name)];
    let mut details: Vec<Detail> = rows
        .into_iter()
        .map(|row| Detail::Row(Box::new(row)))
        .collect();
    let problem = Problem::new("E_X", name).column(name).field(&path("x"));
    details.extend(left_out(
        name,
        3,
        LeftOutReason::Invalid,
        vec![problem.clone()],
    ));
    let lane = report.providers.remove("complycube").unwrap();
    report.providers.insert(name.to_owned(), lane);
    let lane = report.providers.get_mut(name).unwrap();
    lane.kind = "other".to_owned();
    lane.target = name.to_owned();
    lane.stopped = Some(name.to_owned());
    report.warnings = vec![problem];
    report.allowed = vec![name.to_owned()];
    report.command = name.to_owned();
    report.plan_id = Some(name.to_owned());
    let report = collected(report, &details);
    let text = text(&report, &details, Style::default());
    let escaped = |text: &str| !text.contains(|c| c != '\n' && needs_escape(c));
    assert!(escaped(&text), "{text:?}");
    let summary = summary_line(&report);
    assert!(escaped(&summary) && !summary.contains('\n'));
}

#[test]
fn colours_are_the_basic_codes_and_change_no_word() {
    let (report, details) = run();
    let style = Style {
        colour: Colour::Ansi,
        ..Style::default()
    };
    let coloured = text(&report, &details, style);
    let mut plain = coloured.clone();
    for code in [0, 1, 2, 31, 32, 33, 35] {
        plain = plain.replace(&format!("\u{1b}[{code}m"), "");
    }
    assert!(coloured.contains("\u{1b}[31m"));
    assert_eq!(plain, text(&report, &details, Style::default()));
}

#[test]
fn the_quiet_summary_is_one_line() {
    assert_eq!(
        summary_line(&run().0),
        "sync: complycube 8 rows (2 unchanged, 1 planned, 1 updated, 1 rejected, 1 failed, 1 in doubt, 1 skipped); exit 6 deferred"
    );
    assert_eq!(
        summary_line(&report("plan", idle(1))),
        "plan: complycube 1 row (1 unchanged); exit 0 ok"
    );
}

#[test]
fn problems_that_are_new_come_first_and_then_the_largest() {
    let problem = |code| Problem::new(code, "is wrong").column("email");
    let mut details = Vec::new();
    for (code, rows) in [("E_OLD", 3), ("E_NEW", 1), ("E_LARGE", 2)] {
        for n in 0..rows {
            let key = format!("{code}{n}");
            details.extend(left_out(
                &key,
                n,
                LeftOutReason::Invalid,
                vec![problem(code)],
            ));
        }
    }
    let known = Cause {
        provider: Some("complycube".to_owned()),
        code: "E_OLD".into(),
        column: Some("email".to_owned()),
        field: None,
    };
    let mut report = report("check", idle(0));
    let mut collector = Collector::since(BTreeSet::from([known]));
    for detail in &details {
        collector.take(detail);
    }
    collector.finish(&mut report);
    let groups: Vec<(&str, u64, Option<bool>)> = report
        .problem_groups
        .iter()
        .map(|group| (&*group.code, group.rows, group.new))
        .collect();
    assert_eq!(
        groups,
        [
            ("E_LARGE", 2, Some(true)),
            ("E_NEW", 1, Some(true)),
            ("E_OLD", 3, Some(false))
        ]
    );
}

#[test]
fn a_row_that_names_one_cause_twice_counts_once() {
    let problem = Problem::new("E_X", "is wrong").column("email");
    let details = left_out(
        "C-1",
        2,
        LeftOutReason::Invalid,
        vec![problem.clone(), problem],
    );
    let report = collected(report("plan", idle(0)), &details);
    assert_eq!(report.problem_groups[0].rows, 1);
}

#[test]
fn causes_beyond_the_bound_are_counted_and_said() {
    let details: Vec<Detail> = (0..MAX_GROUPS + 5)
        .flat_map(|n| {
            let problem = Problem::new("E_X", format!("cause {n}")).key(&key("k"));
            left_out("k", 2, LeftOutReason::Invalid, vec![problem])
        })
        .collect();
    let report = collected(report("plan", idle(0)), &details);
    assert_eq!(report.problem_groups.len(), MAX_GROUPS);
    let text = text(&report, &details, Style::default());
    assert!(text.contains("  5 problems of further causes: the JSON report lists all\n"));
}

#[test]
fn rows_that_end_in_an_error_still_have_their_totals() {
    let (report, details) = run();
    let broken = fine(&details[..2])
        .map(|detail| detail.map_err(|never| match never {}))
        .chain([Err("the plan file is cut off")]);
    let mut out = Vec::new();
    let error = write_text(&mut out, &report, Style::default(), broken).unwrap_err();
    assert!(matches!(error, ReportError::Details(_)));
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains("\nthe report ends early: the plan file is cut off\n"));
    assert!(text.contains("\nTotals") && text.ends_with("exit 6 deferred\n"));
}
