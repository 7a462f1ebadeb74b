//! Percent-encoding of path segments and form bodies (RFC 3986 section 2.1).
//!
//! Decoding is strict: a broken escape or bytes that are not UTF-8 are refused,
//! never passed on as they stand.

use std::fmt::Write as _;

/// Encodes all but the unreserved characters.
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// Decodes a text; `None` where an escape is broken or the bytes are not UTF-8.
pub(super) fn decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let value = digit(bytes.next())? * 16 + digit(bytes.next())?;
            decoded.push(u8::try_from(value).ok()?);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).ok()
}

/// The pairs of an `application/x-www-form-urlencoded` body.
pub(super) fn form(body: &[u8]) -> Option<Vec<(String, String)>> {
    let text = std::str::from_utf8(body).ok()?;
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((
                decode(&name.replace('+', " "))?,
                decode(&value.replace('+', " "))?,
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        for text in ["a b/c?d#e", "é%2F", "plain-._~", ""] {
            assert_eq!(decode(&encode(text)).as_deref(), Some(text));
        }
    }

    #[test]
    fn broken_escapes_are_refused() {
        for text in ["%", "%4", "%zz", "%ff", "%+1", "a%C3"] {
            assert_eq!(decode(text), None, "{text}");
        }
        assert!(form(b"a=%zz").is_none());
        assert!(form(b"\xff=1").is_none());
    }

    #[test]
    fn a_plus_in_a_form_is_a_space() {
        assert_eq!(
            form(b"a=1+2&b=%2B&c"),
            Some(vec![
                ("a".to_owned(), "1 2".to_owned()),
                ("b".to_owned(), "+".to_owned()),
                ("c".to_owned(), String::new()),
            ])
        );
    }
}
