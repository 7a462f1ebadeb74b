//! One record that drifted, in a text report: what was acknowledged, what the
//! provider holds now, and what the file says.

use std::fmt::Write as _;

use crate::core::{Drift, DriftedField, Says};
use crate::report::escape::escape;
use crate::report::paint::Paint;
use crate::report::value;

use super::Style;
use super::row::WIDEST;

/// The lines of one record, each with its line end.
pub(super) fn block(drift: &Drift, style: Style) -> String {
    let colour = style.colour;
    let mut text = format!(
        "{} {}  {} {}  {}\n",
        colour.paint(Paint::Yellow, "~"),
        colour.paint(Paint::Bold, &escape(drift.key.as_str())),
        escape(&drift.lane),
        escape(&drift.remote_id),
        colour.paint(Paint::Dim, &format!("(line {})", drift.line)),
    );
    let names: Vec<String> = drift
        .fields
        .iter()
        .map(|field| escape(&field.field.to_string()).into_owned())
        .collect();
    let longest = names.iter().map(|name| name.chars().count().min(WIDEST));
    let width = longest.max().unwrap_or(0);
    for (name, field) in names.iter().zip(&drift.fields) {
        let held = value::held(&field.acknowledged, &field.now, field.shown, style.values);
        let source = colour.paint(Paint::Dim, &format!("(the file {})", says(field, style)));
        // Writing to a String cannot fail.
        let _ = writeln!(text, "    {name:<width$}  {held}  {source}");
    }
    text
}

fn says(field: &DriftedField, style: Style) -> String {
    match &field.source {
        Says::Nothing => "says nothing".to_owned(),
        Says::Same => "says the same".to_owned(),
        Says::Other(wanted) => {
            let wanted = value::shown(wanted, field.shown, style.values);
            format!("says {wanted}")
        }
        Says::Invalid => "has a row that cannot be used".to_owned(),
    }
}
