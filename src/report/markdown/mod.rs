//! The Markdown report: what fits a pull request.
//!
//! Totals, guards, fields and causes come first, then the first records in a
//! block that folds. The length is bounded, because a comment is; what is left
//! out is counted. Foreign text stands in code spans only, see [`mod@code`].

mod code;
mod record;
mod run;
mod sections;

use std::error::Error;
use std::io::Write;

use super::model::{Detail, Report, ReportError};
use super::value::Values;
use super::words::{counted, length};

pub use run::write_run_markdown;

use code::code;

/// How many records are listed.
const MOST_RECORDS: u64 = 200;

/// The bytes that the listed records end within: a comment on a pull request
/// may have 65,536 characters.
const ROOM: u64 = 60_000;

const FOLDED: &str =
    "\n<details>\n<summary>Record by record, in the order of the file</summary>\n\n";
const UNFOLDED: &str = "\n</details>\n";

/// Writes the report as Markdown. When the details end in an error, what
/// follows them is written all the same.
pub fn write_markdown<D, E>(
    out: &mut dyn Write,
    report: &Report,
    values: Values,
    details: D,
) -> Result<(), ReportError>
where
    D: IntoIterator<Item = Result<Detail, E>>,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    let head = sections::all(report, values);
    out.write_all(head.as_bytes())?;
    let mut list = List::after(length(head.len()));
    let run = report.run_id.is_some();
    let told = details.into_iter().try_for_each(|detail| {
        match detail.map_err(|error| ReportError::Details(error.into()))? {
            Detail::Row(row) => list.entry(out, || record::block(&row, run, values)),
            Detail::Drift(drift) => list.entry(out, || record::drifted(&drift, values)),
            // The problems stand grouped above.
            Detail::Problem(_) => Ok(()),
        }
    });
    list.end(out, "record", "records", &told)?;
    let (code, name) = (report.exit.code, code(&report.exit.name));
    out.write_all(format!("\nexit {code} {name}\n").as_bytes())?;
    out.flush()?;
    told
}

/// The list of a folded block, which ends before it grows too long.
struct List {
    used: u64,
    listed: u64,
    more: u64,
}

impl List {
    /// A list that comes after this many bytes.
    fn after(used: u64) -> Self {
        Self {
            used,
            listed: 0,
            more: 0,
        }
    }

    /// Writes one entry, or counts it.
    fn entry(
        &mut self,
        out: &mut dyn Write,
        block: impl FnOnce() -> String,
    ) -> Result<(), ReportError> {
        if self.listed < MOST_RECORDS && self.more == 0 {
            let block = block();
            let used = self.used + length(block.len());
            if used <= ROOM {
                if self.listed == 0 {
                    out.write_all(FOLDED.as_bytes())?;
                }
                out.write_all(block.as_bytes())?;
                self.listed += 1;
                self.used = used;
                return Ok(());
            }
        }
        self.more += 1;
        Ok(())
    }

    /// Closes the block and says what is not in it.
    fn end(
        self,
        out: &mut dyn Write,
        one: &str,
        many: &str,
        told: &Result<(), ReportError>,
    ) -> Result<(), ReportError> {
        if self.listed > 0 {
            out.write_all(UNFOLDED.as_bytes())?;
        }
        if self.more > 0 {
            let lead = if self.listed > 0 { "and " } else { "" };
            let more = counted(self.more, &format!("more {one}"), &format!("more {many}"));
            let line = format!("\n{lead}{more}: the HTML or JSON report lists all.\n");
            out.write_all(line.as_bytes())?;
        }
        if let Err(error @ ReportError::Details(_)) = told {
            let line = format!("\n**Incomplete**: {}\n", code(&error.to_string()));
            out.write_all(line.as_bytes())?;
        }
        Ok(())
    }
}
