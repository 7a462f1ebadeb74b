//! The environment: the one place that reads a variable.

use std::env::VarError;
use std::ffi::OsString;

/// The content of an environment variable, where it is set.
#[must_use]
pub fn variable(name: &str) -> Option<OsString> {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that the ban leaves"
    )]
    match std::env::var(name) {
        Ok(text) => Some(OsString::from(text)),
        Err(VarError::NotUnicode(raw)) => Some(raw),
        Err(VarError::NotPresent) => None,
    }
}
