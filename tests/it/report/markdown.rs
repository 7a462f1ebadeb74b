//! The Markdown report, judged by a Markdown parser.

use std::convert::Infallible;

use clientsync::core::{Before, LaneCounts};
use clientsync::report::{
    Detail, OutcomeLine, Report, RunDetail, Values, escape, needs_escape, write_markdown,
    write_run_markdown,
};
use pulldown_cmark::{Event, Options, Parser};
use serde_json::json;

use super::naughty::{HARMLESS, TEXTS, everywhere, history};
use super::samples::{Lagging, change, collected, drift, fine, many, plan, report, row, run};

fn written(report: &Report, details: &[Detail], values: Values) -> String {
    let mut out = Vec::new();
    write_markdown(&mut out, report, values, fine(details)).unwrap();
    String::from_utf8(out).unwrap()
}

fn run_written(run: &RunDetail, outcomes: &[OutcomeLine], values: Values) -> String {
    let mut out = Vec::new();
    let outcomes = outcomes.iter().cloned().map(Ok::<_, Infallible>);
    write_run_markdown(&mut out, run, values, outcomes).unwrap();
    String::from_utf8(out).unwrap()
}

/// The structure of a text, and apart from it what its code spans hold.
fn parsed(markdown: &str) -> (Vec<Event<'_>>, Vec<String>) {
    let mut code = Vec::new();
    let events = Parser::new_ext(markdown, Options::all())
        .map(|event| match event {
            Event::Code(text) => {
                code.push(text.into_string());
                Event::Code("".into())
            }
            other => other,
        })
        .collect();
    (events, code)
}

const PLAN: &str = "\
## Plan for review

**A guard refuses this plan. Nothing was sent. 1,204 rows need attention.**

command `plan`, plan `p-1`, made `2026-11-20T03:00:00Z`, source: 1,210 rows, the whole population, SHA-256 `9f86d081`

| provider | rows | unchanged | planned | invalid | skipped |
| --- | ---: | ---: | ---: | ---: | ---: |
| `complycube` | 1,210 | 2 | 3 | 1,204 | 1 |

- `complycube` at `https://api.complycube.com`; 1 skipped: `unlinked`; applying it takes about 1,004 requests and 2 min 5 s

### Guards

- **refused** by `max_invalid` (`complycube`): `1,204 of 1,210 rows (99%) are invalid, over 20%; correct them, or add --allow max_invalid=100%`
- 1 passed
- allowed for this plan: `max_updates=80%`

### Changed records, by field

| provider | field | records |
| --- | --- | ---: |
| `complycube` | `address.city` | 1 |
| `complycube` | `email` | 2 |
| `complycube` | `joinedDate` | 1 |
| `complycube` | `notes` | 1 |
| `complycube` | `pin` | 1 |
| `complycube` | `taxId` | 1 |
| `complycube` | `tier` (new field) | 1 |

### Problems

- **1,204 rows**: `email`: `is not an email address; correct the cell` (`complycube`, `E_FORMAT`)
  - line 100 `B-0000`, line 101 `B-0001`, line 102 `B-0002`, line 103 `B-0003`, line 104 `B-0004`, and 1,199 more
- **1 row**: `no remote id: fill the id column` (`complycube`, `W_UNLINKED`)
  - line 9 `C-0009`
- warning: `not mapped: fax, legacy_id` (`W_UNUSED_COLUMNS`)

<details>
<summary>Record by record, in the order of the file</summary>

- `C-0001` at `complycube` (`5eb04f`, line 2): first push
  - `email`: `?` → `\"ann@example.com\"`
  - `joinedDate`: `?` → `\"2024-01-31\"`
- `C-0017` at `complycube` (`5eb04f`, line 18): update
  - `email`: `\"old@example.com\"` → `\"new@example.com\"`
  - `address.city`: `\"Oslo\"` → `(empty)`
  - `tier`: `new field` → `\"gold\"`
  - `notes`: `(empty)` → `\"a \\\"vip\\\"\"` (only if blank)
  - `address.line`: `\"Main St 1\"` (sent with it, because `address` is sent whole)
  - `away.until`: `\"2026-12-01\"` (sent with it, because the group of `away.enabled` is sent together)
  - `away.from`: not sent while `away.enabled` is false
  - carried from the read: the rest of `address`
  - checked, never sent: `type`
- `C-0020` at `complycube` (`5eb04f`, line 21): update
  - `taxId`: `(hidden)` → `(hidden)`
  - `pin`: `(hidden)` → `(hidden)`
  - `password`: `(hidden)` (sent with it, because `the record` is sent whole)

</details>

exit 4 `guard`
";

const RUN_ROWS: &str = "\
- `C-1` at `complycube` (`5eb04f`, line 2): updated
  - `email`: `\"a@example.com\"` → `\"b@example.com\"`
- `C-2` at `complycube` (`5eb04f`, line 3): unchanged
  - `email`: `\"a@example.com\"` → `\"b@example.com\"`
- `C-3` at `complycube` (`5eb04f`, line 4): rejected
  - `email`: `\"a@example.com\"` → `\"b@example.com\"`
  - the provider said: `email \"b@example.com\" is taken` (status 422, request id `req_9`, 1 attempt)
- `C-4` at `complycube` (`5eb04f`, line 5): failed
  - `email`: `\"a@example.com\"` → `\"b@example.com\"`
  - failed: `the retries are used up; the next run tries again` (status 503, 5 attempts)
- `C-5` at `complycube` (`5eb04f`, line 6): in doubt
  - `email`: `\"a@example.com\"` → `\"b@example.com\"`
  - in doubt: `no answer that can be trusted; the next run settles it first` (2 attempts)
- `C-6` at `complycube` (`5eb04f`, line 7): not yet attempted
  - `email`: `\"a@example.com\"` → `\"b@example.com\"`
- `C-7` at `complycube` (`5eb04f`, line 8): skipped(superseded)
  - `email`: `\"a@example.com\"` → `\"b@example.com\"`
";

#[test]
fn a_plan_reads_like_this() {
    let (report, details) = plan();
    assert_eq!(written(&report, &details, Values::Shown), PLAN);
}

#[test]
fn a_run_reads_like_this() {
    let (report, details) = run();
    let text = written(&report, &details, Values::Shown);
    assert!(
        text.starts_with("## Run\n\n**1 record was updated; 1 is left, and the next run goes on. 3 rows need attention.**\n"),
        "{text}"
    );
    assert!(text.contains("12 requests sent, 1 of them repeated; **stopped early**: `the budget of 12 requests is used up`"));
    assert!(text.contains(RUN_ROWS), "{text}");
    assert!(text.ends_with("\nexit 6 `deferred`\n"));
}

const DRIFT: &str = "\
- `C-1` at `complycube` (`5eb04f`, line 2): drifted
  - `email`: `\"a@example.com\"` → `\"b@example.com\"` (the file says `\"c@example.com\"`)
  - `tier`: `\"gold\"` → `(empty)` (the file says nothing)
  - `joinedDate`: `?` → `\"2024-01-31\"` (the file says the same)
  - `notes`: `\"x\"` → `\"y\"` (the file has a row that cannot be used)
  - `taxId`: `(hidden)` → `(hidden)` (the file says `(hidden)`)
";

#[test]
fn drift_reads_like_this() {
    let (report, details) = drift();
    let text = written(&report, &details, Values::Shown);
    let head = "## Drift\n\n**1 record holds something else than was acknowledged last; nothing was changed.**\n";
    assert!(text.starts_with(head), "{text}");
    assert!(
        text.contains(DRIFT) && text.contains("### Drifted records, by field"),
        "{text}"
    );
}

#[test]
fn foreign_text_is_nothing_but_the_text_of_code_spans() {
    let (report, details) = everywhere(HARMLESS);
    let harmless = written(&report, &details, Values::Shown);
    let (structure, codes) = parsed(&harmless);
    // Where the text may stand there is no text that the judge would miss.
    assert!(codes.iter().filter(|code| code.contains(HARMLESS)).count() > 60);
    let outside: Vec<&Event<'_>> = structure
        .iter()
        .filter(|event| format!("{event:?}").contains(HARMLESS))
        .collect();
    assert!(outside.is_empty(), "{outside:?}");
    let (run, outcomes) = history(HARMLESS);
    let harmless_run = run_written(&run, &outcomes, Values::Shown);
    for text in TEXTS {
        let (report, details) = everywhere(text);
        let markdown = written(&report, &details, Values::Shown);
        let (found, found_codes) = parsed(&markdown);
        let differ = found.iter().zip(&structure).position(|(a, b)| a != b);
        let at = differ.map(|at| (&found[at], &structure[at]));
        assert!(
            at.is_none() && found.len() == structure.len(),
            "{text:?}: {at:?}"
        );
        assert_eq!(found_codes.len(), codes.len(), "{text:?}");
        assert!(
            !markdown.contains(|c| c != '\n' && needs_escape(c)),
            "{markdown:?}"
        );
        if !text.is_empty() {
            let spelled = escape(text).into_owned();
            assert!(
                found_codes.contains(&spelled),
                "{spelled:?} is not among {found_codes:#?}"
            );
        }
        let (run, outcomes) = history(text);
        let markdown = run_written(&run, &outcomes, Values::Shown);
        assert_eq!(parsed(&markdown).0, parsed(&harmless_run).0, "{text:?}");
    }
}

#[test]
fn a_report_fits_a_comment() {
    let long = "`<&é".repeat(300);
    let changes = |n: u64| {
        vec![change(
            "email",
            Before::Value(json!(format!("{n}{long}"))),
            json!(long),
        )]
    };
    for (count, changes) in [
        (
            1_000,
            vec![change("email", Before::Unknown, json!("a@example.com"))],
        ),
        (1_000, changes(1)),
        (1, vec![changes(2).remove(0); 2_000]),
    ] {
        let details: Vec<Detail> = (0..count)
            .map(|n| Detail::Row(Box::new(row(&format!("{n}"), n + 2, changes.clone()))))
            .collect();
        let report = collected(report("plan", LaneCounts::default()), &details);
        let text = written(&report, &details, Values::Shown);
        assert!(text.chars().count() <= 65_536, "{}", text.chars().count());
        let listed = u64::try_from(text.matches("\n- `").count()).unwrap() - 1;
        let more = count - listed;
        let said = match (listed, more) {
            (0, 1) => "1 more record: the HTML or JSON report lists all.".to_owned(),
            (_, 800) => "and 800 more records: the HTML or JSON report lists all.".to_owned(),
            (_, more) => format!("and {more} more records: the HTML or JSON report lists all."),
        };
        assert!(text.contains(&said), "{said} of {listed}");
    }
}

#[test]
fn hidden_values_are_in_no_line() {
    for (report, details) in [plan(), run(), drift()] {
        assert!(!written(&report, &details, Values::Shown).contains("CANARY"));
        let text = written(&report, &details, Values::Hidden);
        for hidden in [
            "CANARY",
            "example.com",
            "Oslo",
            "gold",
            "vip",
            "Main St",
            "budget",
        ] {
            assert!(!text.contains(hidden), "{hidden} in {text}");
        }
    }
    let (run, outcomes) = history("CANARY");
    let text = run_written(&run, &outcomes, Values::Hidden);
    assert_eq!(text.matches("the provider's words are hidden").count(), 2);
}

#[test]
fn an_error_among_the_rows_is_said() {
    let (report, details) = run();
    let broken = fine(&details[..1])
        .map(|detail| detail.map_err(|never: Infallible| match never {}))
        .chain([Err("the plan file is cut off")]);
    let mut out = Vec::new();
    write_markdown(&mut out, &report, Values::Shown, broken).unwrap_err();
    let text = String::from_utf8(out).unwrap();
    assert!(
        text.ends_with("</details>\n\n**Incomplete**: `the report ends early: the plan file is cut off`\n\nexit 6 `deferred`\n"),
        "{text}"
    );
}

#[test]
fn memory_does_not_grow_with_the_rows() {
    let report = report("plan", LaneCounts::default());
    let lagging = Lagging::default();
    // Only the first rows are written: the rest is counted, one after the other.
    let rows = many(200_000, &Lagging::default(), usize::MAX);
    write_markdown(&mut lagging.writer(), &report, Values::Shown, rows).unwrap();
    assert!(lagging.written() < 65_536);
}
