//! The key of a row.
//!
//! A key is taken as it stands, apart from outer white space. It must never
//! be repaired: a key that nobody can see or type makes its row invalid.

use crate::core::{Problem, RecordKey, Row};

/// The key of a row, or why it has none.
///
/// A blank part makes the whole key `E_EMPTY_KEY`; blank is what shows as
/// nothing, no-break spaces and zero-width characters included. Control
/// characters, invisible ones and U+FFFD are refused as well, because reports
/// and the command line spell keys.
///
/// ```
/// use clientsync::core::Row;
/// use clientsync::source::key_of;
/// let mut row = Row::default();
/// row.start(2);
/// row.push(" eu ");
/// row.push("\u{a0}");
/// assert_eq!(key_of(&row, &[0], true).unwrap().as_str(), "eu");
/// assert_eq!(key_of(&row, &[0, 1], true).unwrap_err().code, "E_EMPTY_KEY");
/// ```
pub fn key_of(row: &Row, key_columns: &[usize], trim: bool) -> Result<RecordKey, Problem> {
    let part = |column: &usize| {
        let cell = row.cell(*column).unwrap_or_default();
        if trim { cell.trim() } else { cell }
    };
    for (index, cell) in key_columns.iter().map(part).enumerate() {
        if let Some((code, what)) = refusal(cell) {
            let message = match key_columns.len() {
                1 => format!("the key {what}"),
                _ => format!("part {} of the key {what}", index + 1),
            };
            return Err(Problem::new(code, message).line(row.line()));
        }
    }
    Ok(RecordKey::from_cells(key_columns.iter().map(part)))
}

fn refusal(cell: &str) -> Option<(&'static str, &'static str)> {
    if cell.chars().all(|c| c.is_whitespace() || is_invisible(c)) {
        return Some(("E_EMPTY_KEY", "is empty"));
    }
    cell.chars().find_map(|c| match c {
        '\u{FFFD}' => Some((
            "E_REPLACEMENT_CHAR",
            "holds U+FFFD: the original character was lost in an earlier conversion",
        )),
        c if c.is_control() => Some(("E_CONTROL_CHAR", "holds a control character")),
        c if is_invisible(c) => Some((
            "E_INVISIBLE_CHAR",
            "holds a zero-width or text direction character",
        )),
        _ => None,
    })
}

fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FEFF}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(cells: &[&str], trim: bool) -> Result<String, String> {
        let mut row = Row::default();
        row.start(7);
        for cell in cells {
            row.push(cell);
        }
        let columns: Vec<usize> = (0..cells.len()).collect();
        key_of(&row, &columns, trim)
            .map(|key| key.as_str().to_owned())
            .map_err(|problem| problem.code.into_owned())
    }

    #[test]
    fn blank_keys_are_empty_whatever_trim_says() {
        for blank in ["", "  ", "\u{a0}", "\t\u{3000}", "\u{200b}", "\u{feff} "] {
            for trim in [true, false] {
                assert_eq!(key(&[blank], trim), Err("E_EMPTY_KEY".into()), "{blank:?}");
                assert_eq!(key(&["eu", blank], trim), Err("E_EMPTY_KEY".into()));
            }
        }
    }

    #[test]
    fn keys_that_cannot_be_seen_are_refused() {
        assert_eq!(key(&["a\u{202e}b"], true), Err("E_INVISIBLE_CHAR".into()));
        assert_eq!(key(&["a\u{1b}b"], true), Err("E_CONTROL_CHAR".into()));
        assert_eq!(key(&["a\u{fffd}"], true), Err("E_REPLACEMENT_CHAR".into()));
    }

    #[test]
    fn trim_takes_outer_white_space_only() {
        assert_eq!(key(&[" a b\u{a0}"], true), Ok("a b".into()));
        assert_eq!(key(&[" a b"], false), Ok(" a b".into()));
        assert_eq!(key(&[" eu", "1,7 "], true), Ok("eu,\"1,7\"".into()));
    }
}
