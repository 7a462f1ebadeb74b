//! What is refused before anything is sent: the server is never asked, and what
//! the state knows stays to the byte.

use std::fs::File;

use sha2::{Digest, Sha256};

use crate::support::server::Answer;
use crate::support::workdir::{FIELDS, ROWS, Ran, Remote, Workdir, counts};

/// A directory after a good run of the three rows, and the server's hits.
pub(super) struct Settled {
    pub(super) remote: Remote,
    pub(super) workdir: Workdir,
}

pub(super) fn settled() -> Settled {
    let remote = Remote::accepting();
    let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
    workdir.expect(0, &["sync"]);
    assert_eq!(remote.count(), 3);
    Settled { remote, workdir }
}

impl Settled {
    fn state(&self) -> Vec<u8> {
        Sha256::digest(std::fs::read(self.workdir.path("state.db")).unwrap()).to_vec()
    }

    /// Runs a command that must be refused with this code.
    pub(super) fn refuses(&self, code: i32, arguments: &[&str]) -> Ran {
        let before = self.state();
        let ran = self.workdir.expect(code, arguments);
        assert_eq!(self.remote.count(), 3, "{arguments:?} sent something");
        assert!(self.state() == before, "{arguments:?} changed the state");
        ran
    }
}

#[test]
fn a_guard_refuses_the_whole_plan_with_4_and_says_what_to_do() {
    let settled = settled();
    settled
        .workdir
        .write("clients.csv", "no,cc_id,email,joined,first\n");
    let shown = settled.refuses(4, &["plan"]);
    assert!(shown.stdout.contains("min_rows"), "{shown:#?}");
    assert!(shown.stdout.contains("exit 4 guard"), "{shown:#?}");
    let ran = settled.workdir.expect(4, &["sync"]);
    assert!(ran.said().contains("min_rows"), "{ran:#?}");
    assert_eq!(settled.remote.count(), 3);
    // What was known is known still: the whole file again changes nothing.
    settled.workdir.write("clients.csv", ROWS);
    settled.workdir.expect(0, &["plan", "--expect-no-changes"]);
}

#[test]
fn a_shrunken_file_is_refused_with_4_until_the_guard_is_raised() {
    let remote = Remote::accepting();
    let rows = |n: u32| -> String {
        let row = |i| format!("{i},id{i},c{i}@example.com,2020-01-01,Ann\n");
        "no,cc_id,email,joined,first\n".to_owned() + &(1..=n).map(row).collect::<String>()
    };
    let workdir = Workdir::with(&remote.url(), FIELDS, &rows(12));
    workdir.expect(0, &["sync"]);
    workdir.write("clients.csv", rows(9).replace("c1@", "new@"));
    let report = workdir.report(4, &["sync"]);
    let verdict = report["guards"]
        .as_array()
        .unwrap()
        .iter()
        .find(|v| v["guard"] == "max_row_drop");
    let verdict = verdict.unwrap();
    assert_eq!(verdict["ruling"], "refused");
    let message = verdict["message"].as_str().unwrap();
    assert!(
        message.contains("9 rows now") && message.contains("12 in the last good run"),
        "{message}"
    );
    assert_eq!(counts(&report)["planned"], 1);
    assert_eq!(remote.count(), 12);
    // A refused run is not the last good one: the same file is refused again.
    workdir.expect(4, &["sync"]);
    workdir.expect(4, &["plan"]);
    // A part is no shrunken whole.
    workdir.expect(0, &["plan", "--partial"]);
    workdir.edit(
        "clientsync.toml",
        "[state]",
        "[guards]\nmax_row_drop = 3\n[state]",
    );
    workdir.expect(0, &["sync"]);
    assert_eq!(remote.count(), 13);
}

#[test]
fn a_state_of_another_address_is_refused_with_5() {
    let settled = settled();
    let other = Remote::accepting();
    settled
        .workdir
        .edit("clientsync.toml", &settled.remote.url(), &other.url());
    settled.workdir.edit("clients.csv", "ann@", "anna@");
    for command in ["plan", "sync"] {
        settled
            .refuses(5, &[command])
            .says(&["complycube", "bound to", "exit 5 stale"]);
    }
    settled.refuses(5, &["adopt", "--from", "source"]);
    assert_eq!(other.count(), 0);
}

#[test]
fn a_second_run_beside_the_first_is_refused_with_7() {
    let settled = settled();
    settled.workdir.edit("clients.csv", "ann@", "anna@");
    let lock = File::options()
        .write(true)
        .open(settled.workdir.path("state.db.lock"))
        .unwrap();
    lock.try_lock().unwrap();
    settled
        .refuses(7, &["sync"])
        .says(&["another run holds the state", "exit 7 locked"]);
    settled.refuses(7, &["adopt", "--from", "source"]);
    // Looking on is allowed.
    settled.refuses(0, &["plan"]);
    settled.refuses(0, &["runs"]);
    drop(lock);
    settled.workdir.expect(0, &["sync"]);
    assert_eq!(settled.remote.count(), 4);
}

#[test]
fn a_file_that_cannot_be_used_is_refused_with_65_and_the_place_is_named() {
    let settled = settled();
    let head = "no,cc_id,email,joined,first\n";
    let many = format!("{head}1,aa,\"ann@example.com,2020-01-01,Ann\n");
    let utf16: Vec<u8> = ROWS.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let latin = [head.as_bytes(), b"1,aa,ann@example.com,2020-01-01,Zo\xEB\n"].concat();
    let cases: Vec<(&[u8], &[&str])> = vec![
        (b"", &["E_EMPTY_FILE"]),
        (b"\n\n", &["E_NO_HEADER"]),
        (b"\xEF\xBB\xBF", &["E_NO_HEADER"]),
        (b"1,aa,ann@example.com,2020-01-01,Ann\n2,bb,bob@example.com,2020-01-02,Bob\n", &["E_MISSING_COLUMN", "`no`"]),
        (b"no,cc_id,Email,joined,first\n1,aa,a@b.example,2020-01-01,Ann\n", &["E_MISSING_COLUMN", "column `email`", "did you mean `Email`"]),
        (b"no,cc_id,email ,joined,first\n1,aa,a@b.example,2020-01-01,Ann\n", &["E_MISSING_COLUMN", "column `email`", "did you mean `email `"]),
        (b"no,cc_id,email,joined,first,email\n1,aa,a@b.example,2020-01-01,Ann,x\n", &["E_DUPLICATE_HEADER"]),
        (b"no,cc_id,email,joined,first,EMAIL \n1,aa,a@b.example,2020-01-01,Ann,x\n", &["E_DUPLICATE_HEADER"]),
        (b"no,cc_id,email,joined,first\n1,aa,a@b.example\n", &["E_RAGGED", "line 2"]),
        (b"no,cc_id,email,joined,first\n1,aa,a@b.example,2020-01-01,Ann,\n", &["E_RAGGED", "line 2"]),
        (many.as_bytes(), &["E_UNTERMINATED_QUOTE", "line 2"]),
        (b"no,cc_id,email,joined,first\n1,aa,\"a@b.example\"x,2020-01-01,Ann\n", &["E_BAD_QUOTE", "line 2", "column `email`"]),
        (b"no,cc_id,email,joined,first\n1,aa,a@b.example,2020-01-01,A\0nn\n", &["E_NUL", "line 2"]),
        (&latin, &["E_ENCODING", "line 2", "column `first`", "windows-1252"]),
        (&utf16, &["E_ENCODING", "utf-16le"]),
        (b"no;cc_id;email;joined;first\n1;aa;a@b.example;2020-01-01;Ann\n", &["E_DELIMITER", "';' would give 5"]),
        (b"no,cc_id,email,joined,first\n1,aa,a@b.example,2020-01-01,Ann\nno,cc_id,email,joined,first\n", &["E_REPEATED_HEADER", "line 3"]),
        (b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>\n", &["E_NOT_CSV", "HTML"]),
        (b"PK\x03\x04somewhere", &["E_NOT_CSV", "Excel"]),
        (b"\x1F\x8B\x08\0", &["E_NOT_CSV", "gzip"]),
    ];
    for (bytes, parts) in cases {
        settled.workdir.write("clients.csv", bytes);
        for command in ["plan", "sync", "check"] {
            let ran = settled.refuses(65, &[command]);
            ran.says(parts).says(&["exit 65 data"]);
            assert!(
                !ran.said().contains("example"),
                "a value was quoted: {ran:#?}"
            );
        }
    }
    std::fs::remove_file(settled.workdir.path("clients.csv")).unwrap();
    settled.refuses(65, &["sync"]).says(&["clients.csv"]);
    std::fs::create_dir(settled.workdir.path("clients.csv")).unwrap();
    settled.refuses(65, &["sync"]).says(&["is a directory"]);
}

#[test]
fn a_final_line_break_can_be_required() {
    let settled = settled();
    settled.workdir.write("clients.csv", ROWS.trim_end());
    settled.refuses(0, &["plan"]);
    settled.workdir.edit(
        "clientsync.toml",
        "key = \"no\"",
        "key = \"no\"\nrequire_final_newline = true",
    );
    settled.refuses(65, &["sync"]).says(&["E_NO_FINAL_NEWLINE"]);
}

#[test]
fn a_state_that_is_damaged_is_refused_with_74_and_left_alone() {
    let settled = settled();
    settled.workdir.edit("clients.csv", "ann@", "anna@");
    let good = std::fs::read(settled.workdir.path("state.db")).unwrap();
    let mut flipped = good.clone();
    for byte in &mut flipped[4096..4196] {
        *byte ^= 0x5A;
    }
    let damaged = [
        b"not a database at all, but long enough to look like one".repeat(100),
        good[..good.len() / 2].to_vec(),
        flipped,
        Vec::new(),
    ];
    for (n, bytes) in damaged.iter().enumerate() {
        settled.workdir.write("state.db", bytes);
        for command in ["plan", "sync"] {
            let ran = settled.refuses(74, &[command]);
            assert!(ran.stderr.contains("exit 74 io"), "{n}: {ran:#?}");
        }
    }
}

#[test]
fn a_state_that_others_can_read_is_refused_with_77() {
    let settled = settled();
    settled.workdir.edit("clients.csv", "ann@", "anna@");
    settled.workdir.set_mode("state.db", 0o644);
    settled
        .refuses(77, &["sync"])
        .says(&["chmod 600", "exit 77 auth"]);
}

#[test]
fn a_report_that_cannot_be_written_is_refused_with_74_before_anything_is_sent() {
    let settled = settled();
    settled.workdir.edit("clients.csv", "ann@", "anna@");
    std::fs::create_dir(settled.workdir.path("taken.json")).unwrap();
    settled.workdir.write("file", "x");
    settled
        .refuses(74, &["sync", "--report", "taken.json"])
        .says(&["taken.json", "is a directory", "exit 74 io"]);
    settled
        .refuses(74, &["sync", "--report", "file/report.json"])
        .says(&["file/report.json"]);
    settled.refuses(74, &["sync", "--report", "/proc/nowhere/report.json"]);
    settled
        .refuses(74, &["sync", "--log-file", "file/log.txt"])
        .says(&["log file"]);
    settled.refuses(74, &["plan", "--report", "taken.json"]);
}

#[test]
fn a_server_that_is_never_asked_is_never_asked() {
    let remote = Remote::new(|_| Answer::Reset);
    let workdir = Workdir::with(&remote.url(), FIELDS, ROWS).token(None);
    for arguments in [
        &["plan"][..],
        &["plan", "--format", "json"],
        &["sync", "--dry-run"],
        &["check"],
        &["runs"],
        &["providers"],
        &["providers", "show", "complycube"],
        &["--help"],
        &["--version"],
    ] {
        let before = workdir.fingerprint();
        workdir.expect(0, arguments);
        assert_eq!(
            workdir.fingerprint(),
            before,
            "{arguments:?} left something"
        );
    }
    assert_eq!(remote.count(), 0);
}

#[test]
fn a_cause_is_told_once() {
    let remote = Remote::accepting();
    let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
    let once = |ran: &Ran, cause: &str| {
        assert_eq!(ran.stderr.matches(cause).count(), 1, "{ran:#?}");
    };
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let ran = workdir.expect(74, &["sandbox", "--port", &port]);
    once(&ran, "Address already in use");
    workdir.edit(
        "clientsync.toml",
        "\"state.db\"",
        "\"clients.csv/state.db\"",
    );
    let ran = workdir.expect(74, &["sync"]);
    once(&ran, "File exists");
}
