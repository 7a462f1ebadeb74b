//! What was typed: commands and flags.
//!
//! Only what works in this version is here, each flag only on the commands
//! that it means something on. Secrets have no flag, and never get one: a
//! command line is visible to every process of the machine.

mod flags;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::error::ErrorKind;
use clap::{Args as Flags, Parser, Subcommand};

use super::config::{Color, LogFormat, PageFormat};
use super::exit::ExitCode;
use crate::sandbox::Fault;

pub use flags::{InSandbox, Locking, Output, Pace, Portion, Selection};

/// Keeps the client records of other systems equal to a CSV file.
///
/// It compares the rows with what each provider last acknowledged, sends the
/// smallest update that says the difference, at the provider's pace, and
/// records every outcome. `plan` shows what would change; `sync` changes it.
#[derive(Clone, Debug, Parser)]
#[command(name = "clientsync", version, max_term_width = 100)]
pub struct Args {
    /// Flags of every command.
    #[command(flatten)]
    pub common: Common,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags of every command.
#[derive(Clone, Debug, Flags)]
#[command(next_help_heading = "Everywhere")]
pub struct Common {
    /// The configuration file
    #[arg(
        short,
        long,
        global = true,
        value_name = "FILE",
        default_value = "clientsync.toml"
    )]
    pub config: PathBuf,
    /// A folder with more providers, each a folder with `provider.toml` and `contract.schema.json`
    #[arg(long, global = true, value_name = "DIR")]
    pub providers_dir: Option<PathBuf>,
    /// Say more on stderr; twice says everything
    #[arg(short, action = clap::ArgAction::Count, global = true, conflicts_with = "quiet")]
    pub verbose: u8,
    /// Say only the summary, and nothing at all when everything is fine
    #[arg(short, global = true)]
    pub quiet: bool,
    /// The form of log lines on stderr
    #[arg(long, global = true, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// Write log lines to this file as well
    #[arg(long, global = true, value_name = "FILE")]
    pub log_file: Option<PathBuf>,
    /// Show no progress
    #[arg(long, global = true)]
    pub no_progress: bool,
    /// Colour the output; the variable `NO_COLOR` is honoured
    #[arg(long, global = true, value_name = "WHEN")]
    pub color: Option<Color>,
}

/// A command.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Show every field that would change, and send nothing
    Plan(Plan),
    /// Plan, check the guards, send what changed, and record every outcome
    Sync(Sync),
    /// Check the configuration and every row, and name all problems at once
    Check(Check),
    /// Record what the providers hold, without writing to them
    Adopt(Adopt),
    /// Show what changed at the providers since they acknowledged it last
    Drift(Drift),
    /// Tell the last run, what is pending or in doubt, and who is at work
    Status(Status),
    /// List past runs, or show one
    Runs(Runs),
    /// List the providers, or show the fields, limits and rules of one
    Providers(Providers),
    /// Serve the providers on this machine, to try things out
    Sandbox(Sandbox),
}

/// `plan`.
#[derive(Clone, Debug, Flags)]
#[command(after_help = "Examples:
  clientsync plan                                  what would change tonight
  clientsync plan --only 000123                    one client
  clientsync plan --fields joinedDate --limit 20   a first look at a migration
  clientsync plan --report plan.json -q            for a program
  clientsync plan --expect-no-changes              exit 2 when something would change

A plan needs no secret, sends nothing, and creates no file beside the state.")]
pub struct Plan {
    /// Exit with 2 when there are changes: something was expected to be in step
    #[arg(long)]
    pub expect_no_changes: bool,
    /// Exit with 2 when there are changes, with 0 when there are none
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// Which rows, fields and providers.
    #[command(flatten)]
    pub selection: Selection,
    /// How much of the file.
    #[command(flatten)]
    pub portion: Portion,
    /// Where to send.
    #[command(flatten)]
    pub sandbox: InSandbox,
    /// What is shown.
    #[command(flatten)]
    pub output: Output,
}

/// `sync`.
#[derive(Clone, Debug, Flags)]
#[command(after_help = "Examples:
  clientsync sync --dry-run                        the same as `clientsync plan`
  clientsync sync --limit 5                        a careful first run
  clientsync sync --provider crm                   one provider
  clientsync sync --tps-limit 2 -q                 from cron: slow, and silent when fine
  clientsync sync --sandbox                        try it; nothing leaves this machine

Exit codes: 0 done, 3 some rows were refused or failed, 4 a guard stopped the run before it sent
anything, 6 stopped early on purpose (the next run goes on), 7 another run is at work.")]
pub struct Sync {
    /// Show what would change and send nothing, as `plan` does
    #[arg(long)]
    pub dry_run: bool,
    /// With --dry-run: exit with 2 when there are changes
    #[arg(long, requires = "dry_run")]
    pub expect_no_changes: bool,
    /// With --dry-run: exit with 2 when there are changes, with 0 when there are none
    #[arg(long, requires = "dry_run")]
    pub detailed_exitcode: bool,
    /// Which rows, fields and providers.
    #[command(flatten)]
    pub selection: Selection,
    /// How much of the file.
    #[command(flatten)]
    pub portion: Portion,
    /// How fast.
    #[command(flatten)]
    pub pace: Pace,
    /// Beside another run.
    #[command(flatten)]
    pub locking: Locking,
    /// Where to send.
    #[command(flatten)]
    pub sandbox: InSandbox,
    /// What is shown.
    #[command(flatten)]
    pub output: Output,
}

/// `check`.
#[derive(Clone, Debug, Flags)]
pub struct Check {
    /// Which rows, fields and providers.
    #[command(flatten)]
    pub selection: Selection,
    /// The file is not the whole population: a smaller one is no problem
    #[arg(long, help_heading = "Selection")]
    pub partial: bool,
    /// Where to send.
    #[command(flatten)]
    pub sandbox: InSandbox,
    /// What is shown.
    #[command(flatten)]
    pub output: Output,
}

/// `adopt`.
#[derive(Clone, Debug, Flags)]
pub struct Adopt {
    /// Who knows what the providers hold. `provider`: they are read, and rows without a remote id are
    /// linked by `match`. `source`: nobody is asked, they hold what the file says now
    #[arg(long, value_name = "WHO", value_parser = adopt_from)]
    pub from: AdoptFrom,
    /// Which rows, fields and providers.
    #[command(flatten)]
    pub selection: Selection,
    /// How fast.
    #[command(flatten)]
    pub pace: Pace,
    /// Beside another run.
    #[command(flatten)]
    pub locking: Locking,
    /// Where to send.
    #[command(flatten)]
    pub sandbox: InSandbox,
    /// What is shown.
    #[command(flatten)]
    pub output: Output,
}

/// Who knows what the providers hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdoptFrom {
    /// The providers themselves: they are read.
    Provider,
    /// The source: the providers hold what it says.
    Source,
}

/// `drift`.
#[derive(Clone, Debug, Flags)]
#[command(after_help = "Examples:
  clientsync drift                                 what somebody else changed
  clientsync drift --fields joinedDate             verify a migration
  clientsync drift --expect-no-changes -q          from cron: exit 2 when something drifted
  clientsync drift --only 000123                   one client

It reads the records back at the provider's pace, and changes nothing there or in the state.")]
pub struct Drift {
    /// Exit with 2 when something drifted
    #[arg(long)]
    pub expect_no_changes: bool,
    /// Exit with 2 when something drifted, with 0 when nothing did
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// Which rows, fields and providers.
    #[command(flatten)]
    pub selection: Selection,
    /// How fast.
    #[command(flatten)]
    pub pace: Pace,
    /// Where to read.
    #[command(flatten)]
    pub sandbox: InSandbox,
    /// What is shown.
    #[command(flatten)]
    pub output: Output,
}

/// `status`.
#[derive(Clone, Copy, Debug, Flags)]
pub struct Status {
    /// What stdout gets
    #[arg(long)]
    pub format: Option<PageFormat>,
}

/// `runs` and `runs show`.
#[derive(Clone, Debug, Flags)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Runs {
    /// One run.
    #[command(subcommand)]
    pub show: Option<RunsCommand>,
    /// What stdout gets
    #[arg(long)]
    pub format: Option<PageFormat>,
}

/// A command below `runs`.
#[derive(Clone, Debug, Subcommand)]
pub enum RunsCommand {
    /// Show one run in full
    Show {
        /// The run's id, as `clientsync runs` lists it
        #[arg(value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
        id: String,
        /// What is shown.
        #[command(flatten)]
        output: Output,
    },
}

/// `providers` and `providers show`.
#[derive(Clone, Debug, Flags)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Providers {
    /// One provider.
    #[command(subcommand)]
    pub show: Option<ProvidersCommand>,
    /// What stdout gets
    #[arg(long)]
    pub format: Option<PageFormat>,
}

/// A command below `providers`.
#[derive(Clone, Debug, Subcommand)]
pub enum ProvidersCommand {
    /// Show the fields, types, limits and rules of one provider
    Show {
        /// The provider's name, as `clientsync providers` lists it
        #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
        name: String,
        /// What stdout gets
        #[arg(long)]
        format: Option<PageFormat>,
    },
    /// Say what is wrong with the manifests and contracts of a folder
    Check {
        /// A provider's folder, or a folder of such folders
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
}

/// `sandbox`.
#[derive(Clone, Debug, Flags)]
#[command(after_help = "Examples:
  clientsync sandbox --port 8080                   base URLs that stay the same
  clientsync sandbox --fresh                       from the seed file
  clientsync sandbox --fault 503=0.1               every tenth request, and the same ones each time
  clientsync sandbox --fault throttle=0.05 --fault reset-after=0.05 --fault-seed 7

Kinds of faults:
  500, 503       an answer that may pass later; not applied
  throttle       the provider's own way to ask for a pause of a second; not applied
  reset-before   the connection is reset; not applied
  reset-after    applied, then the connection is reset without an answer
  timeout        never answered; not applied
  html           200 with a page for people; not applied
  truncated      applied, and half of the answer's body is missing
Requests for access tokens never fail.")]
pub struct Sandbox {
    /// The port on 127.0.0.1; without it, one that is free
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// Forget the records of earlier runs and start over from the seed file
    #[arg(long)]
    pub fresh: bool,
    /// Let requests fail: a kind, and the share of requests above 0 and up to 1 (repeatable)
    #[arg(long, value_name = "KIND[=RATE]", value_parser = Fault::parse)]
    pub fault: Vec<Fault>,
    /// With --fault: another number lets other requests fail
    #[arg(
        long,
        value_name = "N",
        requires = "fault",
        default_value_t = 0,
        hide_default_value = true
    )]
    pub fault_seed: u64,
}

/// Understands a command line, the program's name first.
///
/// What it cannot understand is answered with [`ExitCode::Usage`] and a text
/// for stderr; a request for help or the version with [`ExitCode::Ok`] and a
/// text for stdout.
pub fn parse<T>(typed: impl IntoIterator<Item = T>) -> Result<Args, (ExitCode, String)>
where
    T: Into<OsString> + Clone,
{
    Args::try_parse_from(typed).map_err(|error| {
        let code = match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::Ok,
            _ => ExitCode::Usage,
        };
        (code, error.render().to_string())
    })
}

fn adopt_from(text: &str) -> Result<AdoptFrom, String> {
    match text {
        "source" => Ok(AdoptFrom::Source),
        "provider" => Ok(AdoptFrom::Provider),
        _ => Err("must be `provider` or `source`".to_owned()),
    }
}

#[cfg(test)]
mod tests;
