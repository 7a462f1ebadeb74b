//! A provider's settings: checked, with defaults filled in.
//!
//! A base URL is https, or http on a loopback address; it may carry a path
//! prefix and nothing else, so that no credential or query hides in it.

use std::collections::BTreeMap;

use url::{Host, Url};

use super::Provider;
use super::manifest::SettingType;

/// Resolved settings of one lane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings(BTreeMap<String, String>);

/// What is wrong with a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingProblem {
    /// The setting's name.
    pub name: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl Settings {
    /// All settings, by name.
    pub fn all(&self) -> impl Iterator<Item = (&String, &String)> {
        self.0.iter()
    }

    /// One setting.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The same settings with another value of one.
    #[must_use]
    pub fn with(mut self, name: &str, value: String) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }
}

impl Provider {
    /// Checks what the user gave and fills in the defaults; all problems at once.
    pub fn resolve(
        &self,
        given: &BTreeMap<String, String>,
    ) -> Result<Settings, Vec<SettingProblem>> {
        let mut problems = Vec::new();
        let mut resolved = BTreeMap::new();
        let known: Vec<String> = self.manifest.settings.keys().cloned().collect();
        for name in given.keys().filter(|name| !known.contains(name)) {
            let hint = super::nearest(name, &known)
                .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            problems.push(SettingProblem {
                name: name.clone(),
                message: format!("is not a setting of {}{hint}", self.manifest.name),
            });
        }
        for (name, setting) in &self.manifest.settings {
            let Some(value) = given.get(name).or(setting.default.as_ref()) else {
                let help = setting.help.as_deref().unwrap_or("see the provider's page");
                problems.push(SettingProblem {
                    name: name.clone(),
                    message: format!("is required ({help})"),
                });
                continue;
            };
            let checked = match setting.kind {
                SettingType::Url => base_url(value),
                SettingType::String
                    if value.trim().is_empty() || value.chars().any(char::is_control) =>
                {
                    Err("must be a text".to_owned())
                }
                SettingType::Integer if value.parse::<u64>().is_err() => {
                    Err("must be a whole number".to_owned())
                }
                SettingType::OneOf if !setting.values.contains(value) => {
                    Err(format!("must be one of {}", setting.values.join(", ")))
                }
                _ => Ok(value.clone()),
            };
            match checked {
                Ok(value) => {
                    resolved.insert(name.clone(), value);
                }
                Err(message) => problems.push(SettingProblem {
                    name: name.clone(),
                    message,
                }),
            }
        }
        if problems.is_empty() {
            Ok(Settings(resolved))
        } else {
            Err(problems)
        }
    }

    /// Where a lane's requests go: what its state is bound to.
    #[must_use]
    pub fn target(&self, settings: &Settings) -> String {
        let texts: Vec<String> = settings
            .all()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        texts.join(" ")
    }
}

/// A base URL in its normal form, without a final slash.
fn base_url(text: &str) -> Result<String, String> {
    let url = Url::parse(text).map_err(|error| format!("is not a URL: {error}"))?;
    match url.scheme() {
        "https" => {}
        // What reads as another host must not pass: the parser takes
        // `http://2130706433` for 127.0.0.1.
        "http" if is_loopback(&url) && text.to_lowercase().starts_with(&format!("http://{}", url.host_str().unwrap_or_default())) => {}
        "http" => return Err("must be https: personal data would travel in clear (http is accepted for 127.0.0.1, ::1 and localhost only)".to_owned()),
        _ => return Err("must begin with https://".to_owned()),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "must not hold a user name or password; secrets have their own keys".to_owned(),
        );
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must end with its path: no `?` and no `#`".to_owned());
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// Whether a URL's host is this machine, by its literal form.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_are_https_or_plain_loopback() {
        for good in [
            "https://api.example.com",
            "https://api.example.com/v2/",
            "http://127.0.0.1:8080/spp",
            "http://[::1]:9",
            "http://localhost/x",
        ] {
            assert!(base_url(good).is_ok(), "{good}");
        }
        let bad = [
            "http://api.example.com",
            "http://127.0.0.1.example.com",
            "http://2130706433",
            "http://0x7f.1",
            "http://[::ffff:8.8.8.8]",
            "https://user:hunter2@api.example.com",
            "https://api.example.com?x=1",
            "https://api.example.com/#f",
            "file:///etc/passwd",
            "ftp://example.com",
            "api.example.com",
            "",
        ];
        for bad in bad {
            let message = base_url(bad).expect_err(bad);
            assert!(!message.contains("hunter2"));
        }
    }

    #[test]
    fn a_final_slash_says_nothing() {
        assert_eq!(
            base_url("https://api.example.com/"),
            base_url("https://api.example.com")
        );
        assert_eq!(
            base_url("https://API.example.com/p/").unwrap(),
            "https://api.example.com/p"
        );
    }
}
