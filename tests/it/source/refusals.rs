//! Every refusal of the catalogue of bad files, with its place.

use std::fs;

use clientsync::core::Problem;

use super::{Fixture, codes, read, settings, table};

fn refused(bytes: impl AsRef<[u8]>) -> Vec<Problem> {
    read(&Fixture::new(bytes).settings(&["id"])).unwrap_err()
}

#[test]
fn each_kind_of_damage_has_its_code_and_line() {
    let wide = ",".repeat(1000);
    let swallowed = format!("id,x\n1,\"a\n{}", "2,b\n".repeat(150));
    let cases: Vec<(&[u8], &str, Option<u64>)> = vec![
        (b"", "E_EMPTY_FILE", None),
        (b"\n \n\r\n", "E_NO_HEADER", None),
        (b"\xEF\xBB\xBF", "E_NO_HEADER", None),
        (b"\xFF\xFE", "E_NO_HEADER", None),
        (b"\x1a", "E_NO_HEADER", None),
        (b"sep=,\n", "E_NO_HEADER", None),
        (b"name,x\n1,2\n", "E_MISSING_COLUMN", Some(1)),
        (b"Report\nid,x\n1,2\n", "E_MISSING_COLUMN", Some(1)),
        (b"id,x, X \n1,2,3\n", "E_DUPLICATE_HEADER", Some(1)),
        (b"id,,x\n1,,3\n2,2,3\n", "E_EMPTY_HEADER", Some(3)),
        (b"id,x\n1,2\n3\n4,5\n", "E_RAGGED", Some(3)),
        (b"id,x\n1,2,\n", "E_RAGGED", Some(2)),
        (b"id,x\n# note\n1,2\n", "E_RAGGED", Some(2)),
        (b"id,x\n1,\"2\n3,4\n", "E_UNTERMINATED_QUOTE", Some(2)),
        (b"\"id,x\n1,2\n", "E_UNTERMINATED_QUOTE", Some(1)),
        (swallowed.as_bytes(), "E_SUSPECT_QUOTE", Some(2)),
        (b"id,x\n1,\"Ann\"x\n", "E_BAD_QUOTE", Some(2)),
        (b"id,x\n1,An\"n\n", "E_BAD_QUOTE", Some(2)),
        (b"id,x\n1,\"An\\\"n\"\n", "E_BAD_QUOTE", Some(2)),
        (b"id,x\n1, \"Ann, B\"\n", "E_BAD_QUOTE", Some(2)),
        (b"id,x\n1,\0\n", "E_NUL", Some(2)),
        (b"id\0,x\n1,2\n", "E_NUL", Some(1)),
        (b"id,x\n1,2\n3,Jos\xE9\n", "E_ENCODING", Some(3)),
        (b"id,x\xE9\n1,2\n", "E_ENCODING", Some(1)),
        (b"i\0d\0,\0x\0\n\0", "E_ENCODING", None),
        (b"i\0\0\0d\0\0\0", "E_ENCODING", None),
        (b"\xFF\xFEi\0d\0\n\x001", "E_ENCODING", Some(2)),
        (b"id;x\n1;2\n", "E_DELIMITER", Some(1)),
        (b"id\tx\n1\t2\n", "E_DELIMITER", Some(1)),
        (b"sep=;\nid,x\n1,2\n", "E_SEP", Some(1)),
        (b"id,x\n1,2\nid,x\n3,4\n", "E_REPEATED_HEADER", Some(3)),
        (
            b"id,x\n1,2\n\xEF\xBB\xBFid,x\n3,4\n",
            "E_REPEATED_HEADER",
            Some(3),
        ),
        (
            b"id,x\n1,2\n\na,b,c\n1,2,3\n",
            "E_BLANK_LINE_INSIDE",
            Some(4),
        ),
        (b"id,x\n1,2\n\x1a\x1a", "E_RAGGED", Some(3)),
        (b"PK\x03\x04", "E_NOT_CSV", None),
        (b"<html><body>502</body>", "E_NOT_CSV", None),
        (b"[{\"id\":1}]", "E_NOT_CSV", None),
        (wide.as_bytes(), "E_TOO_LARGE", Some(1)),
    ];
    for (bytes, code, line) in cases {
        let problems = refused(bytes);
        assert_eq!(
            codes(&problems),
            [code],
            "{:?}",
            bytes.escape_ascii().to_string()
        );
        assert_eq!(problems[0].line, line, "{code}");
    }
}

#[test]
fn all_problems_come_in_one_pass_in_order_and_none_shows_a_value() {
    let problems = refused("id,x\nsecret\n1,\"secret\"secret\nid,x\n2,secret\"\n\"3,secret\n");
    assert_eq!(
        codes(&problems),
        [
            "E_RAGGED",
            "E_BAD_QUOTE",
            "E_REPEATED_HEADER",
            "E_BAD_QUOTE",
            "E_UNTERMINATED_QUOTE"
        ]
    );
    assert!(problems.is_sorted_by_key(|problem| problem.line));
    assert!(!format!("{problems:?}").contains("secret"));
    assert_eq!(problems[1].column.as_deref(), Some("x"));
}

#[test]
fn a_file_in_another_encoding_is_refused_with_the_byte_and_the_setting() {
    let problems = refused(b"id,name\n1,Jos\xE9\n2,\xFCnal\n");
    assert_eq!(codes(&problems), ["E_ENCODING", "E_ENCODING"]);
    assert_eq!(problems[0].column.as_deref(), Some("name"));
    assert!(problems[0].message.contains("byte 0xE9 at offset 13 "));
    assert!(
        problems[0]
            .message
            .contains("`encoding = \"windows-1252\"`")
    );
    let many = refused([b"id,x\n".as_slice(), &b"1,\xE9\n".repeat(300)].concat());
    assert_eq!((many.len(), many[100].code.as_ref()), (101, "E_MORE"));
    assert!(many[100].message.starts_with("200 more"));
}

#[test]
fn a_cut_file_is_refused_when_it_must_end_with_a_newline() {
    for newline in ["", "\n", "\r", "\r\n", "\n\x1a"] {
        let fixture = Fixture::new(format!("id,x\n1,2{newline}"));
        let mut settings = fixture.settings(&["id"]);
        settings.require_final_newline = true;
        match read(&settings) {
            Ok(_) => assert!(!newline.is_empty()),
            Err(problems) => assert_eq!(codes(&problems), ["E_NO_FINAL_NEWLINE"]),
        }
    }
    let cut = refused("id,x,y\n1,2,3\n4,5");
    assert!(cut[0].message.contains("file truncated?"));
}

#[test]
fn an_unread_fault_far_below_does_not_blame_the_header() {
    // The fault lies in the same piece as the header, and stops the scanner.
    let text = format!("id,x\n1,\"{}", "\n".repeat(200));
    assert_eq!(codes(&refused(text)), ["E_SUSPECT_QUOTE"]);
}

#[test]
fn huge_cells_are_refused_at_the_cap() {
    let cell = "x".repeat(8 << 20);
    assert_eq!(
        codes(&refused(format!("id,x\n1,{cell}\n"))),
        ["E_TOO_LARGE"]
    );
    assert_eq!(
        codes(&refused(format!("id,x\n1,\"{cell}\"\n"))),
        ["E_SUSPECT_QUOTE"]
    );
    assert_eq!(codes(&refused(&cell)), ["E_TOO_LARGE"]);
}

#[test]
fn inputs_that_are_no_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("no\u{1b}file.csv");
    let looped = folder.path().join("loop.csv");
    std::os::unix::fs::symlink(&looped, &looped).unwrap();
    for path in [folder.path(), &missing, &looped, "/dev/zero".as_ref()] {
        let problems = read(&settings(path, &["id"])).unwrap_err();
        assert_eq!(codes(&problems), ["E_INPUT"]);
        assert!(!problems[0].message.contains('\u{1b}'), "paths are escaped");
    }
    let link = folder.path().join("link.csv");
    fs::write(folder.path().join("real.csv"), "id\n1\n").unwrap();
    std::os::unix::fs::symlink(folder.path().join("real.csv"), &link).unwrap();
    assert!(read(&settings(&link, &["id"])).is_ok());
}

#[test]
fn a_delimiter_that_no_reader_could_use_is_refused() {
    let fixture = Fixture::new("id\n1\n");
    for delimiter in [b'"', b'\n', b'\r', 0, 0xE9] {
        let mut settings = fixture.settings(&["id"]);
        settings.delimiter = delimiter;
        assert_eq!(codes(&read(&settings).unwrap_err()), ["E_DELIMITER"]);
    }
}

#[test]
fn composite_keys_need_all_their_columns() {
    let fixture = Fixture::new("region,no\neu,1\n");
    assert!(read(&fixture.settings(&["region", "no"])).is_ok());
    let problems = read(&fixture.settings(&["region", "nr", "id"])).unwrap_err();
    let columns: Vec<_> = problems
        .iter()
        .filter_map(|p| p.column.as_deref())
        .collect();
    assert_eq!(columns, ["nr", "id"]);
}

#[test]
fn legal_oddities_are_no_refusals() {
    for text in [
        "id,x\n1,\"\"\n",
        "id,x\n1,\"a\"\"b\"\n",
        "id,x\n1,C:\\temp\n",
        "id,x\n1,\"C:\\temp\\\"\n",
        "id,x\n,\n",
        "id,sep=;\n1,2\n",
        "id\n1\n\n2\n",
    ] {
        table(text);
    }
}
