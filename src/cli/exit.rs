//! Exit codes: what a scheduler learns from a run.
//!
//! The codes and names are an interface. One must never change its number or
//! its name, and none is invented outside this list.

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExitCode {
    /// 0: done, or no changes.
    Ok,
    /// 1: something unexpected, or a provider that cannot be used (TLS,
    /// redirect, wrong service).
    Error,
    /// 2: there are changes, and the command was asked to say so
    /// (`--detailed-exitcode`, `--expect-no-changes`). Nothing was sent.
    Changes,
    /// 3: finished; some rows are invalid, rejected, failed or in doubt.
    Rejects,
    /// 4: refused by a safety guard. Nothing was sent.
    Guard,
    /// 5: the plan is stale, tampered with, already applied, or for another
    /// target. Nothing was sent.
    Stale,
    /// 6: stopped early on purpose; the next run goes on.
    Deferred,
    /// 7: another run holds the state. Nothing was sent.
    Locked,
    /// 64: the command line cannot be understood. Nothing was sent.
    Usage,
    /// 65: the source file cannot be used. Nothing was sent.
    Data,
    /// 74: the state, the disk or a report failed.
    Io,
    /// 77: credentials were refused, or a file has an unsafe mode.
    Auth,
    /// 78: the configuration cannot be used. Nothing was sent.
    Config,
    /// 130: interrupted (SIGINT), after a clean stop.
    Interrupted,
    /// 143: asked to terminate (SIGTERM), after a clean stop.
    Terminated,
}

/// What wins when several apply, first to last. The documented order is
/// `io`, `auth`, `error`, `deferred`, `guard`, `rejects`; the others end a run
/// before anything else can happen to it, and an interruption explains why a
/// run is incomplete better than what it met on the way.
const PRECEDENCE: [ExitCode; 15] = [
    ExitCode::Io,
    ExitCode::Auth,
    ExitCode::Error,
    ExitCode::Interrupted,
    ExitCode::Terminated,
    ExitCode::Usage,
    ExitCode::Config,
    ExitCode::Data,
    ExitCode::Locked,
    ExitCode::Stale,
    ExitCode::Deferred,
    ExitCode::Guard,
    ExitCode::Rejects,
    ExitCode::Changes,
    ExitCode::Ok,
];

impl ExitCode {
    /// The number that the process ends with.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Error => 1,
            Self::Changes => 2,
            Self::Rejects => 3,
            Self::Guard => 4,
            Self::Stale => 5,
            Self::Deferred => 6,
            Self::Locked => 7,
            Self::Usage => 64,
            Self::Data => 65,
            Self::Io => 74,
            Self::Auth => 77,
            Self::Config => 78,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// The name in summaries and in the JSON report.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Changes => "changes",
            Self::Rejects => "rejects",
            Self::Guard => "guard",
            Self::Stale => "stale",
            Self::Deferred => "deferred",
            Self::Locked => "locked",
            Self::Usage => "usage",
            Self::Data => "data",
            Self::Io => "io",
            Self::Auth => "auth",
            Self::Config => "config",
            Self::Interrupted | Self::Terminated => "interrupted",
        }
    }

    /// The one code of a run to which several apply; `Ok` where none does.
    #[must_use]
    pub fn of(applying: &[Self]) -> Self {
        PRECEDENCE
            .into_iter()
            .find(|code| applying.contains(code))
            .unwrap_or(Self::Ok)
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_order_decides_when_several_apply() {
        let documented = [
            ExitCode::Io,
            ExitCode::Auth,
            ExitCode::Error,
            ExitCode::Deferred,
            ExitCode::Guard,
            ExitCode::Rejects,
        ];
        for (rank, code) in documented.iter().enumerate() {
            let mut applying = documented[rank..].to_vec();
            applying.reverse();
            assert_eq!(ExitCode::of(&applying), *code);
        }
        assert_eq!(ExitCode::of(&[]), ExitCode::Ok);
    }

    #[test]
    fn every_code_has_a_rank_and_a_number_of_its_own() {
        let mut codes: Vec<u8> = PRECEDENCE.iter().map(|code| code.code()).collect();
        codes.sort_unstable();
        let all = [0, 1, 2, 3, 4, 5, 6, 7, 64, 65, 74, 77, 78, 130, 143];
        assert_eq!(codes, all);
    }
}
