//! Where credentials may go: an origin that is checked once, and pinned.
//!
//! It resolves no names and sends nothing.

use reqwest::Url;
use url::Host;

/// Why a URL is not to be trusted with credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// Not an absolute URL of a web server.
    #[error("not an absolute https URL; write it as https://host/path")]
    NotWeb,
    /// `http` to another machine: everyone on the way would read the credentials.
    #[error("http is accepted for this machine only; use https")]
    Plaintext,
    /// A user name or a password inside the URL.
    #[error("holds a user name or a password; secrets are given by reference, never in a URL")]
    Userinfo,
}

/// Reads a URL to which credentials may be sent.
pub(super) fn parse(text: &str) -> Result<Url, OriginError> {
    let url = Url::parse(text).map_err(|_| OriginError::NotWeb)?;
    let host = url.host().ok_or(OriginError::NotWeb)?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&host) => {}
        "http" => return Err(OriginError::Plaintext),
        _ => return Err(OriginError::NotWeb),
    }
    if has_userinfo(&url) {
        return Err(OriginError::Userinfo);
    }
    Ok(url)
}

/// The request's URL, if it leads to the pinned scheme, host and port.
pub(super) fn pinned(pin: &Url, text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    // A user name in the URL would make the library add an Authorization header of its own.
    (url.origin() == pin.origin() && !has_userinfo(&url)).then_some(url)
}

/// Whether nothing leaves the machine on the way there.
fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

fn has_userinfo(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plaintext_is_for_loopback_only() {
        for text in [
            "http://localhost:1/x",
            "http://127.8.9.1",
            "http://[::1]:8080",
            "https://api.example.com/v1",
            // The URL standard reads these spellings of 127.0.0.1 as what they are.
            "http://2130706433",
            "http://0x7f.1",
        ] {
            assert!(parse(text).is_ok(), "{text}");
        }
        for text in [
            "http://api.example.com",
            "http://localhost.example.com",
            "http://127.0.0.1.example.com",
            "http://0.0.0.0",
            "http://10.0.0.1",
            "http://[::ffff:127.0.0.1]",
        ] {
            assert_eq!(parse(text), Err(OriginError::Plaintext), "{text}");
        }
        for text in ["", "/v1", "api.example.com", "ftp://localhost", "file:///x"] {
            assert_eq!(parse(text), Err(OriginError::NotWeb), "{text}");
        }
        assert_eq!(
            parse("https://user@api.example.com"),
            Err(OriginError::Userinfo)
        );
    }

    #[test]
    fn the_pin_holds_scheme_host_and_port() {
        let pin = parse("https://api.example.com/v1").unwrap();
        let leads = |text: &str| pinned(&pin, text).is_some();
        assert!(leads("https://api.example.com/other"));
        assert!(leads("https://API.example.com:443/v1?x=1"));
        assert!(!leads("http://api.example.com/v1"));
        assert!(!leads("https://api.example.com:8443/v1"));
        assert!(!leads("https://api.example.com.evil.test/v1"));
        assert!(!leads("https://api.example.com@evil.test/v1"));
        assert!(!leads("https://user@api.example.com/v1"));
        assert!(!leads("/v1"));
    }
}
