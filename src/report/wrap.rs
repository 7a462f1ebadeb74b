//! Breaks long lines between words, for pages that people read.
//!
//! It counts characters and cuts no word: an address stays whole, and can be
//! copied.

/// The columns of a page.
const COLUMNS: usize = 100;

/// The lines of a text; the first begins with `first`, the others are indented
/// as far.
pub(super) fn wrap(first: &str, text: &str) -> Vec<String> {
    let indent = first.chars().count();
    let mut lines = Vec::new();
    let mut line = first.to_owned();
    let mut is_empty = true;
    for word in text.split(' ') {
        let needed = line.chars().count() + word.chars().count() + usize::from(!is_empty);
        if !is_empty && needed > COLUMNS {
            lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    lines.push(line.trim_end().to_owned());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_broken_between_words_and_a_long_word_stays_whole() {
        assert_eq!(wrap("  - ", "short"), ["  - short"]);
        let lines = wrap("  - ", &"word ".repeat(40));
        assert!(lines.len() == 3 && lines.iter().all(|line| line.chars().count() <= COLUMNS));
        assert!(lines[1].starts_with("    word"), "{lines:?}");
        let long = "x".repeat(150);
        assert_eq!(wrap("", &format!("a {long} b")), ["a", &long, "b"]);
    }
}
