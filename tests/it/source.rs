//! The source as its callers see it: files in, rows or refusals out.
//!
//! Independent corpora are read where they lie beside the project; each test
//! that needs them says so on stderr when they are absent.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use clientsync::core::{Problem, Row};
use clientsync::source::{Encoding, Input, Source, SourceError, SourceSettings, Survey, key_of};
use proptest::prelude::*;

mod corpora;
mod refusals;

/// Settings for a file with this key, everything else as by default.
fn settings(path: &Path, key: &[&str]) -> SourceSettings {
    SourceSettings {
        input: Input::File(path.to_owned()),
        key: key.iter().map(|name| (*name).to_owned()).collect(),
        delimiter: b',',
        encoding: Encoding::UTF_8,
        trim: true,
        skip_lines: 0,
        require_final_newline: false,
    }
}

/// A file in a folder of its own.
struct Fixture {
    folder: tempfile::TempDir,
}

impl Fixture {
    fn new(bytes: impl AsRef<[u8]>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("clients.csv"), bytes).unwrap();
        Self { folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("clients.csv")
    }

    fn settings(&self, key: &[&str]) -> SourceSettings {
        settings(&self.path(), key)
    }
}

/// Everything that a sound file says: its header, and its rows by line.
#[derive(Debug)]
struct Table {
    header: Vec<String>,
    rows: Vec<(u64, Vec<String>)>,
    survey: Survey,
}

fn read(settings: &SourceSettings) -> Result<Table, Vec<Problem>> {
    let broken = |error| match error {
        SourceError::Broken(problems) => problems,
        SourceError::Io { action, source } => panic!("cannot {action}: {source}"),
    };
    let source = Source::open(settings).map_err(broken)?;
    let survey = source.survey(&[]).map_err(broken)?;
    let mut reader = source.rows(&survey).map_err(broken)?;
    let (mut row, mut rows) = (Row::default(), Vec::new());
    while reader.read(&mut row).map_err(broken)? {
        let cells = (0..row.len()).map(|column| row.cell(column).unwrap().to_owned());
        rows.push((row.line(), cells.collect()));
    }
    reader.finish().map_err(broken)?;
    assert_eq!(survey.rows, rows.len() as u64);
    Ok(Table {
        header: source.header().names().to_vec(),
        rows,
        survey,
    })
}

/// The table in these bytes, whose first column `id` is the key.
fn table(bytes: impl AsRef<[u8]>) -> Table {
    read(&Fixture::new(bytes).settings(&["id"])).unwrap()
}

fn cells(table: &Table) -> Vec<Vec<&str>> {
    let rows = table.rows.iter();
    rows.map(|(_, cells)| cells.iter().map(String::as_str).collect())
        .collect()
}

fn lines(table: &Table) -> Vec<u64> {
    table.rows.iter().map(|(line, _)| *line).collect()
}

fn codes(problems: &[Problem]) -> Vec<&str> {
    problems
        .iter()
        .map(|problem| problem.code.as_ref())
        .collect()
}

#[test]
fn lines_are_physical_for_every_newline_and_with_newlines_in_cells() {
    for newline in ["\n", "\r\n", "\r"] {
        let text = "id,note\n1,a\n2,\"b\nc\n\nd\"\n\n3,e\n".replace('\n', newline);
        let table = table(&text);
        assert_eq!(lines(&table), [2, 3, 8], "{newline:?}");
        let note = "b\nc\n\nd".replace('\n', newline);
        assert_eq!(table.rows[1].1[1], note, "bytes of a cell are kept");
        assert_eq!(codes(&table.survey.warnings), ["W_BLANK_LINE"]);
        assert_eq!(table.survey.warnings[0].line, Some(7));
    }
}

#[test]
fn skipped_lines_count_but_are_not_read() {
    for newline in ["\n", "\r\n", "\r"] {
        let text = "Export of \"today\n\nid,x\n1,a\n".replace('\n', newline);
        let fixture = Fixture::new(text);
        let mut settings = fixture.settings(&["id"]);
        settings.skip_lines = 2;
        let table = read(&settings).unwrap();
        assert_eq!((lines(&table), table.survey.warnings.len()), (vec![4], 0));
        settings.skip_lines = 9;
        assert_eq!(codes(&read(&settings).unwrap_err()), ["E_NO_HEADER"]);
    }
}

#[test]
fn marks_are_stripped_and_decide_the_encoding() {
    let quoted = table(b"\xEF\xBB\xBF\"id\",x\n1,2\n");
    assert_eq!(quoted.header, ["id", "x"]);
    assert!(quoted.survey.warnings.is_empty());
    let wide = |order: fn(u16) -> [u8; 2]| -> Vec<u8> {
        let text = "\u{feff}id,x\r\n1,\u{1f600}é\r\n";
        text.encode_utf16().flat_map(order).collect()
    };
    for bytes in [wide(u16::to_le_bytes), wide(u16::to_be_bytes)] {
        let table = table(bytes);
        assert_eq!(cells(&table), [["1", "\u{1f600}é"]]);
        assert_eq!(codes(&table.survey.warnings), ["W_ENCODING_BOM"]);
    }
}

#[test]
fn a_declared_encoding_is_decoded() {
    let fixture = Fixture::new(b"id,name\n1,Jos\xE9\n");
    let mut settings = fixture.settings(&["id"]);
    settings.encoding = Encoding::parse("windows-1252").unwrap();
    assert_eq!(cells(&read(&settings).unwrap()), [["1", "José"]]);
}

#[test]
fn cells_are_never_trimmed() {
    assert_eq!(cells(&table("id,x\n 1 , a \n")), [[" 1 ", " a "]]);
}

#[test]
fn harmless_oddities_are_warnings() {
    let cases = [
        ("id,x\n1,2", "W_NO_FINAL_NEWLINE"),
        ("id,x\n1,2\r\n", "W_MIXED_NEWLINES"),
        ("id,x\n1,2\n\x1a", "W_CTRL_Z"),
        ("id,x\n1,2\n1,2\n", "W_DUPLICATE_ROW"),
        ("id,x,\n1,2,\n", "W_EMPTY_HEADER"),
        ("id,x\n1,2\n\n", "W_BLANK_LINE"),
    ];
    for (text, code) in cases {
        assert_eq!(codes(&table(text).survey.warnings), [code]);
    }
    assert_eq!(
        cells(&table("id,x\n1,a\x1ab\n2,\x1a\n")),
        [["1", "a\u{1a}b"], ["2", "\u{1a}"]]
    );
}

#[test]
fn a_header_alone_is_no_rows() {
    assert_eq!(table("id,x\n").survey.rows, 0);
}

#[test]
fn rows_of_one_key_are_repeats_or_conflicts() {
    let fixture = Fixture::new(
        "id,ref,name\n1,r1,Ann\n2,r2,Bob\n1,r1,Ann\n 2 ,r2,Bea\n3,r1,Cy\n3,r1,Cy\n,r9,x\n,r9,x\n5,,a\n6,,b\n",
    );
    let source = Source::open(&fixture.settings(&["id"])).unwrap();
    let survey = source.survey(&[1]).unwrap();
    let repeats: Vec<u64> = (1..=11).filter(|line| survey.is_repeat(*line)).collect();
    assert_eq!(repeats, [4, 7]);
    let key = |text| clientsync::core::RecordKey::from_cells([text]);
    assert_eq!(survey.key_lines(&key("2")), Some([3, 5].as_slice()));
    assert_eq!(survey.key_lines(&key("1")), None);
    assert_eq!(survey.id_lines(1, "r1"), Some([2, 6].as_slice()));
    assert_eq!(survey.id_lines(1, "r2"), None, "one key, so one record");
    assert_eq!(survey.id_lines(1, ""), None);
    assert_eq!(codes(&survey.warnings), ["W_DUPLICATE_ROW"]);
    assert!(!format!("{survey:?}{source:?}").contains("Ann"));
}

#[test]
fn a_file_that_changes_between_the_passes_is_refused() {
    type Change = fn(&Path);
    let changes: [Change; 3] = [
        |path| fs::write(path, "id,x\n1,3\n2,2\n").unwrap(),
        |path| fs::write(path, "id,x\n1,2\n2,2\n3,3\n").unwrap(),
        |path| {
            let other = path.with_extension("new");
            fs::copy(path, &other).unwrap();
            fs::rename(other, path).unwrap();
        },
    ];
    for change in changes {
        let fixture = Fixture::new("id,x\n1,2\n2,2\n");
        let source = Source::open(&fixture.settings(&["id"])).unwrap();
        let survey = source.survey(&[]).unwrap();
        let mut rows = source.rows(&survey).unwrap();
        assert!(rows.read(&mut Row::default()).unwrap());
        change(&fixture.path());
        let Err(SourceError::Broken(problems)) = rows.finish() else {
            panic!("a changed file passed");
        };
        assert_eq!(codes(&problems), ["E_INPUT_CHANGED"]);
        assert!(source.rows(&survey).is_err());
    }
}

#[test]
fn rows_that_were_not_read_are_still_checked() {
    let fixture = Fixture::new(format!("id,x\n{}", "1,2\n".repeat(50_000)));
    let source = Source::open(&fixture.settings(&["id"])).unwrap();
    let survey = source.survey(&[]).unwrap();
    let mut rows = source.rows(&survey).unwrap();
    rows.read(&mut Row::default()).unwrap();
    rows.finish().unwrap();
}

/// Bodies below a header of two columns: well-formed rows, and anything.
fn body() -> impl Strategy<Value = String> {
    let cell = prop::sample::select(vec![
        "",
        "a",
        " a",
        "é",
        "\"\"",
        "\"a,b\"",
        "\"a\"\"\"",
        "\"\n\"",
        "\"\r\n\"",
        "\"\r\"",
        "\" \"",
    ]);
    let end = prop::sample::select(vec!["\n", "\r\n", "\r", "\n\n", "\n \n"]);
    let row = (cell.clone(), cell, end).prop_map(|(a, b, end)| format!("{a},{b}{end}"));
    let rows = prop::collection::vec(row, 0..8).prop_map(|rows| rows.concat());
    let byte = prop::sample::select(vec!['a', '"', ',', '\r', '\n', ' ', 'é']);
    let noise = prop::collection::vec(byte.clone(), 0..12).prop_map(String::from_iter);
    let damaged =
        (rows.clone(), byte, any::<prop::sample::Index>()).prop_map(|(mut rows, c, at)| {
            let places: Vec<usize> = rows
                .char_indices()
                .map(|(at, _)| at)
                .chain([rows.len()])
                .collect();
            rows.insert(*at.get(&places), c);
            rows
        });
    prop_oneof![3 => rows, 2 => damaged, 1 => noise]
}

/// The line on which each record begins, by a walk over the characters.
fn naive_lines(text: &str) -> Vec<u64> {
    let (mut lines, mut line, mut quoted) = (Vec::new(), 1, false);
    let mut record = String::new();
    let unified = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut start = 1;
    for c in unified.chars().chain(['\n']) {
        quoted ^= c == '"';
        if c == '\n' && !quoted {
            // A line of spaces is no record; quotes and commas make it one.
            if !record.trim_matches(' ').is_empty() {
                lines.push(start);
            }
            record.clear();
            start = line + 1;
        } else {
            record.push(c);
        }
        line += u64::from(c == '\n');
    }
    lines.remove(0);
    lines
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_accepted_file_has_the_cells_of_the_csv_crate_and_the_lines_of_a_walk(body in body()) {
        let text = format!("id,x\n{body}");
        if let Ok(table) = read(&Fixture::new(&text).settings(&["id"])) {
            let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
            let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
            let expected: Vec<Vec<&str>> = records
                .iter()
                .map(|record| record.iter().collect::<Vec<&str>>())
                // Lines of spaces, which are skipped with a warning.
                .filter(|cells| cells.len() > 1)
                .collect();
            prop_assert_eq!(cells(&table), expected);
            prop_assert_eq!(lines(&table), naive_lines(&text));
        }
    }

    #[test]
    fn duplicates_are_those_of_a_naive_search(
        rows in prop::collection::vec(("[ab ]{0,2}", "[xy]?", "[mn]"), 0..12),
        trim in any::<bool>(),
    ) {
        let body: Vec<String> = rows.iter().map(|(id, remote, x)| format!("{id},{remote},{x}\n")).collect();
        let fixture = Fixture::new(format!("id,remote,x\n{}", body.concat()));
        let mut settings = fixture.settings(&["id"]);
        settings.trim = trim;
        let table = read(&settings).unwrap();
        let source = Source::open(&settings).unwrap();
        let survey = source.survey(&[1]).unwrap();
        let key = |cells: &[String]| {
            let mut row = Row::default();
            row.start(1);
            row.push(&cells[0]);
            key_of(&row, &[0], trim).ok()
        };
        let mut by_id: BTreeMap<&str, Vec<(u64, Option<_>)>> = BTreeMap::new();
        for (line, cells) in &table.rows {
            let own = key(cells);
            let same: Vec<_> = table.rows.iter().filter(|(_, other)| own.is_some() && key(other) == own).collect();
            let contents: BTreeSet<_> = same.iter().map(|(_, cells)| cells).collect();
            let conflict = contents.len() > 1;
            let repeat = contents.len() == 1 && same[0].0 < *line;
            prop_assert_eq!(survey.is_repeat(*line), repeat);
            if let Some(own) = &own {
                let expected: Vec<u64> = same.iter().map(|(line, _)| *line).collect();
                prop_assert_eq!(survey.key_lines(own), conflict.then_some(expected.as_slice()));
            }
            if !repeat {
                by_id.entry(&cells[1]).or_default().push((*line, own));
            }
        }
        for (id, rows) in by_id {
            let keys: BTreeSet<_> = rows.iter().map(|(_, key)| key).collect();
            let expected: Vec<u64> = rows.iter().map(|(line, _)| *line).collect();
            let shared = keys.len() > 1 && !id.is_empty();
            prop_assert_eq!(survey.id_lines(1, id), shared.then_some(expected.as_slice()));
        }
    }
}
