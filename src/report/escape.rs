//! The one escape function between the outside and a terminal.
//!
//! A value, a key or a server's message could move the cursor, hide text or
//! turn it around. Every text report passes foreign text through here; nothing
//! else decides what is safe to print.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a character never reaches a terminal as it is.
///
/// These are C0 (the line feed too: a value must not start a line), DEL, C1,
/// the zero-width, direction and line-separator characters of Unicode, the
/// byte order mark, and the invisible tag characters.
#[must_use]
pub fn needs_escape(c: char) -> bool {
    matches!(
        c,
        '\u{0}'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// Makes a text safe to print: dangerous characters are spelled out.
///
/// ```
/// use clientsync::report::escape;
/// assert_eq!(escape("Ann\u{1b}[2J\n"), "Ann\\u{1b}[2J\\n");
/// assert_eq!(escape("Zoë"), "Zoë");
/// ```
#[must_use]
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(needs_escape) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        push(&mut safe, c);
    }
    Cow::Owned(safe)
}

/// Appends one character, spelled out where it must be.
pub(super) fn push(safe: &mut String, c: char) {
    match c {
        '\n' => safe.push_str("\\n"),
        '\r' => safe.push_str("\\r"),
        '\t' => safe.push_str("\\t"),
        c if needs_escape(c) => {
            // Writing to a String cannot fail.
            let _ = write!(safe, "\\u{{{:x}}}", u32::from(c));
        }
        c => safe.push(c),
    }
}

/// Makes JSON text safe to print without changing what it says: the encoder
/// leaves DEL, C1 and the Unicode ones as they are, and they can only stand
/// inside strings.
pub(super) fn json(text: String) -> String {
    if !text.contains(needs_escape) {
        return text;
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if needs_escape(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(safe, "\\u{unit:04x}");
            }
        } else {
            safe.push(c);
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_text_keeps_its_meaning() {
        let value = "a\u{7f}\u{9b}\u{202e}\u{feff}\u{e0041}\n\u{1b}é";
        let text = json(serde_json::to_string(value).unwrap());
        assert!(!text.contains(needs_escape), "{text}");
        assert!(text.contains("\\udb40\\udc41"), "{text}");
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), value);
    }

    #[test]
    fn every_dangerous_character_is_spelled_out() {
        let table = [
            ('\u{0}', "\\u{0}"),
            ('\u{7}', "\\u{7}"),
            ('\t', "\\t"),
            ('\n', "\\n"),
            ('\r', "\\r"),
            ('\u{1b}', "\\u{1b}"),
            ('\u{1f}', "\\u{1f}"),
            ('\u{7f}', "\\u{7f}"),
            ('\u{80}', "\\u{80}"),
            ('\u{85}', "\\u{85}"),
            ('\u{9b}', "\\u{9b}"),
            ('\u{9f}', "\\u{9f}"),
            ('\u{61c}', "\\u{61c}"),
            ('\u{200b}', "\\u{200b}"),
            ('\u{200f}', "\\u{200f}"),
            ('\u{2028}', "\\u{2028}"),
            ('\u{2029}', "\\u{2029}"),
            ('\u{202a}', "\\u{202a}"),
            ('\u{202e}', "\\u{202e}"),
            ('\u{2066}', "\\u{2066}"),
            ('\u{2069}', "\\u{2069}"),
            ('\u{feff}', "\\u{feff}"),
            ('\u{e0041}', "\\u{e0041}"),
        ];
        for (c, expected) in table {
            assert_eq!(escape(&format!("a{c}b")), format!("a{expected}b"), "{c:?}");
        }
    }

    #[test]
    fn whole_ranges_are_covered() {
        let ranges = [
            0x00..=0x1f,
            0x7f..=0x9f,
            0x200b..=0x200f,
            0x202a..=0x202e,
            0x2066..=0x2069,
            0x2028..=0x2029,
            0xfeff..=0xfeff,
        ];
        for c in ranges.into_iter().flatten().filter_map(char::from_u32) {
            assert!(needs_escape(c), "{c:?}");
            assert!(!escape(&c.to_string()).contains(c), "{c:?}");
        }
    }

    #[test]
    fn ordinary_text_is_not_touched() {
        for text in [
            "",
            "a b~",
            "Łódź",
            "日本",
            "é\u{301}",
            "🙂",
            "\u{a0}",
            "\\n",
        ] {
            assert!(matches!(escape(text), Cow::Borrowed(_)), "{text}");
        }
    }
}
