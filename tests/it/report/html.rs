//! The HTML report, judged by an HTML tokenizer.

use std::convert::Infallible;

use clientsync::core::{Before, LaneCounts};
use clientsync::report::{
    Detail, OutcomeLine, Report, RunDetail, Values, escape, needs_escape, write_html,
    write_run_html,
};
use html5gum::{DefaultEmitter, Token, Tokenizer};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::naughty::{HARMLESS, TEXTS, everywhere, history};
use super::samples::{Lagging, change, drift, fine, many, plan, report, row, run};

fn written(report: &Report, details: &[Detail], values: Values) -> String {
    let mut out = Vec::new();
    write_html(&mut out, report, values, fine(details)).unwrap();
    String::from_utf8(out).unwrap()
}

fn run_written(run: &RunDetail, outcomes: &[OutcomeLine], values: Values) -> String {
    let mut out = Vec::new();
    let outcomes = outcomes.iter().cloned().map(Ok::<_, Infallible>);
    write_run_html(&mut out, run, values, outcomes).unwrap();
    String::from_utf8(out).unwrap()
}

/// A page as a browser reads it.
#[derive(Debug, Default)]
struct Read {
    /// Every tag with its attributes and their values, in order.
    tags: Vec<String>,
    /// The texts outside of scripts and styles, in order.
    texts: Vec<String>,
    styles: Vec<String>,
    scripts: Vec<String>,
    blocks: Vec<String>,
}

fn read(html: &str) -> Read {
    let mut emitter: DefaultEmitter = DefaultEmitter::default();
    emitter.naively_switch_states(true);
    let mut read = Read::default();
    let mut inside = String::new();
    for token in Tokenizer::new_with_emitter(html, emitter) {
        let Ok(token) = token;
        match token {
            Token::StartTag(tag) => {
                let mut shown = String::from_utf8(tag.name.0).unwrap();
                for (name, value) in tag.attributes {
                    shown.push_str(&format_attribute(&name.0, &value.value.0));
                }
                inside.clone_from(&shown);
                read.tags.push(shown);
            }
            Token::EndTag(tag) => {
                let name = String::from_utf8(tag.name.0).unwrap();
                read.tags.push(format!("/{name}"));
                inside.clear();
            }
            Token::String(text) => {
                let text = String::from_utf8(text.value.0).unwrap();
                match inside.split(' ').next().unwrap() {
                    "style" => read.styles.push(text),
                    "script" if inside == "script" => read.scripts.push(text),
                    "script" => read.blocks.push(text),
                    _ => read.texts.push(text),
                }
            }
            Token::Doctype(doctype) => assert_eq!(doctype.name.0, b"html"),
            Token::Comment(comment) => panic!("a comment: {comment:?}"),
            Token::Error(error) => panic!("{error:?} in {html}"),
        }
    }
    read
}

fn format_attribute(name: &[u8], value: &[u8]) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    format!(" {}={:?}", text(name), text(value))
}

/// The block of records.
fn records(html: &str) -> Value {
    let read = read(html);
    assert_eq!(read.blocks.len(), 1);
    serde_json::from_str(&read.blocks[0]).unwrap()
}

/// The texts that a reader sees without the script, one on a line.
fn seen(html: &str) -> String {
    let texts = read(html).texts;
    let texts: Vec<&str> = texts
        .iter()
        .map(|text| text.trim())
        .filter(|text| !text.is_empty())
        .collect();
    texts.join("\n")
}

const PLAN: &str = "\
clientsync: Plan for review
Plan for review
A guard refuses this plan. Nothing was sent. 1,204 rows need attention.
1,210 rows
in the file
3
to update
1,204
need attention
1
skipped
about 2 min 5 s
to apply it
Totals
Safety guards
By field
Problems
Record by record
Totals
provider
rows
unchanged
planned
invalid
skipped
share of rows
complycube
1,210
2
3
1,204
1
What the words mean";

const SECTIONS: &str = "\
Providers
complycube
at https://api.complycube.com; applying it takes about 1,004 requests and 2 min 5 s; 1 skipped: unlinked
Safety guards
refused
max_invalid (complycube): 1,204 of 1,210 rows (99%) are invalid, over 20%; correct them, or add --allow max_invalid=100%
passed
min_rows: 1,210 rows, at least 1
allowed
for this plan: max_updates=80%
Changed records, by field
complycube
field
records
address.city
1
email
2
joinedDate
1
notes
1
pin
1
taxId
1
tier
new field
1
Problems, by cause
1,204 rows
email: is not an email address; correct the cell
complycube,
E_FORMAT
line 100, B-0000
line 101, B-0001";

const LAST: &str = "\
command
plan
plan
p-1
began
2026-11-20T03:00:00Z
ended
2026-11-20T03:00:02Z
exit
4 guard
SHA-256 of the source
9f86d081
clientsync
0.1.0";

#[test]
fn a_plan_says_this_without_its_script() {
    let (report, details) = plan();
    let seen = seen(&written(&report, &details, Values::Shown));
    assert!(seen.starts_with(PLAN), "{seen}");
    assert!(seen.contains(SECTIONS), "{seen}");
    assert!(seen.contains("and 1,184 more: search below"), "{seen}");
    assert!(seen.ends_with(LAST), "{seen}");
    // The charts are drawn from the same numbers.
    let tags = read(&written(&report, &details, Values::Shown)).tags;
    let invalid = "rect class=\"invalid\" height=\"8\" width=\"99.50\" x=\"0.41\"";
    assert!(tags.iter().any(|tag| tag == invalid), "{tags:#?}");
}

#[test]
fn the_block_holds_every_row_in_few_bytes() {
    let (report, details) = plan();
    let html = written(&report, &details, Values::Shown);
    let block = records(&html);
    assert_eq!(block["complete"], true);
    let names = block["names"].as_array().unwrap();
    let name = |n: &Value| names[usize::try_from(n.as_u64().unwrap()).unwrap()].clone();
    let rows = block["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 3 + 1_204 + 1);
    let [first, update, sensitive] = [&rows[0], &rows[1], &rows[2]];
    assert_eq!(
        [name(&first[0]), name(&first[4])],
        ["complycube", "planned"]
    );
    assert_eq!(
        [&first[1], &first[2], &first[3], &first[5]],
        [&json!("C-0001"), &json!(2), &json!("5eb04f"), &json!(1)]
    );
    let items = update[6].as_array().unwrap();
    let told: Vec<Value> = items
        .iter()
        .map(|item| {
            let mut item = item.as_array().unwrap().clone();
            if !item.get(1).is_none_or(Value::is_null) {
                item[1] = name(&item[1]);
            }
            item.into()
        })
        .collect();
    assert_eq!(
        Value::from(told),
        json!([
            [0, "email", "old@example.com", "new@example.com"],
            [0, "address.city", "Oslo", 3],
            [0, "tier", 1, "gold"],
            [
                0,
                "notes",
                3,
                "a \"vip\"",
                "only if the provider holds nothing"
            ],
            [
                1,
                "address.line",
                null,
                "Main St 1",
                "because address is sent whole"
            ],
            [
                1,
                "away.until",
                null,
                "2026-12-01",
                "because the group of away.enabled is sent together"
            ],
            [
                2,
                "away.from",
                null,
                null,
                "not sent while away.enabled is false"
            ],
            [
                3,
                null,
                null,
                null,
                "the rest of address is carried from the read"
            ],
        ])
    );
    for item in sensitive[6].as_array().unwrap() {
        assert_eq!(item[3], 2, "{item}");
    }
    let unlinked = &rows[3 + 1_204];
    assert_eq!(name(&unlinked[4]), "skipped(unlinked)");
    assert_eq!(
        unlinked[6],
        json!([[4, null, null, null, "no remote id: fill the id column"]])
    );
    // A row of the text report is longer than one of these.
    assert!(html.len() < 40_000 + 110 * rows.len(), "{}", html.len());
}

#[test]
fn a_run_says_what_became_of_each_row() {
    let (report, details) = run();
    let html = written(&report, &details, Values::Shown);
    let seen = seen(&html);
    assert!(
        seen.contains(
            "1 record was updated; 1 is left, and the next run goes on. 3 rows need attention."
        ),
        "{seen}"
    );
    assert!(seen.contains("12 requests sent, 1 of them repeated; 1 skipped: superseded; stopped early: the budget of 12 requests is used up"), "{seen}");
    let rejected = &records(&html)["rows"][2][6][1];
    assert_eq!(rejected[4], "email \"b@example.com\" is taken (status 422)");
}

#[test]
fn drift_is_what_was_acknowledged_what_is_held_and_what_the_file_says() {
    let (report, details) = drift();
    let html = written(&report, &details, Values::Shown);
    assert!(seen(&html).contains(
        "1 record holds something else than was acknowledged last; nothing was changed."
    ));
    let block = records(&html);
    let row = &block["rows"][0];
    assert_eq!(
        block["names"][usize::try_from(row[4].as_u64().unwrap()).unwrap()],
        "skipped(drifted)"
    );
    let items = row[6].as_array().unwrap();
    let told: Vec<Value> = items
        .iter()
        .map(|item| item.as_array().unwrap()[2..].to_vec().into())
        .collect();
    assert_eq!(
        Value::from(told),
        json!([
            [
                "a@example.com",
                "b@example.com",
                "the file says \"c@example.com\""
            ],
            ["gold", 3, "the file says nothing"],
            [0, "2024-01-31", "the file says the same"],
            ["x", "y", "the file has a row that cannot be used"],
            [2, 2, "the file says (hidden)"],
        ])
    );
}

#[test]
fn foreign_text_makes_no_element_and_no_attribute() {
    let (report, details) = everywhere(HARMLESS);
    let harmless = read(&written(&report, &details, Values::Shown));
    let (run, outcomes) = history(HARMLESS);
    let harmless_run = read(&run_written(&run, &outcomes, Values::Shown));
    // The text is in it, and in no attribute.
    assert!(
        harmless
            .texts
            .iter()
            .filter(|text| text.contains(HARMLESS))
            .count()
            > 25
    );
    assert!(harmless.tags.iter().all(|tag| !tag.contains(HARMLESS)));
    for text in TEXTS {
        let (report, details) = everywhere(text);
        let html = written(&report, &details, Values::Shown);
        let (run, outcomes) = history(text);
        let run_html = run_written(&run, &outcomes, Values::Shown);
        for (html, harmless) in [(&html, &harmless), (&run_html, &harmless_run)] {
            let found = read(html);
            let differ = found.tags.iter().zip(&harmless.tags).find(|(a, b)| a != b);
            assert!(differ.is_none(), "{text:?}: {differ:?}");
            assert_eq!(found.tags.len(), harmless.tags.len(), "{text:?}");
            assert_eq!(found.scripts, harmless.scripts, "{text:?}");
            assert_eq!(found.styles, harmless.styles, "{text:?}");
            assert_eq!(found.blocks.len(), 1);
            assert!(!found.blocks[0].contains(['<', '>', '&']), "{text:?}");
            assert!(!html.contains(|c| c != '\n' && needs_escape(c)), "{text:?}");
        }
        // What it says is what it is, spelled out.
        let spelled = escape(text).into_owned();
        assert!(
            text.is_empty() || read(&html).texts.contains(&spelled),
            "{spelled:?}"
        );
        let row = &records(&html)["rows"][0];
        assert_eq!([&row[1], &row[3], &row[6][0][2]], [&json!(spelled); 3]);
        assert_eq!(records(&run_html)["rows"][0][1], spelled);
    }
}

/// Base64 with its padding, as a policy spells a hash.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let mut four = [0_u32; 3];
        for (slot, byte) in four.iter_mut().zip(group) {
            *slot = u32::from(*byte);
        }
        let number = four[0] << 16 | four[1] << 8 | four[2];
        for digit in 0..4 {
            let index = usize::try_from(number >> (18 - 6 * digit) & 63).unwrap();
            let shown = digit <= group.len();
            text.push(if shown {
                char::from(DIGITS[index])
            } else {
                '='
            });
        }
    }
    text
}

#[test]
fn the_policy_allows_the_two_blocks_of_the_page_and_nothing_else() {
    assert_eq!(base64(b"any carnal pleas"), "YW55IGNhcm5hbCBwbGVhcw==");
    let (report, details) = everywhere(TEXTS[0]);
    let (run, outcomes) = history(TEXTS[0]);
    for html in [
        written(&report, &details, Values::Shown),
        run_written(&run, &outcomes, Values::Shown),
    ] {
        let read = read(&html);
        assert_eq!((read.scripts.len(), read.styles.len()), (1, 1));
        let hash = |text: &str| base64(&Sha256::digest(text));
        let policy = format!(
            "meta content=\"default-src 'none'; base-uri 'none'; form-action 'none'; \
             require-trusted-types-for 'script'; style-src 'sha256-{}'; script-src 'sha256-{}'\" \
             http-equiv=\"Content-Security-Policy\"",
            hash(&read.styles[0]),
            hash(&read.scripts[0]),
        );
        assert!(
            read.tags.contains(&policy),
            "put these hashes into src/report/html/mod.rs: {policy}"
        );
        // The policy comes before anything that it must hold for.
        let at = |tag: &str| {
            read.tags
                .iter()
                .position(|found| found.starts_with(tag))
                .unwrap()
        };
        assert!(at("meta content") < at("style") && at("style") < at("script"));
    }
}

#[test]
fn the_page_loads_nothing_and_runs_nothing_from_its_values() {
    let (report, details) = everywhere(HARMLESS);
    let read = read(&written(&report, &details, Values::Shown));
    for tag in &read.tags {
        for word in [
            " src=",
            " style=",
            " on",
            "javascript:",
            "http:",
            "https:",
            "url(",
        ] {
            assert!(!tag.contains(word), "{word} in {tag}");
        }
        if let Some(link) = tag.split(" href=").nth(1) {
            assert!(link.starts_with("\"#"), "{tag}");
        }
    }
    for word in ["url(", "@import", "http", "expression", "</"] {
        assert!(!read.styles[0].contains(word), "{word}");
    }
    for word in [
        "innerHTML",
        "outerHTML",
        "insertAdjacent",
        "document.write",
        "eval",
        "Function",
        "fetch",
        "XMLHttp",
        "import",
        "http",
        "location",
        "cookie",
        "Storage",
        "srcdoc",
        "</",
    ] {
        assert!(!read.scripts[0].contains(word), "{word}");
    }
}

#[test]
fn the_order_of_kinds_is_the_same_on_both_sides() {
    let (report, details) = run();
    let script = read(&written(&report, &details, Values::Shown))
        .scripts
        .remove(0);
    let kinds = r#"["change", "sent with it", "kept back", "carried", "problem", "request", "outcome", "drift"]"#;
    let states = r#"["unknown", "new field", "hidden", "empty"]"#;
    assert!(script.contains(kinds) && script.contains(states));
}

#[test]
fn more_rows_are_no_more_elements() {
    let report = report("plan", LaneCounts::default());
    let page = |count: u64| {
        let rows = |n| {
            let changes = vec![change("email", Before::Unknown, json!("a@example.com"))];
            Detail::Row(Box::new(row(&format!("C-{n}"), n, changes)))
        };
        let details: Vec<Detail> = (0..count).map(rows).collect();
        read(&written(&report, &details, Values::Shown)).tags
    };
    assert_eq!(page(1), page(5_000));
}

#[test]
fn hidden_values_are_nowhere_on_the_page() {
    for (report, details) in [plan(), run(), drift()] {
        assert!(!written(&report, &details, Values::Shown).contains("CANARY"));
        let html = written(&report, &details, Values::Hidden);
        for hidden in [
            "CANARY",
            "example.com",
            "Oslo",
            "gold",
            "vip",
            "Main St",
            "budget",
        ] {
            assert!(!html.contains(hidden), "{hidden}");
        }
    }
    let (run, outcomes) = history("x");
    let html = run_written(&run, &outcomes, Values::Hidden);
    assert_eq!(html.matches("the provider's words are hidden").count(), 2);
}

#[test]
fn long_values_show_where_they_differ() {
    let long = |end: &str| json!(format!("{}{end}", "x".repeat(3_000)));
    let changes = vec![change("notes", Before::Value(long("old")), long("new"))];
    let details = [Detail::Row(Box::new(row("C", 2, changes)))];
    let report = report("plan", LaneCounts::default());
    let item = records(&written(&report, &details, Values::Shown))["rows"][0][6][0].clone();
    let part = |end: &str| format!("…{}{end} (3,003 characters)", "x".repeat(20));
    assert_eq!(
        [&item[2], &item[3]],
        [&json!(part("old")), &json!(part("new"))]
    );
}

#[test]
fn an_error_among_the_rows_is_on_the_page_which_is_whole() {
    let (report, details) = run();
    let broken = fine(&details[..1])
        .map(|detail| detail.map_err(|never: Infallible| match never {}))
        .chain([Err("the plan file is cut off")]);
    let mut out = Vec::new();
    write_html(&mut out, &report, Values::Shown, broken).unwrap_err();
    let html = String::from_utf8(out).unwrap();
    assert!(seen(&html).contains("the report ends early: the plan file is cut off"));
    assert_eq!(records(&html)["complete"], false);
    assert!(html.ends_with("</script>\n</body>\n</html>\n"));
}

#[test]
fn memory_does_not_grow_with_the_rows() {
    let report = report("plan", LaneCounts::default());
    let lagging = Lagging::default();
    let rows = many(200_000, &lagging, 1_024);
    write_html(&mut lagging.writer(), &report, Values::Shown, rows).unwrap();
    assert!(lagging.written() > 200_000 * 20);
}
