//! A field's source: a column, or a table that says where the value comes
//! from and how it is read.
//!
//! Whatever can be judged without a row is judged here: combinations that mean
//! nothing, forms of dates, time zones, constants.

use jiff::civil::{Date, DateTime, date};
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use serde_json::{Number, Value as Json};
use toml::de::DeValue;

use super::reader::{Section, Value, integer};
use super::source::{BLANKS, SourceTable};
use crate::core::{
    Access, Blank, CellInput, CellSource, Clear, Field, Letters, Moment, Policy, Trim,
};
use crate::provider::{LeafRules, LeafType, Scalar};

/// Keys of a field's source that a table of fields can be told by.
pub(super) const INPUTS: [&str; 3] = ["column", "columns", "const"];

/// Keys that say how cells are read, and so nothing beside `const`.
const READINGS: [&str; 11] = [
    "default",
    "trim",
    "lowercase",
    "date",
    "datetime",
    "timezone",
    "separator",
    "decimal",
    "values",
    "otherwise",
    "blank",
];

/// Reads a field's source; every `None` has recorded a problem.
pub(super) fn read(
    value: Value<'_>,
    field: &Field,
    rules: &LeafRules,
    source: Option<&SourceTable>,
) -> Option<(CellSource, Policy)> {
    if value.inner().is_str() {
        let column = value.text()?;
        if matches!(rules.kind, LeafType::Many(_)) {
            value.refuse("is a list: write { column = ..., separator = ... }");
        }
        return Some((start(CellInput::Column(column), source), Policy::Source));
    }
    if !value.inner().is_table() {
        value.refuse("must be the name of a column, or a table such as { column = \"...\" }");
        return None;
    }
    let mut section = value.section()?;
    let policy = policy(&mut section, field);
    let cell = match input(&mut section, rules) {
        Some(input @ CellInput::Const(_)) => {
            for name in READINGS {
                if let Some(value) = section.take_unlisted(name) {
                    value.refuse_key("means nothing beside `const`");
                }
            }
            Some(start(input, source))
        }
        input => {
            // Without an input the rest is still read, so that its problems show.
            let known = input.is_some();
            let input = input.unwrap_or_else(|| CellInput::Column(String::new()));
            let cell = readings(&mut section, start(input, source), field, rules);
            known.then_some(cell)
        }
    };
    section.finish();
    Some((cell?, policy))
}

/// An input, read as the source says.
pub(super) fn start(input: CellInput, source: Option<&SourceTable>) -> CellSource {
    let mut cell = CellSource::of(input);
    if let Some(source) = source {
        cell.blank = source.blank;
        cell.null_tokens.clone_from(&source.null_tokens);
        cell.trim = trim(source.trim);
    }
    cell
}

fn trim(ends: bool) -> Trim {
    if ends { Trim::Ends } else { Trim::Nothing }
}

fn policy(section: &mut Section<'_>, field: &Field) -> Policy {
    let Some(value) = section.take("policy") else {
        return Policy::Source;
    };
    if field.access == Access::Immutable {
        value.refuse_key(
            "means nothing here: the field cannot change at the provider, so it is compared and never sent",
        );
    }
    let options = [
        ("source", Policy::Source),
        ("once", Policy::Once),
        ("fill_blank", Policy::FillBlank),
        ("ignore", Policy::Ignore),
    ];
    let policy = value.choice(&options).unwrap_or_default();
    if policy == Policy::FillBlank && field.access == Access::WriteOnly {
        value.refuse(
            "cannot be \"fill_blank\": no read shows what the provider holds there; use once",
        );
    }
    policy
}

fn input(section: &mut Section<'_>, rules: &LeafRules) -> Option<CellInput> {
    let [column, columns, constant] = INPUTS.map(|name| section.take(name));
    let join = section.take("join");
    if let (Some(join), None) = (&join, &columns) {
        join.refuse_key("means nothing without `columns`");
    }
    match (column, columns, constant) {
        (Some(column), None, None) => column.text().map(CellInput::Column),
        (None, Some(columns), None) => {
            if join.is_none() {
                section.missing(
                    "join",
                    "say what stands between the columns, for example \" \"",
                );
            }
            let names = columns.names();
            Some(CellInput::Columns(names?, join?.any_text()?))
        }
        (None, None, Some(constant)) => {
            let value = json(&constant, constant.inner())?;
            if let Some(violation) = rules.check(&value).first() {
                constant.refuse(&violation.message);
                return None;
            }
            Some(CellInput::Const(value))
        }
        (None, None, None) => {
            section.refuse("names no source: give `column`, `columns` with `join`, or `const`");
            None
        }
        _ => {
            section.refuse("names more than one of `column`, `columns` and `const`");
            None
        }
    }
}

/// A constant as the JSON value that is sent.
fn json(place: &Value<'_>, value: &DeValue<'_>) -> Option<Json> {
    let found = match value {
        DeValue::String(text) => Some(Json::from(text.as_ref())),
        DeValue::Boolean(flag) => Some(Json::from(*flag)),
        DeValue::Datetime(moment) => Some(Json::from(moment.to_string())),
        DeValue::Integer(_) => integer(value).map(Json::from),
        DeValue::Float(float) => {
            let number = float.as_str().parse().ok().and_then(Number::from_f64);
            number.map(Json::Number)
        }
        DeValue::Array(items) => {
            let items = items.iter().map(|item| json(place, item.get_ref()));
            return items.collect::<Option<Vec<Json>>>().map(Json::Array);
        }
        DeValue::Table(_) => None,
    };
    if found.is_none() {
        place.refuse("must be a text, a number, true, false, or a list of these");
    }
    found
}

fn readings(
    section: &mut Section<'_>,
    mut cell: CellSource,
    field: &Field,
    rules: &LeafRules,
) -> CellSource {
    if let Some(ends) = section.flag("trim") {
        cell.trim = trim(ends);
    }
    if section.flag("lowercase") == Some(true) {
        cell.letters = Letters::Lower;
    }
    let default = section.take("default");
    cell.default = default.as_ref().and_then(Value::word);
    if let Some(blank) = section.take("blank") {
        if default.is_some() {
            blank
                .refuse_key("means nothing beside `default`, which stands in for every blank cell");
        }
        cell.blank = blank.choice(&BLANKS).unwrap_or_default();
        if cell.blank == Blank::Clear && !can_clear(field, rules) {
            blank.refuse(
                "cannot be \"clear\": the provider documents no way to empty this field; use keep or reject",
            );
            cell.blank = Blank::Keep;
        }
    }
    let values = section.take("values");
    let has_values = values.is_some();
    cell.values = values.and_then(lookup);
    if let Some(otherwise) = section.take("otherwise") {
        if !has_values {
            otherwise.refuse_key("means nothing without `values`");
        }
        cell.otherwise = otherwise.word();
    }
    cell.separator = separator(section, rules);
    if let Some(decimal) = section.take("decimal") {
        if scalar(rules) != Scalar::Number {
            decimal.refuse_key("means nothing here: the field is not a decimal number");
        }
        match decimal.any_text().as_deref() {
            Some(".") | None => {}
            Some(",") => cell.decimal = ',',
            Some(_) => decimal.refuse("must be \".\" or \",\""),
        }
    }
    cell.moment = moment(section, rules);
    cell
}

/// Whether a blank cell can empty the field; a list can always be empty.
pub(super) fn can_clear(field: &Field, rules: &LeafRules) -> bool {
    field.clear != Clear::Unsupported || matches!(rules.kind, LeafType::Many(_))
}

fn scalar(rules: &LeafRules) -> Scalar {
    match rules.kind {
        LeafType::One(scalar) | LeafType::Many(scalar) => scalar,
    }
}

fn lookup(value: Value<'_>) -> Option<Vec<(String, String)>> {
    let section = value.section()?;
    if section.is_empty() {
        section.refuse("lists nothing; write { \"in the file\" = \"at the provider\" }");
        return None;
    }
    let entry = |entry: Value<'_>| Some((entry.name.clone(), entry.word()?));
    Some(section.entries().into_iter().filter_map(entry).collect())
}

fn separator(section: &mut Section<'_>, rules: &LeafRules) -> Option<String> {
    let many = matches!(rules.kind, LeafType::Many(_));
    let Some(value) = section.take("separator") else {
        if many {
            section.missing(
                "separator",
                "the field is a list; say what stands between its items, for example \";\"",
            );
        }
        return None;
    };
    if !many {
        value.refuse_key("means nothing here: the field is not a list");
        return None;
    }
    value.text()
}

fn moment(section: &mut Section<'_>, rules: &LeafRules) -> Option<Moment> {
    let civil = section.take("date");
    let instant = section.take("datetime");
    let zone = section.take("timezone");
    for given in [&civil, &instant].into_iter().flatten() {
        if scalar(rules) != Scalar::Text {
            given.refuse_key("means nothing here: the field is not a text");
        }
    }
    if let (Some(zone), None) = (&zone, &instant) {
        zone.refuse_key("means nothing without `datetime`");
    }
    if let (Some(_), Some(instant)) = (&civil, &instant) {
        instant.refuse_key("means nothing beside `date`; one of the two must go");
    }
    if let Some(civil) = civil {
        let form = civil.text()?;
        if reads_dates(&form) {
            return Some(Moment::Date(form));
        }
        civil.refuse(
            "is not a form of dates; spell it with %d, %m and %Y, for example \"%d/%m/%Y\"",
        );
        return None;
    }
    let instant = instant?;
    let form = instant.text()?;
    let has_offset = reads_instants(&form);
    if has_offset.is_none() {
        instant.refuse(
            "is not a form of dates with a time; spell it with %d, %m, %Y, %H and %M, for example \"%Y-%m-%d %H:%M\"",
        );
    }
    let zone = match zone {
        Some(zone) => {
            let name = zone.text()?;
            if TimeZone::get(&name).is_err() {
                zone.refuse("is not a time zone; use an IANA name, for example \"Europe/Vienna\"");
            }
            name
        }
        None if has_offset == Some(true) => "UTC".to_owned(),
        None => {
            section.missing(
                "timezone",
                "say in which time zone the file's clock stands, for example \"Europe/Vienna\"",
            );
            return None;
        }
    };
    has_offset.map(|_| Moment::Instant(form, zone))
}

/// A moment whose day, month and year cannot be taken for each other.
const SAMPLE: DateTime = date(2001, 12, 23).at(4, 56, 7, 0);

/// Whether a form says a whole date: what it writes, it reads back.
fn reads_dates(form: &str) -> bool {
    strtime::format(form, SAMPLE.date())
        .and_then(|text| Date::strptime(form, text))
        .is_ok_and(|read| read == SAMPLE.date())
}

/// Whether a form that says a date and a time carries an offset; `None` where
/// it does not say them.
fn reads_instants(form: &str) -> Option<bool> {
    let sample = SAMPLE.to_zoned(TimeZone::UTC).ok()?;
    let text = strtime::format(form, &sample).ok()?;
    let read = strtime::parse(form, &text).ok()?;
    let moment = read.to_datetime().ok()?;
    (moment.date() == SAMPLE.date() && moment.hour() == SAMPLE.hour())
        .then(|| read.offset().is_some())
}
