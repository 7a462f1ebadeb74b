//! Where the states stand: the last run, what is left, who is at work.
//!
//! The structs here are plain: the caller fills them from the state.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;

use serde::Serialize;

use super::escape::escape;
use super::model::ReportError;
use super::paint::{Colour, Paint};
use super::runs::{RunLine, exit, write_lines};
use super::stream::ObjectWriter;
use super::table::{Align, Table};
use super::words::number;

/// One state.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StatusReport {
    /// The state's file.
    pub state: String,
    /// Whether it is the sandbox's.
    pub sandbox: bool,
    /// Whether there is a file; one that is missing knows nothing yet.
    pub exists: bool,
    /// The run that is at work now.
    pub at_work: Option<AtWork>,
    /// The newest run.
    pub last_run: Option<RunLine>,
    /// The run that planned the whole file last: what is pending, it left.
    pub pending_since: Option<String>,
    /// Each lane that the state knows.
    pub providers: BTreeMap<String, LaneStatus>,
}

/// A run that is at work.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AtWork {
    /// Its process.
    pub pid: u32,
    /// The machine that it runs on.
    pub host: String,
    /// When it began (RFC 3339, UTC).
    pub started: String,
    /// Its id.
    pub run_id: String,
}

/// Where a lane stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LaneStatus {
    /// The records that the snapshot knows.
    pub records: u64,
    /// Rows of the last whole file that are not done and not in doubt.
    pub pending: u64,
    /// Clients that a request may have changed without our knowing.
    pub in_doubt: u64,
    /// Until when the provider asked to be left alone (RFC 3339, UTC).
    pub blocked_until: Option<String>,
}

/// Writes where the states stand, for people.
pub fn write_status_text(
    out: &mut dyn Write,
    states: &[StatusReport],
    colour: Colour,
) -> Result<(), ReportError> {
    for (index, state) in states.iter().enumerate() {
        if index > 0 {
            out.write_all(b"\n")?;
        }
        out.write_all(head(state, colour).as_bytes())?;
        if !state.providers.is_empty() {
            out.write_all(b"\n")?;
            write_lines(out, &lanes(state).text(), colour)?;
        }
    }
    Ok(())
}

fn head(state: &StatusReport, colour: Colour) -> String {
    let whose = if state.sandbox { "sandbox" } else { "state" };
    let title = format!("{whose}: {}", state.state);
    let mut text = colour.paint(Paint::Bold, &escape(&title));
    text.push('\n');
    let mut line = |content: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", escape(&content));
    };
    if let Some(AtWork {
        pid,
        host,
        started,
        run_id,
    }) = &state.at_work
    {
        line(format!(
            "at work:  process {pid} on {host}, since {started}, run {run_id}"
        ));
    }
    if !state.exists {
        line("There is no state yet: the first `sync` or `adopt` makes it.".to_owned());
        return text;
    }
    match &state.last_run {
        Some(run) => {
            let ended = run.ended.as_deref().unwrap_or("not ended");
            line(format!(
                "last run: {} ({}), {} to {ended}, exit {}",
                run.run_id,
                run.command,
                run.started,
                exit(run.exit.as_ref())
            ));
        }
        None => line("No run is recorded.".to_owned()),
    }
    let newest = state.last_run.as_ref().map(|run| &run.run_id);
    if let Some(run) = state
        .pending_since
        .as_ref()
        .filter(|run| Some(*run) != newest)
    {
        line(format!("pending:  as run {run} left it"));
    }
    text
}

fn lanes(state: &StatusReport) -> Table {
    let mut table = Table::new([
        ("provider", Align::Left),
        ("records", Align::Right),
        ("pending", Align::Right),
        ("in doubt", Align::Right),
        ("blocked until", Align::Left),
    ]);
    for (name, lane) in &state.providers {
        table.row([
            &name[..],
            &number(lane.records),
            &number(lane.pending),
            &number(lane.in_doubt),
            lane.blocked_until.as_deref().unwrap_or("-"),
        ]);
    }
    table
}

/// Writes where the states stand as JSON: `{format, states: [...]}`.
pub fn write_status_json(out: &mut dyn Write, states: &[StatusReport]) -> Result<(), ReportError> {
    let mut object = ObjectWriter::new(out)?;
    object.member("format", &super::REPORT_FORMAT)?;
    object.array("states", |array| {
        states.iter().try_for_each(|state| array.entry(state))
    })?;
    object.finish()
}
