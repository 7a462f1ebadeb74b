//! Tests of the command line.

use clap::CommandFactory;

use super::*;
use crate::cli::config::Format;
use crate::cli::config::ReportFile;

fn typed(line: &str) -> Result<Args, (ExitCode, String)> {
    parse(std::iter::once("clientsync").chain(line.split_whitespace()))
}

#[test]
fn the_commands_and_flags_are_consistent() {
    Args::command().debug_assert();
}

#[test]
fn every_flag_is_understood_on_its_commands() {
    let narrow = "--provider a --provider b --only 1 --only eu,2 --fields email,/metadata/a.b";
    let output = "--format html --report r.txt --report r.json --report r.csv --report r.md --report r.html --hide-values";
    let all = "-c x.toml --providers-dir d -vv --log-format json --log-file l --no-progress --color never";
    for line in [
        format!(
            "plan {narrow} {output} {all} --limit 3 --partial --sandbox --fresh --expect-no-changes --detailed-exitcode"
        ),
        format!(
            "sync {narrow} {output} {all} --limit 3 --partial --sandbox --fresh --tps-limit 0.5 --concurrency 4 --budget 100 --max-duration 1h30m --lock-timeout 5m"
        ),
        "sync --dry-run --expect-no-changes --detailed-exitcode".to_owned(),
        format!("check {narrow} {output} {all} --partial --sandbox --fresh"),
        format!(
            "adopt --from source {narrow} {output} {all} --sandbox --fresh --tps-limit 2 --concurrency 1 --budget 1 --max-duration 10m --lock-timeout 0"
        ),
        format!("status {all} --format json"),
        format!("runs {all} --format json"),
        format!("runs show 7 {output} {all}"),
        format!("providers {all} --format json"),
        format!("providers show x {all} --format json"),
        format!("sandbox {all} --port 8080 --fresh --fault 503=0.1 --fault html --fault-seed 7"),
        "-q plan".to_owned(),
    ] {
        if let Err((_, text)) = typed(&line) {
            panic!("{line}\n{text}");
        }
    }
}

#[test]
fn what_was_typed_is_what_is_read() {
    let args = typed("plan --fields email,metadata.tier --report out/r.json -vv").unwrap();
    assert_eq!(args.common.config, PathBuf::from("clientsync.toml"));
    assert_eq!(args.common.verbose, 2);
    let Command::Plan(plan) = args.command else {
        panic!("another command");
    };
    let paths: Vec<String> = plan
        .selection
        .fields
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(paths, ["email", "metadata.tier"]);
    let report = ReportFile {
        path: "out/r.json".into(),
        format: Format::Json,
    };
    assert_eq!(plan.output.report, [report]);
}

#[test]
fn what_cannot_be_meant_is_a_usage_error() {
    for line in [
        "",
        "sink",
        "sync --dry-run --apply",
        "sync --limit",
        "sync --limit 0",
        "sync --limit -1",
        "sync --token abc",
        "sync --detailed-exitcode",
        "sync --expect-no-changes",
        "check --detailed-exitcode",
        "check --limit 3",
        "plan --tps-limit 1",
        "plan --fresh",
        "plan --max-duration 0",
        "plan --format yaml",
        "runs --format csv",
        "providers --format markdown",
        "plan --report out.pdf",
        "plan --report out",
        "plan --fields a..b",
        "plan --only=",
        "plan extra",
        "plan -q -v",
        "plan --color sometimes",
        "sync --tps-limit 0",
        "sync --tps-limit -1",
        "sync --tps-limit nan",
        "sync --tps-limit inf",
        "sync --tps-limit 1e308",
        "sync --concurrency 0",
        "sync --concurrency 257",
        "sync --budget 0",
        "sync --budget -1",
        "sync --budget 1.5",
        "plan --budget 5",
        "sync --max-duration 0",
        "sync --max-duration 0s",
        "sync --max-duration abc",
        "sync --max-duration 10y",
        "sync --max-duration 10",
        "sync --max-duration 31d",
        "sync --lock-timeout soon",
        "sync --lock-timeout -1s",
        "sync --lock-timeout 25h",
        "plan --lock-timeout 1s",
        "adopt",
        "adopt --from file",
        "runs show",
        "providers show",
        "sandbox --port 0",
        "sandbox --port 70000",
        "sandbox --fault",
        "sandbox --fault reset",
        "sandbox --fault 500=0",
        "sandbox --fault 500=2",
        "sandbox --fault-seed 1",
        "sync --sandbox --fault 500",
    ] {
        let (code, text) = typed(line).expect_err(line);
        assert_eq!(code, ExitCode::Usage, "{line}");
        assert!(!text.is_empty(), "{line}");
    }
}

#[test]
fn help_and_version_end_well() {
    for line in [
        "--help",
        "-h",
        "--version",
        "help sync",
        "plan --help",
        "sync --help",
        "runs show --help",
    ] {
        let (code, text) = typed(line).expect_err(line);
        assert_eq!(code, ExitCode::Ok, "{line}");
        assert!(text.contains("clientsync"), "{line}: {text}");
    }
    let (_, text) = typed("sync --help").unwrap_err();
    assert!(
        text.contains("Examples:\n  clientsync sync --dry-run"),
        "{text}"
    );
}
