//! The program behind a shell: limits, umask and closed streams are set there.

use std::process::Command;

use super::workdir::{Ran, Workdir};

/// The program behind a line of shell, which ends in `exec "$@"`.
pub(crate) fn behind(workdir: &Workdir, line: &str, arguments: &[&str]) -> Ran {
    let program = workdir.command(arguments);
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", line, "sh"])
        .arg(program.get_program())
        .args(program.get_args())
        .current_dir(workdir.path(""))
        .env_clear();
    for (name, value) in program.get_envs() {
        shell.env(name, value.unwrap_or_default());
    }
    let ran = Ran::from(shell.output().unwrap());
    for bug in ["panicked", "internal error"] {
        assert!(!ran.stderr.contains(bug), "{line}: {ran:#?}");
    }
    ran
}
