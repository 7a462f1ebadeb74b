//! `providers check`: what is wrong with the providers of a folder.

use std::path::Path;

use crate::cli::catalog::read_folder;
use crate::cli::exit::ExitCode;
use crate::cli::failure::Failure;
use crate::cli::output::print;
use crate::provider::Provider;
use crate::report::escape;

/// Says all that is wrong with the providers of a folder.
pub(in crate::cli) fn check(folder: &Path) -> Result<ExitCode, Failure> {
    let providers = read_folder(folder)?;
    if providers.is_empty() {
        let text = format!(
            "{} holds no provider: a folder with provider.toml and contract.schema.json",
            folder.display()
        );
        return Err(Failure::say(ExitCode::Config, text));
    }
    let mut wrong = 0_u64;
    print(|out| {
        for (folder, files) in &providers {
            let findings = Provider::findings(&files.manifest, &files.contract);
            wrong += u64::try_from(findings.len()).unwrap_or(u64::MAX);
            if findings.is_empty() {
                writeln!(out, "{}: nothing is wrong", folder.display())?;
            }
            for finding in findings {
                writeln!(
                    out,
                    "{}: {}",
                    folder.display(),
                    escape_lines(&finding.to_string())
                )?;
            }
        }
        Ok(())
    })?;
    Ok(if wrong == 0 {
        ExitCode::Ok
    } else {
        ExitCode::Config
    })
}

/// A text of several lines, each safe for a terminal.
fn escape_lines(text: &str) -> String {
    text.trim_end()
        .lines()
        .map(|line| escape(line).into_owned())
        .collect::<Vec<_>>()
        .join("\n    ")
}
