//! Command lines, configurations and secrets that cannot be used: refused before
//! anything is sent, with their place and without their values.

use super::refused::settled;
use crate::support::workdir::{ROWS, TOKEN_VARIABLE};

#[test]
fn a_command_line_that_means_nothing_is_refused_with_64() {
    let settled = settled();
    for arguments in [
        &["sync", "--limt", "2"][..],
        &["sync", "--limit", "0"],
        &["sync", "--limit", "-1"],
        &["sync", "--only", ""],
        &["sync", "--fields", "emial"],
        &["sync", "--fields", ""],
        &["sync", "--provider", "complycub"],
        &["sync", "--tps-limit", "0"],
        &["sync", "--tps-limit", "NaN"],
        &["sync", "--concurrency", "0"],
        &["sync", "--fresh"],
        &["sync", "--report", "report.xlsx"],
        &["sync", "--format", "yaml"],
        &["sync", "-v", "-q"],
        &["sync", "--dry-run", "--dry-run"],
        &["sync", "clients.csv"],
        &["adopt"],
        &["adopt", "--from", "file"],
        &["drift", "--limit", "1"],
        &["synk"],
        &[],
        &["runs", "show"],
        &["runs", "show", "20200101T000000Z-00000000"],
        &["providers", "show", "complycub"],
    ] {
        settled.refuses(64, arguments);
    }
    settled
        .refuses(64, &["sync", "--provider", "complycub"])
        .says(&["did you mean `complycube`"]);
    settled
        .refuses(64, &["sync", "--fields", "emial"])
        .says(&["did you mean `email`"]);
}

#[test]
fn every_problem_of_the_configuration_is_named_at_once_with_78() {
    let settled = settled();
    settled.workdir.edit(
        "clientsync.toml",
        "key = \"no\"",
        "key = \"no\"\ndelimter = \";\"\ntrim = \"yes\"",
    );
    settled
        .workdir
        .edit("clientsync.toml", "email = \"email\"", "emial = \"email\"");
    settled
        .workdir
        .edit("clientsync.toml", "calls = 1000", "calls = 0");
    for command in ["plan", "sync", "check", "runs"] {
        settled.refuses(78, &[command]).says(&[
            "clientsync.toml:5:1",
            "delimter",
            "did you mean `delimiter`",
            "clientsync.toml:6:",
            "emial",
            "did you mean `email`",
            "calls",
            "exit 78 config",
        ]);
    }
}

#[test]
fn a_configuration_that_is_missing_or_broken_or_unsafe_ends_with_78() {
    let settled = settled();
    let good = settled.workdir.read("clientsync.toml");
    settled
        .refuses(78, &["plan", "-c", "nowhere.toml"])
        .says(&["nowhere.toml"]);
    let secret = "hunter2-canary";
    for (from, to) in [
        ("version = 1", "version = 2"),
        ("version = 1", "version = "),
        ("http://127.0.0.1", "http://127.0.0.1.example.com"),
        ("http://127.0.0.1", "http://user:hunter2-canary@127.0.0.1"),
        ("http://127.0.0.1", "ftp://127.0.0.1"),
        ("token_env = \"E2E_TOKEN\"", "token = \"hunter2-canary\""),
        ("[state]", "[guards]\nmax_updates = 5\n[state]"),
        ("[providers.complycube]", "[providers.nobody]"),
    ] {
        assert!(good.contains(from), "{from}");
        settled
            .workdir
            .write("clientsync.toml", good.replace(from, to));
        for command in ["plan", "sync"] {
            let ran = settled.refuses(78, &[command]);
            ran.says(&["clientsync.toml:", "exit 78 config"]);
            assert!(!ran.said().contains(secret), "{ran:#?}");
        }
    }
    settled
        .workdir
        .write("clientsync.toml", b"version = 1\n# \xFF\n");
    settled.refuses(78, &["plan"]);
    settled.workdir.write("clientsync.toml", "");
    settled.refuses(78, &["plan"]);
}

#[test]
fn a_missing_secret_is_named_with_78_and_only_who_sends_needs_it() {
    for token in [None, Some("")] {
        let mut settled = settled();
        settled.workdir = settled.workdir.token(token);
        settled.workdir.edit("clients.csv", "ann@", "anna@");
        settled
            .refuses(78, &["sync"])
            .says(&[TOKEN_VARIABLE, "complycube", "exit 78 config"]);
        settled.refuses(0, &["plan"]);
        settled.refuses(0, &["check"]);
        // With nothing to send nothing is needed.
        settled.workdir.write("clients.csv", ROWS);
        settled.workdir.expect(0, &["sync"]);
    }
}

#[test]
fn a_token_that_cannot_be_sent_is_refused_with_78_unseen() {
    let mut settled = settled();
    settled.workdir.edit("clients.csv", "ann@", "anna@");
    for token in ["canary\nline", "canary\u{e9}", "canary\u{1}"] {
        settled.workdir = settled.workdir.token(Some(token));
        let ran = settled.refuses(78, &["sync"]);
        ran.says(&[TOKEN_VARIABLE]);
        assert!(!ran.said().contains("canary"), "{ran:#?}");
    }
}

#[test]
fn a_secret_file_that_others_can_read_is_refused_with_77() {
    let settled = settled();
    settled.workdir.edit("clients.csv", "ann@", "anna@");
    settled.workdir.edit(
        "clientsync.toml",
        "token_env = \"E2E_TOKEN\"",
        "token_file = \"token\"",
    );
    settled.workdir.write("token", "file-canary-1\n");
    settled.workdir.set_mode("token", 0o644);
    let ran = settled.refuses(77, &["sync"]);
    ran.says(&["chmod 600", "0644", "exit 77 auth"]);
    assert!(!ran.said().contains("file-canary-1"), "{ran:#?}");
    settled.workdir.set_mode("token", 0o600);
    settled.workdir.expect(0, &["sync"]);
    let hit = settled.remote.hits().pop().unwrap();
    assert_eq!(hit.header("authorization"), Some("file-canary-1"));
}
