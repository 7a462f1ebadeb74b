//! The CSV report.

use std::convert::Infallible;

use clientsync::core::{Before, LaneCounts};
use clientsync::report::{
    Cells, Detail, OutcomeLine, Report, ReportError, Values, needs_escape, write_csv, write_run_csv,
};
use csv::StringRecord;
use serde_json::json;

use super::naughty::{HARMLESS, TEXTS, everywhere, history};
use super::samples::{Lagging, change, drift, fine, many, plan, report, row, run};

fn written(report: &Report, details: &[Detail], values: Values, cells: Cells) -> String {
    let mut out = Vec::new();
    write_csv(&mut out, report, values, cells, fine(details)).unwrap();
    String::from_utf8(out).unwrap()
}

/// The lines under the head, as the csv crate reads them.
fn records(text: &str) -> (StringRecord, Vec<StringRecord>) {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let head = reader.headers().unwrap().clone();
    (head, reader.records().map(Result::unwrap).collect())
}

/// What the documented undoing of the escape gives.
fn undone(record: &StringRecord) -> Vec<String> {
    let escaped = record.iter().next_back() == Some("1");
    let undo = |cell: &str| match cell.strip_prefix('\'') {
        Some(rest) if escaped => rest.to_owned(),
        _ => cell.to_owned(),
    };
    record.iter().map(undo).collect()
}

/// The first six lines of a plan: its warning and its first rows.
const PLAN: &str = r#""provider","key","line","remote_id","push","outcome","role","field","before_state","before","after_state","after","now_state","now","source","when","because","unit","code","message","column","attempts","status","provider_request_id","_escaped"
"","","","","","","warning","","","","","","","","","","","","W_UNUSED_COLUMNS","not mapped: fax, legacy_id","","","","","0"
"complycube","C-0001","2","5eb04f","first","planned","change","email","unknown","","value","ann@example.com","","","","always","","","","","","0","","","0"
"complycube","C-0001","2","5eb04f","first","planned","change","joinedDate","unknown","","value","2024-01-31","","","","always","","","","","","0","","","0"
"complycube","C-0017","18","5eb04f","update","planned","change","email","value","old@example.com","value","new@example.com","","","","always","","","","","","0","","","0"
"complycube","C-0017","18","5eb04f","update","planned","change","address.city","value","Oslo","empty","","","","","always","","","","","","0","","","0"
"complycube","C-0017","18","5eb04f","update","planned","change","tier","new_field","","value","gold","","","","always","","","","","","0","","","0"
"complycube","C-0017","18","5eb04f","update","planned","change","notes","empty","","value","a ""vip""","","","","blank","","","","","","0","","","0"
"complycube","C-0017","18","5eb04f","update","planned","extra","address.line","","","value","Main St 1","","","","","whole","/address","","","","0","","","0"
"complycube","C-0017","18","5eb04f","update","planned","extra","away.until","","","value","2026-12-01","","","","","together","/away/enabled","","","","0","","","0"
"complycube","C-0017","18","5eb04f","update","planned","withheld","away.from","","","","","","","","","while_false","/away/enabled","","","","0","","","0"
"complycube","C-0017","18","5eb04f","update","planned","carried","","","","","","","","","","","/address","","","","0","","","0"
"complycube","C-0020","21","5eb04f","update","planned","change","taxId","hidden","","hidden","","","","","always","","","","","","0","","","0"
"complycube","C-0020","21","5eb04f","update","planned","change","pin","hidden","","hidden","","","","","always","","","","","","0","","","0"
"complycube","C-0020","21","5eb04f","update","planned","extra","password","","","hidden","","","","","","whole","","","","","0","","","0"
"complycube","B-0000","100","","","invalid","problem","email","","","","","","","","","","","E_FORMAT","is not an email address; correct the cell","email","","","","0"
"#;

const LAST_OF_PLAN: &str = r#""complycube","C-0009","9","","","skipped(unlinked)","problem","","","","","","","","","","","","W_UNLINKED","no remote id: fill the id column","","","","","0"
"#;

const RUN: &str = r#""complycube","C-3","4","5eb04f","","rejected","problem","","","","","","","","","","","","E_REJECTED","email ""b@example.com"" is taken","","1","422","req_9","0"
"#;

#[test]
fn a_plan_is_one_line_for_each_thing_of_a_row() {
    let (report, details) = plan();
    let text = written(&report, &details, Values::Shown, Cells::Exact);
    assert!(text.starts_with(PLAN), "{text:.4000}");
    assert!(text.ends_with(LAST_OF_PLAN));
    assert_eq!(records(&text).1.len(), 14 + 1_204 + 1);
}

#[test]
fn a_run_says_what_became_of_each_row() {
    let (report, details) = run();
    let text = written(&report, &details, Values::Shown, Cells::Exact);
    assert!(text.contains(RUN), "{text}");
    let (head, lines) = records(&text);
    let column = |name| head.iter().position(|column| column == name).unwrap();
    let told: Vec<[&str; 4]> = lines
        .iter()
        .map(|line| ["key", "outcome", "role", "attempts"].map(|name| &line[column(name)]))
        .collect();
    assert_eq!(
        told,
        [
            ["C-1", "updated", "change", "1"],
            ["C-2", "unchanged", "change", "1"],
            ["C-3", "rejected", "change", "1"],
            ["C-3", "rejected", "problem", "1"],
            ["C-4", "failed", "change", "5"],
            ["C-4", "failed", "problem", "5"],
            ["C-5", "in_doubt", "change", "2"],
            ["C-5", "in_doubt", "problem", "2"],
            ["C-6", "planned", "change", "0"],
            ["C-7", "skipped(superseded)", "change", "1"],
        ]
    );
}

const DRIFT: &str = r#""complycube","C-1","2","5eb04f","","skipped(drifted)","drift","email","value","a@example.com","value","c@example.com","value","b@example.com","other","","","","","","","","","","0"
"complycube","C-1","2","5eb04f","","skipped(drifted)","drift","tier","value","gold","","","empty","","nothing","","","","","","","","","","0"
"complycube","C-1","2","5eb04f","","skipped(drifted)","drift","joinedDate","unknown","","","","value","2024-01-31","same","","","","","","","","","","0"
"complycube","C-1","2","5eb04f","","skipped(drifted)","drift","notes","value","x","","","value","y","invalid","","","","","","","","","","0"
"complycube","C-1","2","5eb04f","","skipped(drifted)","drift","taxId","hidden","","hidden","","hidden","","other","","","","","","","","","","0"
"#;

#[test]
fn drift_is_what_was_acknowledged_what_is_held_and_what_the_file_says() {
    let (report, details) = drift();
    let text = written(&report, &details, Values::Shown, Cells::Exact);
    assert!(text.ends_with(DRIFT), "{text}");
}

#[test]
fn no_cell_is_a_formula_and_each_gives_back_its_text() {
    let (head, harmless) = {
        let (report, details) = everywhere(HARMLESS);
        records(&written(&report, &details, Values::Shown, Cells::Exact))
    };
    let column = |name| head.iter().position(|column| column == name).unwrap();
    for text in TEXTS {
        let (report, details) = everywhere(text);
        let csv = written(&report, &details, Values::Shown, Cells::Exact);
        let (_, lines) = records(&csv);
        assert_eq!(lines.len(), harmless.len(), "{text:?}");
        for line in &lines {
            for cell in line {
                let lead = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
                assert!(!lead, "{text:?} gives the cell {cell:?}");
            }
        }
        for (line, like) in lines.iter().zip(&harmless) {
            let line = undone(line);
            for (index, like) in like.iter().enumerate().take(head.len() - 1) {
                // JSON is a text of its own; everything else is the text itself.
                if like == format!("[\"{HARMLESS}\"]") {
                    assert_eq!(line[index], json!([text]).to_string());
                } else if like == format!("{{\"{HARMLESS}\":\"{HARMLESS}\"}}") {
                    assert_eq!(line[index], json!({ text: text }).to_string());
                } else if ![column("field"), column("unit")].contains(&index) {
                    assert_eq!(line[index], like.replace(HARMLESS, text), "{text:?}");
                }
            }
        }
    }
}

#[test]
fn every_cell_is_quoted() {
    for text in TEXTS
        .into_iter()
        .filter(|text| !text.contains(['"', '\n', '\r']))
    {
        let (report, details) = everywhere(text);
        let csv = written(&report, &details, Values::Shown, Cells::Exact);
        for line in csv.lines().filter(|line| !line.contains("\"\"\"")) {
            let cells: Vec<&str> = line.split("\",\"").collect();
            assert!(line.starts_with('"') && line.ends_with('"'), "{line}");
            assert!(cells.len() >= 25, "{line}");
        }
    }
}

#[test]
fn a_terminal_gets_what_is_dangerous_spelled_out() {
    for text in TEXTS {
        let (report, details) = everywhere(text);
        let csv = written(&report, &details, Values::Shown, Cells::Spelled);
        assert!(!csv.contains(|c| c != '\n' && needs_escape(c)), "{csv:?}");
        let (run, outcomes) = history(text);
        let csv = run_csv(&run, &outcomes, Values::Shown, Cells::Spelled);
        assert!(!csv.contains(|c| c != '\n' && needs_escape(c)), "{csv:?}");
    }
}

#[test]
fn hidden_values_are_in_no_cell() {
    for (report, details) in [plan(), run(), drift()] {
        let text = written(&report, &details, Values::Shown, Cells::Exact);
        assert!(!text.contains("CANARY"));
        let text = written(&report, &details, Values::Hidden, Cells::Exact);
        for hidden in ["CANARY", "example.com", "Oslo", "gold", "vip", "Main St"] {
            assert!(!text.contains(hidden), "{hidden} in {text}");
        }
    }
}

#[test]
fn an_error_among_the_rows_is_the_last_line() {
    let (report, details) = run();
    let broken = fine(&details[..2])
        .map(|detail| detail.map_err(|never: Infallible| match never {}))
        .chain([Err("the plan file is cut off")]);
    let mut out = Vec::new();
    let error = write_csv(&mut out, &report, Values::Shown, Cells::Exact, broken).unwrap_err();
    assert!(matches!(error, ReportError::Details(_)));
    let text = String::from_utf8(out).unwrap();
    let last = text.lines().next_back().unwrap();
    assert!(
        last.contains(r#""incomplete""#) && last.contains("the plan file is cut off"),
        "{last}"
    );
    assert_eq!(records(&text).1.len(), 3);
}

#[test]
fn memory_does_not_grow_with_the_rows() {
    let report = report("plan", LaneCounts::default());
    let lagging = Lagging::default();
    write_csv(
        &mut lagging.writer(),
        &report,
        Values::Shown,
        Cells::Exact,
        many(200_000, &lagging, 16 * 1024),
    )
    .unwrap();
    assert!(lagging.written() > 200_000 * 100);
}

#[test]
fn a_full_disk_is_an_error_at_once() {
    let (report, details) = plan();
    let mut out = &mut [0_u8; 9_000][..];
    let error = write_csv(
        &mut out,
        &report,
        Values::Shown,
        Cells::Exact,
        fine(&details),
    );
    assert!(matches!(error, Err(ReportError::Write(_))), "{error:?}");
    // Also where all of it is still waiting to be written.
    let row = row("C-1", 2, vec![change("email", Before::Unknown, json!("a"))]);
    let one = [Detail::Row(Box::new(row))];
    let mut out = &mut [0_u8; 10][..];
    let error = write_csv(&mut out, &report, Values::Shown, Cells::Exact, fine(&one));
    assert!(matches!(error, Err(ReportError::Write(_))), "{error:?}");
}

fn run_csv(
    run: &clientsync::report::RunDetail,
    outcomes: &[OutcomeLine],
    values: Values,
    cells: Cells,
) -> String {
    let mut out = Vec::new();
    let outcomes = outcomes.iter().cloned().map(Ok::<_, Infallible>);
    write_run_csv(&mut out, run, values, cells, outcomes).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn one_run_has_a_line_for_each_row_and_each_request() {
    let (run, outcomes) = history("x");
    let text = run_csv(&run, &outcomes, Values::Shown, Cells::Exact);
    assert_eq!(
        text,
        r#""run_id","provider","key","line","remote_id","outcome","role","attempt","method","started","status","provider_request_id","took_ms","message","_escaped"
"x","x","x","2","x","rejected","outcome","","","","","","","x","0"
"x","x","x","2","x","rejected","attempt","1","x","x","422","x","340","x","0"
"#
    );
    let text = run_csv(&run, &outcomes, Values::Hidden, Cells::Exact);
    assert_eq!(text.matches("the provider's words are hidden").count(), 2);
    for text in TEXTS {
        let (run, outcomes) = history(text);
        let (_, lines) = records(&run_csv(&run, &outcomes, Values::Shown, Cells::Exact));
        assert_eq!(lines.len(), 2);
        for line in &lines {
            assert!(
                line.iter()
                    .all(|cell| !cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']))
            );
            assert_eq!([0, 1, 2, 4, 13].map(|i| undone(line)[i].clone()), [text; 5]);
        }
    }
}
