//! The conformance suite: what every provider must keep, over every manifest
//! there is (the built-in ones, and those of `tests/fixtures/providers`).
//!
//! What one provider needs to be tried stands in `providers/samples.rs`, as
//! literals from its documents.

mod answers;
mod pages;
mod refused;
mod rounds;
mod samples;

use std::fs;
use std::path::{Path, PathBuf};

use clientsync::core::{FieldPath, Pointer};
use clientsync::provider::{NamedCheck, Provider};
use serde_json::Value;

/// Where folders of providers stand.
const FOLDERS: [&str; 2] = ["src/provider/builtin", "tests/fixtures/providers"];

/// The tables of a manifest, in the order in which all of them are written.
const TABLES: [&str; 10] = [
    "settings", "auth", "request", "id", "update", "read", "list", "response", "check", "limits",
];

/// A provider and the two files that it was made of.
struct Found {
    folder: PathBuf,
    manifest: String,
    contract: Value,
    provider: Provider,
}

impl Found {
    fn name(&self) -> &str {
        self.provider.name()
    }

    fn is_built_in(&self) -> bool {
        self.folder.starts_with(root().join(FOLDERS[0]))
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every provider there is; one that does not load ends the test.
fn all() -> Vec<Found> {
    let mut all = Vec::new();
    for folder in FOLDERS {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let folder = entry.unwrap().path();
            if !folder.is_dir() {
                continue;
            }
            let text = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
            let (manifest, contract) = (text("provider.toml"), text("contract.schema.json"));
            let provider = Provider::new(&manifest, &contract)
                .unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
            all.push(Found {
                contract: serde_json::from_str(&contract).unwrap(),
                folder,
                manifest,
                provider,
            });
        }
    }
    assert!(all.len() >= 7, "only {} providers were found", all.len());
    all
}

#[test]
fn a_folder_has_the_name_of_its_provider_and_two_files() {
    for found in all() {
        assert_eq!(found.folder.file_name().unwrap(), found.name());
        assert_eq!(fs::read_dir(&found.folder).unwrap().count(), 2);
    }
}

#[test]
fn the_tables_of_a_manifest_stand_in_one_order() {
    for found in all() {
        let head = found
            .manifest
            .lines()
            .find(|l| !l.starts_with('#'))
            .unwrap();
        assert_eq!(head, "format = 1", "{}", found.name());
        let tables = found.manifest.lines().filter(|line| line.starts_with('['));
        let places: Vec<usize> = tables
            .map(|line| {
                let name = line.trim_start_matches('[');
                let name = name.split(['.', ']']).next().unwrap();
                let place = TABLES.iter().position(|table| *table == name);
                place.unwrap_or_else(|| panic!("{}: the table {name}", found.name()))
            })
            .collect();
        assert!(places.is_sorted(), "{}: {places:?}", found.name());
    }
}

/// Where a provider is right about a member that is only read: below the
/// first member of an `x-read-as`.
fn is_read_only_place(found: &Found, pointer: &Pointer) -> bool {
    let facts = found.provider.contract.facts();
    let mut places = facts
        .iter()
        .filter_map(|facts| facts.schema.get("x-read-as")?.as_str());
    let first = pointer.tokens().first();
    places.any(|place| place.split('/').nth(1) == first.map(String::as_str))
}

fn is_listed(found: &Found, pointer: &Pointer) -> bool {
    let node = pointer
        .tokens()
        .iter()
        .try_fold(&found.contract, |node, name| {
            let listed = node.get("properties").and_then(|p| p.get(name));
            listed.or_else(|| node.get("additionalProperties").filter(|r| r.is_object()))
        });
    node.is_some()
}

#[test]
fn every_pointer_of_a_manifest_names_a_member_of_the_record() {
    for found in all() {
        let manifest = &found.provider.manifest;
        let mut pointers: Vec<&Pointer> = manifest.update.whole.iter().collect();
        for table in &manifest.update.together {
            pointers.extend(&table.members);
            pointers.extend(table.when.iter().map(|when| &when.pointer));
        }
        for check in &manifest.check {
            match check {
                NamedCheck::NotBefore { pointer, other } => pointers.extend([pointer, other]),
                NamedCheck::NotSelf { pointer } => pointers.push(pointer),
                NamedCheck::NoOverlap {
                    pointer,
                    on,
                    from,
                    to,
                } => pointers.extend([pointer, on, from, to]),
            }
        }
        pointers.extend(manifest.id.body.iter());
        for pointer in &pointers {
            assert!(is_listed(&found, pointer), "{}: {pointer}", found.name());
        }
        let list = manifest.list.iter().flat_map(|list| &list.omits);
        let echo = manifest.response.echo.iter().flat_map(|echo| &echo.omits);
        for pointer in list.chain(echo) {
            assert!(
                is_listed(&found, pointer) || is_read_only_place(&found, pointer),
                "{}: {pointer}",
                found.name()
            );
        }
    }
}

/// Every member that the contract lists, by its path.
fn members(node: &Value, at: &str, all: &mut Vec<(String, Value)>) {
    let listed = node.get("properties").and_then(Value::as_object);
    let rest = node.get("additionalProperties").filter(|r| r.is_object());
    let listed = listed
        .into_iter()
        .flatten()
        .map(|(name, node)| (name.as_str(), node));
    for (name, node) in listed.chain(rest.map(|node| ("*", node))) {
        let at = format!("{at}/{name}");
        all.push((at.clone(), node.clone()));
        members(node, &at, all);
    }
    if let Some(items) = node.get("items") {
        members(items, &format!("{at}/-"), all);
    }
}

#[test]
fn every_member_of_a_built_in_contract_says_what_it_is_and_who_says_so() {
    for found in all().iter().filter(|found| found.is_built_in()) {
        assert!(found.contract["x-verified"].is_string(), "{}", found.name());
        assert_eq!(found.contract["additionalProperties"], false);
        let mut all = Vec::new();
        members(&found.contract, "", &mut all);
        assert!(all.len() >= 6, "{}", found.name());
        for (at, node) in all {
            for key in ["description", "x-source"] {
                let text = node.get(key).and_then(Value::as_str).unwrap_or_default();
                assert!(!text.is_empty(), "{}: {at} has no {key}", found.name());
            }
        }
    }
}

#[test]
fn every_field_can_be_resolved_or_is_read_only() {
    for found in all() {
        let mut writable = 0;
        for facts in found.provider.contract.facts() {
            let path = FieldPath::parse(&samples::named(&found, &facts.path)).unwrap();
            match found.provider.contract.field(&path) {
                Ok(_) => writable += 1,
                Err(error) => assert!(
                    error.to_string().contains("read-only"),
                    "{}: {error}",
                    found.name()
                ),
            }
        }
        assert!(writable >= 4, "{}: {writable}", found.name());
    }
}

#[test]
fn the_documents_example_bodies_pass_their_contracts() {
    for found in all().iter().filter(|found| found.is_built_in()) {
        let sample = samples::of(found.name());
        assert!(!sample.bodies.is_empty(), "{}", found.name());
        for body in sample.bodies {
            let body: Value = serde_json::from_str(body).unwrap();
            let broken = found.provider.check_all(&body, sample.id);
            assert_eq!(broken, [], "{}", found.name());
        }
    }
}
