//! Groups of flags that several commands share.

use std::time::Duration;

use clap::Args as Flags;
use clap::builder::NonEmptyStringValueParser;

use crate::cli::config::{
    Format, MAX_CONCURRENCY, ReportFile, check_lock_timeout, check_max_duration, check_rate,
};
use crate::core::FieldPath;

/// Which rows, fields and providers; a run narrowed by one of these is partial.
#[derive(Clone, Debug, Default, Flags)]
#[command(next_help_heading = "Selection")]
pub struct Selection {
    /// Only this provider of the configuration (repeatable)
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub provider: Vec<String>,
    /// Only the client with this key (repeatable); a key of several columns is one CSV record: eu,17
    #[arg(long, value_name = "KEY", value_parser = NonEmptyStringValueParser::new())]
    pub only: Vec<String>,
    /// Only these fields, by their paths, for example email,metadata.tier
    #[arg(long, value_name = "PATHS", value_delimiter = ',', value_parser = FieldPath::parse)]
    pub fields: Vec<FieldPath>,
}

/// How much of the file.
#[derive(Clone, Copy, Debug, Default, Flags)]
#[command(next_help_heading = "Selection")]
pub struct Portion {
    /// At most this many updates per provider, in the file's order; the rest is left for later
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// The file is not the whole population: a smaller one is no problem
    #[arg(long)]
    pub partial: bool,
}

/// How fast; these only lower what is configured.
#[derive(Clone, Copy, Debug, Default, Flags)]
#[command(next_help_heading = "Pace")]
pub struct Pace {
    /// At most this many requests per second and provider, for example 0.5
    #[arg(long, value_name = "F", value_parser = rate)]
    pub tps_limit: Option<f64>,
    /// At most this many requests in flight per provider
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_CONCURRENCY)))]
    pub concurrency: Option<u32>,
    /// At most this many requests per provider, reads and retries included; the rest is left for the next run
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub budget: Option<u64>,
    /// End after this time, for example 10m, 2h or 1h30m; the rest is left for the next run
    #[arg(long, value_name = "D", value_parser = duration)]
    pub max_duration: Option<Duration>,
}

/// What happens while another run holds the state.
#[derive(Clone, Copy, Debug, Default, Flags)]
#[command(next_help_heading = "Pace")]
pub struct Locking {
    /// Wait at most this long for another run to end, for example 30s or 5m; without it, fail at once
    #[arg(long, value_name = "D", value_parser = lock_timeout)]
    pub lock_timeout: Option<Duration>,
}

/// Where to send.
#[derive(Clone, Copy, Debug, Default, Flags)]
#[command(next_help_heading = "Sandbox")]
pub struct InSandbox {
    /// Send everything to providers that are played on this machine; needs no secret
    #[arg(long)]
    pub sandbox: bool,
    /// With --sandbox: forget its earlier records and start over from the seed file
    #[arg(long, requires = "sandbox")]
    pub fresh: bool,
}

/// What is shown, and where.
#[derive(Clone, Debug, Default, Flags)]
#[command(next_help_heading = "Output")]
pub struct Output {
    /// What stdout gets
    #[arg(long)]
    pub format: Option<Format>,
    /// Write the report to this file as well; .txt, .json, .csv, .md or .html decides its form (repeatable)
    #[arg(long, value_name = "FILE", value_parser = ReportFile::parse)]
    pub report: Vec<ReportFile>,
    /// Mask every value; sensitive ones are always masked
    #[arg(long)]
    pub hide_values: bool,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "must be a number".to_owned())?;
    check_rate(rate).map_err(str::to_owned)
}

fn duration(text: &str) -> Result<Duration, String> {
    check_max_duration(text).map_err(str::to_owned)
}

fn lock_timeout(text: &str) -> Result<Duration, String> {
    check_lock_timeout(text).map_err(str::to_owned)
}
