//! The quick start, begun with what the five systems hold.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{LANES, kept, number, report, run, synced};
use crate::support::samples::Samples;

/// Rows of each lane that find no record, in the order of [`LANES`].
const UNMATCHED: [u64; 5] = [2, 3, 1, 3, 7];

fn adopted() -> (Samples, Value) {
    let workdir = Samples::new();
    let adopted = report(&workdir, "adopt", &["--from", "provider"]);
    (workdir, adopted)
}

#[test]
fn all_five_are_read_and_linked_and_nothing_is_written() {
    let (workdir, adopted) = adopted();
    for (name, unmatched) in LANES.into_iter().zip(UNMATCHED) {
        let lane = &adopted["providers"][name];
        assert_eq!(number(lane, "unchanged"), 30 - unmatched, "{name}");
        assert_eq!(lane["skipped"], json!({ "unlinked": unmatched }), "{name}");
    }
    // A list that omits a mapped member costs one read for each client.
    let requests = LANES.map(|name| number(&adopted["providers"][name], "requests"));
    assert_eq!(requests, [1, 28, 1, 28, 1]);
    let strays = adopted["problems"].as_array().unwrap().iter();
    let strays: BTreeSet<&str> = strays
        .filter(|problem| problem["code"] == "W_UNMATCHED_RECORD")
        .map(|problem| problem["provider"].as_str().unwrap())
        .collect();
    assert_eq!(strays, BTreeSet::from(LANES));
    // The sandbox keeps what was written: nothing was.
    assert!(kept(&workdir).is_empty());
}

#[test]
fn the_first_plan_has_true_values_from_before_and_only_true_differences() {
    let (workdir, _) = adopted();
    let plan = report(&workdir, "plan", &[]);
    let changes: Vec<&Value> = plan["changes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|change| change["role"] == "change")
        .collect();
    assert!(changes.len() > 100);
    for change in &changes {
        assert_eq!(change["before_state"], "value", "{change}");
        assert_ne!(change["before"], change["after"], "{change}");
    }
    let before = |provider: &str, key: &str, field: &str| {
        let found = changes
            .iter()
            .find(|c| c["provider"] == provider && c["key"] == key && c["field"] == field);
        found.map_or(json!("no change"), |change| change["before"].clone())
    };
    assert_eq!(
        before("complycube", "000101", "email"),
        "zoe.connor@example.com"
    );
    assert_eq!(before("complycube", "000101", "joinedDate"), Value::Null);
    assert_eq!(before("spp", "000101", "status_id"), 2);
    assert_eq!(before("weel", "000101", "out_of_office_mode"), false);
    // The same number with other separators, the same set in another order, the
    // same address in capitals, a note that a colleague wrote.
    for (provider, key, field) in [
        ("complycube", "000102", "mobile"),
        ("nexudus", "000104", "Businesses"),
        ("spp", "000102", "email"),
        ("complycube", "000105", "metadata.note"),
    ] {
        assert_eq!(
            before(provider, key, field),
            "no change",
            "{provider} {key}"
        );
    }
}

#[test]
fn a_sync_after_it_ends_where_one_without_it_ends_with_fewer_requests() {
    let (workdir, _) = adopted();
    let after = report(&workdir, "sync", &[]);
    let requests = |report: &Value| -> u64 {
        LANES
            .map(|name| number(&report["providers"][name], "requests"))
            .iter()
            .sum()
    };
    assert!(requests(&after) < 170, "{}", requests(&after));
    let records = kept(&workdir);
    let plain = kept(&synced());
    let shared = plain.iter().filter(|(id, _)| records.contains_key(*id));
    let mut compared = 0;
    for (id, record) in shared {
        assert_eq!(records[id].to_text(), record.to_text(), "{id:?}");
        compared += 1;
    }
    assert!(compared > 80, "{compared}");
    // Nobody was written needlessly: whoever was not written held it already.
    let drift = report(&workdir, "drift", &["--expect-no-changes"]);
    assert_eq!(drift["changes"], json!([]));
    let again = run(&workdir, &["sync", "--sandbox"]).ended(0);
    assert!(
        again.stdout.contains("Nothing to send."),
        "{}",
        again.stdout
    );
}
