//! Values as a reader sees them: quoted, escaped, shortened, or hidden.
//!
//! A value that must not be shown is never turned into text here at all.

use serde_json::Value;

use crate::core::{Before, Change, Extra, Shown};

use super::escape::push;
use super::words::{length, number};

/// Whether a report shows values. Sensitive ones are hidden either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Values {
    /// All but sensitive ones.
    #[default]
    Shown,
    /// None (`--hide-values`). Keys and remote ids stay, a provider's own words
    /// go: they may quote a value.
    Hidden,
}

/// What stands where a value is not shown.
pub(super) const HIDDEN: &str = "(hidden)";

/// What stands where a provider's words are not shown.
pub(super) const WORDS_HIDDEN: &str = "the provider's words are hidden";

/// What is said of a change that was not sent, because a policy kept what the
/// provider held.
pub(super) const KEPT_WORDS: &str = "kept: the provider holds a value already";

/// The longest value shown whole, in characters.
const LONGEST: usize = 120;

/// The same where a page has room for it.
const LONGEST_ON_PAGE: usize = 1_000;

impl Values {
    /// Whether a value with this mark may be shown.
    #[must_use]
    pub fn shows(self, shown: Shown) -> bool {
        self == Self::Shown && shown == Shown::Clear
    }
}

/// One side of a change, as much of it as may be shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Side<'a> {
    /// Nobody knows what the provider holds.
    Unknown,
    /// The field was not mapped before.
    NewField,
    /// There is a value that is not shown.
    Hidden,
    /// This value.
    Value(&'a Value),
}

impl<'a> Side<'a> {
    /// What the provider acknowledged last.
    pub(super) fn before(before: &'a Before, shown: Shown, values: Values) -> Self {
        match before {
            Before::Unknown => Self::Unknown,
            Before::NewField => Self::NewField,
            Before::Value(value) => Self::of(value, shown, values),
            Before::Hidden => Self::Hidden,
        }
    }

    /// A value that there is.
    pub(super) fn of(value: &'a Value, shown: Shown, values: Values) -> Self {
        if values.shows(shown) {
            Self::Value(value)
        } else {
            Self::Hidden
        }
    }

    /// Its name in reports for programs.
    pub(super) fn state(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::NewField => "new_field",
            Self::Hidden => "hidden",
            Self::Value(_) => "value",
        }
    }

    /// The value, where one is shown.
    pub(super) fn value(self) -> Option<&'a Value> {
        match self {
            Self::Value(value) => Some(value),
            Self::Unknown | Self::NewField | Self::Hidden => None,
        }
    }

    /// The text of a value, from this character on.
    fn text(self, from: usize) -> String {
        match self {
            Self::Unknown => "?".to_owned(),
            Self::NewField => "new field".to_owned(),
            Self::Hidden => HIDDEN.to_owned(),
            Self::Value(value) => render_from(value, from),
        }
    }
}

/// What was held and what follows it, shortened.
pub(super) fn sides(before: &Before, after: &Value, shown: Shown, values: Values) -> [String; 2] {
    let before = Side::before(before, shown, values);
    let sides = [before, Side::of(after, shown, values)];
    let from = start(sides, LONGEST);
    sides.map(|side| side.text(from))
}

/// The values of two sides as a page shows them: without quotes, and much longer
/// than on a terminal. `None` where there is no value, or a null.
pub(super) fn long_sides(sides: [Side<'_>; 2]) -> [Option<String>; 2] {
    let from = start(sides, LONGEST_ON_PAGE);
    sides.map(|side| match side.value() {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(part(text, from)),
        Some(other) => Some(part(&other.to_string(), 0)),
    })
}

/// Where two values begin to differ, less some context; see [`common_start`].
fn start(sides: [Side<'_>; 2], longest: usize) -> usize {
    match sides.map(Side::value) {
        [Some(Value::String(before)), Some(Value::String(after))] => {
            common_start(before, after, longest)
        }
        _ => 0,
    }
}

/// A text from this character on, and how long all of it is where that is not
/// all of it.
fn part(text: &str, from: usize) -> String {
    let (safe, cut) = shortened(text, from, LONGEST_ON_PAGE, false);
    if !cut && from == 0 {
        return safe;
    }
    let start = if from > 0 { "…" } else { "" };
    let end = if cut { "…" } else { "" };
    let all = number(length(text.chars().count()));
    format!("{start}{safe}{end} ({all} characters)")
}

/// `before -> after` of one change.
pub(super) fn transition(change: &Change, values: Values) -> String {
    held(&change.before, &change.after, change.shown, values)
}

/// What was held and what follows it, in one text.
pub(super) fn held(before: &Before, after: &Value, shown: Shown, values: Values) -> String {
    sides(before, after, shown, values).join(" -> ")
}

/// The value of an extra.
pub(super) fn extra(extra: &Extra, values: Values) -> String {
    shown(&extra.value, extra.shown, values)
}

/// One value.
pub(super) fn shown(value: &Value, shown: Shown, values: Values) -> String {
    Side::of(value, shown, values).text(0)
}

/// Where two long texts begin to differ, less some context, so that shortening
/// does not make them look alike; 0 where both fit.
fn common_start(one: &str, other: &str, longest: usize) -> usize {
    if one.chars().count() <= longest && other.chars().count() <= longest {
        return 0;
    }
    let same = one
        .chars()
        .zip(other.chars())
        .take_while(|(a, b)| a == b)
        .count();
    if same < longest / 2 { 0 } else { same - 20 }
}

fn render_from(value: &Value, from: usize) -> String {
    match value {
        Value::Null => "(empty)".to_owned(),
        Value::String(text) => quoted(text, from),
        other => {
            let text = other.to_string();
            let (mut safe, cut) = shortened(&text, 0, LONGEST, false);
            if cut {
                safe.push('…');
            }
            safe
        }
    }
}

fn quoted(text: &str, from: usize) -> String {
    let (safe, cut) = shortened(text, from, LONGEST, true);
    let start = if from > 0 { "…" } else { "" };
    if cut || from > 0 {
        let end = if cut { "…" } else { "" };
        let all = number(length(text.chars().count()));
        format!("\"{start}{safe}{end}\" ({all} characters)")
    } else {
        format!("\"{safe}\"")
    }
}

/// At most so many characters of a text, and whether any were cut off.
fn shortened(text: &str, from: usize, longest: usize, quotes: bool) -> (String, bool) {
    let mut safe = String::new();
    let mut rest = text.chars().skip(from);
    for c in rest.by_ref().take(longest) {
        if quotes && matches!(c, '"' | '\\') {
            safe.push('\\');
        }
        push(&mut safe, c);
    }
    (safe, rest.next().is_some())
}

/// A foreign text, escaped and shortened to about four values' length: a
/// provider's message, or a name out of a foreign manifest.
pub(super) fn foreign(text: &str) -> String {
    let mut safe = String::new();
    let mut rest = text.chars();
    for c in rest.by_ref().take(4 * LONGEST) {
        push(&mut safe, c);
    }
    if rest.next().is_some() {
        safe.push('…');
    }
    safe
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(value: &Value) -> String {
        render_from(value, 0)
    }

    #[test]
    fn values_look_like_json_and_null_like_nothing() {
        assert_eq!(shown(&json!("a \"b\" \\ c")), r#""a \"b\" \\ c""#);
        assert_eq!(shown(&json!("a\nb\u{202e}")), r#""a\nb\u{202e}""#);
        assert_eq!(shown(&json!(null)), "(empty)");
        assert_eq!(shown(&json!("")), "\"\"");
        assert_eq!(shown(&json!(12.5)), "12.5");
        assert_eq!(shown(&json!({"a": [true]})), r#"{"a":[true]}"#);
        assert_eq!(shown(&json!(["\u{9b}"])), r#"["\u{9b}"]"#);
    }

    #[test]
    fn long_values_are_cut_and_say_how_long_they_are() {
        let text = "é".repeat(1_204);
        assert_eq!(
            shown(&json!(text)),
            format!("\"{}…\" (1,204 characters)", "é".repeat(120))
        );
        assert_eq!(
            shown(&json!("x".repeat(120))),
            format!("\"{}\"", "x".repeat(120))
        );
        assert!(shown(&json!(vec![1; 200])).ends_with('…'));
    }

    #[test]
    fn long_values_that_differ_late_show_where_they_differ() {
        let change = Change {
            field: crate::core::FieldPath::parse("notes").unwrap(),
            before: Before::Value(json!(format!("{}old", "x".repeat(300)))),
            after: json!(format!("{}new", "x".repeat(300))),
            when: crate::core::When::Always,
            shown: Shown::Clear,
        };
        let xs = "x".repeat(20);
        assert_eq!(
            transition(&change, Values::Shown),
            format!("\"…{xs}old\" (303 characters) -> \"…{xs}new\" (303 characters)")
        );
    }
}
