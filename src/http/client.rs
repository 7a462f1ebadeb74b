//! One lane's way to its provider: reqwest behind [`Transport`].
//!
//! One call of [`LaneTransport::send`] is at most one request of the lane; what
//! it came to is the engine's to judge. Nothing is sent anywhere but to the
//! origin of the lane's base URL, and tokens are asked for at the token URL only.

use std::error::Error as _;
use std::fmt;
use std::io;
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, ClientBuilder, Url};
use tokio::time::Instant;

use super::HttpError;
use super::auth::{Authorizer, Credentials, Pass, Sent};
use super::origin;
use crate::core::{Exchange, Method, NoResponse, Request, Response};
use crate::engine::{Generation, Renewal, Transport};
use crate::failpoint::{Point, reach};

/// How long one attempt may take, from the connection to the last byte of the
/// body.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);

/// Name lookup, TCP and TLS together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Shorter than most servers keep a connection open, so that few are stale.
const POOL_IDLE: Duration = Duration::from_secs(20);

/// The most we read of a response body, in bytes.
const BODY_CAP: usize = 1024 * 1024;

const USER_AGENT: &str = concat!("clientsync/", env!("CARGO_PKG_VERSION"));

/// What a lane's transport is made of.
#[derive(Debug)]
pub struct LaneSettings {
    /// The provider's URL: every request of the lane has its scheme, host and port.
    pub base_url: String,
    /// How the requests are authorized.
    pub credentials: Credentials,
    /// How long one attempt may take, body included.
    pub timeout: Duration,
    /// How many requests the engine keeps open at once.
    pub concurrency: usize,
}

/// Moves the requests of one lane.
pub struct LaneTransport {
    client: Client,
    pin: Url,
    authorizer: Authorizer,
}

impl LaneTransport {
    /// Checks the URLs and credentials and builds the client. Sends nothing.
    pub fn new(settings: LaneSettings) -> Result<Self, HttpError> {
        let pin = origin::parse(&settings.base_url).map_err(|problem| HttpError::Origin {
            setting: "base_url",
            problem,
        })?;
        let authorizer = Authorizer::new(settings.credentials)?;
        let mut builder = client_builder(settings.timeout, settings.concurrency);
        let reached = || [Some(&pin), authorizer.token_url()].into_iter().flatten();
        if reached().all(|url| url.scheme() == "https") {
            builder = builder.https_only(true);
        } else if reached().all(|url| url.scheme() == "http") {
            // Without TLS no certificate is needed, so a machine that has none can do it.
            builder = builder.tls_certs_only([]);
        }
        Ok(Self {
            client: builder.build().map_err(HttpError::Client)?,
            pin,
            authorizer,
        })
    }
}

impl fmt::Debug for LaneTransport {
    /// Prints no URL and no credential.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LaneTransport").finish_non_exhaustive()
    }
}

impl Transport for LaneTransport {
    async fn send(&self, request: Request) -> (Exchange, Generation) {
        let begun = Instant::now();
        let unsent = |lack| Exchange {
            result: Err(lack),
            took: begun.elapsed(),
        };
        // Checked before a token is asked for: a request that may not leave costs nothing.
        let method = request.method;
        let Some(mut wire) = on_the_wire(&self.pin, request) else {
            return (unsent(NoResponse::NotSent), Generation::default());
        };
        let pass = match self.authorizer.pass(&self.client).await {
            Ok(pass) => pass,
            Err(lack) => return (unsent(lack), Generation::default()),
        };
        wire.headers_mut()
            .insert(pass.name.clone(), pass.value.clone());
        let mut exchange = exchange(&self.client, wire, BODY_CAP).await;
        // The journal's times begin before the token was asked for.
        exchange.took = begun.elapsed();
        if let Ok(response) = &mut exchange.result {
            hide(&pass, response);
            let sent = if method.is_write() {
                Sent::Write
            } else {
                Sent::Read
            };
            pass.answered(sent, response.status);
        }
        (exchange, pass.generation)
    }

    async fn renew(&self, refused: Generation) -> Renewal {
        self.authorizer.renew(&self.client, refused).await
    }
}

/// A client that does nothing by itself: no redirect, no retry, no proxy, no
/// referer, no decompression; cookies are not compiled in.
fn client_builder(timeout: Duration, concurrency: usize) -> ClientBuilder {
    // An error only says that the process has a provider already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .user_agent(USER_AGENT)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .no_gzip()
        .no_brotli()
        .no_deflate()
        .no_zstd()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(timeout)
        .pool_idle_timeout(POOL_IDLE)
        .pool_max_idle_per_host(concurrency)
        .tls_version_min(reqwest::tls::Version::TLS_1_2)
}

/// The request as the library takes it, without credentials; `None` if it leads
/// elsewhere than the pin or has a header that HTTP cannot carry.
fn on_the_wire(pin: &Url, request: Request) -> Option<reqwest::Request> {
    let url = origin::pinned(pin, &request.url)?;
    let method = match request.method {
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Patch => reqwest::Method::PATCH,
    };
    let mut wire = reqwest::Request::new(method, url);
    insert_all(wire.headers_mut(), &request.headers)?;
    wire.headers_mut()
        .insert(ACCEPT, HeaderValue::from_static("application/json"));
    if let Some(body) = request.body {
        wire.headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *wire.body_mut() = Some(body.into());
    }
    Some(wire)
}

fn insert_all(headers: &mut HeaderMap, pairs: &[(String, String)]) -> Option<()> {
    for (name, value) in pairs {
        headers.insert(
            HeaderName::try_from(name).ok()?,
            HeaderValue::try_from(value).ok()?,
        );
    }
    Some(())
}

/// Sends a request and reads its answer, at most `cap` bytes of the body.
pub(super) async fn exchange(client: &Client, wire: reqwest::Request, cap: usize) -> Exchange {
    let begun = Instant::now();
    Exchange {
        result: answer(client, wire, cap).await,
        took: begun.elapsed(),
    }
}

async fn answer(
    client: &Client,
    wire: reqwest::Request,
    cap: usize,
) -> Result<Response, NoResponse> {
    let broken = |_| NoResponse::Broken;
    reach(Point::Send).map_err(broken)?;
    let answer = client.execute(wire).await;
    let answer = answer.map_err(|error| classify(&error))?;
    reach(Point::Sent).map_err(broken)?;
    let response = read(answer, cap).await?;
    reach(Point::Received).map_err(broken)?;
    Ok(response)
}

/// Reads the answer. Only a success needs its whole body to be trusted: a
/// refusal stands with as much of the body as came.
async fn read(mut answer: reqwest::Response, cap: usize) -> Result<Response, NoResponse> {
    let status = answer.status();
    let headers = answer
        .headers()
        .iter()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            (name.as_str().to_owned(), value.into_owned())
        })
        .collect();
    let mut body = Vec::new();
    let lack = loop {
        match answer.chunk().await {
            Ok(None) => break None,
            Ok(Some(bytes)) => {
                let room = cap - body.len();
                body.extend_from_slice(&bytes[..bytes.len().min(room)]);
                if bytes.len() > room {
                    break Some(NoResponse::TooLarge);
                }
            }
            Err(error) => break Some(classify(&error)),
        }
    };
    match lack {
        Some(lack) if status.is_success() => Err(lack),
        _ => Ok(Response {
            status: status.as_u16(),
            headers,
            body,
        }),
    }
}

/// A provider may quote what it refuses, credentials too: they are taken out of
/// its words here, before anyone can show or keep them. What it accepted holds
/// records, which stay as they are to the byte.
fn hide(pass: &Pass, response: &mut Response) {
    const HIDDEN: &str = "(hidden)";
    let Ok(credential) = pass.value.to_str() else {
        return;
    };
    let credential = credential.strip_prefix("Bearer ").unwrap_or(credential);
    for (_, value) in &mut response.headers {
        if value.contains(credential) {
            *value = value.replace(credential, HIDDEN);
        }
    }
    if !(200..300).contains(&response.status) {
        let text = String::from_utf8_lossy(&response.body);
        if text.contains(credential) {
            response.body = text.replace(credential, HIDDEN).into_bytes();
        }
    }
}

/// Why no whole response came.
///
/// A failed connection comes first, for it is the one case in which the request
/// was certainly not applied, also when it failed by its own timeout. Timeouts
/// come next, before anything is made of the error's kind: a timeout while a
/// body is read calls itself a decoding error.
fn classify(error: &reqwest::Error) -> NoResponse {
    if error.is_connect() {
        if is_tls(error) {
            NoResponse::Tls
        } else {
            NoResponse::NotSent
        }
    } else if error.is_builder() {
        NoResponse::NotSent
    } else if error.is_timeout() {
        NoResponse::TimedOut
    } else {
        NoResponse::Broken
    }
}

/// Whether the TLS library refused the connection, or was refused.
fn is_tls(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<rustls::Error>() {
            return true;
        }
        // An io::Error hides the error it wraps from `source`.
        cause = match error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
        {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    false
}
