//! The quick start does what the README and its own page say, from the first
//! run to the edit of one cell.

mod adopted;
mod mapped;

use std::collections::BTreeMap;
use std::fs;

use clientsync::core::Json;
use serde_json::{Value, json};

use self::mapped::{MAPPED, bare, foreign};
use crate::support::samples::Samples;
use crate::support::workdir::Ran;

const CONFIG: &str = "samples/quickstart/clientsync.toml";
const SOURCE: &str = "samples/quickstart/clients.csv";
const RECORDS: &str = "state/quickstart.sandbox.records.jsonl";
const LANES: [&str; 5] = ["complycube", "nexudus", "placio", "spp", "weel"];

/// Rows of each lane that have no remote id, in the order of [`LANES`].
const UNLINKED: [u64; 5] = [3, 3, 2, 4, 8];

fn run(workdir: &Samples, arguments: &[&str]) -> Ran {
    let mut all = arguments.to_vec();
    all.extend(["--config", CONFIG]);
    workdir.run_in(".", &all)
}

/// A command in the sandbox that must be fine, and its report.
fn report(workdir: &Samples, command: &str, more: &[&str]) -> Value {
    let mut all = vec![command, "--sandbox", "--format", "json"];
    all.extend(more);
    run(workdir, &all).ended(0).json()
}

fn synced() -> Samples {
    let workdir = Samples::new();
    run(&workdir, &["sync", "--sandbox"]).ended(0);
    workdir
}

fn number(lane: &Value, name: &str) -> u64 {
    lane[name].as_u64().unwrap()
}

/// The records that the sandbox keeps, by lane and id.
fn kept(workdir: &Samples) -> BTreeMap<(String, String), Json> {
    let text = fs::read_to_string(workdir.path().join(RECORDS)).unwrap_or_default();
    text.lines()
        .map(|line| {
            let entry = Json::parse(line.as_bytes()).unwrap();
            let text = |name| match entry.get(name).unwrap().to_value() {
                Value::String(text) => text,
                other => panic!("{name}: {other}"),
            };
            let record = entry.get("record").unwrap().clone();
            ((text("lane"), text("id")), record)
        })
        .collect()
}

#[test]
fn the_first_run_adds_up_and_the_second_sends_nothing() {
    let workdir = Samples::new();
    let first = report(&workdir, "sync", &[]);
    for (name, unlinked) in LANES.into_iter().zip(UNLINKED) {
        let lane = &first["providers"][name];
        let skipped: u64 = lane["skipped"]
            .as_object()
            .unwrap()
            .values()
            .map(|n| n.as_u64().unwrap())
            .sum();
        let settled: u64 = [
            "unchanged",
            "planned",
            "updated",
            "rejected",
            "failed",
            "in_doubt",
            "invalid",
        ]
        .iter()
        .map(|outcome| number(lane, outcome))
        .sum();
        assert_eq!(number(lane, "rows"), 30);
        assert_eq!(settled + skipped, 30, "{lane}");
        assert_eq!(lane["skipped"], json!({"unlinked": unlinked}));
        assert_eq!(number(lane, "planned"), 0);
        assert!(number(lane, "updated") > 0);
        assert!(number(lane, "requests") > 0);
    }
    let second = report(&workdir, "sync", &[]);
    for (name, unlinked) in LANES.into_iter().zip(UNLINKED) {
        let lane = &second["providers"][name];
        assert_eq!(number(lane, "unchanged"), 30 - unlinked);
        assert_eq!(number(lane, "updated"), 0);
        assert_eq!(number(lane, "requests"), 0);
    }
    assert_eq!(second["changes"], json!([]));
}

#[test]
fn what_people_added_by_hand_survives() {
    let workdir = synced();
    let seed = fs::read(workdir.path().join("samples/quickstart/sandbox.json")).unwrap();
    let seed = Json::parse(&seed).unwrap();
    let records = kept(&workdir);
    for (lane, mapped) in LANES.into_iter().zip(&MAPPED) {
        let Some(Json::Array(before)) = seed.get(lane) else {
            panic!("no {lane} in the seed");
        };
        let (mut written, mut inside) = (0, 0);
        for before in before {
            let id = bare(before.get(mapped.id));
            let Some(after) = records.get(&(lane.to_owned(), id.clone())) else {
                continue;
            };
            let kept = foreign(mapped, before);
            assert_eq!(foreign(mapped, after), kept, "{lane} {id}");
            written += usize::from(after != before);
            inside += kept.keys().filter(|name| name.contains('.')).count();
        }
        assert!(written > 10, "{lane}: {written} records were written");
        let parts = mapped.objects.len() + mapped.lists.len();
        assert!(
            inside > 0 || parts == 0,
            "{lane}: nothing that a colleague added"
        );
    }
}

#[test]
fn one_edited_cell_is_one_small_update() {
    let workdir = synced();
    workdir.edit(SOURCE, "+44 7700 900113", "+44 7700 900999");
    let state = workdir.files("state");
    let plan = report(&workdir, "plan", &[]);
    assert!(workdir.files("state") == state, "a plan touches nothing");
    let expected = |outcome: &str| {
        json!([{
            "provider": "complycube", "key": "000113", "line": 16,
            "remote_id": "3eee1d6a489b674746e0dfaf", "push": "update", "outcome": outcome,
            "role": "change", "field": "mobile", "before_state": "value",
            "before": "+44 7700 900113", "after": "+44 7700 900999", "when": "always",
        }])
    };
    assert_eq!(plan["changes"], expected("planned"));
    assert_eq!(number(&plan["providers"]["complycube"], "planned"), 1);
    for other in &LANES[1..] {
        assert_eq!(number(&plan["providers"][other], "planned"), 0, "{other}");
    }

    let sync = report(&workdir, "sync", &[]);
    assert_eq!(sync["changes"], expected("updated"));
    // ComplyCube merges: the write is the only request there is.
    assert_eq!(number(&sync["providers"]["complycube"], "requests"), 1);
    assert_eq!(number(&sync["providers"]["complycube"], "updated"), 1);
    for other in &LANES[1..] {
        assert_eq!(number(&sync["providers"][other], "requests"), 0, "{other}");
    }
}

#[test]
fn an_edited_cell_goes_only_where_it_is_mapped() {
    // The requests: where a list or an object is sent whole, it is read first.
    let edits = [
        (
            "placio",
            ",phone,admin,",
            ",email,admin,",
            "contactMethods.preferred",
            2,
        ),
        (
            "spp",
            ",13 Sample Road,",
            ",31 Sample Road,",
            "address.line_1",
            2,
        ),
        ("spp", ",active,,-30,13 ", ",left,,-30,13 ", "status_id", 1),
        (
            "weel",
            ",approver,cards,,,,,5791,",
            ",approver,bills,,,,,5791,",
            "payment_types",
            1,
        ),
    ];
    for (lane, from, to, field, requests) in edits {
        let workdir = synced();
        workdir.edit(SOURCE, from, to);
        let sync = report(&workdir, "sync", &[]);
        // Beside the change stand the extras that travel with it.
        let changes = sync["changes"].as_array().unwrap().iter();
        let changes: Vec<&Value> = changes.filter(|line| line["role"] == "change").collect();
        assert_eq!(changes.len(), 1, "{changes:?}");
        assert_eq!(changes[0]["provider"], lane);
        assert_eq!(changes[0]["field"], field);
        for name in LANES {
            let sent = if name == lane { requests } else { 0 };
            let got = number(&sync["providers"][name], "requests");
            assert_eq!(got, sent, "{name}, {field}");
        }
    }
}

#[test]
fn an_update_of_a_whole_record_leaves_the_rest_of_it_byte_for_byte() {
    let workdir = synced();
    let before = kept(&workdir);
    workdir.edit(SOURCE, ",Thandiwe,Nkosi,", ",Thandi,Nkosi,");
    let sync = report(&workdir, "sync", &["--provider", "nexudus"]);
    // A read and a write.
    assert_eq!(number(&sync["providers"]["nexudus"], "requests"), 2);
    let after = kept(&workdir);
    let id = ("nexudus".to_owned(), "240013574".to_owned());
    for (record, old) in &before {
        if *record == id {
            assert_eq!(
                foreign(&MAPPED[1], &after[record]),
                foreign(&MAPPED[1], old)
            );
            let name = after[record].get("FullName").unwrap().to_text();
            assert_eq!(name, "\"Thandi Nkosi\"");
        } else {
            assert!(after[record] == *old, "{record:?} was not to be touched");
        }
    }
}

#[test]
fn a_plan_without_a_state_creates_no_file() {
    let workdir = Samples::new();
    let before = workdir.files(".");
    run(&workdir, &["plan"]).ended(0);
    run(&workdir, &["plan", "--sandbox"]).ended(0);
    run(&workdir, &["check"]).ended(0);
    run(&workdir, &["sync", "--dry-run"]).ended(0);
    assert!(workdir.files(".") == before);
    assert!(!workdir.path().join("state").exists());
}

#[test]
fn a_fresh_sandbox_starts_over() {
    let workdir = Samples::new();
    let updated = |report: &Value| LANES.map(|name| number(&report["providers"][name], "updated"));
    let first = updated(&report(&workdir, "sync", &[]));
    assert_eq!(updated(&report(&workdir, "sync", &[])), [0; 5]);
    assert_eq!(updated(&report(&workdir, "sync", &["--fresh"])), first);
}

#[test]
fn hidden_values_are_nowhere() {
    for format in ["text", "json"] {
        let workdir = synced();
        workdir.edit(SOURCE, "+44 7700 900113", "+44 7700 900999");
        workdir.edit(SOURCE, ",Thandiwe,Nkosi,", ",Thandi,Nkosi,");
        let hidden = ["--sandbox", "--hide-values", "--format", format];
        for command in ["plan", "sync"] {
            let ran = run(&workdir, &[&[command], &hidden[..]].concat()).ended(0);
            assert!(ran.stdout.contains("mobile"), "{}", ran.stdout);
            for value in ["+44 7700", "Thandi", "Nkosi", "example.com", "gold"] {
                assert!(!ran.stdout.contains(value), "{value}: {}", ran.stdout);
                assert!(!ran.stderr.contains(value), "{value}: {}", ran.stderr);
            }
        }
    }
}

#[test]
fn a_run_can_be_looked_up_afterwards() {
    let workdir = synced();
    workdir.edit(SOURCE, "+44 7700 900113", "+44 7700 900999");
    let sync = report(&workdir, "sync", &[]);
    let id = sync["run_id"].as_str().unwrap();

    let runs = run(&workdir, &["runs", "--format", "json"]).ended(0).json();
    let runs = runs["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 2);
    assert!(runs.iter().any(|line| line["run_id"] == id));

    let shown = run(&workdir, &["runs", "show", id, "--format", "json"]).ended(0);
    let shown = shown.json();
    assert_eq!(shown["exit"], json!({"code": 0, "name": "ok"}));
    let outcomes = shown["outcomes"].as_array().unwrap();
    assert_eq!(outcomes.len(), 1);
    assert_eq!(outcomes[0]["key"], "000113");
    assert_eq!(outcomes[0]["outcome"], "updated");
    assert_eq!(outcomes[0]["attempts"][0]["method"], "POST");
    assert_eq!(outcomes[0]["attempts"][0]["status"], 200);

    let text = run(&workdir, &["runs", "show", id]).ended(0).stdout;
    assert!(text.contains("000113  complycube"), "{text}");
    run(&workdir, &["runs", "show", "no-such-run"]).ended(64);
}

#[test]
fn a_file_that_was_cut_off_sends_nothing() {
    let workdir = synced();
    let records = kept(&workdir);
    let path = workdir.path().join(SOURCE);
    let text = fs::read_to_string(&path).unwrap();
    let half: Vec<&str> = text.lines().take(16).collect();
    fs::write(&path, half.join("\n") + "\n").unwrap();
    let ran = run(&workdir, &["sync", "--sandbox"]).ended(4);
    assert!(
        ran.stdout.contains("max_row_drop refuses"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.ends_with("exit 4 guard\n"), "{}", ran.stdout);
    assert!(kept(&workdir) == records, "the records were touched");
}

#[test]
fn a_row_that_cannot_be_sent_does_not_keep_the_others() {
    let workdir = synced();
    workdir.edit(SOURCE, ",29/02/2024,", ",2024-02-29,");
    workdir.edit(SOURCE, "+44 7700 900107", "+44 7700 900777");
    let ran = run(&workdir, &["sync", "--sandbox", "--format", "json"]).ended(3);
    let lane = &ran.json()["providers"]["complycube"];
    assert_eq!(number(lane, "invalid"), 1);
    assert_eq!(number(lane, "updated"), 1);
    assert!(ran.stdout.contains("member_since"), "{}", ran.stdout);
}

#[test]
fn everything_that_a_run_leaves_behind_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let workdir = synced();
    let files = workdir.files("state");
    assert!(files.len() >= 5, "{:?}", files.keys());
    for path in files.keys() {
        let mode = fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
    }
}
