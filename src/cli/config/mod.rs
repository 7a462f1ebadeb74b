//! The configuration: from the text of `clientsync.toml` to what a run does.
//!
//! Every problem of the file is found in one pass, with its line and column.
//! Reading it is pure: no file is opened, no secret fetched, no variable read;
//! no key is ignored, and no message repeats a value.

mod absent;
mod cell;
mod environment;
mod fields;
mod guards;
mod lane;
mod matching;
mod problem;
mod reader;
mod run;
mod source;
mod state;

use std::cell::RefCell;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use toml::de::DeTable;

pub use environment::variable;
pub use lane::LaneConfig;
pub use problem::ConfigProblem;
pub use run::{
    Color, Format, LogFormat, MAX_CONCURRENCY, PageFormat, ReportFile, RunTable,
    check_lock_timeout, check_max_duration, check_rate,
};
pub use source::{SourcePath, SourceTable, UnusedColumns};
pub use state::{StateTable, StoredValues, parse_duration};

use crate::core::sha256_hex;
use crate::engine::Guards;
use crate::provider::Catalog;
use problem::{Problems, position};
use reader::Section;

/// A configuration that can be used. Paths of the file are resolved against
/// its folder.
#[derive(Debug)]
pub struct Config {
    /// The file it was read from.
    pub file: PathBuf,
    /// The folder of the file.
    pub directory: PathBuf,
    /// SHA-256 of the file's text, in hex.
    pub sha256: String,
    /// `[source]`.
    pub source: SourceTable,
    /// `[state]`.
    pub state: StateTable,
    /// `[guards]`; each lane has its own, with these as the default.
    pub guards: Guards,
    /// `[run]`.
    pub run: RunTable,
    /// `[providers.*]`, in the order of the file.
    pub lanes: Vec<LaneConfig>,
}

/// The version of the configuration format.
const VERSION: u64 = 1;

/// More than any configuration: what is longer is some other file.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

impl Config {
    /// Reads a configuration file; see [`Config::parse`].
    pub fn read(file: &Path, catalog: &Catalog) -> Result<Self, Vec<ConfigProblem>> {
        let text = read_text(file).map_err(|problem| vec![problem])?;
        Self::parse(&text, file, catalog)
    }

    /// Understands the text of a configuration file, or says all that is wrong
    /// with it, in the order of the file. Where the text is no TOML, only that
    /// is said: what a broken file means is a guess.
    pub fn parse(text: &str, file: &Path, catalog: &Catalog) -> Result<Self, Vec<ConfigProblem>> {
        let problems = Problems::new(text);
        let config = match document(text, &problems) {
            Some(table) => read_document(table, text, file, catalog, &problems),
            None => None,
        };
        match (config, problems.into_found()) {
            (Some(config), None) => Ok(config),
            (_, found) => Err(found.unwrap_or_default()),
        }
    }
}

/// Reads the text of a configuration file.
pub fn read_text(file: &Path) -> Result<String, ConfigProblem> {
    let cannot = |error: std::io::Error| {
        let hint = if error.kind() == std::io::ErrorKind::NotFound {
            "; name another file with --config"
        } else {
            ""
        };
        ConfigProblem::of_file(format!("cannot be read: {error}{hint}"))
    };
    let mut bytes = Vec::new();
    let source = File::open(file).map_err(cannot)?;
    source
        .take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(cannot)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_BYTES) {
        return Err(ConfigProblem::of_file("is longer than 8 MiB".to_owned()));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let (line, column) = position(&String::from_utf8_lossy(valid));
        ConfigProblem {
            line,
            column,
            ..ConfigProblem::of_file("is not UTF-8; save it as UTF-8".to_owned())
        }
    })
}

/// The folder of `[run] providers_dir`, resolved, which must be loaded before
/// the rest of the file can be understood. What is wrong with the file is not
/// said here, but by [`Config::parse`].
#[must_use]
pub fn providers_dir(text: &str, file: &Path) -> Option<PathBuf> {
    let (document, _) = DeTable::parse_recoverable(text);
    let run = document.get_ref().get("run")?.get_ref().as_table()?;
    let path = run.get("providers_dir")?.get_ref().as_str()?;
    Some(directory_of(file).join(path))
}

fn directory_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// The parsed document; `None` where the text is no TOML, which is recorded.
fn document<'t>(text: &'t str, problems: &Problems<'_>) -> Option<DeTable<'t>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let span = error.span().unwrap_or(0..0);
        // The parser's message names rules only; its full text quotes the line.
        let message = match (error.message(), text.get(span.clone())) {
            ("duplicate key", Some(key)) => {
                format!("`{}` is given twice; one of the two must go", key.trim())
            }
            (message, _) => format!("is not valid TOML: {message}"),
        };
        problems.push("E_TOML", span.start, "", message);
    }
    errors.is_empty().then(|| document.into_inner())
}

fn read_document<'a>(
    table: DeTable<'a>,
    text: &str,
    file: &Path,
    catalog: &Catalog,
    problems: &'a Problems<'a>,
) -> Option<Config> {
    let directory = directory_of(file);
    let mut root = Section::root(table, problems);
    if let Some(version) = root.take("version") {
        if version.whole(0..=u64::MAX).is_some_and(|v| v != VERSION) {
            version.refuse("must be 1, the only version of this format that there is");
        }
    } else {
        root.missing("version", "begin the file with `version = 1`");
    }
    if !root.has("source") {
        root.missing("source", "say which CSV file is read, and its key column");
    }
    let source = root
        .section("source")
        .map(|section| source::read(section, &directory));
    let state = state::read(root.section("state"), &directory);
    let guards = guards::read(root.section("guards"), Guards::default());
    let run = run::read(root.section("run"), &directory);
    let mut lanes = Vec::new();
    match root.take("providers") {
        Some(value) => {
            let context = lane::Context {
                catalog,
                directory: &directory,
                source: source.as_ref(),
                guards,
                unclearable: RefCell::default(),
            };
            let entries = value.section().map(Section::entries).unwrap_or_default();
            lanes.extend(
                entries
                    .into_iter()
                    .filter_map(|entry| lane::read(entry, &context)),
            );
            if let Some(source) = &source {
                answer_blank(source, &context.unclearable.into_inner(), problems);
            }
        }
        None => root.missing(
            "providers",
            "add a table [providers.NAME] for each system; `clientsync providers` lists the kinds",
        ),
    }
    root.finish();
    Some(Config {
        file: file.to_owned(),
        directory,
        sha256: sha256_hex(text.as_bytes()),
        source: source?,
        state,
        guards,
        run,
        lanes,
    })
}

/// Answers a `[source] blank = "clear"` that some mapped fields cannot follow.
fn answer_blank(source: &SourceTable, unclearable: &[String], problems: &Problems<'_>) {
    if !unclearable.is_empty() {
        problems.push(
            "E_CONFIG",
            source.blank_at,
            "source.blank",
            format!(
                "cannot be \"clear\" for fields that the provider documents no way to empty; give each of them its own `blank`: {}",
                unclearable.join(", ")
            ),
        );
    }
}
