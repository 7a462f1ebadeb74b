//! `providers check`: what is wrong with the providers of a folder.
//!
//! Each folder is judged, whatever is wrong with another one. What passes here
//! is loaded: names that are taken are found as well.

use std::collections::BTreeMap;
use std::path::Path;

use crate::cli::catalog::{Folder, read_folder};
use crate::cli::exit::ExitCode;
use crate::cli::failure::Failure;
use crate::cli::output::print;
use crate::provider::{Catalog, Provider};
use crate::report::escape;

/// Says all that is wrong with the providers of a folder.
pub(in crate::cli) fn check(folder: &Path) -> Result<ExitCode, Failure> {
    let folders = read_folder(folder)?;
    if folders.is_empty() {
        let text = format!(
            "{} holds no provider: a folder with provider.toml and contract.schema.json",
            folder.display()
        );
        return Err(Failure::say(ExitCode::Config, text));
    }
    let names = Names::of(&folders)?;
    let mut code = ExitCode::Ok;
    print(|out| {
        for folder in &folders {
            let mut found = findings(folder);
            found.extend(names.taken(folder));
            let place = escape_lines(&folder.path.display().to_string());
            if found.is_empty() {
                writeln!(out, "{place}: nothing is wrong")?;
            } else {
                code = ExitCode::Config;
            }
            for finding in found {
                writeln!(out, "{place}: {}", escape_lines(&finding))?;
            }
        }
        Ok(())
    })?;
    Ok(code)
}

/// What is wrong with the two files of one folder.
fn findings(folder: &Folder) -> Vec<String> {
    let files = [&folder.manifest, &folder.contract];
    let [manifest, contract] = files.map(|file| file.as_deref().ok());
    let unreadable = files.into_iter().filter_map(|file| file.as_ref().err());
    unreadable
        .map(|error| format!("cannot be read: {error}"))
        .chain(
            Provider::findings(manifest, contract)
                .iter()
                .map(ToString::to_string),
        )
        .collect()
}

/// The names that are given, and by whom.
struct Names<'a> {
    built_in: Vec<String>,
    given: BTreeMap<String, Vec<&'a Path>>,
}

impl<'a> Names<'a> {
    fn of(folders: &'a [Folder]) -> Result<Self, Failure> {
        let catalog = Catalog::load(&[])?;
        let mut given: BTreeMap<String, Vec<&Path>> = BTreeMap::new();
        for folder in folders {
            if let Some(name) = name(folder) {
                given.entry(name).or_default().push(&folder.path);
            }
        }
        Ok(Self {
            built_in: catalog.all().map(|one| one.name().to_owned()).collect(),
            given,
        })
    }

    /// Whoever else has the name of a folder's provider.
    fn taken(&self, folder: &Folder) -> Vec<String> {
        let Some(name) = name(folder) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        if self.built_in.contains(&name) {
            found.push(format!(
                "the manifest's `name` is `{name}`, which a built-in provider has"
            ));
        }
        let others = self.given.get(&name).into_iter().flatten();
        for other in others.filter(|other| **other != folder.path) {
            let other = other.display();
            found.push(format!(
                "the manifest's `name` is `{name}`, which {other} gives as well"
            ));
        }
        found
    }
}

fn name(folder: &Folder) -> Option<String> {
    Provider::name_in(folder.manifest.as_deref().ok()?)
}

/// A text of several lines, each safe for a terminal.
fn escape_lines(text: &str) -> String {
    text.trim_end()
        .lines()
        .map(|line| escape(line).into_owned())
        .collect::<Vec<_>>()
        .join("\n    ")
}
