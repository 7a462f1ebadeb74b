//! A file that somebody else made: a thousand customers, synced to a sandbox
//! from the first row to the last, and judged against the csv crate.
//!
//! The file lies outside of the project and is never copied into it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::workdir::{Workdir, counts, expected};

const CONFIG: &str = r#"version = 1
[source]
path = "SOURCE"
key = "Customer Id"
[state]
path = "state.db"
[providers.complycube]
id = "Customer Id"
limits = { quota = [{ calls = 2000, per = "second" }], concurrency = 8 }
[providers.complycube.fields]
email = "Email"
telephone = "Phone 1"
mobile = "Phone 2"
joinedDate = { column = "Subscription Date", date = "%Y-%m-%d" }
externalId = "Index"
"personDetails.firstName" = "First Name"
"personDetails.lastName" = "Last Name"
"#;

/// The rows of the file, by their id, as the csv crate reads them.
fn rows(path: &Path) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    reader
        .deserialize()
        .map(|row| {
            let row: BTreeMap<String, String> = row.unwrap();
            (row["Customer Id"].clone(), row)
        })
        .collect()
}

/// What the sandbox holds, by id.
fn records(workdir: &Workdir) -> BTreeMap<String, Value> {
    workdir
        .read("state.sandbox.records.jsonl")
        .lines()
        .map(|line| {
            let entry: Value = serde_json::from_str(line).unwrap();
            (
                entry["id"].as_str().unwrap().to_owned(),
                entry["record"].clone(),
            )
        })
        .collect()
}

#[test]
fn a_thousand_customers_of_somebody_else_reach_the_sandbox_once() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/samples/customers-1000.csv");
    if !path.is_file() {
        let told = "skipped: ../shared/samples/customers-1000.csv is not there\n";
        std::io::stderr().write_all(told.as_bytes()).unwrap();
        return;
    }
    let path = path.canonicalize().unwrap();
    let mut rows = rows(&path);
    assert_eq!(rows.len(), 1000);
    // One row, on line 38, has no customer id: it has no key and is invalid. That is
    // the only one; blank cells elsewhere say nothing.
    assert_eq!(rows.remove("").unwrap()["Index"], "37");
    let workdir = Workdir::new().token(None);
    workdir.write(
        "clientsync.toml",
        CONFIG.replace("SOURCE", path.to_str().unwrap()),
    );
    let held: Vec<Value> = rows
        .keys()
        .map(|id| json!({"id": id, "type": "person", "personDetails": {"nationality": "GB"}}))
        .collect();
    workdir.write("sandbox.json", json!({"complycube": held}).to_string());

    let plan = workdir.report(3, &["plan", "--sandbox"]);
    assert_eq!(
        counts(&plan),
        expected([("rows", 1000), ("planned", 999), ("invalid", 1)])
    );
    let problem = &plan["problems"][0];
    assert_eq!(
        (&problem["code"], &problem["line"]),
        (&"E_EMPTY_KEY".into(), &38.into())
    );
    assert_eq!(plan["warnings"][0]["code"], "W_UNUSED_COLUMN");
    assert_eq!(plan["warnings"].as_array().unwrap().len(), 1);

    let report = workdir.report(3, &["sync", "--sandbox"]);
    assert_eq!(
        counts(&report),
        expected([
            ("rows", 1000),
            ("updated", 999),
            ("invalid", 1),
            ("requests", 999)
        ])
    );
    let records = records(&workdir);
    assert_eq!(records.len(), 999);
    for (id, row) in &rows {
        let record = &records[id];
        // A blank cell says nothing: the record has no such member.
        let said = |cell: &str| match row[cell].trim() {
            "" => Value::Null,
            text => text.into(),
        };
        let member = |at: &str| record.pointer(at).cloned().unwrap_or_default();
        for (at, cell) in [
            ("/joinedDate", "Subscription Date"),
            ("/email", "Email"),
            ("/telephone", "Phone 1"),
            ("/mobile", "Phone 2"),
            ("/externalId", "Index"),
            ("/personDetails/firstName", "First Name"),
            ("/personDetails/lastName", "Last Name"),
        ] {
            assert_eq!(member(at), said(cell), "{at} of {id}: {record:#}");
        }
        assert_eq!(member("/personDetails/nationality"), "GB");
    }

    let dated = records
        .values()
        .filter(|record| record["joinedDate"].is_string());
    assert_eq!(dated.count(), 998, "one row of these has no date");

    let again = workdir.report(3, &["sync", "--sandbox"]);
    assert_eq!(
        counts(&again),
        expected([("rows", 1000), ("unchanged", 999), ("invalid", 1)])
    );
    // The sandbox has a state of its own: nothing was said of the real provider.
    assert!(!workdir.path("state.db").exists());
    let fresh = fs::read_to_string(&path).unwrap();
    assert_eq!(fresh.lines().count(), 1001, "the file itself is untouched");
}
