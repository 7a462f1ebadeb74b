//! Requests and responses as plain values, without any HTTP library's types.
//!
//! Nothing here sends; a transport moves one to the other.

use std::fmt;
use std::time::Duration;

/// An HTTP method that a provider's manifest may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET, the only one that is not a write.
    Get,
    /// POST.
    Post,
    /// PUT.
    Put,
    /// PATCH.
    Patch,
}

impl Method {
    /// The method's name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
        }
    }

    /// Whether it may change the provider's records.
    #[must_use]
    pub fn is_write(self) -> bool {
        self != Self::Get
    }
}

/// One request, without its credentials: the transport adds those.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The absolute URL, already checked against the template it came from.
    pub url: String,
    /// Headers other than credentials and content type.
    pub headers: Vec<(String, String)>,
    /// The JSON body; `None` for a read.
    pub body: Option<String>,
}

/// One response. A success was read to its end; a refusal stands with as much of
/// its body as came.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Headers in the order they came, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, at most the transport's cap.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of a name (case says nothing).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// All headers of a name, in order.
    pub fn header_values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// Why no whole response came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoResponse {
    /// The connection was not made: the request was certainly not applied.
    NotSent,
    /// The server refused our TLS, or we refuse its certificate.
    Tls,
    /// The time ran out after the first byte of the request.
    TimedOut,
    /// The connection ended before the response did.
    Broken,
    /// The response is larger than we read.
    TooLarge,
    /// No credentials could be obtained to send it with.
    NoCredentials,
    /// Whoever gives the credentials asks to wait, and for how long where it
    /// says so: nothing was sent.
    CredentialsLater(Option<Duration>),
}

/// What an attempt came to: an answer or the lack of one, and how long it took.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The answer, or why there is none.
    pub result: Result<Response, NoResponse>,
    /// From the first byte sent to the last byte read.
    pub took: Duration,
}

impl fmt::Debug for Request {
    /// Prints no URL, header or body: they hold ids and personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}
