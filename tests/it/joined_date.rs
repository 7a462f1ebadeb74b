//! The walk-through of the one-off import: every command of its page, in its
//! order, on the sample as it is and on 5,000 clients.
//!
//! The judge is the sandbox's own file of records.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::support::samples::Samples;
use crate::support::workdir::Ran;

const PAGE: &str = include_str!("../../samples/joined-date-import/README.md");
const FOLDER: &str = "samples/joined-date-import";
const RECORDS: &str = "state/joined-date-import.sandbox.records.jsonl";

/// The blocks of the page in their order: kind and text.
fn blocks() -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in PAGE.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(kind)) => open = Some((kind.to_owned(), String::new())),
            (Some((_, text)), None) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

/// The commands of the page, and how each ends.
fn steps() -> Vec<(Vec<String>, i32)> {
    let ends = [3, 0, 0, 0, 6, 6, 130, 0, 0, 0, 0];
    let commands: Vec<Vec<String>> = blocks()
        .into_iter()
        .filter(|(kind, _)| kind == "sh")
        .flat_map(|(_, text)| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .map(|line| {
            let words = line.strip_prefix("clientsync ").unwrap().split(' ');
            words.map(str::to_owned).collect()
        })
        .collect();
    assert_eq!(commands.len(), ends.len());
    commands.into_iter().zip(ends).collect()
}

/// The diffs of the page: what a line was and becomes.
fn corrections() -> Vec<(String, String)> {
    let sides = |text: &str| {
        let side = |sign| {
            let line = text.lines().find_map(|line| line.strip_prefix(sign));
            line.unwrap().to_owned()
        };
        (side('-'), side('+'))
    };
    let diffs = blocks().into_iter().filter(|(kind, _)| kind == "diff");
    diffs.map(|(_, text)| sides(&text)).collect()
}

/// The last state of each record that was written, and how often it was.
fn written(workdir: &Samples) -> BTreeMap<String, (Value, u64)> {
    let text = fs::read_to_string(workdir.path().join(RECORDS)).unwrap_or_default();
    let mut written: BTreeMap<String, (Value, u64)> = BTreeMap::new();
    for line in text.lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        let id = entry["id"].as_str().unwrap().to_owned();
        let times = written.get(&id).map_or(0, |(_, times)| *times);
        written.insert(id, (entry["record"].clone(), times + 1));
    }
    written
}

/// A run that is told to end as soon as it sends.
fn interrupted(workdir: &Samples, arguments: &[&str]) -> Ran {
    let mut child = workdir.start_in(".", arguments);
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("Sending.") {
        line.clear();
        assert!(
            stderr.read_line(&mut line).unwrap() > 0,
            "it never began to send"
        );
    }
    signal(&child);
    let reading = std::thread::spawn(move || {
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut stderr, &mut rest).unwrap();
        rest
    });
    let mut ran = Ran::from(child.wait_with_output().unwrap());
    ran.stderr = reading.join().unwrap();
    ran
}

fn signal(child: &Child) {
    let id = child.id().to_string();
    let sent = Command::new("kill")
        .args(["-INT", &id])
        .stdin(Stdio::null())
        .status();
    assert!(sent.unwrap().success());
}

/// Goes through the page; gives the report of each step that has one.
fn walk(workdir: &Samples) -> Vec<(String, Value)> {
    let mut reports = Vec::new();
    let mut corrected = false;
    for (arguments, code) in steps() {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        if arguments[0] == "adopt" && !corrected {
            for (from, to) in corrections() {
                workdir.edit(&format!("{FOLDER}/clients.csv"), &from, &to);
            }
            corrected = true;
        }
        let arguments = [&arguments[..], &["--format", "json"]].concat();
        let ran = if code == 130 {
            interrupted(workdir, &arguments)
        } else {
            workdir.run_in(".", &arguments)
        };
        let report = ran.ended(code).json();
        reports.push((arguments[0].to_owned(), report));
    }
    reports
}

fn lane(report: &Value) -> &Value {
    &report["providers"]["complycube"]
}

fn count(report: &Value, name: &str) -> u64 {
    lane(report)[name].as_u64().unwrap()
}

#[test]
fn the_page_is_true_for_the_sample_itself() {
    let workdir = Samples::new();
    // The pace of the sandbox is the vendor's; a test has none.
    workdir.edit(
        &format!("{FOLDER}/clientsync.toml"),
        "match     =",
        "limits = { quota = [{ calls = 40, per = \"second\" }], concurrency = 4 }\nmatch     =",
    );
    let mut said = String::new();
    for (arguments, _) in steps().into_iter().take(3) {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        if arguments[0] == "adopt" {
            for (from, to) in corrections() {
                workdir.edit(&format!("{FOLDER}/clients.csv"), &from, &to);
            }
        }
        let ran = workdir.run_in(".", &arguments);
        said += &ran.stdout;
    }
    for (_, text) in blocks().into_iter().filter(|(kind, _)| kind == "text") {
        // A line that ends early stands for all that follows it.
        for line in text.lines() {
            assert!(
                said.contains(line),
                "the page shows {line:?}, it was\n{said}"
            );
        }
    }
    let review = fs::read_to_string(workdir.path().join("review.json")).unwrap();
    let review: Value = serde_json::from_str(&review).unwrap();
    assert_eq!(count(&review, "planned"), 186);
    assert_eq!(count(&review, "unchanged"), 10);
}

/// What the 5,000 clients are: one in eight is right already, one in fifty is
/// not at the provider, one in a hundred has no day in the file.
fn generate(workdir: &Samples, clients: u32) -> BTreeMap<String, String> {
    let mut rows = "client_no,first_name,last_name,email,member_since\n".to_owned();
    let mut records = Vec::new();
    let mut wanted = BTreeMap::new();
    let corrections = corrections();
    for n in 1..=clients {
        let number = format!("K{n:05}");
        let (day, month, year) = (n % 28 + 1, n % 12 + 1, 2000 + n % 24);
        let joined = format!("{year}-{month:02}-{day:02}");
        let broken = corrections
            .iter()
            .find(|(from, _)| from.starts_with(&format!("{number},")));
        let cell = match n % 100 {
            7 => String::new(),
            _ => format!("{day:02}/{month:02}/{year}"),
        };
        match broken {
            Some((from, _)) => writeln!(rows, "{from}"),
            None => writeln!(rows, "{number},Ada,Example,{n}@example.com,{cell}"),
        }
        .unwrap();
        if n % 50 == 3 {
            continue;
        }
        let id = format!("{n:024x}");
        let mut record = json!({
            "id": id, "type": "person", "email": format!("{n}@example.com"), "externalId": number,
            "personDetails": { "firstName": "Ada", "lastName": "Example" },
            "metadata": { "crm_owner": "north" },
        });
        let is_right = n % 8 == 1 && broken.is_none();
        if is_right {
            record["joinedDate"] = json!(joined);
        }
        records.push(record);
        if !cell.is_empty() && !is_right {
            let corrected = broken.map(|(_, to)| {
                let cell = to.rsplit(',').next().unwrap();
                let parts: Vec<&str> = cell.split('/').collect();
                format!("{}-{}-{}", parts[2], parts[1], parts[0])
            });
            wanted.insert(id, corrected.unwrap_or(joined));
        }
    }
    workdir.write(&format!("{FOLDER}/clients.csv"), &rows);
    let seed = json!({ "complycube": records }).to_string();
    workdir.write(&format!("{FOLDER}/sandbox.json"), &seed);
    wanted
}

#[test]
fn five_thousand_clients_are_imported_each_once_in_portions_and_after_an_interrupt() {
    let workdir = Samples::new();
    let wanted = generate(&workdir, 5_000);
    assert_eq!(wanted.len(), 4_251);
    // 400 a second: fast, and too slow for all of them in three seconds.
    workdir.edit(
        &format!("{FOLDER}/clientsync.toml"),
        "match     =",
        "limits = { quota = [{ calls = 400, per = \"second\" }], concurrency = 8 }\nmatch     =",
    );
    let reports = walk(&workdir);
    let report = |n: usize| &reports[n].1;
    assert_eq!(count(report(0), "invalid"), 2);
    // 100 of 5,000 have no record; the rest is linked by 50 pages.
    let adopted = report(1);
    assert_eq!(count(adopted, "unchanged"), 4_900);
    assert_eq!(lane(adopted)["skipped"], json!({ "unlinked": 100 }));
    assert_eq!(count(adopted, "requests"), 49);
    // The plan shows only true differences, and no other field.
    let plan = report(2);
    assert_eq!(count(plan, "planned"), 4_251);
    let changes = plan["changes"].as_array().unwrap();
    assert!(changes.iter().all(|change| change["field"] == "joinedDate"
        && change["before_state"] == "value"
        && change["before"].is_null()));
    // The portions.
    assert_eq!(count(report(3), "updated"), 20);
    assert_eq!(count(report(4), "updated"), 50);
    assert_eq!(count(report(4), "requests"), 50);
    let sent: u64 = (3..=7).map(|n| count(report(n), "updated")).sum();
    assert_eq!(sent, 4_251);
    assert!(count(report(5), "planned") > 0 && count(report(6), "planned") > 0);
    for n in 3..=7 {
        assert_eq!(count(report(n), "in_doubt") + count(report(n), "failed"), 0);
    }
    // The records say the same: each was written once, and nothing else of it moved.
    let written = written(&workdir);
    let days: BTreeMap<String, String> = written
        .iter()
        .map(|(id, (record, _))| {
            (
                id.clone(),
                record["joinedDate"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    assert_eq!(days, wanted);
    for (id, (record, times)) in &written {
        assert_eq!(*times, 1, "{id}");
        assert_eq!(record["metadata"], json!({ "crm_owner": "north" }));
        assert_eq!(record["personDetails"]["lastName"], "Example");
    }
    // Read back: who is linked is as it should be.
    let drift = report(9);
    assert_eq!(drift["changes"], json!([]));
    assert_eq!(count(drift, "unchanged"), 4_900);
}
