//! The pure heart: no IO, no clock, no async, no logging.
mod path;
mod problem;
mod record;

pub use path::{FieldPath, PathError, Pointer};
pub use problem::{Code, Problem};
pub use record::{RecordKey, Row};
