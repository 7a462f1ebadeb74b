//! A folder of its own that holds a copy of `samples/`, to run the program in.
//!
//! The repository's own `state/` is never touched, and nothing here may need a
//! secret.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use super::workdir::{Ran, Workdir, config};

/// A copy of `samples/`, removed when it is dropped.
pub(crate) struct Samples(Workdir);

impl Samples {
    pub(crate) fn new() -> Self {
        let workdir = Workdir::new().token(None);
        let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
        copy(&samples, &workdir.path("samples"));
        Self(workdir)
    }

    /// The folder that holds `samples/`.
    pub(crate) fn path(&self) -> PathBuf {
        self.0.path("")
    }

    /// Runs the program in a folder below this one.
    pub(crate) fn run_in(&self, folder: &str, arguments: &[&str]) -> Ran {
        let mut command = self.0.command(arguments);
        Ran::from(command.current_dir(self.0.path(folder)).output().unwrap())
    }

    /// Starts the program in a folder below this one.
    pub(crate) fn start_in(&self, folder: &str, arguments: &[&str]) -> Child {
        let mut command = self.0.command(arguments);
        command
            .current_dir(self.0.path(folder))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Writes a file.
    pub(crate) fn write(&self, file: &str, text: impl AsRef<[u8]>) {
        self.0.write(file, text);
    }

    /// The text of a file.
    pub(crate) fn text(&self, file: &str) -> String {
        self.0.read(file)
    }

    /// Replaces a text in a file.
    pub(crate) fn edit(&self, file: &str, from: &str, to: &str) {
        self.0.edit(file, from, to);
    }

    /// Every file below a folder, with its bytes.
    pub(crate) fn files(&self, folder: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        let folder = self.0.path(folder);
        let mut found = BTreeMap::new();
        self.0.each_file(&mut |path, bytes| {
            if path.starts_with(&folder) {
                found.insert(path.to_owned(), bytes.to_vec());
            }
        });
        found
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}

/// A directory with a lane of the sample's own provider, after a change of its
/// manifest; `more` begins the lane's table.
pub(crate) fn harbour(url: &str, more: &str, change: impl FnOnce(String) -> String) -> Workdir {
    let workdir = Workdir::new();
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/custom-provider/providers/harbour");
    let sample = |file: &str| fs::read_to_string(folder.join(file)).unwrap();
    let [manifest, contract] = ["provider.toml", "contract.schema.json"];
    workdir.write(&format!("own/harbour/{manifest}"), change(sample(manifest)));
    workdir.write(&format!("own/harbour/{contract}"), sample(contract));
    let settings = format!("{more}settings = {{ club = \"north\", ");
    let text = config(url, "name = \"name\"")
        .replace("complycube", "harbour")
        .replace("settings = { ", &settings);
    let text = format!("{text}[run]\nproviders_dir = \"own\"\n");
    workdir.write("clientsync.toml", text);
    workdir
}
