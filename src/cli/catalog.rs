//! The providers that a command line knows: the built-in ones, and those of a
//! folder of the user's own.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::args::Common;
use super::config::{providers_dir, read_text};
use super::exit::ExitCode;
use super::failure::Failure;
use crate::provider::{Catalog, ProviderFiles};

/// The providers of a folder, each with the folder of its two files. The folder
/// given may be a provider's own.
pub(super) fn read_folder(folder: &Path) -> Result<Vec<(PathBuf, ProviderFiles)>, Failure> {
    let cannot = |what: &Path, error: &io::Error| {
        Failure::say(ExitCode::Config, format!("{}: {error}", what.display()))
    };
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    for entry in fs::read_dir(folder).map_err(|error| cannot(folder, &error))? {
        folders.push(entry.map_err(|error| cannot(folder, &error))?.path());
    }
    folders.retain(|folder| folder.join("provider.toml").is_file());
    folders.sort();
    let read = |path: PathBuf| fs::read_to_string(&path).map_err(|error| cannot(&path, &error));
    folders
        .into_iter()
        .map(|folder| {
            let manifest = read(folder.join("provider.toml"))?;
            let contract = read(folder.join("contract.schema.json"))?;
            Ok((folder, ProviderFiles { manifest, contract }))
        })
        .collect()
}

fn catalog(folder: Option<&Path>) -> Result<Catalog, Failure> {
    let Some(folder) = folder else {
        return Ok(Catalog::load(&[])?);
    };
    let files: Vec<ProviderFiles> = read_folder(folder)?
        .into_iter()
        .map(|(_, files)| files)
        .collect();
    let hint = format!(
        "the providers in {0} (`clientsync providers check {0}` says all that is wrong)",
        folder.display()
    );
    Catalog::load(&files).map_err(|error| Failure::from(error).during(hint))
}

/// The providers that a command line names, with those of the configuration's
/// folder where there is one.
pub(super) fn catalog_of(common: &Common) -> Result<Catalog, Failure> {
    if let Some(folder) = &common.providers_dir {
        return catalog(Some(folder));
    }
    let text = read_text(&common.config).unwrap_or_default();
    catalog(providers_dir(&text, &common.config).as_deref())
}
