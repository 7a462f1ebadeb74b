//! The scanner against the csv crate, and each fault with its line.

use csv::{ByteRecord, ReaderBuilder};
use proptest::prelude::*;

use super::*;

fn scan(text: &[u8], piece: usize) -> Scanner {
    let mut scanner = Scanner::new(b',', 0);
    text.chunks(piece.max(1))
        .for_each(|text| scanner.feed(text));
    scanner.end();
    scanner
}

/// The codes and lines of what is wrong with the text, in whatever pieces.
fn faults(text: &str) -> Vec<(String, u64)> {
    let whole = listed(scan(text.as_bytes(), usize::MAX));
    assert_eq!(whole, listed(scan(text.as_bytes(), 1)), "byte by byte");
    whole
}

fn listed(scanner: Scanner) -> Vec<(String, u64)> {
    let problems = scanner.faults.into_problems(&[]).into_iter();
    problems
        .map(|p| (p.code.into_owned(), p.line.unwrap_or_default()))
        .collect()
}

fn message(text: &str) -> String {
    let problems = scan(text.as_bytes(), 7).faults.into_problems(&[]);
    problems[0].message.clone()
}

fn one(code: &str, line: u64) -> Vec<(String, u64)> {
    vec![(code.to_owned(), line)]
}

#[test]
fn faults_name_the_physical_line() {
    assert_eq!(faults("a,b\n1,2\n\"x\ny\",3\n4\n5,6\n"), one("E_RAGGED", 5));
    assert_eq!(
        faults("a,b\n1,\"x\n\n2,3\n"),
        one("E_UNTERMINATED_QUOTE", 2)
    );
    assert_eq!(faults("a,b\n\"x\n\"y,2\n"), one("E_BAD_QUOTE", 3));
    assert_eq!(faults("a,b\r1,x\"y\r"), one("E_BAD_QUOTE", 2));
    assert_eq!(faults("a,b\r\n1,\0\r\n"), one("E_NUL", 2));
    assert_eq!(
        faults("a,b\n1,2\n\n3\n4\n5,6,7\n"),
        [
            ("E_BLANK_LINE_INSIDE".to_owned(), 4),
            ("E_RAGGED".to_owned(), 6),
        ]
    );
    assert_eq!(faults("sep=;\na,b\n"), one("E_SEP", 1));
}

#[test]
fn messages_say_what_to_do() {
    assert!(message("a,b\n1, \"x\"\n").contains("remove the space before"));
    assert!(message("a,b\n1,\"x\" \n").contains("remove the space behind"));
    assert!(message("a,b\n1,\"x\\\"y\"\n").contains("not with a backslash"));
    assert!(message("a,b\n1,\"x\ny\"z\n").contains("opened on line 2"));
    assert!(message("a,b\n1,2\n3\n").ends_with("last row: file truncated?"));
    assert!(!message("a,b\n1\n3,4\n").contains("truncated"));
    assert!(!message("a,b\n1,2,3\n").contains("truncated"));
}

#[test]
fn a_quote_that_swallows_rows_is_suspect_where_it_opened() {
    let lines = "x\n".repeat(101);
    assert_eq!(
        faults(&format!("a\n1\n\"{lines}\"\n")),
        one("E_SUSPECT_QUOTE", 3)
    );
    let long = "x".repeat(MAX_QUOTED + 1);
    assert_eq!(
        faults(&format!("a\n\"{long}\"\n")),
        one("E_SUSPECT_QUOTE", 2)
    );
    let fitting = format!(
        "a\n\"{}\"\n\"{}\"\n",
        "x\n".repeat(100),
        "x".repeat(MAX_QUOTED)
    );
    assert_eq!(faults(&fitting), []);
}

#[test]
fn limits_stop_the_scanner() {
    let texts = [
        format!("a\n{}\n", "x".repeat(MAX_CELL + 1)),
        format!("a\n{}\n", format!("{},", "x".repeat(MAX_CELL)).repeat(5)),
        format!("a\n{}\n", ",".repeat(MAX_COLUMNS)),
    ];
    for text in &texts {
        let scanner = scan(text.as_bytes(), usize::MAX);
        assert!(scanner.stopped());
        assert_eq!(listed(scanner), one("E_TOO_LARGE", 2));
    }
}

#[test]
fn the_sep_line_is_honoured_when_it_says_the_delimiter() {
    for text in ["sep=,\na,b\n", "SEP=,\r\na,b\n", "\"sep=,\"\na,b\n"] {
        let scanner = scan(text.as_bytes(), 3);
        let kinds: Vec<Kind> = scanner.marks.iter().map(|mark| mark.kind).collect();
        assert_eq!(kinds, [Kind::Separator, Kind::Row], "{text}");
        assert!(scanner.faults.is_empty());
    }
    assert_eq!(faults("sep=,x\n1,2\n"), []);
}

#[test]
fn blank_lines_and_line_ends_are_counted() {
    let warnings = scan(b"\n \t\na,b\r\n1,2\n\n3,4\r", 2).warnings();
    let codes: Vec<(&str, Option<u64>)> =
        warnings.iter().map(|w| (w.code.as_ref(), w.line)).collect();
    assert_eq!(
        codes,
        [("W_BLANK_LINE", Some(1)), ("W_MIXED_NEWLINES", None)]
    );
    assert!(warnings[0].message.starts_with("3 blank"));
    assert!(warnings[1].message.contains("1 CR LF, 4 LF, 1 CR"));
    assert!(scan(b"a\n\"x\r\n\ry\"\n", 1).warnings().is_empty());
}

/// Texts that are likely to break a reader.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let bytes = prop::sample::select(vec![
        "a", "\"", ",", "\r", "\n", " ", "é", "\"\"", "\r\n", "\0", "a,a\n", "\"a\"",
    ]);
    prop::collection::vec(bytes, 0..40).prop_map(|parts| parts.concat().into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_csv_crate_finds_the_same_records_also_in_broken_text(
        text in hostile(),
        piece in 1_usize..9,
    ) {
        let marks: Vec<usize> = scan(&text, piece).marks.iter().map(|m| m.cells).collect();
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(text.as_slice());
        let records: Result<Vec<ByteRecord>, csv::Error> = reader.byte_records().collect();
        let cells: Vec<usize> = records.unwrap().iter().map(ByteRecord::len).collect();
        prop_assert_eq!(marks, cells);
    }

    #[test]
    fn pieces_do_not_matter(text in hostile(), piece in 1_usize..9) {
        let (whole, parts) = (scan(&text, usize::MAX), scan(&text, piece));
        prop_assert_eq!(&whole.marks, &parts.marks);
        prop_assert_eq!(whole.warnings(), parts.warnings());
        prop_assert_eq!(listed(whole), listed(parts));
    }
}
