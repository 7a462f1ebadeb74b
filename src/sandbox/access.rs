//! Who may come in: the made-up credentials of a lane and the tokens given out.
//!
//! It runs the three authorisation schemes backwards. No credential in here is
//! a real one, and none ever reaches the request log.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::HeaderMap;
use serde_json::json;
use tokio::time::Instant;

use super::answer::Reply;
use super::percent;
use crate::core::Secret;
use crate::provider::{Auth, Scheme};

/// How long an access token is good for, and what `expires_in` says of it.
const ACCESS_LIFE: Duration = Duration::from_secs(604_799);
/// How many tokens of a kind are remembered; the oldest make room.
const TOKENS: usize = 1_000;

/// What a client of a lane must use; fixed and made up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// A token, for the schemes `bearer` and `header`.
    Token(Secret),
    /// A user name and a password, for `oauth2_password`.
    Password {
        /// The user name.
        username: Secret,
        /// The password.
        password: Secret,
    },
}

/// The gate of one lane.
#[derive(Debug)]
pub(super) struct Access {
    scheme: Scheme,
    /// The header that carries the credential, in lower case.
    pub(super) header: String,
    token: String,
    username: String,
    password: String,
    /// The headers that a token request must carry.
    token_headers: Vec<String>,
    /// Access tokens, by their number, with the end of their life.
    given: BTreeMap<u64, (String, Instant)>,
    /// The one live refresh token of each client: by the token headers.
    refresh: BTreeMap<Vec<String>, String>,
    count: u64,
}

impl Access {
    pub(super) fn new(lane: &str, auth: &Auth) -> Self {
        // A lane's name may hold what a header must not.
        let lane = percent::encode(lane);
        let header = match auth.scheme {
            Scheme::Header => auth.header.as_deref().unwrap_or_default(),
            Scheme::Bearer | Scheme::Oauth2Password => "authorization",
        };
        Self {
            scheme: auth.scheme,
            header: header.to_ascii_lowercase(),
            token: format!("sandbox-token-of-{lane}"),
            username: format!("{lane}@sandbox.example"),
            password: format!("sandbox-password-of-{lane}"),
            token_headers: auth.headers.keys().cloned().collect(),
            given: BTreeMap::new(),
            refresh: BTreeMap::new(),
            count: 0,
        }
    }

    pub(super) fn credentials(&self) -> Credentials {
        match self.scheme {
            Scheme::Bearer | Scheme::Header => Credentials::Token(Secret::new(self.token.clone())),
            Scheme::Oauth2Password => Credentials::Password {
                username: Secret::new(self.username.clone()),
                password: Secret::new(self.password.clone()),
            },
        }
    }

    /// Whether a request carries a credential that is good now.
    pub(super) fn admits(&self, headers: &HeaderMap, now: Instant) -> bool {
        let Some(value) = header(headers, &self.header) else {
            return false;
        };
        let bearer = || {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token)
        };
        match self.scheme {
            Scheme::Header => value == self.token,
            Scheme::Bearer => bearer() == Some(self.token.as_str()),
            Scheme::Oauth2Password => bearer().is_some_and(|token| {
                self.given
                    .values()
                    .any(|(given, until)| given == token && now < *until)
            }),
        }
    }

    /// Answers a token request (RFC 6749 sections 4.3 and 6).
    pub(super) fn grant(&mut self, headers: &HeaderMap, body: &[u8], now: Instant) -> Reply {
        let is_form = header(headers, "content-type").is_some_and(|kind| {
            kind.to_ascii_lowercase()
                .starts_with("application/x-www-form-urlencoded")
        });
        let form = if is_form { percent::form(body) } else { None };
        let Some(form) = form else {
            return refused(
                "unsupported_grant_type",
                "the body must be application/x-www-form-urlencoded",
            );
        };
        let field = |name: &str| {
            form.iter()
                .find(|(n, _)| n == name)
                .map(|(_, value)| value.as_str())
        };
        let Some(client) = self
            .token_headers
            .iter()
            .map(|name| header(headers, name).map(str::to_owned))
            .collect::<Option<Vec<String>>>()
        else {
            let names = self.token_headers.join(", ");
            return refused(
                "invalid_grant",
                &format!("a token request must carry the header(s) {names}"),
            );
        };
        match field("grant_type") {
            Some("password") => {
                let known = field("username") == Some(&self.username)
                    && field("password") == Some(&self.password);
                if !known {
                    return refused("invalid_grant", "the user name or password is incorrect");
                }
            }
            Some("refresh_token") => {
                let live = self.refresh.get(&client).map(String::as_str);
                if live.is_none() || live != field("refresh_token") {
                    return refused(
                        "invalid_grant",
                        "the refresh token is not the live one of this client",
                    );
                }
            }
            _ => return refused("unsupported_grant_type", "no such grant type"),
        }
        self.give(client, now)
    }

    /// Gives out a pair of tokens. The client's earlier refresh token dies, its
    /// access tokens live on.
    fn give(&mut self, client: Vec<String>, now: Instant) -> Reply {
        self.count += 1;
        let access = format!("sandbox-access-{:0>64}", self.count);
        let refresh = format!("sandbox-refresh-{:0>64}", self.count);
        while self.given.len() >= TOKENS {
            self.given.pop_first();
        }
        self.given
            .insert(self.count, (access.clone(), now + ACCESS_LIFE));
        while self.refresh.len() >= TOKENS && !self.refresh.contains_key(&client) {
            self.refresh.pop_first();
        }
        self.refresh.insert(client, refresh.clone());
        Reply::json(
            200,
            &json!({
                "access_token": access, "token_type": "bearer",
                "expires_in": ACCESS_LIFE.as_secs(), "refresh_token": refresh,
            }),
        )
    }
}

fn refused(error: &str, why: &str) -> Reply {
    Reply::json(400, &json!({ "error": error, "error_description": why }))
}

/// The one value of a header; none where it is absent, empty, doubled or not text.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    (values.next().is_none() && !value.is_empty()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Catalog;

    #[test]
    fn an_access_token_ends_with_its_life() {
        let provider = Catalog::load(&[]).unwrap().get("nexudus").unwrap();
        let mut access = Access::new("n", &provider.manifest.auth);
        let mut headers = HeaderMap::new();
        let form = "application/x-www-form-urlencoded";
        headers.insert("content-type", form.parse().unwrap());
        headers.insert("client_id", "x".parse().unwrap());
        let start = Instant::now();
        let body =
            b"grant_type=password&username=n%40sandbox.example&password=sandbox-password-of-n";
        let reply = access.grant(&headers, body, start);
        assert_eq!(reply.status, 200);
        let token = format!("Bearer sandbox-access-{:0>64}", 1);
        headers.insert("authorization", token.parse().unwrap());
        assert!(access.admits(&headers, start));
        assert!(!access.admits(&headers, start + ACCESS_LIFE));
    }
}
