//! Violations: what a value breaks, in words for people.
//!
//! The validator's own texts print the instance, so none of them is ever used.

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind as Kind;
use serde_json::Value;

/// One broken rule. It holds no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The wire place, as pointer tokens.
    pub at: Vec<String>,
    /// The stable problem code.
    pub code: &'static str,
    /// What is wrong, as a fragment that follows the field's name.
    pub message: String,
}

pub(super) fn code_of(kind: &Kind) -> &'static str {
    match kind {
        Kind::MaxLength { .. } => "E_TOO_LONG",
        Kind::Required { .. } => "E_MISSING_REQUIRED",
        Kind::Contains
        | Kind::MinProperties { .. }
        | Kind::MaxProperties { .. }
        | Kind::MinItems { .. }
        | Kind::MaxItems { .. } => "E_GROUP",
        _ => "E_INVALID",
    }
}

pub(super) fn text_of(error: &ValidationError<'_>) -> String {
    match error.kind() {
        Kind::Type { .. } => "does not have the type that the provider documents".to_owned(),
        Kind::Enum { options } => format!("is not one of {}", listed(options)),
        Kind::Constant { .. } => "is not the one value that the provider accepts".to_owned(),
        Kind::MaxLength { limit } => format!("is longer than {limit} characters"),
        Kind::MinLength { limit } => format!("is shorter than {limit} characters"),
        Kind::Minimum { limit } => format!("is less than {limit}"),
        Kind::Maximum { limit } => format!("is greater than {limit}"),
        Kind::Format { format } => format!("is not a valid {format}"),
        Kind::Pattern { .. } => "does not have the form that the provider documents".to_owned(),
        Kind::Required { property } => format!(
            "lacks the required member `{}`",
            property.as_str().unwrap_or_default()
        ),
        Kind::AdditionalProperties { .. } => {
            "has a member that the contract does not list".to_owned()
        }
        Kind::MinProperties { limit } => format!("needs at least {limit} member(s)"),
        Kind::MaxProperties { limit } => format!("has more than {limit} members"),
        Kind::MinItems { limit } => format!("needs at least {limit} item(s)"),
        Kind::MaxItems { limit } => format!("has more than {limit} items"),
        Kind::UniqueItems => "holds an item twice".to_owned(),
        Kind::FalseSchema => "must not be given".to_owned(),
        other => format!("breaks the contract's rule `{}`", other.keyword()),
    }
}

fn listed(options: &Value) -> String {
    let texts: Vec<String> = options
        .as_array()
        .into_iter()
        .flatten()
        .map(|option| {
            option
                .as_str()
                .map_or_else(|| option.to_string(), str::to_owned)
        })
        .collect();
    texts.join(", ")
}
