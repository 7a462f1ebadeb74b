//! From the cells of a row to the value of a field, by the mapping's rules and
//! the contract's type.
//!
//! A cell becomes exactly what it says or a problem. Nothing is guessed: no
//! date form, no decimal mark, no truth value. A problem never holds the cell.

use jiff::civil::{Date, DateTime};
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use serde_json::{Number, Value};

use super::contract::LeafRules;
use super::leaf::{LeafType, Scalar};
use crate::core::{
    Blank, CellInput, CellSource, Clear, Desired, Letters, Mapping, Moment, Problem, Trim,
};

/// A cell that does not say what its field can hold.
#[derive(Debug)]
struct Refusal {
    code: &'static str,
    message: String,
}

fn refuse<T>(code: &'static str, message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal {
        code,
        message: message.into(),
    })
}

/// What a row says about a field. `cells` are the cells of the mapping's
/// columns, in their order.
pub fn coerce(
    mapping: &Mapping,
    rules: &LeafRules,
    cells: &[&str],
) -> Result<Desired, Vec<Problem>> {
    let place =
        |refusal: Refusal| vec![placed(mapping, Problem::new(refusal.code, refusal.message))];
    let desired = read(&mapping.cell, rules.kind, mapping.field.clear, cells).map_err(place)?;
    match &desired {
        // Clearing is judged by the contract's `x-clear` or null type when the
        // mapping is made, so null needs no leaf rule.
        Desired::Keep | Desired::Set(Value::Null) => Ok(desired),
        Desired::Set(value) => {
            let violations = rules.check(value);
            if violations.is_empty() {
                return Ok(desired);
            }
            Err(violations
                .into_iter()
                .map(|v| placed(mapping, Problem::new(v.code, v.message)))
                .collect())
        }
    }
}

/// Puts a problem at the mapping's field and first column.
fn placed(mapping: &Mapping, mut problem: Problem) -> Problem {
    problem.field = Some(mapping.field.path.clone());
    problem.column = mapping.cell.columns().first().cloned();
    problem
}

fn read(
    source: &CellSource,
    kind: LeafType,
    clear: Clear,
    cells: &[&str],
) -> Result<Desired, Refusal> {
    let text = match &source.input {
        CellInput::Const(value) => return Ok(Desired::Set(value.clone())),
        CellInput::Column(_) => prepare(source, cells.first().copied().unwrap_or_default()),
        CellInput::Columns(_, join) => {
            let parts: Vec<String> = cells
                .iter()
                .map(|cell| prepare(source, cell))
                .filter(|part| !part.is_empty())
                .collect();
            parts.join(join)
        }
    };
    let text = match (text.is_empty(), &source.default, source.blank) {
        (false, ..) => intact(text)?,
        (true, Some(default), _) => default.clone(),
        (true, None, Blank::Keep) => return Ok(Desired::Keep),
        (true, None, Blank::Clear) => return Ok(cleared(kind, clear)),
        (true, None, Blank::Reject) => {
            return refuse("E_BLANK", "is empty, and the mapping asks for a value");
        }
    };
    match kind {
        LeafType::One(scalar) => parse(source, scalar, &look_up(source, text)?).map(Desired::Set),
        LeafType::Many(scalar) => {
            let items: Vec<&str> = match &source.separator {
                Some(separator) => text
                    .split(separator.as_str())
                    .map(str::trim)
                    .filter(|item| !item.is_empty())
                    .collect(),
                None => vec![&text],
            };
            let values = items
                .into_iter()
                .map(|item| parse(source, scalar, &look_up(source, item.to_owned())?));
            values
                .collect::<Result<Vec<Value>, Refusal>>()
                .map(|items| Desired::Set(Value::Array(items)))
        }
    }
}

/// Text that was damaged on its way, or that steers a terminal, is not what
/// anybody meant to send. Tabs and line breaks are text.
fn intact(text: String) -> Result<String, Refusal> {
    let steers = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r');
    match text.chars().find(|c| *c == '\u{FFFD}' || steers(*c)) {
        None => Ok(text),
        Some('\u{FFFD}') => refuse(
            "E_REPLACEMENT_CHAR",
            "holds U+FFFD: the original character was lost in an earlier conversion",
        ),
        Some(_) => refuse("E_CONTROL_CHAR", "holds a control character"),
    }
}

/// A cleared list is an empty list, unless its type has a null.
fn cleared(kind: LeafType, clear: Clear) -> Desired {
    match (kind, clear) {
        (LeafType::Many(_), Clear::Unsupported) => Desired::Set(Value::Array(Vec::new())),
        _ => Desired::Set(Value::Null),
    }
}

/// Trims, lower-cases, and empties a cell that is a null token.
fn prepare(source: &CellSource, cell: &str) -> String {
    let cell = match source.trim {
        Trim::Ends => cell.trim(),
        Trim::Nothing => cell,
    };
    if source.null_tokens.iter().any(|token| token == cell) {
        return String::new();
    }
    match source.letters {
        Letters::AsWritten => cell.to_owned(),
        Letters::Lower => cell.to_lowercase(),
    }
}

fn look_up(source: &CellSource, text: String) -> Result<String, Refusal> {
    let Some(values) = &source.values else {
        return Ok(text);
    };
    match (
        values.iter().find(|(from, _)| *from == text),
        &source.otherwise,
    ) {
        (Some((_, to)), _) => Ok(to.clone()),
        (None, Some(otherwise)) => Ok(otherwise.clone()),
        (None, None) => {
            let known: Vec<&str> = values.iter().map(|(from, _)| from.as_str()).collect();
            refuse(
                "E_UNLISTED",
                format!(
                    "is not in the lookup table `values` ({}); add it, or set `otherwise`",
                    known.join(", ")
                ),
            )
        }
    }
}

fn parse(source: &CellSource, scalar: Scalar, text: &str) -> Result<Value, Refusal> {
    match (scalar, &source.moment) {
        (Scalar::Text, Some(moment)) => parse_moment(moment, text),
        (Scalar::Text, None) => Ok(Value::from(text)),
        (Scalar::Boolean, _) => match text {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => refuse(
                "E_BOOLEAN",
                "is neither `true` nor `false`; list its spellings under `values`",
            ),
        },
        (Scalar::Integer, _) => match integer(text) {
            Some(number) => Ok(Value::from(number)),
            None => refuse(
                "E_NUMBER",
                "is not a whole number (digits only, no leading zero, at most 64 bits)",
            ),
        },
        (Scalar::Number, _) => number(source, text),
    }
}

/// A whole number exactly as JSON writes it: `1.0`, `+5`, `007` and `１` are
/// refused, not coerced.
fn integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = !digits.is_empty()
        && digits.bytes().all(|b| b.is_ascii_digit())
        && (digits == "0" || !digits.starts_with('0'));
    (plain && text != "-0").then(|| text.parse().ok()).flatten()
}

fn number(source: &CellSource, text: &str) -> Result<Value, Refusal> {
    let dotted = if source.decimal == '.' {
        text.to_owned()
    } else {
        text.replace('.', "\u{0}").replace(source.decimal, ".")
    };
    let (whole, fraction) = dotted.split_once('.').unwrap_or((&dotted, "0"));
    let plain = integer(whole).is_some() || whole == "-0";
    if !plain || fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return refuse(
            "E_NUMBER",
            format!(
                "is not a decimal number with `{}` as its decimal mark; set `decimal` if the file uses another",
                source.decimal
            ),
        );
    }
    if let Some(whole) = integer(&dotted) {
        return Ok(Value::from(whole));
    }
    let value: Option<Number> = dotted.parse().ok().and_then(Number::from_f64);
    match value {
        // Equal after a round trip, or digits would be lost on the way.
        Some(value)
            if crate::core::Compare::Number
                .equal(&Value::Number(value.clone()), &Value::from(dotted.as_str())) =>
        {
            Ok(Value::Number(value))
        }
        _ => refuse(
            "E_NUMBER",
            "has more digits than a JSON number carries safely",
        ),
    }
}

fn parse_moment(moment: &Moment, text: &str) -> Result<Value, Refusal> {
    match moment {
        Moment::Date(format) => match Date::strptime(format, text) {
            Ok(date) => Ok(Value::from(date.to_string())),
            Err(_) => refuse("E_DATE", format!("is not a date of the form `{format}`")),
        },
        Moment::Instant(format, zone) => {
            let refusal = || Refusal {
                code: "E_DATE",
                message: format!("is not a date and time of the form `{format}`"),
            };
            let broken = strtime::parse(format, text).map_err(|_| refusal())?;
            // A text that carries its own offset needs no zone.
            if broken.offset().is_some() {
                return broken
                    .to_timestamp()
                    .map(|at| Value::from(at.to_string()))
                    .map_err(|_| refusal());
            }
            let civil: DateTime = broken.to_datetime().map_err(|_| refusal())?;
            let Ok(zone) = TimeZone::get(zone) else {
                return refuse(
                    "E_DATE",
                    format!("cannot be placed: `{zone}` is not a time zone"),
                );
            };
            match zone.to_ambiguous_timestamp(civil).unambiguous() {
                Ok(at) => Ok(Value::from(at.to_string())),
                Err(_) => refuse(
                    "E_AMBIGUOUS_DATE",
                    "does not exist, or exists twice, when clocks change in its time zone",
                ),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn one(source: &CellSource, scalar: Scalar, cell: &str) -> Result<Desired, &'static str> {
        read(source, LeafType::One(scalar), Clear::Null, &[cell]).map_err(|refusal| refusal.code)
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "it stands for the result of `one`"
    )]
    fn set(value: Value) -> Result<Desired, &'static str> {
        Ok(Desired::Set(value))
    }

    #[test]
    fn integers_are_taken_literally_or_refused() {
        let source = CellSource::column("n");
        assert_eq!(one(&source, Scalar::Integer, " 42 "), set(json!(42)));
        assert_eq!(one(&source, Scalar::Integer, "-7"), set(json!(-7)));
        for text in [
            "1.0",
            "1e3",
            "007",
            "+5",
            "１２",
            "9223372036854775808",
            "-0",
            "- 1",
            "1 000",
        ] {
            assert_eq!(
                one(&source, Scalar::Integer, text),
                Err("E_NUMBER"),
                "{text}"
            );
        }
    }

    #[test]
    fn decimals_follow_the_declared_mark() {
        let mut source = CellSource::column("n");
        assert_eq!(one(&source, Scalar::Number, "10.50"), set(json!(10.5)));
        assert_eq!(one(&source, Scalar::Number, "10"), set(json!(10)));
        assert_eq!(one(&source, Scalar::Number, "-0.5"), set(json!(-0.5)));
        for text in ["10,50", "1e3", ".5", "5.", "1.2.3", "12345678901234567.25"] {
            assert_eq!(
                one(&source, Scalar::Number, text),
                Err("E_NUMBER"),
                "{text}"
            );
        }
        source.decimal = ',';
        assert_eq!(one(&source, Scalar::Number, "10,50"), set(json!(10.5)));
        assert_eq!(one(&source, Scalar::Number, "1.000,50"), Err("E_NUMBER"));
    }

    #[test]
    fn dates_follow_the_declared_form() {
        let mut source = CellSource::column("d");
        source.moment = Some(Moment::Date("%d/%m/%Y".into()));
        assert_eq!(
            one(&source, Scalar::Text, "03/04/2026"),
            set(json!("2026-04-03"))
        );
        for text in ["31/02/2026", "2026-04-03", "3 April"] {
            assert_eq!(one(&source, Scalar::Text, text), Err("E_DATE"), "{text}");
        }
    }

    #[test]
    fn instants_are_placed_in_their_zone() {
        let mut source = CellSource::column("d");
        source.moment = Some(Moment::Instant(
            "%Y-%m-%d %H:%M".into(),
            "Europe/Vienna".into(),
        ));
        assert_eq!(
            one(&source, Scalar::Text, "2026-07-01 12:00"),
            set(json!("2026-07-01T10:00:00Z"))
        );
        assert_eq!(
            one(&source, Scalar::Text, "2026-03-29 02:30"),
            Err("E_AMBIGUOUS_DATE")
        );
        assert_eq!(
            one(&source, Scalar::Text, "2026-10-25 02:30"),
            Err("E_AMBIGUOUS_DATE")
        );
    }

    #[test]
    fn blank_default_and_null_tokens_apply_in_their_order() {
        let mut source = CellSource::column("c");
        source.null_tokens = vec!["N/A".into()];
        assert_eq!(one(&source, Scalar::Text, " N/A "), Ok(Desired::Keep));
        source.blank = Blank::Clear;
        assert_eq!(one(&source, Scalar::Text, ""), set(Value::Null));
        source.blank = Blank::Reject;
        assert_eq!(one(&source, Scalar::Text, "  "), Err("E_BLANK"));
        source.default = Some("2".into());
        source.values = Some(vec![("2".into(), "silver".into())]);
        assert_eq!(one(&source, Scalar::Text, ""), set(json!("silver")));
        assert_eq!(one(&source, Scalar::Text, "3"), Err("E_UNLISTED"));
        source.otherwise = Some("bronze".into());
        assert_eq!(one(&source, Scalar::Text, "3"), set(json!("bronze")));
    }

    #[test]
    fn joins_leave_blank_parts_out() {
        let source = CellSource::of(CellInput::Columns(
            vec!["a".into(), "b".into(), "c".into()],
            " ".into(),
        ));
        let joined = |cells: &[&str]| {
            read(&source, LeafType::One(Scalar::Text), Clear::Null, cells).unwrap()
        };
        assert_eq!(joined(&["Ann", " ", "Lee"]), Desired::Set(json!("Ann Lee")));
        assert_eq!(joined(&["", " ", ""]), Desired::Keep);
    }

    #[test]
    fn lists_split_look_up_and_parse_each_item() {
        let mut source = CellSource::column("l");
        source.separator = Some(";".into());
        let list = |cell: &str| {
            read(
                &source,
                LeafType::Many(Scalar::Integer),
                Clear::Unsupported,
                &[cell],
            )
            .map_err(|r| r.code)
        };
        assert_eq!(list("3; 1;"), set(json!([3, 1])));
        assert_eq!(list("3;x"), Err("E_NUMBER"));
    }

    #[test]
    fn booleans_need_their_spelling_listed() {
        let mut source = CellSource::column("b");
        assert_eq!(one(&source, Scalar::Boolean, "true"), set(json!(true)));
        assert_eq!(one(&source, Scalar::Boolean, "yes"), Err("E_BOOLEAN"));
        source.values = Some(vec![("yes".into(), "true".into())]);
        assert_eq!(one(&source, Scalar::Boolean, "yes"), set(json!(true)));
    }
}
