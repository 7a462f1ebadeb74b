//! From a provider, its settings and a remote id to a request.
//!
//! An id or setting is checked, percent-encoded, and the finished URL is parsed
//! again: if the URL parser would change one byte of it, nothing is sent. No
//! credential is ever added here.

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use super::Provider;
use super::manifest::{IdType, SettingType};
use super::settings::Settings;
use crate::core::{Json, Method, Problem, Request};

/// Everything but the unreserved characters of RFC 3986.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Where tokens are obtained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenEndpoint {
    /// The URL.
    pub url: String,
    /// Headers of token requests.
    pub headers: Vec<(String, String)>,
}

impl Provider {
    /// Checks the form of a remote id; the id itself is never printed.
    pub fn check_id(&self, id: &str) -> Result<(), Problem> {
        let fits = match self.manifest.id.kind {
            IdType::Integer => {
                let digits = !id.is_empty()
                    && id.bytes().all(|b| b.is_ascii_digit())
                    && !id.starts_with('0');
                digits && id.parse::<i64>().is_ok()
            }
            IdType::String => !id.is_empty() && self.id_rule.is_valid(&serde_json::Value::from(id)),
        };
        if fits {
            return Ok(());
        }
        let form = match (&self.manifest.id.kind, &self.manifest.id.pattern) {
            (IdType::Integer, _) => "a positive whole number without leading zeros".to_owned(),
            (IdType::String, Some(pattern)) => format!("a text that matches `{pattern}`"),
            (IdType::String, None) => "a text that is not empty".to_owned(),
        };
        Err(Problem::new(
            "E_BAD_ID",
            format!(
                "is not a remote id of {}: it must be {form}; it is used as it stands, never trimmed or converted",
                self.manifest.title
            ),
        ))
    }

    /// The request that updates a record.
    pub fn update_request(
        &self,
        settings: &Settings,
        id: &str,
        body: &Json,
    ) -> Result<Request, Problem> {
        self.check_id(id)?;
        let update = &self.manifest.update;
        Ok(Request {
            method: Method::from(update.method),
            url: self.url(&update.url, settings, Some(id))?,
            headers: self.headers(settings),
            body: Some(body.to_text()),
        })
    }

    /// The request that reads a record; `None` where the provider has no read.
    pub fn read_request(&self, settings: &Settings, id: &str) -> Result<Option<Request>, Problem> {
        let Some(read) = &self.manifest.read else {
            return Ok(None);
        };
        self.check_id(id)?;
        let url = self.url(&read.url, settings, Some(id))?;
        Ok(Some(Request {
            method: Method::Get,
            url,
            headers: self.headers(settings),
            body: None,
        }))
    }

    /// The URL at which tokens are obtained, and the headers of such a request.
    pub fn token_endpoint(&self, settings: &Settings) -> Result<Option<TokenEndpoint>, Problem> {
        let Some(template) = &self.manifest.auth.token_url else {
            return Ok(None);
        };
        let url = self.url(template, settings, None)?;
        Ok(Some(TokenEndpoint {
            url,
            headers: fill_headers(&self.manifest.auth.headers, settings),
        }))
    }

    pub(super) fn headers(&self, settings: &Settings) -> Vec<(String, String)> {
        fill_headers(&self.manifest.request.headers, settings)
    }

    /// Fills a URL template: the base URL as it is, all else as one segment.
    pub(super) fn url(
        &self,
        template: &str,
        settings: &Settings,
        id: Option<&str>,
    ) -> Result<String, Problem> {
        let mut url = template.to_owned();
        for (name, value) in settings.all() {
            let is_url = self
                .manifest
                .settings
                .get(name)
                .is_some_and(|s| s.kind == SettingType::Url);
            url = url.replace(
                &format!("{{{name}}}"),
                &if is_url {
                    value.clone()
                } else {
                    segment(value)
                },
            );
        }
        if let Some(id) = id {
            url = url.replace("{id}", &segment(id));
        }
        match Url::parse(&url) {
            Ok(parsed) if parsed.as_str() == url => Ok(url),
            _ => Err(Problem::new(
                "E_BAD_ID",
                "does not make a URL that stays as it is written; nothing was sent",
            )),
        }
    }
}

pub(super) fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

fn fill_headers(
    templates: &BTreeMap<String, String>,
    settings: &Settings,
) -> Vec<(String, String)> {
    let fill = |template: &String| {
        settings
            .all()
            .fold(template.clone(), |text, (name, value)| {
                text.replace(&format!("{{{name}}}"), value)
            })
    };
    templates
        .iter()
        .map(|(name, template)| (name.clone(), fill(template)))
        .collect()
}
