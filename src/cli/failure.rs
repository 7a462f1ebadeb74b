//! Why a command could not do its work, and the exit code that says so.

use std::fmt;

use super::config::ConfigProblem;
use super::exit::ExitCode;
use super::secrets::SecretError;
use crate::core::Problem;
use crate::engine::{PlanError, PlanFileError};
use crate::provider::ProviderError;
use crate::report::{ReportError, escape};
use crate::sandbox::SandboxError;
use crate::source::SourceError;
use crate::store::StoreError;

/// A command that could not do its work.
#[derive(Debug)]
pub(super) struct Failure {
    /// How the process ends.
    pub(super) code: ExitCode,
    /// What a person reads; never a cell's value.
    pub(super) error: anyhow::Error,
}

impl Failure {
    /// A failure with its exit code.
    pub(super) fn new(code: ExitCode, error: impl Into<anyhow::Error>) -> Self {
        Self {
            code,
            error: error.into(),
        }
    }

    /// A failure in our own words.
    pub(super) fn say(code: ExitCode, text: impl fmt::Display) -> Self {
        Self {
            code,
            error: anyhow::anyhow!("{text}"),
        }
    }

    /// The same failure, told with what was being done.
    #[must_use]
    pub(super) fn during(self, what: impl fmt::Display + Send + Sync + 'static) -> Self {
        Self {
            code: self.code,
            error: self.error.context(what.to_string()),
        }
    }

    /// The problems of a configuration file.
    #[must_use]
    pub(super) fn config(file: &std::path::Path, problems: &[ConfigProblem]) -> Self {
        let lines: Vec<String> = problems
            .iter()
            .map(|problem| problem.render(file))
            .collect();
        Self::say(ExitCode::Config, lines.join("\n"))
    }

    /// Problems of the source.
    #[must_use]
    pub(super) fn source(problems: &[Problem]) -> Self {
        let lines: Vec<String> = problems.iter().map(problem_line).collect();
        Self::say(ExitCode::Data, lines.join("\n"))
    }
}

/// One problem on one line: code, place, what is wrong.
pub(super) fn problem_line(problem: &Problem) -> String {
    let mut place = Vec::new();
    if let Some(line) = problem.line {
        place.push(format!("line {line}"));
    }
    if let Some(column) = &problem.column {
        place.push(format!("column `{}`", escape(column)));
    }
    let place = if place.is_empty() {
        String::new()
    } else {
        format!(" {}:", place.join(", "))
    };
    format!("{}:{place} {}", problem.code, escape(&problem.message))
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let code = match &error {
            StoreError::Version { .. } | StoreError::NetworkFilesystem { .. } => ExitCode::Config,
            StoreError::Mode { .. } | StoreError::NotAFile { .. } => ExitCode::Auth,
            StoreError::OtherTarget { .. } => ExitCode::Stale,
            StoreError::Locked { .. } => ExitCode::Locked,
            StoreError::UnknownLane(_)
            | StoreError::Journal(_)
            | StoreError::Unstorable(_)
            | StoreError::Database(_) => ExitCode::Error,
            StoreError::Io { .. }
            | StoreError::Busy
            | StoreError::Full
            | StoreError::Corrupt { .. }
            | StoreError::Setting { .. } => ExitCode::Io,
        };
        Self::new(code, error)
    }
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Broken(problems) => Self::source(&problems),
            error @ SourceError::Io { .. } => Self::new(ExitCode::Io, error),
        }
    }
}

impl From<PlanFileError> for Failure {
    fn from(error: PlanFileError) -> Self {
        let code = match error {
            PlanFileError::Io(_) => ExitCode::Io,
            PlanFileError::Damaged { .. } | PlanFileError::Seal(_) => ExitCode::Stale,
        };
        Self::new(code, error)
    }
}

impl From<PlanError<SourceError>> for Failure {
    fn from(error: PlanError<SourceError>) -> Self {
        match error {
            PlanError::Source(error) => error.into(),
            PlanError::Store(error) => error.into(),
            PlanError::File(error) => error.into(),
        }
    }
}

impl From<ProviderError> for Failure {
    fn from(error: ProviderError) -> Self {
        Self::new(ExitCode::Config, error)
    }
}

impl From<ReportError> for Failure {
    fn from(error: ReportError) -> Self {
        Self::new(ExitCode::Io, error)
    }
}

impl From<SandboxError> for Failure {
    fn from(error: SandboxError) -> Self {
        let code = match error {
            SandboxError::Seed(_) | SandboxError::Lane { .. } => ExitCode::Config,
            SandboxError::Bind { .. } | SandboxError::Records { .. } => ExitCode::Io,
        };
        Self::new(code, error)
    }
}

impl From<Vec<(&'static str, SecretError)>> for Failure {
    fn from(errors: Vec<(&'static str, SecretError)>) -> Self {
        let codes: Vec<ExitCode> = errors.iter().map(|(_, error)| error.exit_code()).collect();
        let lines: Vec<String> = errors
            .iter()
            .map(|(name, error)| format!("{name}: {error}"))
            .collect();
        Self::say(ExitCode::of(&codes), lines.join("\n"))
    }
}
