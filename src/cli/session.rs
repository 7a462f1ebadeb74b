//! A session: what a command line and a configuration come to, before any row
//! is read.
//!
//! It resolves flags against `[run]`, narrows lanes, binds them to the columns
//! of the source, and knows where the state lies. It never sends.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::args::{Common, InSandbox, Locking, Output, Pace, Portion, Selection};
use super::catalog::catalog_of;
use super::config::{
    Color, Config, LaneConfig, LogFormat, ReportFile, SourcePath, StoredValues, UnusedColumns,
};
use super::exit::ExitCode;
use super::failure::Failure;
use super::only;
use crate::core::{FieldPath, Key, Policy, Problem, RecordKey, Scope};
use crate::engine::{Bounds, Digests, IdColumn, Keeping, Lane, Matching};
use crate::provider::{LeafRules, nearest};
use crate::source::{Encoding, Input, Source, SourceSettings, Survey};
use crate::store::{digest_key, existing_key, key_path};

/// What the command line adds to the configuration.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    pub(super) selection: Selection,
    pub(super) portion: Portion,
    pub(super) pace: Pace,
    pub(super) locking: Locking,
    pub(super) sandbox: InSandbox,
    pub(super) output: Output,
    /// Whether rows without a remote id are judged too.
    pub(super) judge_unlinked: bool,
}

/// A session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) config: Config,
    pub(super) asked: Asked,
    /// When it began: the run's time counts from here.
    began: Instant,
    /// The leaf rules of each lane.
    rules: Vec<Arc<Vec<LeafRules>>>,
    /// The columns that lanes read which this run leaves out.
    elsewhere: BTreeSet<String>,
}

/// A source that was opened and surveyed.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) source: Source,
    pub(super) survey: Survey,
    /// Warnings of the file as a whole.
    pub(super) warnings: Vec<Problem>,
    /// Whether white space around keys is removed.
    pub(super) trim: bool,
}

impl Session {
    /// Reads the configuration and narrows it to what was asked for.
    pub(super) fn open(common: &Common, asked: Asked) -> Result<Self, Failure> {
        let began = Instant::now();
        let catalog = catalog_of(common)?;
        let mut config = Config::read(&common.config, &catalog)
            .map_err(|problems| Failure::config(&common.config, &problems))?;
        let names: Vec<String> = config.lanes.iter().map(|lane| lane.name.clone()).collect();
        for name in &asked.selection.provider {
            if !names.contains(name) {
                let hint = nearest(name, &names)
                    .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                let known = names.join(", ");
                return Err(Failure::say(
                    ExitCode::Usage,
                    format!("--provider {name}: the configuration has {known}{hint}"),
                ));
            }
        }
        let wanted = |lane: &LaneConfig| {
            asked.selection.provider.is_empty() || asked.selection.provider.contains(&lane.name)
        };
        let (lanes, others): (Vec<_>, Vec<_>) = config.lanes.drain(..).partition(wanted);
        let elsewhere = others.iter().flat_map(columns_of).collect();
        config.lanes = lanes;
        check_fields(&config.lanes, &asked.selection.fields)?;
        let rules = config
            .lanes
            .iter_mut()
            .map(|lane| Arc::new(std::mem::take(&mut lane.rules)))
            .collect();
        Ok(Self {
            config,
            asked,
            began,
            rules,
            elsewhere,
        })
    }

    /// Whether the run sees the whole population.
    pub(super) fn scope(&self) -> Scope {
        let Asked {
            selection, portion, ..
        } = &self.asked;
        let narrowed = !selection.provider.is_empty()
            || !selection.only.is_empty()
            || !selection.fields.is_empty();
        if narrowed || portion.partial || portion.limit.is_some() {
            Scope::Partial
        } else {
            Scope::Whole
        }
    }

    /// The keys asked for, in the spelling of the rows.
    pub(super) fn only(&self) -> Result<Option<BTreeSet<RecordKey>>, Failure> {
        if self.asked.selection.only.is_empty() {
            return Ok(None);
        }
        let columns = self.config.source.key.len();
        only::keys(&self.asked.selection.only, columns).map(Some)
    }

    /// The state file: the sandbox has its own beside the real one.
    pub(super) fn state_path(&self) -> PathBuf {
        let path = self.config.state.path.clone();
        if self.asked.sandbox.sandbox {
            sandbox_state(&path)
        } else {
            path
        }
    }

    /// The file that the sandbox keeps its records in.
    pub(super) fn sandbox_records(&self) -> PathBuf {
        sandbox_state(&self.config.state.path).with_extension("records.jsonl")
    }

    /// The sandbox's seed file, beside the configuration.
    pub(super) fn sandbox_seed(&self) -> PathBuf {
        self.config.directory.join("sandbox.json")
    }

    /// What a run's folder of saved plans is called.
    pub(super) fn plans_folder(&self) -> PathBuf {
        self.state_path().with_extension("plans")
    }

    /// The renderings that are asked for as files.
    pub(super) fn report_files(&self) -> &[ReportFile] {
        if self.asked.output.report.is_empty() {
            &self.config.run.report
        } else {
            &self.asked.output.report
        }
    }

    /// The rate that the user allows, where it is lower than the limits.
    pub(super) fn tps_limit(&self) -> Option<f64> {
        self.asked.pace.tps_limit.or(self.config.run.tps_limit)
    }

    /// How far a lane may go in this run; `usual` is how long it may take where
    /// nobody says so, `not_before` when its provider may be called again.
    pub(super) fn bounds(&self, usual: Option<Duration>, not_before: Option<Timestamp>) -> Bounds {
        let run = &self.config.run;
        let time = self.asked.pace.max_duration.or(run.max_duration).or(usual);
        Bounds {
            budget: self.asked.pace.budget.or(run.budget),
            deadline: time.and_then(|time| self.began.checked_add(time)),
            not_before,
        }
    }

    /// How long to wait for another run to end.
    pub(super) fn lock_timeout(&self) -> Duration {
        let asked = self.asked.locking.lock_timeout;
        asked.or(self.config.run.lock_timeout).unwrap_or_default()
    }

    /// The key of digests and seals, if there is one already.
    pub(super) fn known_key(&self) -> Result<Option<Key>, Failure> {
        Ok(existing_key(&self.key_file())?)
    }

    /// The key of digests and seals, made where it is missing.
    pub(super) fn key(&self) -> Result<Key, Failure> {
        Ok(digest_key(&self.key_file())?)
    }

    fn key_file(&self) -> PathBuf {
        match &self.config.state.values {
            StoredValues::Digest(key_file) => key_file.clone(),
            StoredValues::Plain => key_path(&self.state_path()),
        }
    }

    /// Opens the source, checks its header and surveys all of it.
    pub(super) fn open_source(&self) -> Result<Opened, Failure> {
        let table = &self.config.source;
        let encoding = Encoding::parse(&table.encoding)
            .map_err(|error| Failure::new(ExitCode::Config, error))?;
        let settings = SourceSettings {
            input: match &table.path {
                SourcePath::File(path) => Input::File(path.clone()),
                SourcePath::Stdin => Input::Stdin,
            },
            key: table.key.clone(),
            delimiter: table.delimiter,
            encoding,
            trim: table.trim,
            skip_lines: table.skip_lines,
            require_final_newline: table.require_final_newline,
        };
        let source = Source::open(&settings)?;
        let mut warnings = self.check_columns(source.header().names())?;
        let ids: BTreeSet<usize> = self
            .config
            .lanes
            .iter()
            .filter_map(|lane| source.header().position(lane.id_column.as_ref()?))
            .collect();
        let only = self.only()?.unwrap_or_default();
        let survey = source.survey_for(&ids.into_iter().collect::<Vec<_>>(), &only)?;
        only::check(&survey.missing)?;
        warnings.extend(survey.warnings.iter().cloned());
        Ok(Opened {
            source,
            survey,
            warnings,
            trim: table.trim,
        })
    }

    /// Every mapped column must be there; what nobody maps is named once.
    fn check_columns(&self, header: &[String]) -> Result<Vec<Problem>, Failure> {
        let mut problems = Vec::new();
        let mut used: BTreeSet<String> = self.config.source.key.iter().cloned().collect();
        for lane in &self.config.lanes {
            for column in columns_of(lane) {
                if !header.contains(&column) && used.insert(column.clone()) {
                    let hint = nearest(&column, header)
                        .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                    let message = format!(
                        "the file has no such column, and [providers.{}] uses it{hint}",
                        lane.name
                    );
                    problems.push(Problem::new("E_MISSING_COLUMN", message).column(column));
                } else {
                    used.insert(column);
                }
            }
        }
        if !problems.is_empty() {
            return Err(Failure::source(&problems));
        }
        let unused: Vec<String> = header
            .iter()
            .filter(|name| {
                !used.contains(*name) && !self.elsewhere.contains(*name) && !name.is_empty()
            })
            .map(|name| format!("`{name}`"))
            .collect();
        if unused.is_empty() {
            return Ok(Vec::new());
        }
        let message = format!("no provider uses the column(s) {}", unused.join(", "));
        match self.config.source.unused_columns {
            UnusedColumns::Ignore => Ok(Vec::new()),
            UnusedColumns::Warn => Ok(vec![Problem::new("W_UNUSED_COLUMN", message)]),
            UnusedColumns::Error => {
                Err(Failure::source(&[Problem::new("E_UNUSED_COLUMN", message)]))
            }
        }
    }

    /// The lanes, bound to the columns of the source. `base_urls` replaces
    /// where they send; what their state is bound to stays the same.
    pub(super) fn lanes(
        &self,
        source: &Source,
        key: Option<&Key>,
        base_url: &dyn Fn(&str) -> Option<String>,
    ) -> Vec<Lane> {
        let position = |name: &String| source.header().position(name).unwrap_or(usize::MAX);
        let fields = &self.asked.selection.fields;
        let concurrency = self.asked.pace.concurrency.or(self.config.run.concurrency);
        let digests = match self.config.state.values {
            StoredValues::Digest(_) => Digests::All,
            StoredValues::Plain => Digests::Sensitive,
        };
        let mut lanes = Vec::new();
        for (ordinal, (lane, rules)) in self.config.lanes.iter().zip(&self.rules).enumerate() {
            let mut mappings = lane.mappings.clone();
            for mapping in &mut mappings {
                // A field that was not asked for is as if its mapping were
                // switched off: what the provider holds stays.
                if !fields.is_empty() && !fields.contains(&mapping.field.path) {
                    mapping.policy = Policy::Ignore;
                }
            }
            let mut limits = lane.limits.clone();
            limits.concurrency =
                concurrency.map_or(limits.concurrency, |asked| asked.min(limits.concurrency));
            let settings = match base_url(&lane.name) {
                Some(url) => lane.settings.clone().with("base_url", url),
                None => lane.settings.clone(),
            };
            lanes.push(Lane {
                name: lane.name.clone(),
                ordinal: u8::try_from(ordinal).unwrap_or(u8::MAX),
                provider: Arc::clone(&lane.provider),
                target: lane.provider.target(&if self.asked.sandbox.sandbox {
                    lane.settings
                        .clone()
                        .with("base_url", "the sandbox".to_owned())
                } else {
                    lane.settings.clone()
                }),
                settings,
                columns: mappings
                    .iter()
                    .map(|m| m.cell.columns().iter().map(position).collect())
                    .collect(),
                mappings,
                rules: Arc::clone(rules),
                absent: lane.absent.clone(),
                id: lane.id_column.as_ref().map(|name| IdColumn {
                    index: position(name),
                    name: name.clone(),
                }),
                matching: lane.matching.as_ref().map(|(mapping, rules)| Matching {
                    column: mapping.cell.columns().first().map_or(usize::MAX, position),
                    mapping: mapping.clone(),
                    rules: Arc::clone(rules),
                }),
                limits,
                keeping: Keeping {
                    key: key.cloned(),
                    digests,
                },
            });
        }
        lanes
    }
}

/// The columns that a lane reads.
fn columns_of(lane: &LaneConfig) -> Vec<String> {
    let mapped = lane
        .mappings
        .iter()
        .flat_map(|mapping| mapping.cell.columns().to_vec());
    let matched = lane
        .matching
        .iter()
        .flat_map(|(mapping, _)| mapping.cell.columns().to_vec());
    mapped
        .chain(lane.id_column.clone())
        .chain(matched)
        .collect()
}

/// A field asked for must be mapped in at least one lane.
fn check_fields(lanes: &[LaneConfig], fields: &[FieldPath]) -> Result<(), Failure> {
    let mapped: Vec<String> = lanes
        .iter()
        .flat_map(|lane| &lane.mappings)
        .map(|m| m.field.path.to_string())
        .collect();
    for field in fields {
        let text = field.to_string();
        if !mapped.contains(&text) {
            let hint = nearest(&text, &mapped)
                .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            return Err(Failure::say(
                ExitCode::Usage,
                format!("--fields {text}: no provider of this run maps it{hint}"),
            ));
        }
    }
    Ok(())
}

/// The sandbox's state beside the real one: `x.db` and `x.sandbox.db`.
pub(super) fn sandbox_state(state: &Path) -> PathBuf {
    let extension = state
        .extension()
        .map_or_else(|| "db".to_owned(), |e| e.to_string_lossy().into_owned());
    state.with_extension(format!("sandbox.{extension}"))
}

/// Whether output is coloured.
pub(super) fn colours(
    asked: Option<Color>,
    configured: Option<Color>,
    terminal: bool,
    no_color: bool,
) -> bool {
    match asked.or(configured).unwrap_or_default() {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => terminal && !no_color,
    }
}

/// The form of log lines.
pub(super) fn log_format(asked: Option<LogFormat>, configured: Option<LogFormat>) -> LogFormat {
    asked.or(configured).unwrap_or_default()
}
