//! Foreign text in Markdown: always a code span, nothing else.
//!
//! Only a code span is left alone by everything that may follow the parser: no
//! markup, link, mention, reference to an issue or emoji comes of its text.
//! Backslashes and character references stop the parser and nothing after it.

use crate::report::value::foreign;

/// A foreign text, shortened and spelled out like on a terminal, as a code span.
pub(super) fn code(text: &str) -> String {
    span(&foreign(text))
}

/// The same for the cell of a table, where even code may not hold a pipe.
pub(super) fn cell(text: &str) -> String {
    span(&foreign(text).replace('|', "\\u{7c}"))
}

/// A text that needs no escape for a terminal any more as a code span.
pub(super) fn span(text: &str) -> String {
    if text.is_empty() {
        return "`\"\"`".to_owned();
    }
    let fence = "`".repeat(longest_run(text) + 1);
    // The parser takes one space from each side, where both sides have one.
    let edge = |c: Option<char>| matches!(c, Some('`' | ' '));
    let pad = if edge(text.chars().next()) || edge(text.chars().next_back()) {
        " "
    } else {
        ""
    };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// The most backticks that stand side by side.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_span_holds_any_text() {
        let table = [
            ("a", "`a`"),
            ("", "`\"\"`"),
            ("`", "`` ` ``"),
            ("a``b", "```a``b```"),
            ("x`", "`` x` ``"),
            (" a ", "`  a  `"),
            ("a\nb", "`a\\nb`"),
        ];
        for (text, expected) in table {
            assert_eq!(code(text), expected);
        }
        assert_eq!(cell("a|b"), "`a\\u{7c}b`");
    }
}
