//! How a lane's requests are authorized, and what becomes known of that.
//!
//! Every value that leaves here for a header is marked sensitive, and nothing
//! here prints one.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use reqwest::{Client, Url};

use super::HttpError;
use super::oauth2::OAuth2;
use crate::core::{NoResponse, Secret};
use crate::engine::{Generation, Renewal};

/// What a lane's requests are authorized with.
#[derive(Clone)]
pub enum Credentials {
    /// `Authorization: Bearer TOKEN`.
    Bearer(Secret),
    /// A header that holds the secret as it is.
    Header {
        /// The header's name.
        name: String,
        /// The secret.
        value: Secret,
    },
    /// The OAuth 2.0 password grant (RFC 6749, 4.3) and its refresh tokens.
    OAuth2Password {
        /// Where tokens are asked for.
        token_url: String,
        /// Headers of every token request, refreshes included; no secrets.
        headers: Vec<(String, String)>,
        /// The user name.
        username: Secret,
        /// The password.
        password: Secret,
        /// Who keeps the refresh token between runs, where someone does.
        keeper: Option<Arc<dyn TokenKeeper>>,
    },
}

/// Keeps an account's refresh token between runs: a login with the password
/// ends the one before it, and may be watched.
pub trait TokenKeeper: Send + Sync {
    /// The token kept last.
    fn kept(&self) -> Option<Secret>;
    /// Keeps a newer one, or none; durable when it returns. It is called before
    /// what came with the token is used.
    fn keep(&self, refresh: Option<&Secret>);
}

impl fmt::Debug for Credentials {
    /// Prints the scheme only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bearer(_) => "Bearer",
            Self::Header { .. } => "Header",
            Self::OAuth2Password { .. } => "OAuth2Password",
        })
    }
}

/// Whether a request reads or writes: a token may be good for one only.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sent {
    Read,
    Write,
}

/// What one request is sent with, and where its answer is noted.
pub(super) struct Pass {
    pub(super) name: HeaderName,
    pub(super) value: HeaderValue,
    pub(super) generation: Generation,
    pub(super) standing: Arc<Standing>,
}

impl Pass {
    /// Notes what the provider made of the credentials.
    pub(super) fn answered(&self, sent: Sent, status: u16) {
        let accepted = match sent {
            Sent::Read => &self.standing.reads,
            Sent::Write => &self.standing.writes,
        };
        match status {
            401 if !accepted.load(Ordering::Relaxed) => {
                self.standing.useless.store(true, Ordering::Relaxed);
            }
            // Answers about the record itself; others may come from before any check.
            200..=299 | 400 | 404 | 422 => accepted.store(true, Ordering::Relaxed),
            _ => {}
        }
    }
}

/// What is known of one generation of credentials.
#[derive(Default)]
pub(super) struct Standing {
    /// A read was accepted.
    reads: AtomicBool,
    /// A write was accepted.
    writes: AtomicBool,
    /// Refused for something it was never accepted for.
    useless: AtomicBool,
}

impl Standing {
    /// Whether it was good once, so that a refusal may mean that it is too old.
    pub(super) fn was_good(&self) -> bool {
        !self.useless.load(Ordering::Relaxed)
            && (self.reads.load(Ordering::Relaxed) || self.writes.load(Ordering::Relaxed))
    }
}

/// Gives each request its credentials.
pub(super) enum Authorizer {
    Fixed {
        name: HeaderName,
        value: HeaderValue,
    },
    OAuth2(Box<OAuth2>),
}

impl Authorizer {
    pub(super) fn new(credentials: Credentials) -> Result<Self, HttpError> {
        match credentials {
            Credentials::Bearer(token) => Ok(Self::Fixed {
                name: AUTHORIZATION,
                value: bearer(token.expose())
                    .ok_or(HttpError::HeaderValue { what: "the token" })?,
            }),
            Credentials::Header { name, value } => Ok(Self::Fixed {
                name: HeaderName::try_from(name).map_err(|_| HttpError::HeaderName {
                    setting: "auth.header",
                })?,
                value: sensitive(value.expose())
                    .ok_or(HttpError::HeaderValue { what: "the token" })?,
            }),
            Credentials::OAuth2Password {
                token_url,
                headers,
                username,
                password,
                keeper,
            } => {
                let oauth2 = OAuth2::new(&token_url, &headers, username, password, keeper)?;
                Ok(Self::OAuth2(Box::new(oauth2)))
            }
        }
    }

    /// The URL at which tokens are asked for, if any are.
    pub(super) fn token_url(&self) -> Option<&Url> {
        match self {
            Self::Fixed { .. } => None,
            Self::OAuth2(oauth2) => Some(oauth2.token_url()),
        }
    }

    /// The credentials of the next request; obtains a token where there is none.
    pub(super) async fn pass(&self, client: &Client) -> Result<Pass, NoResponse> {
        match self {
            Self::Fixed { name, value } => Ok(Pass {
                name: name.clone(),
                value: value.clone(),
                generation: Generation::default(),
                standing: Arc::default(),
            }),
            Self::OAuth2(oauth2) => oauth2.pass(client).await,
        }
    }

    /// Asks for credentials newer than the refused ones.
    pub(super) async fn renew(&self, client: &Client, refused: Generation) -> Renewal {
        match self {
            Self::Fixed { .. } => Renewal::Impossible,
            Self::OAuth2(oauth2) => oauth2.renew(client, refused).await,
        }
    }
}

/// A bearer token as a header value, if a header can carry it.
pub(super) fn bearer(token: &str) -> Option<HeaderValue> {
    sensitive(&format!("Bearer {token}"))
}

/// A header value that the HTTP library does not print either.
fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_values_do_not_print_their_secret() {
        let credentials = [
            Credentials::Bearer(Secret::new("canary".into())),
            Credentials::Header {
                name: "x-api-key".into(),
                value: Secret::new("canary".into()),
            },
        ];
        for credentials in credentials {
            let Ok(Authorizer::Fixed { value, .. }) = Authorizer::new(credentials) else {
                panic!("these credentials are fixed");
            };
            assert!(value.to_str().unwrap().ends_with("canary"));
            assert_eq!(format!("{value:?}"), "Sensitive");
        }
    }
}
