//! The providers that a command line knows: the built-in ones, and those of a
//! folder of the user's own.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::args::Common;
use super::config::{providers_dir, read_text};
use super::exit::ExitCode;
use super::failure::Failure;
use crate::provider::{Catalog, ProviderFiles};

/// The folder of a provider, with what its two files hold or why one cannot be
/// read.
pub(super) struct Folder {
    pub(super) path: PathBuf,
    pub(super) manifest: Result<String, Unreadable>,
    pub(super) contract: Result<String, Unreadable>,
}

/// A file that cannot be read.
#[derive(Debug, Error)]
#[error("{}: {error}", file.display())]
pub(super) struct Unreadable {
    file: PathBuf,
    error: io::Error,
}

impl Folder {
    fn read(path: PathBuf) -> Self {
        let text = |name: &str| {
            let file = path.join(name);
            fs::read_to_string(&file).map_err(|error| Unreadable { file, error })
        };
        Self {
            manifest: text("provider.toml"),
            contract: text("contract.schema.json"),
            path,
        }
    }

    fn files(self) -> Result<ProviderFiles, Unreadable> {
        Ok(ProviderFiles {
            manifest: self.manifest?,
            contract: self.contract?,
        })
    }
}

/// The providers of a folder, by their folders. The folder given may be a
/// provider's own.
pub(super) fn read_folder(folder: &Path) -> Result<Vec<Folder>, Failure> {
    let cannot = |what: &Path, error: &io::Error| {
        Failure::say(ExitCode::Config, format!("{}: {error}", what.display()))
    };
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    for entry in fs::read_dir(folder).map_err(|error| cannot(folder, &error))? {
        folders.push(entry.map_err(|error| cannot(folder, &error))?.path());
    }
    folders.retain(|folder| folder.join("provider.toml").is_file());
    folders.sort();
    Ok(folders.into_iter().map(Folder::read).collect())
}

fn catalog(folder: Option<&Path>) -> Result<Catalog, Failure> {
    let Some(folder) = folder else {
        return Ok(Catalog::load(&[])?);
    };
    let files = read_folder(folder)?
        .into_iter()
        .map(Folder::files)
        .collect::<Result<Vec<ProviderFiles>, Unreadable>>()
        .map_err(|error| Failure::new(ExitCode::Config, error))?;
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
