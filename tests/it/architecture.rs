//! The layers hold: who may use whom, which crates, and which words.
//!
//! It reads `src/**` as text, so it needs no compiler and nobody can forget it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each layer: the layers of ours it may use, and the crates of others.
const LAYERS: [(&str, &[&str], &[&str]); 9] = [
    (
        "core",
        &[],
        &[
            "serde",
            "serde_json",
            "thiserror",
            "jiff",
            "hmac",
            "sha2",
            "chacha20poly1305",
        ],
    ),
    (
        "provider",
        &["core"],
        &[
            "serde",
            "serde_json",
            "thiserror",
            "toml",
            "jsonschema",
            "regex_syntax",
            "jiff",
            "url",
            "percent_encoding",
            "httpdate",
            "strsim",
        ],
    ),
    (
        "source",
        &["core"],
        &[
            "csv",
            "encoding_rs",
            "memchr",
            "sha2",
            "tempfile",
            "xxhash_rust",
            "thiserror",
        ],
    ),
    (
        "store",
        &["core"],
        &[
            "rusqlite",
            "serde",
            "serde_json",
            "thiserror",
            "sha2",
            "getrandom",
            "jiff",
        ],
    ),
    (
        "engine",
        &["core", "provider", "store"],
        &[
            "tokio",
            "governor",
            "tracing",
            "serde_json",
            "sha2",
            "thiserror",
            "jiff",
        ],
    ),
    (
        "http",
        &["core", "provider", "engine"],
        &[
            "reqwest",
            "rustls",
            "tokio",
            "url",
            "serde",
            "serde_json",
            "thiserror",
            "percent_encoding",
            "jiff",
        ],
    ),
    (
        "report",
        &["core", "engine"],
        &["csv", "indicatif", "serde", "serde_json", "thiserror"],
    ),
    (
        "sandbox",
        &["core", "provider"],
        &[
            "axum",
            "tokio",
            "serde",
            "serde_json",
            "thiserror",
            "tempfile",
            "percent_encoding",
            "jsonschema",
            "url",
        ],
    ),
    (
        "cli",
        &[
            "core", "provider", "source", "store", "engine", "http", "report", "sandbox",
        ],
        &[
            "anyhow",
            "clap",
            "tracing",
            "tracing_subscriber",
            "tokio",
            "serde_json",
            "thiserror",
            "toml",
            "jiff",
            "tempfile",
            "getrandom",
            "indicatif",
            "csv",
            "strsim",
            "rustix",
        ],
    ),
];

fn sources() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                // Tests may name whom they like.
                if !path.ends_with("tests.rs") {
                    found.push((path, text));
                }
            }
        }
    }
    let mut found = Vec::new();
    walk(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut found,
    );
    assert!(found.len() > 50, "the sources were not found");
    found
}

fn layer_of(path: &Path) -> String {
    let inside = path
        .strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
        .unwrap();
    inside
        .components()
        .next()
        .unwrap()
        .as_os_str()
        .to_string_lossy()
        .into_owned()
}

/// The lines of a file without comments, doc comments and unit tests.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let end = text.find("#[cfg(test)]\nmod tests").unwrap_or(text.len());
    text[..end]
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// The names that follow `crate::` in a line, also inside braces.
fn used_layers(line: &str) -> Vec<String> {
    let name = |text: &str| {
        text.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect::<String>()
    };
    line.match_indices("crate::")
        .filter(|(at, _)| !line[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
        .flat_map(|(at, found)| {
            let rest = &line[at + found.len()..];
            match rest.strip_prefix('{') {
                Some(several) => several.split(',').map(|part| name(part.trim())).collect(),
                None => vec![name(rest)],
            }
        })
        .collect()
}

fn crates_of_others() -> BTreeSet<String> {
    let manifest =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let table: toml::Table = manifest.parse().unwrap();
    table["dependencies"]
        .as_table()
        .unwrap()
        .keys()
        .map(|name| name.replace('-', "_"))
        .collect()
}

#[test]
fn every_layer_uses_only_those_below_it() {
    let layers: BTreeMap<&str, (&[&str], &[&str])> = LAYERS
        .iter()
        .map(|(n, ours, others)| (*n, (*ours, *others)))
        .collect();
    let crates = crates_of_others();
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let layer = layer_of(&path);
        let Some((ours, others)) = layers.get(layer.as_str()) else {
            continue;
        };
        for (number, line) in code(&text) {
            let place = || format!("{}:{}: {}", path.display(), number + 1, line.trim());
            for used in used_layers(line) {
                if layers.contains_key(used.as_str())
                    && used != layer
                    && !ours.contains(&used.as_str())
                {
                    wrong.push(place());
                }
            }
            for name in &crates {
                let named = line.contains(&format!("use {name}::"))
                    || line.contains(&format!(" {name}::"))
                    || line.contains(&format!("({name}::"));
                if named && !others.contains(&name.as_str()) {
                    wrong.push(place());
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_source_file_belongs_to_a_layer() {
    for (path, _) in sources() {
        let layer = layer_of(&path);
        assert!(
            ["lib.rs", "main.rs", "failpoint.rs"].contains(&layer.as_str())
                || LAYERS.iter().any(|(name, ..)| *name == layer),
            "{}",
            path.display()
        );
    }
}

#[test]
fn no_provider_is_named_outside_its_folder() {
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/provider/builtin");
    let names: Vec<String> = fs::read_dir(&built_in)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    assert!(names.len() >= 2);
    for (path, text) in sources()
        .iter()
        .filter(|(path, _)| !path.starts_with(&built_in))
    {
        for (number, line) in code(text) {
            let lower = line.to_lowercase();
            for name in &names {
                assert!(
                    !lower.contains(name.as_str()),
                    "{}:{}: names {name}",
                    path.display(),
                    number + 1
                );
            }
        }
    }
}

/// A word, and the only places that may hold it.
const ONLY_IN: [(&str, &[&str]); 7] = [
    ("rusqlite", &["src/store/"]),
    ("reqwest", &["src/http/"]),
    ("std::env::var", &["src/cli/config/environment.rs"]),
    ("SystemTime::now", &["src/cli/"]),
    ("Timestamp::now", &["src/cli/"]),
    ("getrandom", &["src/cli/", "src/store/"]),
    ("failpoint::", &["src/store/", "src/http/", "src/cli/"]),
];

#[test]
fn the_outside_world_is_touched_in_one_place_each() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (path, text) in sources() {
        let inside = path
            .strip_prefix(root)
            .unwrap()
            .to_string_lossy()
            .into_owned();
        for (number, line) in code(&text) {
            for (word, places) in ONLY_IN {
                let allowed = places.iter().any(|place| inside.starts_with(place));
                assert!(
                    allowed || !line.contains(word),
                    "{inside}:{}: `{word}`",
                    number + 1
                );
            }
        }
    }
}

#[test]
fn planning_has_no_transport() {
    let planning = |path: &Path| {
        let path = path.to_string_lossy();
        [
            "engine/planning/",
            "engine/reading/roster.rs",
            "engine/reading/linking.rs",
        ]
        .iter()
        .any(|place| path.contains(place))
    };
    let mut judged = 0;
    for (path, text) in sources().into_iter().filter(|(path, _)| planning(path)) {
        judged += 1;
        for (number, line) in code(&text) {
            assert!(
                !line.contains("ransport") && !line.contains("async "),
                "{}:{}: {line}",
                path.display(),
                number + 1
            );
        }
    }
    assert!(judged > 9, "{judged} files");
}

#[test]
fn every_file_says_what_it_is_for_and_stays_small() {
    for (path, text) in sources() {
        assert!(
            text.starts_with("//! ") || text.starts_with("#!["),
            "{} does not open with its purpose",
            path.display()
        );
        assert!(
            text.lines().count() <= 450,
            "{} has {} lines",
            path.display(),
            text.lines().count()
        );
    }
}

/// Whether an error's text names the cause that the error chains as well.
fn is_told_twice(variant: &str) -> bool {
    let chains = ["#[from]", "#[source]", " source: "];
    let names = ["{0}", "{source}", "{error}"];
    variant.split_once("\")]").is_some_and(|(text, members)| {
        chains.iter().any(|chain| members.contains(chain))
            && names.iter().any(|name| text.contains(name))
    })
}

#[test]
fn no_error_names_a_cause_that_it_chains() {
    assert!(is_told_twice("\"no: {0}\")]\n    Io(#[from] io::Error),"));
    for (path, text) in sources() {
        for error in text.split("#[error(").skip(1) {
            // What follows the last variant is no part of it.
            let variant = error.split("\n}").next().unwrap_or_default();
            assert!(!is_told_twice(variant), "{}: {variant}", path.display());
        }
    }
}

#[test]
fn no_test_is_ignored_and_nothing_is_left_to_do() {
    for (path, text) in sources() {
        for word in ["todo!(", "unimplemented!(", "#[ignore", "FIXME"] {
            assert!(!text.contains(word), "{}: {word}", path.display());
        }
    }
}
