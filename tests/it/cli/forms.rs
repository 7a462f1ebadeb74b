//! The forms of a report: on stdout, in a file, and of every command that has one.

use crate::support::server::Answer;
use crate::support::workdir::{FIELDS, ROWS, Remote, Workdir};

/// A name for `--format`, its extension, and how its text begins.
const FORMS: [(&str, &str, &str); 3] = [
    ("csv", "csv", "\"provider\",\"key\",\"line\""),
    ("markdown", "md", "## "),
    ("html", "html", "<!DOCTYPE html>\n"),
];

fn refusing_one() -> (Remote, Workdir) {
    let remote = Remote::except("bb", Answer::reply(422, r#"{"message":"no"}"#));
    let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
    (remote, workdir)
}

#[test]
fn every_report_has_every_form_and_a_file_holds_what_stdout_shows() {
    for (form, extension, begins) in FORMS {
        let (remote, workdir) = refusing_one();
        let file = format!("out/report.{extension}");
        let shown = |code, command: &[&str]| {
            let arguments = [command, &["--format", form, "--report", &file]].concat();
            let ran = workdir.expect(code, &arguments);
            assert!(ran.stdout.starts_with(begins), "{form}: {ran:#?}");
            assert_eq!(workdir.read(&file), ran.stdout, "{form} of {command:?}");
            assert_eq!(workdir.mode(&file), 0o600);
            assert!(!ran.stdout.contains('\u{1b}'));
            ran.stdout
        };
        let plan = shown(0, &["plan"]);
        assert!(
            plan.contains("ann@example.com") && plan.contains("email"),
            "{plan}"
        );
        let check = shown(0, &["check"]);
        assert!(!check.contains("ann@example.com"), "{check}");
        assert_eq!(remote.count(), 0);
        let sync = shown(3, &["sync"]);
        assert!(
            sync.contains("ann@example.com") && sync.contains("rejected"),
            "{sync}"
        );
        assert_eq!(remote.count(), 3);
        workdir.edit("clients.csv", "cyd@example.com", "cyd");
        let check = shown(3, &["check"]);
        assert!(check.contains("E_") && check.contains("email"), "{check}");
        shown(3, &["adopt", "--from", "source"]);
    }
}

#[test]
fn one_run_in_full_has_every_form_too() {
    let (_remote, workdir) = refusing_one();
    workdir.expect(3, &["sync"]);
    let runs = workdir.expect(0, &["runs", "--format", "json"]).json();
    let id = runs["runs"][0]["run_id"].as_str().unwrap();
    for (form, extension, _) in FORMS {
        let file = format!("run.{extension}");
        let arguments = ["runs", "show", id, "--format", form, "--report", &file];
        let ran = workdir.expect(0, &arguments);
        assert_eq!(workdir.read(&file), ran.stdout);
        for word in [id, "rejected", "POST", "422"] {
            assert!(ran.stdout.contains(word), "{word} in {form}: {ran:#?}");
        }
    }
    let text = workdir.expect(0, &["runs", "show", id, "--report", "run.txt"]);
    assert_eq!(workdir.read("run.txt"), text.stdout);
}

#[test]
fn the_configuration_chooses_the_form_of_reports() {
    for (form, extension, begins) in FORMS {
        let (_remote, workdir) = refusing_one();
        let run = format!(
            "[run]\nformat = \"{form}\"\nreport = \"night.{extension}\"\n\n[providers.complycube]\n"
        );
        workdir.edit("clientsync.toml", "[providers.complycube]\n", &run);
        let ran = workdir.expect(0, &["plan"]);
        assert!(ran.stdout.starts_with(begins), "{ran:#?}");
        assert_eq!(workdir.read(&format!("night.{extension}")), ran.stdout);
        // The list of runs has a form of its own for people.
        let runs = workdir.expect(0, &["runs"]);
        assert!(runs.stdout.starts_with("No run is recorded"), "{runs:#?}");
    }
}

#[test]
fn hidden_values_are_hidden_in_every_form() {
    for (form, extension, _) in FORMS {
        let (_remote, workdir) = refusing_one();
        let file = format!("r.{extension}");
        let ran = workdir.expect(
            3,
            &["sync", "--hide-values", "--format", form, "--report", &file],
        );
        for text in [ran.stdout, workdir.read(&file)] {
            assert!(
                !text.contains("@example.com") && !text.contains("2020-01-0"),
                "{text}"
            );
            assert!(text.contains("hidden"), "{text}");
        }
    }
}
