//! Reports: one model, five renderings, and the progress of a run.
//!
//! Nothing here opens a file, prints, reads a clock or speaks SQL: callers
//! pass the writer and what to write. Rows come in as an iterator, so memory
//! does not grow with them. Every text that comes from outside goes through
//! [`escape`] before it reaches a terminal.

mod collect;
mod csv;
mod escape;
mod headline;
mod html;
mod json;
mod markdown;
mod model;
mod paint;
mod progress;
mod providers;
mod runs;
mod status;
mod stream;
mod table;
mod text;
mod value;
mod words;
mod wrap;

pub use collect::{Collector, MAX_GROUPS, MAX_PLACES};
pub use csv::{Cells, write_csv, write_run_csv};
pub use escape::{escape, needs_escape};
pub use html::{write_html, write_run_html};
pub use json::write_json;
pub use markdown::{write_markdown, write_run_markdown};
pub use model::{
    Cause, Detail, Exit, LaneReport, Place, ProblemDetail, ProblemGroup, REPORT_FORMAT, Report,
    ReportError, RowDetail, SourceReport, Waiting, left_out_problems,
};
pub use paint::Colour;
pub use progress::{BarWriter, Bars, ProgressLog};
pub use providers::{
    FieldLine, GroupLine, ProviderLine, ProviderPage, RequestLine, RuleLine, SecretLine,
    SettingLine, TogetherLine, UpdateLine, write_provider_json, write_provider_text,
    write_providers_json, write_providers_markdown, write_providers_text,
};
pub use runs::{
    AttemptLine, OutcomeLine, RunDetail, RunLine, write_run_json, write_run_text, write_runs_json,
    write_runs_text,
};
pub use status::{AtWork, LaneStatus, StatusReport, write_status_json, write_status_text};
pub use text::{Part, Style, summary_line, write_text};
pub use value::Values;
