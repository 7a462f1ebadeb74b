//! What the program says, where, and in which form.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use serde_json::Value;

use crate::support::members;
use crate::support::server::Answer;
use crate::support::shell::behind;
use crate::support::workdir::{FIELDS, ROWS, Ran, Remote, Workdir, assert_adds_up};

fn settled() -> (Remote, Workdir) {
    let remote = Remote::except("bb", Answer::reply(422, r#"{"message":"no"}"#));
    let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
    (remote, workdir)
}

#[test]
fn the_json_report_has_every_documented_member() {
    let (_remote, workdir) = settled();
    workdir.edit("clients.csv", "cyd@example.com", "cyd");
    let report = workdir.report(3, &["sync"]);
    for member in [
        "format",
        "run_id",
        "command",
        "exit",
        "providers",
        "problems",
        "changes",
    ] {
        assert!(members(&report).contains(&member), "{member} in {report:#}");
    }
    assert_eq!(report["format"], 1);
    assert_eq!(report["command"], "sync");
    assert_eq!(
        report["exit"],
        serde_json::json!({"code": 3, "name": "rejects"})
    );
    let lane = &report["providers"]["complycube"];
    for member in [
        "rows",
        "unchanged",
        "planned",
        "updated",
        "rejected",
        "failed",
        "in_doubt",
        "invalid",
        "skipped",
        "requests",
        "retries",
    ] {
        assert!(members(lane).contains(&member), "{member} in {lane:#}");
    }
    let problems = report["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 2, "{problems:#?}");
    for problem in problems {
        for member in [
            "code", "message", "provider", "column", "field", "line", "key",
        ] {
            assert!(
                members(problem).contains(&member),
                "{member} in {problem:#}"
            );
        }
    }
    assert_eq!(report["changes"].as_array().unwrap().len(), 6);
    // A plan has the same form, and no run.
    let plan = workdir.report(3, &["plan"]);
    assert_eq!(
        (&plan["run_id"], &plan["command"]),
        (&Value::Null, &"plan".into())
    );
}

#[test]
fn report_files_hold_what_stdout_shows_and_are_for_nobody_else() {
    let (_remote, workdir) = settled();
    let ran = workdir.expect(
        3,
        &[
            "sync",
            "--format",
            "json",
            "--report",
            "a.json",
            "--report",
            "deep/er/b.txt",
        ],
    );
    assert_eq!(workdir.read("a.json"), ran.stdout);
    let text = workdir.read("deep/er/b.txt");
    assert!(
        text.contains("exit 3 rejects") && text.contains("ann@example.com"),
        "{text}"
    );
    assert!(!text.contains('\u{1b}'));
    assert_eq!(
        (workdir.mode("a.json"), workdir.mode("deep/er/b.txt")),
        (0o600, 0o600)
    );
}

#[test]
fn a_text_report_in_a_file_is_the_one_on_stdout() {
    let (_remote, workdir) = settled();
    let ran = workdir.expect(0, &["plan", "--report", "plan.txt"]);
    assert_eq!(workdir.read("plan.txt"), ran.stdout);
    assert_eq!(ran.stdout.trim_end().lines().last(), Some("exit 0 ok"));
}

#[test]
fn the_last_line_names_the_exit_code() {
    let (_remote, workdir) = settled();
    for (code, name, arguments) in [
        (0, "exit 0 ok", &["plan"][..]),
        (2, "exit 2 changes", &["plan", "--expect-no-changes"]),
        (3, "exit 3 rejects", &["sync"]),
        (0, "exit 0 ok", &["check"]),
    ] {
        let ran = workdir.expect(code, arguments);
        let last = ran.stdout.trim_end().lines().last().unwrap();
        assert!(last.contains(name), "{last:?} of {arguments:?}");
    }
}

#[test]
fn quiet_says_nothing_when_all_is_well_and_one_line_otherwise() {
    let (_remote, workdir) = settled();
    let ran = workdir.expect(0, &["plan", "-q"]);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
    let ran = workdir.expect(3, &["sync", "-q"]);
    assert_eq!(ran.stdout.lines().count(), 1, "{ran:#?}");
    assert!(
        ran.stdout.contains("exit 3 rejects") && ran.stderr.is_empty(),
        "{ran:#?}"
    );
    let ran = workdir.expect(2, &["plan", "-q", "--expect-no-changes"]);
    assert_eq!(ran.stdout.lines().count(), 1, "{ran:#?}");
    let ran = workdir.expect(3, &["sync", "-q", "--report", "r.json"]);
    assert_eq!(ran.stdout.lines().count(), 1, "{ran:#?}");
    let report: Value = serde_json::from_str(&workdir.read("r.json")).unwrap();
    assert_adds_up(&report["providers"]);
}

#[test]
fn colours_are_for_terminals_or_on_demand() {
    let (_remote, workdir) = settled();
    let coloured = |ran: Ran| (ran.stdout.contains('\u{1b}'), ran.stderr.contains('\u{1b}'));
    assert_eq!(coloured(workdir.expect(0, &["plan"])), (false, false));
    let always = workdir.expect(0, &["plan", "--color", "always"]);
    assert!(coloured(always).0);
    assert_eq!(
        coloured(workdir.expect(0, &["plan", "--color", "never"])),
        (false, false)
    );
    let mut no_color = workdir.command(&["plan", "--color", "auto"]);
    assert_eq!(
        coloured(no_color.env("NO_COLOR", "1").output().unwrap().into()),
        (false, false)
    );
    // What was asked for by name wins over the environment.
    let mut asked = workdir.command(&["plan", "--color", "always"]);
    assert!(coloured(asked.env("NO_COLOR", "1").output().unwrap().into()).0);
    // A JSON report is never coloured.
    let json = workdir.expect(0, &["plan", "--color", "always", "--format", "json"]);
    assert!(!json.stdout.contains('\u{1b}'));
}

#[test]
fn a_reader_who_leaves_early_ends_the_printing_and_not_the_run() {
    let rows = |i: u32| {
        format!(
            "{i},id{i},c{i}@example.com,2020-01-01,{}\n",
            "x".repeat(200)
        )
    };
    let rows =
        "no,cc_id,email,joined,first\n".to_owned() + &(1..=400).map(rows).collect::<String>();
    let remote = Remote::accepting();
    let workdir = Workdir::with(&remote.url(), FIELDS, &rows);
    for command in ["plan", "sync"] {
        let mut child = workdir.start(&[command]);
        let mut stdout = BufReader::with_capacity(64, child.stdout.take().unwrap());
        let mut first = String::new();
        stdout.read_line(&mut first).unwrap();
        drop(stdout);
        let mut stderr = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut stderr)
            .unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(0), "{stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
    }
    assert_eq!(remote.count(), 400);
    workdir.expect(0, &["plan", "--expect-no-changes"]);
}

#[test]
fn a_full_device_ends_with_74_and_no_panic_and_the_run_is_done() {
    let (remote, workdir) = settled();
    for (arguments, sent) in [
        (&["plan"][..], 0),
        (&["plan", "--format", "json"], 0),
        (&["sync", "--format", "json"], 3),
        // The rejected row is sent once more, though nobody can read of it.
        (&["sync"], 4),
        (&["runs"], 4),
        (&["providers"], 4),
    ] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = workdir
            .command(arguments)
            .stdout(full)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let ran = Ran::from(output);
        assert_eq!(ran.code, 74, "{arguments:?}: {ran:#?}");
        assert!(!ran.stderr.contains("panicked"), "{ran:#?}");
        ran.says(&["exit 74 io"]);
        assert_eq!(remote.count(), sent, "{arguments:?}");
    }
    // The runs themselves ended.
    for run in workdir.expect(0, &["runs", "--format", "json"]).json()["runs"]
        .as_array()
        .unwrap()
    {
        assert!(run["ended"].is_string(), "{run:#}");
    }
}

#[test]
fn a_closed_stderr_changes_nothing() {
    let (remote, workdir) = settled();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = workdir
        .command(&["sync", "-vv", "--format", "json"])
        .stderr(full)
        .output()
        .unwrap();
    let ran = Ran::from(output);
    assert_eq!((ran.code, remote.count()), (3, 3));
    assert_adds_up(&ran.json()["providers"]);
}

#[test]
fn logs_are_on_stderr_and_each_json_line_is_json() {
    let (_remote, workdir) = settled();
    for format in ["text", "json"] {
        let ran = workdir.expect(
            3,
            &["sync", "-vv", "--log-format", format, "--format", "json"],
        );
        ran.json();
        assert!(!ran.stderr.is_empty());
        if format == "json" {
            for line in ran.stderr.lines() {
                let line: Value =
                    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
                assert!(
                    line["level"].is_string() && line["timestamp"].is_string(),
                    "{line}"
                );
            }
        }
    }
    let shown = workdir.expect(3, &["sync"]);
    assert!(!shown.stdout.contains("INFO"), "{shown:#?}");
}

#[test]
fn a_log_file_is_for_nobody_else_and_grows() {
    let (_remote, workdir) = settled();
    workdir.expect(3, &["sync", "--log-file", "run.log", "-q"]);
    assert_eq!(workdir.mode("run.log"), 0o600);
    let first = workdir.read("run.log");
    assert!(!first.is_empty() && !first.contains('\u{1b}'));
    workdir.expect(
        3,
        &["sync", "--log-file", "run.log", "--log-format", "json"],
    );
    let both = workdir.read("run.log");
    assert!(both.starts_with(&first) && both.len() > first.len());
    for line in both[first.len()..].lines() {
        serde_json::from_str::<Value>(line).unwrap();
    }
}

#[test]
fn everything_that_a_run_leaves_is_for_nobody_else() {
    let (_remote, workdir) = settled();
    workdir.edit(
        "clientsync.toml",
        "path = \"state.db\"",
        "path = \"state/state.db\"",
    );
    // Whatever the environment would leave open.
    let sync = ["sync", "--report", "state/r.json"];
    behind(&workdir, "umask 000 && exec \"$@\"", &sync).ended(3);
    let mut left = Vec::new();
    for path in workdir.fingerprint().keys() {
        if path.starts_with(workdir.path("state")) {
            let name = path
                .strip_prefix(workdir.path(""))
                .unwrap()
                .display()
                .to_string();
            assert_eq!(workdir.mode(&name), 0o600, "{name}");
            left.push(name);
        }
    }
    assert!(
        left.iter().any(|name| name.contains("state.plans/")),
        "{left:?}"
    );
    assert_eq!(
        (workdir.mode("state"), workdir.mode("state/state.plans")),
        (0o700, 0o700)
    );
}

#[test]
fn hidden_values_are_in_no_rendering() {
    let (_remote, workdir) = settled();
    workdir.expect(
        3,
        &[
            "sync",
            "--hide-values",
            "--report",
            "a.json",
            "--report",
            "a.txt",
        ],
    );
    for name in ["a.json", "a.txt"] {
        let text = workdir.read(name);
        assert!(
            !text.contains("@example.com") && !text.contains("2020-01-0"),
            "{text}"
        );
    }
    let ran = workdir.expect(0, &["plan", "--hide-values", "--only", "3"]);
    assert!(!ran.stdout.contains("@example.com"));
}

#[test]
fn hidden_values_hide_why_a_lane_stopped_in_the_providers_words() {
    let remote = Remote::new(|_| Answer::reply(402, r#"{"message":"ann@example.com owes"}"#));
    let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
    let names = ["a.json", "a.txt", "a.md", "a.html"];
    let report: Vec<&str> = names.iter().flat_map(|name| ["--report", name]).collect();
    workdir.expect(6, &[&["sync", "--hide-values"], &report[..]].concat());
    for name in names {
        assert!(!workdir.read(name).contains("ann@example.com"));
    }
    workdir.expect(6, &[&["sync"], &report[..]].concat());
    for name in names {
        assert!(workdir.read(name).contains("ann@example.com owes"));
    }
}
