//! Secrets, digests and seals: types that cannot be printed by accident.
//!
//! Nothing here reads a file or the environment: keys come in as bytes.

use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::compare::Compare;
use super::path::FieldPath;

/// A credential. It has no `Display`, and its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a credential.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The credential itself, for the one place that sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// The keyed digest of a value's canonical form (HMAC-SHA-256, hex).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    /// The digest in hex.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The key under which values are digested and sealed: 32 bytes.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Why a sealed value could not be opened.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a sealed value does not open: it was made under another key, or changed")]
pub struct SealError;

impl Key {
    /// A key of these bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Digests the canonical form of a field's value. The path is part of the
    /// digest, so that equal values of two fields do not look equal.
    #[must_use]
    pub fn digest(&self, path: &FieldPath, compare: Compare, value: &Value) -> Digest {
        let canonical = compare.canonical(value).to_string();
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else {
            // HMAC takes keys of every length (RFC 2104), so this arm is never taken.
            return Digest(String::new());
        };
        let path = path.to_string();
        mac.update(&(path.len() as u64).to_be_bytes());
        mac.update(path.as_bytes());
        mac.update(canonical.as_bytes());
        Digest(hex(&mac.finalize().into_bytes()))
    }

    /// Seals a text under a nonce of 24 bytes that is never used twice.
    pub fn seal(&self, nonce: &[u8; 24], text: &str) -> Result<String, SealError> {
        let sealed = XChaCha20Poly1305::new((&self.0).into())
            .encrypt(&XNonce::from(*nonce), text.as_bytes())
            .map_err(|_| SealError)?;
        Ok(format!("{}{}", hex(nonce), hex(&sealed)))
    }

    /// Opens what [`Key::seal`] made.
    pub fn open(&self, sealed: &str) -> Result<String, SealError> {
        let bytes = unhex(sealed).ok_or(SealError)?;
        let (nonce, sealed) = bytes.split_first_chunk::<24>().ok_or(SealError)?;
        let text = XChaCha20Poly1305::new((&self.0).into())
            .decrypt(&XNonce::from(*nonce), sealed)
            .map_err(|_| SealError)?;
        String::from_utf8(text).map_err(|_| SealError)
    }
}

/// Lower-case hexadecimal text.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&text[i..i + 2], 16).ok())
        .collect()
}

/// The SHA-256 of some bytes, in hex.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_seal_opens_under_its_key_only() {
        let key = Key::new([7; 32]);
        let sealed = key.seal(&[1; 24], "123-45-6789").unwrap();
        assert!(!sealed.contains("123-45"));
        assert_eq!(key.open(&sealed).unwrap(), "123-45-6789");
        assert_eq!(Key::new([8; 32]).open(&sealed), Err(SealError));
        assert_eq!(key.open("zz"), Err(SealError));
        assert_eq!(key.open("äö"), Err(SealError));
    }

    #[test]
    fn digests_follow_the_canonical_form_and_the_path() {
        let key = Key::new([7; 32]);
        let phone = FieldPath::parse("phone").unwrap();
        let digest = |path: &FieldPath, text: &str| key.digest(path, Compare::Phone, &json!(text));
        assert_eq!(digest(&phone, "+1 23"), digest(&phone, "+123"));
        assert_ne!(
            digest(&phone, "+1"),
            digest(&FieldPath::parse("fax").unwrap(), "+1")
        );
    }

    #[test]
    fn debug_of_a_secret_is_redacted() {
        assert_eq!(
            format!(
                "{:?} {:?}",
                Secret::new("hunter2".into()),
                Key::new([1; 32])
            ),
            "[redacted] [redacted]"
        );
    }
}
