//! `[run]`: the keys of the flags of pace and output.
//!
//! It says what the file says; where the command line says something else,
//! the command line wins, and that is decided where both are known.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;

use super::reader::{Section, Value};
use super::state::parse_duration;

/// The `[run]` table; `None` where the file says nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunTable {
    /// Requests per second and lane, at most.
    pub tps_limit: Option<f64>,
    /// Requests in flight per lane, at most.
    pub concurrency: Option<u32>,
    /// Requests per lane and run, at most.
    pub budget: Option<u64>,
    /// How long a run may take.
    pub max_duration: Option<Duration>,
    /// How long to wait for another run to end.
    pub lock_timeout: Option<Duration>,
    /// What stdout gets.
    pub format: Option<Format>,
    /// Report files.
    pub report: Vec<ReportFile>,
    /// Whether every value is masked.
    pub hide_values: Option<bool>,
    /// The form of log lines.
    pub log_format: Option<LogFormat>,
    /// The file of log lines.
    pub log_file: Option<PathBuf>,
    /// Whether no progress is shown.
    pub no_progress: Option<bool>,
    /// Whether output is coloured.
    pub color: Option<Color>,
    /// A folder with more providers.
    pub providers_dir: Option<PathBuf>,
}

/// A rendering of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
    /// For spreadsheets: one line per change and per problem.
    Csv,
    /// For pull requests.
    Markdown,
    /// For reviewers: one file for a browser.
    Html,
}

impl Format {
    /// Each by the name that the command line and the configuration have for it.
    const NAMES: [(&str, Self); 5] = [
        ("text", Self::Text),
        ("json", Self::Json),
        ("csv", Self::Csv),
        ("markdown", Self::Markdown),
        ("html", Self::Html),
    ];
}

/// A rendering of a list or a page that is no report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum PageFormat {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

impl PageFormat {
    /// What a list looks like where reports have this form.
    pub(in crate::cli) fn nearest(format: Format) -> Self {
        match format {
            Format::Json => Self::Json,
            Format::Text | Format::Csv | Format::Markdown | Format::Html => Self::Text,
        }
    }
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Whether output is coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// A report that is written to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportFile {
    /// The file.
    pub path: PathBuf,
    /// The rendering, by the file's extension.
    pub format: Format,
}

/// The most requests in flight that can be asked for.
pub const MAX_CONCURRENCY: u32 = 256;

impl ReportFile {
    /// Decides the rendering by the extension.
    pub fn parse(path: &str) -> Result<Self, String> {
        let path = PathBuf::from(path);
        let extension = path.extension().and_then(|extension| extension.to_str());
        let format = match extension {
            Some("txt") => Format::Text,
            Some("json") => Format::Json,
            Some("csv") => Format::Csv,
            Some("md") => Format::Markdown,
            Some("html") => Format::Html,
            _ => {
                return Err(
                    "must end in .txt, .json, .csv, .md or .html, which decides its form"
                        .to_owned(),
                );
            }
        };
        Ok(Self { path, format })
    }
}

/// Checks a rate in requests per second: from 0.001 to 10000.
pub fn check_rate(rate: f64) -> Result<f64, &'static str> {
    if (0.001..=10_000.0).contains(&rate) {
        Ok(rate)
    } else {
        Err("must be a number of requests per second from 0.001 to 10000")
    }
}

/// Checks how long a run may take: from a second to 30 days.
pub fn check_max_duration(text: &str) -> Result<Duration, &'static str> {
    const LONGEST: Duration = Duration::from_secs(30 * 86_400);
    parse_duration(text)
        .filter(|duration| *duration <= LONGEST)
        .ok_or("must be a duration from 1s to 30d, for example 10m, 2h or 1h30m")
}

/// Checks how long to wait for another run: 0, or up to a day.
pub fn check_lock_timeout(text: &str) -> Result<Duration, &'static str> {
    const LONGEST: Duration = Duration::from_secs(86_400);
    if matches!(text, "0" | "0s") {
        return Ok(Duration::ZERO);
    }
    parse_duration(text)
        .filter(|duration| *duration <= LONGEST)
        .ok_or("must be 0 or a duration up to 24h, for example 30s or 5m")
}

/// Reads the table; without one, the file says nothing.
pub(super) fn read(section: Option<Section<'_>>, directory: &Path) -> RunTable {
    let Some(mut section) = section else {
        return RunTable::default();
    };
    let table = RunTable {
        tps_limit: section.take("tps_limit").and_then(|value| rate(&value)),
        concurrency: section.small("concurrency", 1..=MAX_CONCURRENCY),
        budget: section.whole("budget", 1..=u64::MAX),
        max_duration: section
            .take("max_duration")
            .and_then(|value| duration(&value, check_max_duration)),
        lock_timeout: section
            .take("lock_timeout")
            .and_then(|value| duration(&value, check_lock_timeout)),
        format: section.take("format").and_then(|value| format(&value)),
        report: section
            .take("report")
            .map(|value| reports(value, directory))
            .unwrap_or_default(),
        hide_values: section.flag("hide_values"),
        log_format: section.choice(
            "log_format",
            &[("text", LogFormat::Text), ("json", LogFormat::Json)],
        ),
        log_file: section.text("log_file").map(|path| directory.join(path)),
        no_progress: section.flag("no_progress"),
        color: section.choice(
            "color",
            &[
                ("auto", Color::Auto),
                ("always", Color::Always),
                ("never", Color::Never),
            ],
        ),
        providers_dir: section
            .text("providers_dir")
            .map(|path| directory.join(path)),
    };
    section.later(&["metrics_file"]);
    for name in [
        "provider", "only", "fields", "limit", "partial", "shard", "allow", "yes",
    ] {
        if let Some(value) = section.take_unlisted(name) {
            value.refuse_key("has no key: it is chosen for one run, on the command line");
        }
    }
    section.finish();
    table
}

fn rate(value: &Value<'_>) -> Option<f64> {
    match check_rate(value.number()?) {
        Ok(rate) => Some(rate),
        Err(message) => {
            value.refuse(message);
            None
        }
    }
}

fn duration(
    value: &Value<'_>,
    check: fn(&str) -> Result<Duration, &'static str>,
) -> Option<Duration> {
    match check(&value.any_text()?) {
        Ok(duration) => Some(duration),
        Err(message) => {
            value.refuse(message);
            None
        }
    }
}

fn format(value: &Value<'_>) -> Option<Format> {
    value.choice(&Format::NAMES)
}

fn reports(value: Value<'_>, directory: &Path) -> Vec<ReportFile> {
    let values = if value.inner().is_array() {
        value.list().unwrap_or_default()
    } else {
        vec![value]
    };
    let report = |value: &Value<'_>| {
        let path = value.text()?;
        match ReportFile::parse(&path) {
            Ok(report) => Some(ReportFile {
                path: directory.join(report.path),
                ..report
            }),
            Err(message) => {
                value.refuse(message);
                None
            }
        }
    };
    values.iter().filter_map(report).collect()
}
