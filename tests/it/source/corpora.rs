//! Public corpora of CSV files with their expected results.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Table, cells, codes, read, settings};

/// The folder of a corpus, or a line on stderr.
fn corpus(name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/csv-suites");
    let folder = root.join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    say(&format!("skipped: {name} is not beside the project"));
    None
}

#[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
fn say(line: &str) {
    eprintln!("{line}");
}

fn files(folder: &Path) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<(String, PathBuf)> = entries
        .filter(|path| path.extension().is_some_and(|e| e == "csv"))
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), path))
        .collect();
    files.sort();
    files
}

fn json(folder: &Path, name: &str) -> Value {
    let text = fs::read_to_string(folder.join("json").join(name).with_extension("json"));
    serde_json::from_str(&text.unwrap()).unwrap()
}

/// The table as the corpora write it: an array of objects.
fn objects(table: &Table) -> Value {
    let object = |cells: &Vec<&str>| -> Value {
        let pairs = table.header.iter().zip(cells);
        pairs
            .map(|(name, cell)| (name.clone(), Value::from(*cell)))
            .collect()
    };
    cells(table).iter().map(object).collect()
}

/// The table as an array of arrays, the header first.
fn arrays(table: &Table) -> Value {
    let header: Vec<&str> = table.header.iter().map(String::as_str).collect();
    [header].into_iter().chain(cells(table)).collect()
}

/// The first name of a header, found without the reader under test.
fn first_name(path: &Path, delimiter: char) -> String {
    let text = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
    let text = text.trim_start_matches('\u{feff}');
    let header = text
        .lines()
        .find(|line| !line.trim().is_empty() && !line.starts_with("sep="));
    let names = header.unwrap_or_default().split(delimiter);
    let name = names
        .map(|name| name.trim_matches('"'))
        .find(|name| !name.is_empty());
    name.unwrap_or_default().to_owned()
}

#[test]
fn csv_spectrum_is_read_as_its_json_says() {
    let Some(folder) = corpus("csv-spectrum") else {
        return;
    };
    let mut equal = 0;
    for (name, path) in files(&folder.join("csvs")) {
        let table = read(&settings(&path, &[&first_name(&path, ',')]));
        // Its json does not belong to its csv (another shape, another number),
        // and its cell has quotes inside without being quoted.
        if name == "location_coordinates" {
            assert_eq!(codes(&table.unwrap_err()), ["E_BAD_QUOTE"]);
            continue;
        }
        assert_eq!(objects(&table.unwrap()), json(&folder, &name), "{name}");
        equal += 1;
    }
    assert_eq!(equal, 11);
}

#[test]
fn csv_test_data_is_read_or_refused_as_its_names_say() {
    let Some(folder) = corpus("csv-test-data") else {
        return;
    };
    let (mut equal, mut refused) = (0, 0);
    for (name, path) in files(&folder.join("csv")) {
        if name.starts_with("bad-") {
            let expected = settings(&path, &["foo", "bar", "baz"]);
            assert!(read(&expected).is_err(), "{name}");
            refused += 1;
            continue;
        }
        let table = read(&settings(&path, &[&first_name(&path, ',')]));
        match name.as_str() {
            // Only blank lines, which are no records here.
            "all-empty" => assert_eq!(codes(&table.unwrap_err()), ["E_NO_HEADER"]),
            // Its only record is a blank line.
            "empty-one-column" => assert_eq!(table.unwrap().survey.rows, 0),
            _ => {
                let table = table.unwrap();
                let expected = json(&folder, &name);
                let arrays = arrays(&table);
                assert!(expected == arrays || expected == objects(&table), "{name}");
                equal += 1;
            }
        }
    }
    assert_eq!((equal, refused), (16, 7));
}

/// One line of the table in `EXPECTED.md`.
fn expectation(line: &str) -> Option<(String, String, String)> {
    // A pipe inside code is a delimiter that is spoken of, not one of the table.
    let line = line.replace("`|`", "`PIPE`");
    let mut columns = line.split('|').map(|column| column.trim().replace('`', ""));
    let name = columns.nth(1)?.strip_suffix(".csv")?.to_owned();
    Some((name, columns.nth(1)?, columns.next()?))
}

fn delimiter(word: &str) -> u8 {
    match word {
        "PIPE" => b'|',
        "\\t" => b'\t',
        "n/a" => b',',
        _ => match word.strip_prefix("0x") {
            Some(hex) => u8::from_str_radix(hex, 16).unwrap(),
            None => word.as_bytes()[0],
        },
    }
}

#[test]
fn the_rvl_corpus_is_read_or_refused_as_expected() {
    // Accepted there, refused here on purpose.
    let stricter = BTreeMap::from([
        // A quote inside a cell is doubled; there is no escape character.
        ("backslash_escape", "E_BAD_QUOTE"),
        // Values under no name.
        ("empty_header_names", "E_EMPTY_HEADER"),
        ("empty_headers", "E_EMPTY_HEADER"),
        // Rows of another width, also when the extra cells are empty.
        ("extra_fields_empty", "E_RAGGED"),
        ("extra_trailing_empty_fields", "E_RAGGED"),
        ("ragged_rows_long_empty", "E_RAGGED"),
        ("ragged_rows_short", "E_RAGGED"),
        ("wide_row_extra_empty", "E_RAGGED"),
    ]);
    // That tool guesses the delimiter and refuses to guess here; with a
    // declared delimiter the key column decides.
    let by_key = ["ambiguous_delimiter", "single_column"];
    let Some(folder) = corpus("rvl-corpus") else {
        return;
    };
    let expected = fs::read_to_string(folder.join("EXPECTED.md")).unwrap();
    let (mut accepted, mut refused) = (0, 0);
    for (name, verdict, word) in expected.lines().filter_map(expectation) {
        let path = folder.join(&name).with_extension("csv");
        let delimiter = delimiter(&word);
        let own_key = first_name(&path, char::from(delimiter));
        let key = if by_key.contains(&name.as_str()) {
            "id"
        } else {
            &own_key
        };
        let mut settings = settings(&path, &[key]);
        settings.delimiter = delimiter;
        let table = read(&settings);
        match (verdict.as_str(), stricter.get(name.as_str())) {
            ("parse_ok", None) => {
                assert!(table.is_ok(), "{name}: {table:?}");
                accepted += 1;
            }
            ("parse_ok", Some(code)) => assert_eq!(table.unwrap_err()[0].code, *code, "{name}"),
            _ => {
                assert!(table.is_err(), "{name}");
                refused += 1;
            }
        }
    }
    assert_eq!((accepted, refused), (63, 18));
}

#[test]
fn files_of_other_readers_are_read_as_meant_or_refused() {
    let Some(rust_csv) = corpus("rust-csv") else {
        return;
    };
    let Some(papaparse) = corpus("papaparse") else {
        return;
    };
    let code = |path: PathBuf, key: &str, delimiter: u8| {
        let mut settings = settings(&path, &[key]);
        settings.delimiter = delimiter;
        read(&settings)
            .map(|table| table.survey.rows)
            .map_err(|p| p[0].code.to_string())
    };
    let refused = |code: &str| Err(code.to_owned());
    assert_eq!(
        code(rust_csv.join("uspop-latin1.csv"), "City", b','),
        refused("E_ENCODING")
    );
    assert_eq!(
        code(rust_csv.join("smallpop-colon.csv"), "city", b':'),
        Ok(10)
    );
    assert_eq!(
        code(rust_csv.join("smallpop-no-headers.csv"), "city", b','),
        refused("E_MISSING_COLUMN")
    );
    assert_eq!(
        code(rust_csv.join("strange.csv"), "name", b';'),
        refused("E_BAD_QUOTE")
    );
    assert_eq!(
        code(papaparse.join("malformed.tsv"), "site", b'\t'),
        refused("E_RAGGED")
    );
    for name in ["smallpop", "uspop", "uspop-null"] {
        let path = rust_csv.join(name).with_extension("csv");
        assert!(
            read(&settings(&path, &[&first_name(&path, ',')])).is_ok(),
            "{name}"
        );
    }
    for (name, path) in files(&papaparse) {
        let table = read(&settings(&path, &[&first_name(&path, ',')]));
        assert!(table.is_ok(), "{name}: {table:?}");
    }
}

#[test]
fn naughty_strings_come_through_unchanged() {
    let Some(folder) = corpus("naughty-strings") else {
        return;
    };
    let text = fs::read_to_string(folder.join("blns.json")).unwrap();
    let strings: Vec<String> = serde_json::from_str(&text).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut writer = csv::Writer::from_writer(file.as_file());
    writer.write_record(["id", "value"]).unwrap();
    for (number, value) in strings.iter().enumerate() {
        writer.write_record([&number.to_string(), value]).unwrap();
    }
    writer.flush().unwrap();
    let table = read(&settings(file.path(), &["id"])).unwrap();
    let values: Vec<&str> = cells(&table).iter().map(|cells| cells[1]).collect();
    assert_eq!(values, strings);
}
