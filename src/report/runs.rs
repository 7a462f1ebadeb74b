//! The history of runs, and one run in full.
//!
//! The structs here are plain: the caller fills them from the state. The
//! outcomes of a run come as an iterator and are not held.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::io::Write;
use std::time::Duration;

use serde::Serialize;
use serde::ser::Serializer;

use crate::core::{LaneCounts, Outcome, RecordKey, Scope};

use super::escape::escape;
use super::model::{Exit, ReportError, quotes_provider};
use super::paint::{Colour, Paint};
use super::stream::ObjectWriter;
use super::table::{Align, Table};
use super::text::Style;
use super::value::{Values, WORDS_HIDDEN, foreign};
use super::words::{number, rows, took};

/// One run in the history.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunLine {
    /// The run's id.
    pub run_id: String,
    /// The command (`sync`).
    pub command: String,
    /// When it began (RFC 3339, UTC).
    pub started: String,
    /// When it ended; `None` while it runs and after a kill.
    pub ended: Option<String>,
    /// How it ended.
    pub exit: Option<Exit>,
    /// Whether the source was the whole population.
    pub scope: Scope,
    /// The rows per lane by outcome.
    pub providers: BTreeMap<String, LaneCounts>,
}

/// The head of one run in full.
#[derive(Clone, Debug, PartialEq)]
pub struct RunDetail {
    /// What the history says of it.
    pub run: RunLine,
    /// The plan it applied.
    pub plan_id: Option<String>,
    /// The version of the program that ran.
    pub tool_version: String,
    /// SHA-256 of the source's bytes, in hex.
    pub source_sha256: Option<String>,
}

/// What became of one row in one lane.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OutcomeLine {
    /// The lane's name.
    pub provider: String,
    /// The row's key.
    pub key: RecordKey,
    /// The physical line of the source.
    pub line: Option<u64>,
    /// The provider's own id of the record.
    pub remote_id: Option<String>,
    /// What became of it.
    #[serde(serialize_with = "spelled")]
    pub outcome: Outcome,
    /// The provider's words or ours, without sensitive values.
    pub message: Option<String>,
    /// Every request that was sent for it, in order.
    pub attempts: Vec<AttemptLine>,
}

/// One request.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AttemptLine {
    /// Its number, from 1.
    pub n: u32,
    /// Its method (`PATCH`).
    pub method: String,
    /// When it was sent (RFC 3339, UTC).
    pub started: String,
    /// The answer's status; `None` where no answer came.
    pub status: Option<u16>,
    /// The answer's id at the provider.
    pub provider_request_id: Option<String>,
    /// The provider's words, or why there is no answer.
    pub message: Option<String>,
    /// From the first byte sent to the last byte read. In JSON: `took_ms`.
    #[serde(rename = "took_ms", serialize_with = "millis")]
    pub took: Option<Duration>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes the member by reference"
)]
fn spelled<S: Serializer>(outcome: &Outcome, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(outcome)
}

#[expect(clippy::ref_option, reason = "serde passes the member by reference")]
fn millis<S: Serializer>(took: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match took {
        Some(took) => serializer.serialize_u64(u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
        None => serializer.serialize_none(),
    }
}

/// Writes the history as a table, in the order given.
pub fn write_runs_text(
    out: &mut dyn Write,
    runs: &[RunLine],
    colour: Colour,
) -> Result<(), ReportError> {
    if runs.is_empty() {
        out.write_all(b"No run is recorded.\n")?;
        return Ok(());
    }
    let mut table = Table::new([
        ("run", Align::Left),
        ("command", Align::Left),
        ("started", Align::Left),
        ("ended", Align::Left),
        ("rows", Align::Right),
        ("updated", Align::Right),
        ("troubled", Align::Right),
        ("planned", Align::Right),
        ("exit", Align::Left),
    ]);
    for run in runs {
        let sum = |part: fn(&LaneCounts) -> u64| number(run.providers.values().map(part).sum());
        let [all, updated, troubled, planned] = [
            sum(|counts| counts.rows),
            sum(|counts| counts.updated),
            sum(LaneCounts::troubled),
            sum(|counts| counts.planned),
        ];
        table.row([
            &run.run_id[..],
            &run.command,
            &run.started,
            run.ended.as_deref().unwrap_or("-"),
            &all,
            &updated,
            &troubled,
            &planned,
            &exit(run.exit.as_ref()),
        ]);
    }
    write_lines(out, &table.text(), colour)?;
    out.write_all(
        b"\nRows are counted once per provider. Troubled: rejected, failed, in doubt or invalid. Planned: not yet attempted.\n",
    )?;
    Ok(())
}

/// One request in words; `spell` makes foreign text harmless.
pub(super) fn in_words(attempt: &AttemptLine, spell: fn(&str) -> String) -> String {
    let mut parts = vec![
        format!("attempt {}", attempt.n),
        spell(&attempt.started),
        spell(&attempt.method),
    ];
    parts.push(match attempt.status {
        Some(status) => format!("status {status}"),
        None => "no answer".to_owned(),
    });
    if let Some(id) = &attempt.provider_request_id {
        parts.push(format!("request id {}", spell(id)));
    }
    parts.extend(attempt.took.map(took));
    parts.extend(attempt.message.as_deref().map(spell));
    parts.join(", ")
}

/// The exit code and its name, as people read them.
pub(super) fn exit(exit: Option<&Exit>) -> String {
    match exit {
        Some(exit) => format!("{} {}", exit.code, exit.name),
        None => "not ended".to_owned(),
    }
}

/// Writes lines, the first one as a head.
pub(super) fn write_lines(
    out: &mut dyn Write,
    lines: &[String],
    colour: Colour,
) -> Result<(), ReportError> {
    for (index, line) in lines.iter().enumerate() {
        let line = if index == 0 {
            colour.paint(Paint::Bold, line)
        } else {
            line.clone()
        };
        out.write_all(line.as_bytes())?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// Writes the history as JSON: `{format, runs: [...]}`.
pub fn write_runs_json(out: &mut dyn Write, runs: &[RunLine]) -> Result<(), ReportError> {
    let mut object = ObjectWriter::new(out)?;
    object.member("format", &super::REPORT_FORMAT)?;
    object.array("runs", |array| {
        runs.iter().try_for_each(|run| array.entry(run))
    })?;
    object.finish()
}

/// Writes one run in full. Where the outcomes end in an error, the text says so.
pub fn write_run_text<O, E>(
    out: &mut dyn Write,
    run: &RunDetail,
    style: Style,
    outcomes: O,
) -> Result<(), ReportError>
where
    O: IntoIterator<Item = Result<OutcomeLine, E>>,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    out.write_all(head(run, style.colour).as_bytes())?;
    for outcome in outcomes {
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(error) => {
                let error = ReportError::Details(error.into());
                let text = format!("\n{}\n", escape(&error.to_string()));
                out.write_all(text.as_bytes())?;
                return Err(error);
            }
        };
        out.write_all(outcome_text(&outcome, style).as_bytes())?;
    }
    out.flush()?;
    Ok(())
}

fn head(detail: &RunDetail, colour: Colour) -> String {
    let run = &detail.run;
    let scope = match run.scope {
        Scope::Whole => "the whole population",
        Scope::Partial => "a part of the population",
    };
    let title = format!("run {}: {}", run.run_id, run.command);
    let mut text = colour.paint(Paint::Bold, &escape(&title));
    let facts = [
        ("started", Some(&run.started[..])),
        ("ended", Some(run.ended.as_deref().unwrap_or("not ended"))),
        ("exit", Some(&exit(run.exit.as_ref())[..])),
        ("plan", detail.plan_id.as_deref()),
        ("source", Some(scope)),
        ("SHA-256", detail.source_sha256.as_deref()),
        ("version", Some(&detail.tool_version[..])),
    ];
    text.push('\n');
    for (name, fact) in facts {
        if let Some(fact) = fact {
            line(&mut text, &format!("{name:<8} {}", escape(fact)));
        }
    }
    text.push('\n');
    for (lane, counts) in &run.providers {
        let parts: Vec<String> = super::text::parts(counts)
            .into_iter()
            .filter(|(_, n)| *n > 0)
            .map(|(word, n)| format!("{} {word}", number(n)))
            .collect();
        let all = rows(counts.rows);
        let lane = escape(lane);
        line(&mut text, &format!("{lane}: {all} = {}", parts.join(" + ")));
    }
    text.push('\n');
    text
}

fn outcome_text(outcome: &OutcomeLine, style: Style) -> String {
    let place = match outcome.line {
        Some(line) => format!("  (line {line})"),
        None => String::new(),
    };
    let remote_id = match &outcome.remote_id {
        Some(id) => format!(" {}", escape(id)),
        None => String::new(),
    };
    let paint = match outcome.outcome {
        Outcome::Updated => Paint::Green,
        Outcome::Rejected | Outcome::Failed | Outcome::Invalid => Paint::Red,
        Outcome::InDoubt => Paint::Magenta,
        Outcome::Unchanged | Outcome::Planned | Outcome::Skipped(_) => Paint::Dim,
    };
    let word = match outcome.outcome {
        Outcome::InDoubt => "in doubt".to_owned(),
        other => other.to_string(),
    };
    let mut text = String::new();
    let first = format!(
        "{}  {}{remote_id}{}  {}",
        style
            .colour
            .paint(Paint::Bold, &escape(outcome.key.as_str())),
        escape(&outcome.provider),
        style.colour.paint(Paint::Dim, &place),
        style.colour.paint(paint, &word)
    );
    line(&mut text, &first);
    if let Some(message) = words(outcome.message.as_deref(), outcome.outcome, style.values) {
        line(&mut text, &format!("    {message}"));
    }
    for attempt in &outcome.attempts {
        line(&mut text, &format!("    {}", attempt_text(attempt, style)));
    }
    text
}

fn attempt_text(attempt: &AttemptLine, style: Style) -> String {
    let mut parts = vec![
        format!("attempt {}", attempt.n),
        escape(&attempt.started).into_owned(),
        escape(&attempt.method).into_owned(),
    ];
    parts.push(match attempt.status {
        Some(status) => format!("status {status}"),
        None => "no answer".to_owned(),
    });
    if let Some(id) = &attempt.provider_request_id {
        parts.push(format!("request id {}", foreign(id)));
    }
    if let Some(duration) = attempt.took {
        parts.push(took(duration));
    }
    if let Some(message) = words(attempt.message.as_deref(), Outcome::Rejected, style.values) {
        parts.push(message);
    }
    parts.join("  ")
}

/// A recorded message, unless hidden values forbid the provider's words.
fn words(message: Option<&str>, outcome: Outcome, values: Values) -> Option<String> {
    let message = message?;
    if values == Values::Hidden && quotes_provider(Some(outcome)) {
        return Some(format!("({WORDS_HIDDEN})"));
    }
    Some(foreign(message))
}

fn line(text: &mut String, content: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{content}");
}

/// Writes one run in full as JSON: the members of a run, `plan_id`,
/// `tool_version`, `source_sha256`, `outcomes` and `complete`, which is false
/// when the outcomes could not be read to their end.
pub fn write_run_json<O, E>(
    out: &mut dyn Write,
    run: &RunDetail,
    values: Values,
    outcomes: O,
) -> Result<(), ReportError>
where
    O: IntoIterator<Item = Result<OutcomeLine, E>>,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    let mut object = ObjectWriter::new(out)?;
    object.member("format", &super::REPORT_FORMAT)?;
    object.members_of(&run.run)?;
    object.member("plan_id", &run.plan_id)?;
    object.member("tool_version", &run.tool_version)?;
    object.member("source_sha256", &run.source_sha256)?;
    let ended = object.array("outcomes", |array| {
        outcomes.into_iter().try_for_each(|outcome| {
            let mut outcome = outcome.map_err(|error| ReportError::Details(error.into()))?;
            if values == Values::Hidden {
                hide(&mut outcome);
            }
            array.entry(&outcome)
        })
    });
    object.member("complete", &ended.is_ok())?;
    object.finish()?;
    ended
}

/// Takes out the words that hidden values forbid.
pub(super) fn hide(outcome: &mut OutcomeLine) {
    let hidden = || Some(WORDS_HIDDEN.to_owned());
    if quotes_provider(Some(outcome.outcome)) && outcome.message.is_some() {
        outcome.message = hidden();
    }
    for attempt in &mut outcome.attempts {
        if attempt.message.is_some() {
            attempt.message = hidden();
        }
    }
}
