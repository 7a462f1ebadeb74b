//! `runs` and `runs show`: the history, read only.

use std::collections::BTreeMap;
use std::io::Write;

use crate::cli::clock;
use crate::cli::config::{Config, Format, PageFormat, ReportFile};
use crate::cli::exit::ExitCode;
use crate::cli::failure::Failure;
use crate::cli::output::{Look, PageLook, ReportFiles, print};
use crate::cli::session::sandbox_state;
use crate::core::{RecordKey, line_in_file};
use crate::report::{
    AttemptLine, Exit, OutcomeLine, RunDetail, RunLine, write_run_csv, write_run_html,
    write_run_json, write_run_markdown, write_run_text, write_runs_json, write_runs_text,
};
use crate::store::{AttemptRow, OutcomeRow, RunRow, Store, StoreError};

/// How many runs the history shows.
const SHOWN: u64 = 50;

/// The states that have a history: the real one and the sandbox's.
fn stores(config: &Config) -> Result<Vec<Store>, Failure> {
    let path = &config.state.path;
    let stores = [path.clone(), sandbox_state(path)]
        .into_iter()
        .map(|path| Store::open_read_only(&path))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(stores.into_iter().flatten().collect())
}

/// Lists the runs, newest first.
pub(in crate::cli) fn list(config: &Config, look: PageLook) -> Result<ExitCode, Failure> {
    let mut lines = Vec::new();
    for store in stores(config)? {
        lines.extend(store.runs(SHOWN)?.into_iter().map(run_line));
    }
    lines.sort_by(|a, b| b.started.cmp(&a.started));
    print(|out| match look.format {
        PageFormat::Text => write_runs_text(out, &lines, look.colour),
        PageFormat::Json => write_runs_json(out, &lines),
    })?;
    Ok(ExitCode::Ok)
}

/// Shows one run in full.
pub(in crate::cli) fn show(
    config: &Config,
    id: &str,
    files: &[ReportFile],
    look: Look,
) -> Result<ExitCode, Failure> {
    let files = ReportFiles::prepare(files)?;
    for store in stores(config)? {
        let Some(run) = store.run(id)? else { continue };
        let detail = RunDetail {
            plan_id: None,
            tool_version: run.tool_version.clone(),
            source_sha256: run.source_sha256.clone(),
            run: run_line(run),
        };
        let mut attempts: BTreeMap<(String, Option<RecordKey>), Vec<AttemptLine>> = BTreeMap::new();
        store.attempts::<StoreError>(id, |attempt| {
            attempts
                .entry((attempt.lane.clone(), attempt.key.clone()))
                .or_default()
                .push(attempt_line(attempt));
            Ok(())
        })?;
        let mut outcomes = Vec::new();
        store.outcomes::<StoreError>(id, |outcome| {
            let tried = attempts
                .remove(&(outcome.lane.clone(), outcome.key.clone()))
                .unwrap_or_default();
            outcomes.push(outcome_line(outcome, tried));
            Ok(())
        })?;
        let render = |out: &mut dyn Write, look: Look| {
            let rows = outcomes.iter().cloned().map(Ok::<_, StoreError>);
            let values = look.style.values;
            match look.format {
                Format::Text => write_run_text(out, &detail, look.style, rows),
                Format::Json => write_run_json(out, &detail, values, rows),
                Format::Csv => write_run_csv(out, &detail, values, look.cells, rows),
                Format::Markdown => write_run_markdown(out, &detail, values, rows),
                Format::Html => write_run_html(out, &detail, values, rows),
            }
        };
        files.write(look, render)?;
        print(|out| render(out, look))?;
        return Ok(ExitCode::Ok);
    }
    Err(Failure::say(
        ExitCode::Usage,
        format!("there is no run {id}; `clientsync runs` lists them"),
    ))
}

/// A run as reports tell it.
pub(super) fn run_line(run: RunRow) -> RunLine {
    RunLine {
        run_id: run.run_id,
        command: run.command,
        started: clock::text(run.started),
        ended: run.ended.map(clock::text),
        exit: run.exit.map(|exit| Exit {
            code: exit.code,
            name: exit.name.into(),
        }),
        scope: run.scope,
        providers: run.lanes,
    }
}

fn outcome_line(outcome: OutcomeRow, attempts: Vec<AttemptLine>) -> OutcomeLine {
    OutcomeLine {
        provider: outcome.lane,
        // A row that was refused for having no key.
        key: outcome.key.unwrap_or_else(|| RecordKey::from_cells([""])),
        line: line_in_file(outcome.line),
        remote_id: outcome.remote_id,
        outcome: outcome.outcome,
        message: outcome.message.or(outcome.note),
        attempts,
    }
}

fn attempt_line(attempt: AttemptRow) -> AttemptLine {
    AttemptLine {
        n: attempt.n,
        method: attempt.method,
        started: clock::text(attempt.started),
        status: attempt.status,
        provider_request_id: attempt.provider_request_id,
        message: attempt.message,
        took: attempt.took,
    }
}
