//! The OAuth 2.0 password grant: tokens are obtained when first needed and renewed
//! when refused.
//!
//! Access tokens live in memory only; a refresh token goes to its keeper before
//! what came with it is used. A refused token is renewed once, by the refresh
//! token, or by the password if that fails. A token that is refused straight
//! after its renewal ends it: a 401 may also mean that the account lacks a
//! right, which no number of tokens mends.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, Request, Url};
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::form_urlencoded::Serializer;

use super::auth::{Pass, Standing, TokenKeeper, bearer};
use super::client::exchange;
use super::{HttpError, origin};
use crate::core::{NoResponse, Response, Secret};
use crate::engine::{Generation, Renewal};
use crate::provider::told_wait;

/// The most we read of a token endpoint's answer, in bytes.
const TOKEN_CAP: usize = 64 * 1024;

/// The password grant of one account.
pub(super) struct OAuth2 {
    token_url: Url,
    headers: HeaderMap,
    username: Secret,
    password: Secret,
    keeper: Option<Arc<dyn TokenKeeper>>,
    /// Held while a token is asked for, which makes one request of all callers
    /// who wait for the same token.
    tokens: Mutex<Tokens>,
}

/// Where the account's tokens stand.
#[derive(Default)]
struct Tokens {
    /// Of the newest token; 0 before the first.
    generation: u64,
    /// `None` before the first, and after a refusal until there is a newer one.
    access: Option<Access>,
    refresh: Option<Secret>,
    /// Nothing that we hold opens the door: nothing more is asked or sent.
    spent: bool,
    /// The token endpoint asked not to be called earlier.
    not_before: Option<Instant>,
}

struct Access {
    value: HeaderValue,
    /// It replaced a refused one.
    renewed: bool,
    standing: Arc<Standing>,
}

/// What a token request came to.
enum Grant {
    Given {
        value: HeaderValue,
        refresh: Option<Secret>,
    },
    /// The endpoint does not accept what we showed it, or is no token endpoint.
    Refused,
    /// Not now; everyone shall wait, and for so long where the endpoint says so.
    Throttled(Option<Duration>),
    /// The endpoint fails, or does not answer.
    Failed,
    /// No secure connection to the endpoint.
    Insecure,
}

/// A token answer (RFC 6749, 5.1), as far as it is used.
#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    token_type: String,
    refresh_token: Option<String>,
}

impl OAuth2 {
    pub(super) fn new(
        token_url: &str,
        headers: &[(String, String)],
        username: Secret,
        password: Secret,
        keeper: Option<Arc<dyn TokenKeeper>>,
    ) -> Result<Self, HttpError> {
        let tokens = Tokens {
            refresh: keeper.as_ref().and_then(|keeper| keeper.kept()),
            ..Tokens::default()
        };
        Ok(Self {
            token_url: origin::parse(token_url).map_err(|problem| HttpError::Origin {
                setting: "token_url",
                problem,
            })?,
            headers: token_headers(headers)?,
            username,
            password,
            keeper,
            tokens: Mutex::new(tokens),
        })
    }

    pub(super) fn token_url(&self) -> &Url {
        &self.token_url
    }

    pub(super) async fn pass(&self, client: &Client) -> Result<Pass, NoResponse> {
        let mut tokens = self.tokens.lock().await;
        if tokens.access.is_none() {
            self.obtain(client, &mut tokens).await?;
        }
        // `obtain` leaves a token or an error, so this error is never made.
        let access = tokens.access.as_ref().ok_or(NoResponse::NoCredentials)?;
        Ok(Pass {
            name: AUTHORIZATION,
            value: access.value.clone(),
            generation: Generation(tokens.generation),
            standing: Arc::clone(&access.standing),
        })
    }

    pub(super) async fn renew(&self, client: &Client, refused: Generation) -> Renewal {
        let mut tokens = self.tokens.lock().await;
        if tokens.spent {
            return Renewal::Impossible;
        }
        let ours = Generation(tokens.generation) == refused;
        // Where there is no token, an earlier call has dropped it and the next `pass` asks anew.
        let Some(access) = tokens.access.take_if(|_| ours) else {
            return Renewal::Renewed;
        };
        if access.renewed && !access.standing.was_good() {
            tokens.spent = true;
            return Renewal::Impossible;
        }
        match self.obtain(client, &mut tokens).await {
            Err(NoResponse::NoCredentials) => Renewal::Impossible,
            // Other trouble is no verdict on the credentials: it comes back as the next send's.
            _ => Renewal::Renewed,
        }
    }

    /// Obtains a token: by the refresh token if there is one, else by the password.
    async fn obtain(&self, client: &Client, tokens: &mut Tokens) -> Result<(), NoResponse> {
        if tokens.spent {
            return Err(NoResponse::NoCredentials);
        }
        let wait = tokens
            .not_before
            .map(|until| until.saturating_duration_since(Instant::now()))
            .filter(|wait| !wait.is_zero());
        if wait.is_some() {
            return Err(NoResponse::CredentialsLater(wait));
        }
        let mut grant = Grant::Refused;
        if let Some(refresh) = &tokens.refresh {
            let form = [
                ("grant_type", "refresh_token"),
                ("refresh_token", refresh.expose()),
            ];
            grant = self.ask(client, &form).await;
        }
        if matches!(grant, Grant::Refused) {
            // What was refused is worth nothing to the next run either.
            if let (Some(_), Some(keeper)) = (tokens.refresh.take(), &self.keeper) {
                keeper.keep(None);
            }
            let form = [
                ("grant_type", "password"),
                ("username", self.username.expose()),
                ("password", self.password.expose()),
            ];
            grant = self.ask(client, &form).await;
        }
        if let (
            Grant::Given {
                refresh: Some(refresh),
                ..
            },
            Some(keeper),
        ) = (&grant, &self.keeper)
        {
            keeper.keep(Some(refresh));
        }
        tokens.keep(grant)
    }

    /// One token request.
    async fn ask(&self, client: &Client, form: &[(&str, &str)]) -> Grant {
        let mut wire = Request::new(Method::POST, self.token_url.clone());
        *wire.headers_mut() = self.headers.clone();
        let form = Serializer::new(String::new()).extend_pairs(form).finish();
        *wire.body_mut() = Some(form.into());
        match exchange(client, wire, TOKEN_CAP).await.result {
            Ok(response) => judge(&response),
            Err(NoResponse::Tls) => Grant::Insecure,
            Err(NoResponse::TooLarge) => Grant::Refused,
            Err(_) => Grant::Failed,
        }
    }
}

impl Tokens {
    /// Keeps what a token request brought.
    fn keep(&mut self, grant: Grant) -> Result<(), NoResponse> {
        match grant {
            Grant::Given { value, refresh } => {
                self.access = Some(Access {
                    value,
                    // A token is replaced only when it was refused.
                    renewed: self.generation > 0,
                    standing: Arc::default(),
                });
                self.generation += 1;
                // A refresh need not bring a new refresh token; the old one stands then.
                self.refresh = refresh.or(self.refresh.take());
                Ok(())
            }
            Grant::Refused => {
                self.spent = true;
                Err(NoResponse::NoCredentials)
            }
            Grant::Throttled(wait) => {
                self.not_before = Instant::now().checked_add(wait.unwrap_or_default());
                Err(NoResponse::CredentialsLater(wait))
            }
            Grant::Failed => Err(NoResponse::NotSent),
            Grant::Insecure => Err(NoResponse::Tls),
        }
    }
}

/// What a token endpoint's answer means. Throttling has many statuses, so that
/// any refusal with a `Retry-After` is one.
fn judge(response: &Response) -> Grant {
    match (response.status, response.header("retry-after")) {
        (200..=299, _) => granted(&response.body).unwrap_or(Grant::Refused),
        (400..=599, Some(_)) | (429, None) => Grant::Throttled(told_wait(response)),
        (408 | 425 | 500..=599, None) => Grant::Failed,
        _ => Grant::Refused,
    }
}

fn granted(body: &[u8]) -> Option<Grant> {
    let answer: TokenAnswer = serde_json::from_slice(body).ok()?;
    let usable =
        !answer.access_token.is_empty() && answer.token_type.eq_ignore_ascii_case("bearer");
    let value = bearer(&answer.access_token).filter(|_| usable)?;
    Some(Grant::Given {
        value,
        refresh: answer.refresh_token.map(Secret::new),
    })
}

/// The headers of every token request.
fn token_headers(extra: &[(String, String)]) -> Result<HeaderMap, HttpError> {
    let mut headers = HeaderMap::new();
    for (name, value) in extra {
        headers.insert(
            HeaderName::try_from(name).map_err(|_| HttpError::HeaderName {
                setting: "auth.headers",
            })?,
            HeaderValue::try_from(value).map_err(|_| HttpError::HeaderValue {
                what: "a header of auth.headers",
            })?,
        );
    }
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/x-www-form-urlencoded"),
    );
    Ok(headers)
}
