//! The only module that speaks HTTP: requests of one lane to its provider, and
//! the tokens they need.
//!
//! It must never retry, follow a redirect, wait for a limit, read the
//! environment, log, or put a URL, a header or a body into an error.

mod auth;
mod client;
mod oauth2;
mod origin;

pub use auth::{Credentials, TokenKeeper};
pub use client::{ATTEMPT_TIMEOUT, LaneSettings, LaneTransport};
pub use origin::OriginError;

/// Why a lane has no transport. None of these name a URL or a secret.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// A URL that is not to be trusted with credentials.
    #[error("{setting}: {problem}")]
    Origin {
        /// Whose URL: `base_url` or `token_url`.
        setting: &'static str,
        /// What is wrong with it.
        problem: OriginError,
    },
    /// A header name of the manifest that HTTP does not know.
    #[error("{setting}: not the name of a header; use letters, digits and `-`")]
    HeaderName {
        /// Where the name stands.
        setting: &'static str,
    },
    /// A credential that no header can carry.
    #[error("{what} holds characters that a header cannot carry; is there a line end in it?")]
    HeaderValue {
        /// Which credential.
        what: &'static str,
    },
    /// The HTTP or TLS library did not start.
    #[error("no HTTP client could be built; does this machine have CA certificates?")]
    Client(#[source] reqwest::Error),
}
