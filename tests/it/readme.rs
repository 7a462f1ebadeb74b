//! The README is true: its commands run, its output is real, its tables are
//! those of the program.
//!
//! Blocks are taken in order. `sh` is run, `diff` is applied to the quick
//! start's source, `csv` and `toml` become the reader's own files, and `text`
//! right after `sh` must stand in what its last command said.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use clientsync::cli::config::Config;
use clientsync::cli::exit::ExitCode;
use clientsync::provider::Catalog;
use clientsync::report::{ProviderLine, write_providers_markdown};
use serde_json::Value;

use crate::support::samples::Samples;
use crate::support::workdir::Ran;

const README: &str = include_str!("../../README.md");

/// Commands that are shown and not run, each with its reason.
const NOT_RUN: [(&str, &str); 5] = [
    ("cargo test", "this is it"),
    (
        "cargo install --path . --locked",
        "the built program is run",
    ),
    (
        "read -rs COMPLYCUBE_API_KEY && export COMPLYCUBE_API_KEY",
        "asks for a secret",
    ),
    ("clientsync sync --limit 5", "needs a real provider"),
    ("clientsync sync", "needs a real provider"),
];

const COMMANDS: [&str; 9] = [
    "plan",
    "sync",
    "check",
    "adopt",
    "drift",
    "status",
    "runs",
    "providers",
    "sandbox",
];

struct Block {
    kind: String,
    text: String,
    /// Whether nothing but blank lines stands between it and the one before.
    follows: bool,
}

fn blocks() -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    let mut follows = false;
    for line in README.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (Some(_), Some(_)) => {
                blocks.extend(open.take());
                follows = true;
            }
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, Some(kind)) => {
                open = Some(Block {
                    kind: kind.to_owned(),
                    text: String::new(),
                    follows,
                });
            }
            (None, None) => follows &= line.is_empty(),
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

fn only(kind: &str) -> String {
    let mut found = blocks().into_iter().filter(|block| block.kind == kind);
    let text = found.next().unwrap().text;
    assert!(found.next().is_none(), "more than one block of {kind}");
    text
}

/// The arguments after `clientsync`, where a line is a command of ours.
fn arguments(line: &str) -> Option<Vec<&str>> {
    let rest = line
        .strip_prefix("cargo run --release -- ")
        .or_else(|| line.strip_prefix("clientsync "))?;
    Some(rest.split_whitespace().collect())
}

/// Each part between `...` lines must stand in the output, in order.
fn assert_said(ran: &Ran, shown: &str) {
    let mut rest = ran.stdout.as_str();
    for part in shown.split("...\n") {
        let at = rest
            .find(part)
            .unwrap_or_else(|| panic!("README shows\n{part}\nit was\n{}", ran.stdout));
        rest = &rest[at + part.len()..];
    }
}

#[test]
fn every_command_runs_and_says_what_is_shown() {
    let workdir = Samples::new();
    fs::create_dir(workdir.path().join("own")).unwrap();
    let mut last: Option<Ran> = None;
    let mut run = 0;
    for block in blocks() {
        match block.kind.as_str() {
            "sh" => {
                for line in block.text.lines() {
                    if NOT_RUN.iter().any(|(command, _)| *command == line) {
                        continue;
                    }
                    let arguments = arguments(line)
                        .unwrap_or_else(|| panic!("`{line}` is neither run nor listed"));
                    let folder = if line.starts_with("cargo") {
                        "."
                    } else {
                        "own"
                    };
                    last = Some(workdir.run_in(folder, &arguments).ended(0));
                    run += 1;
                }
            }
            "diff" => {
                let side = |sign: char| {
                    let mut lines = block
                        .text
                        .lines()
                        .filter_map(|line| line.strip_prefix(sign));
                    let line = lines.next().unwrap().to_owned();
                    assert!(lines.next().is_none());
                    line
                };
                workdir.edit("samples/quickstart/clients.csv", &side('-'), &side('+'));
            }
            "csv" => fs::write(workdir.path().join("own/clients.csv"), &block.text).unwrap(),
            "toml" => fs::write(workdir.path().join("own/clientsync.toml"), &block.text).unwrap(),
            "text" if block.follows => assert_said(last.as_ref().unwrap(), &block.text),
            // The first output stands below a sentence, the picture below a heading.
            "text" if block.text.starts_with("Totals") => {
                assert_said(last.as_ref().unwrap(), &block.text);
            }
            "text" => assert!(block.text.contains("clients.csv"), "{}", block.text),
            other => panic!("a block of {other:?}"),
        }
    }
    assert!(run >= 8, "only {run} commands were run");
}

#[test]
fn the_two_commands_of_a_stranger_come_first() {
    let first = blocks().into_iter().next().unwrap();
    assert_eq!(
        first.text,
        "cargo run --release -- sync --config samples/quickstart/clientsync.toml --sandbox\ncargo test\n"
    );
}

#[test]
fn nothing_is_excused_that_is_not_shown() {
    let shown: Vec<String> = blocks()
        .into_iter()
        .filter(|block| block.kind == "sh")
        .flat_map(|block| block.text.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    for (command, reason) in NOT_RUN {
        assert!(
            shown.iter().any(|line| line == command),
            "{command}: {reason}"
        );
    }
}

#[test]
fn the_configuration_is_understood() {
    let catalog = Catalog::load(&[]).unwrap();
    let config = Config::parse(&only("toml"), Path::new("clientsync.toml"), &catalog)
        .unwrap_or_else(|problems| panic!("{problems:?}"));
    assert_eq!(config.lanes.len(), 1);
    assert_eq!(config.lanes[0].mappings.len(), 5);
}

#[test]
fn the_exit_codes_are_those_of_the_program() {
    let codes = [
        ExitCode::Ok,
        ExitCode::Error,
        ExitCode::Changes,
        ExitCode::Rejects,
        ExitCode::Guard,
        ExitCode::Stale,
        ExitCode::Deferred,
        ExitCode::Locked,
        ExitCode::Usage,
        ExitCode::Data,
        ExitCode::Io,
        ExitCode::Auth,
        ExitCode::Config,
        ExitCode::Interrupted,
        ExitCode::Terminated,
    ];
    let table = README.split("## Exit codes").nth(1).unwrap();
    let table = table.split("\n## ").next().unwrap();
    let rows: Vec<&str> = table
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| code"))
        .collect();
    assert_eq!(rows.len(), codes.len());
    for (row, code) in rows.iter().zip(codes) {
        let start = format!("| {} | `{}` |", code.code(), code.name());
        assert!(row.starts_with(&start), "{row}: {start}");
    }
}

#[test]
fn the_providers_are_those_of_the_program() {
    let workdir = Samples::new();
    let listed = workdir
        .run_in(".", &["providers", "--format", "json"])
        .ended(0)
        .json();
    let text = |line: &Value, name: &str| line[name].as_str().unwrap().to_owned();
    let lines: Vec<ProviderLine> = listed["providers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| ProviderLine {
            name: text(line, "name"),
            title: text(line, "title"),
            update: text(line, "update"),
            mode: text(line, "mode"),
            read: line["read"].as_bool().unwrap(),
            list: line["list"].as_bool().unwrap(),
            auth: text(line, "auth"),
            limits: line["limits"]
                .as_array()
                .unwrap()
                .iter()
                .map(|limit| limit.as_str().unwrap().to_owned())
                .collect(),
        })
        .collect();
    let mut table = Vec::new();
    write_providers_markdown(&mut table, &lines).unwrap();
    let table = String::from_utf8(table).unwrap();
    let shown = README.split("<!-- providers -->\n").nth(1).unwrap();
    let shown = shown.split("<!-- /providers -->").next().unwrap();
    assert!(shown == table, "the table should be\n{table}");
}

/// The long flags in a text.
fn flags(text: &str) -> BTreeSet<String> {
    text.match_indices("--")
        .filter(|(at, _)| !text[..*at].ends_with(|c: char| c == '-' || c.is_alphanumeric()))
        .map(|(at, _)| {
            let flag = text[at + 2..].chars();
            flag.take_while(|c| c.is_ascii_lowercase() || *c == '-')
                .collect::<String>()
        })
        .filter(|flag| flag.starts_with(|c: char| c.is_ascii_lowercase()))
        .collect()
}

#[test]
fn every_flag_and_command_is_told_and_no_other() {
    let workdir = Samples::new();
    let general = workdir.run_in(".", &["--help"]).ended(0).stdout;
    let mut real = flags(&general);
    for command in COMMANDS {
        assert!(general.contains(&format!("\n  {command} ")), "{general}");
        let help = workdir.run_in(".", &[command, "--help"]).ended(0).stdout;
        let options = help.split("Examples:").next().unwrap();
        real.extend(flags(options));
    }
    let listed = general.split("Commands:").nth(1).unwrap();
    let listed = listed.split("\n\n").next().unwrap();
    assert_eq!(listed.lines().count(), COMMANDS.len() + 2, "{listed}");

    let section = README.split("\n## Commands").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    for command in COMMANDS {
        assert!(section.contains(&format!("`{command}")), "{command}");
    }
    assert_eq!(flags(section), real);
}

#[test]
fn every_file_that_is_linked_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for link in README.split("](").skip(1) {
        let target = link.split(')').next().unwrap();
        assert!(root.join(target).exists(), "{target}");
    }
}
