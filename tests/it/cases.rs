//! Golden cases: one folder for each sentence of a vendor's document, or rule
//! of our own, with the expected request written by hand from those words.
//!
//! A folder below `tests/cases/PROVIDER` holds `case.md` (the sentence and
//! where it stands), `clientsync.toml`, `row.csv`, `expected.json`, and where
//! it needs them `snapshot.json` (what the provider acknowledged last) and
//! `record.json` (what a read returns). The program must never be run to write
//! an expectation: where the two differ, one of them is wrong.

mod expected;
mod judge;
mod state;

use std::fs;
use std::path::{Path, PathBuf};

/// The files that a folder may hold; whether it must is said beside.
const FILES: [(&str, bool); 6] = [
    ("case.md", true),
    ("clientsync.toml", true),
    ("row.csv", true),
    ("expected.json", true),
    ("snapshot.json", false),
    ("record.json", false),
];

#[test]
fn complycube_is_updated_as_its_documents_say() {
    judge_all("complycube", 20);
}

#[test]
fn nexudus_is_updated_as_its_documents_say() {
    judge_all("nexudus", 16);
}

#[test]
fn the_sample_of_an_own_provider_is_updated_as_its_documents_say() {
    judge_folder("samples/custom-provider/cases", 3);
}

#[test]
fn placio_is_updated_as_its_documents_say() {
    judge_all("placio", 22);
}

#[test]
fn spp_is_updated_as_its_documents_say() {
    judge_all("spp", 23);
}

#[test]
fn weel_is_updated_as_its_documents_say() {
    judge_all("weel", 30);
}

/// Judges every case of a provider, and that none went missing.
fn judge_all(provider: &str, at_least: usize) {
    judge_folder(&format!("tests/cases/{provider}"), at_least);
}

fn judge_folder(place: &str, at_least: usize) {
    let folders = sorted(&Path::new(env!("CARGO_MANIFEST_DIR")).join(place));
    assert!(folders.len() >= at_least, "{} cases", folders.len());
    let mut report = String::new();
    for (index, folder) in folders.iter().enumerate() {
        let mut found = misplaced(folder, index + 1);
        if found.is_empty() {
            found = judge::judge(folder);
        }
        if !found.is_empty() {
            let name = folder.file_name().unwrap_or_default().to_string_lossy();
            report = report + "\n" + place + "/" + &name + "\n";
            for difference in found {
                report = report + "  " + &difference.replace('\n', "\n  ") + "\n";
            }
        }
    }
    assert!(report.is_empty(), "{report}");
}

/// What is wrong with a folder before it is read: a file that is missing, or
/// one that nothing would look at.
fn misplaced(folder: &Path, number: usize) -> Vec<String> {
    let mut found = Vec::new();
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    if !name.starts_with(&format!("{number:03}-")) {
        found.push(format!("is case {number}, by its place"));
    }
    for (file, needed) in FILES {
        if needed && !folder.join(file).is_file() {
            found.push(format!("has no {file}"));
        }
    }
    for path in sorted(folder) {
        let name = path.file_name().unwrap_or_default();
        if !FILES.iter().any(|(file, _)| name == *file) {
            found.push(format!("holds {}, which nothing reads", name.display()));
        }
    }
    let case = fs::read_to_string(folder.join("case.md")).unwrap_or_default();
    if case.lines().next().is_none_or(|line| line.len() < 20) {
        found.push("its case.md does not begin with the sentence that it stands for".to_owned());
    }
    found
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}
