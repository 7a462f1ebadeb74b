//! The mapping: where the value of a field comes from, and who wins.
//!
//! It describes; cells are turned into values by `provider::coerce`, which
//! knows the contract's types.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::field::Field;

/// One mapped field of a lane.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// The field of the provider.
    pub field: Field,
    /// Who wins where the provider holds something else.
    pub policy: Policy,
    /// Where the value comes from.
    pub cell: CellSource,
}

/// Who wins where the provider holds something else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// The source wins.
    #[default]
    Source,
    /// Set if never set by us, never overwritten.
    Once,
    /// Set only where the provider holds nothing.
    FillBlank,
    /// Never sent.
    Ignore,
}

/// What an empty cell says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blank {
    /// Nothing about the field.
    #[default]
    Keep,
    /// The field shall be empty at the provider.
    Clear,
    /// The row is invalid in this lane.
    Reject,
}

/// Where the text of a field comes from and how it is read. The order is:
/// trim, lower-case, null tokens, blank, default, values, parse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellSource {
    /// The column, columns or constant.
    pub input: CellInput,
    /// Whether white space around the cell is removed.
    pub trim: Trim,
    /// Whether the text is lower-cased.
    pub letters: Letters,
    /// Texts that mean blank.
    pub null_tokens: Vec<String>,
    /// What a blank cell says, where there is no default.
    pub blank: Blank,
    /// The text used in place of a blank cell.
    pub default: Option<String>,
    /// The lookup table, in the order of the configuration.
    pub values: Option<Vec<(String, String)>>,
    /// The text used where the lookup table has no entry.
    pub otherwise: Option<String>,
    /// How the text is read as a date or an instant.
    pub moment: Option<Moment>,
    /// What separates the items of a list.
    pub separator: Option<String>,
    /// The decimal mark of numbers.
    pub decimal: char,
}

/// What a field's text is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CellInput {
    /// One column, by name.
    Column(String),
    /// Several columns joined by a text; blank parts are left out.
    Columns(Vec<String>, String),
    /// The same value for every row, as written in the configuration.
    Const(Value),
}

/// Whether white space around a cell is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trim {
    /// Removed.
    Ends,
    /// Kept.
    Nothing,
}

/// Whether letters keep their case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Letters {
    /// As they are.
    AsWritten,
    /// Lower-cased.
    Lower,
}

/// How a text is read as a point in time (`strftime` spellings).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moment {
    /// A civil date, written as `YYYY-MM-DD`.
    Date(String),
    /// A date and time in a time zone (IANA name), written as an RFC 3339
    /// instant in UTC.
    Instant(String, String),
}

impl CellSource {
    /// A column read with the defaults.
    #[must_use]
    pub fn column(name: &str) -> Self {
        Self::of(CellInput::Column(name.to_owned()))
    }

    /// An input read with the defaults.
    #[must_use]
    pub fn of(input: CellInput) -> Self {
        Self {
            input,
            trim: Trim::Ends,
            letters: Letters::AsWritten,
            null_tokens: Vec::new(),
            blank: Blank::Keep,
            default: None,
            values: None,
            otherwise: None,
            moment: None,
            separator: None,
            decimal: '.',
        }
    }

    /// The columns it reads, by name.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        match &self.input {
            CellInput::Column(name) => std::slice::from_ref(name),
            CellInput::Columns(names, _) => names,
            CellInput::Const(_) => &[],
        }
    }
}

/// What one row says about one field.
#[derive(Clone, Debug, PartialEq)]
pub enum Desired {
    /// Nothing.
    Keep,
    /// It shall hold this value; null clears it.
    Set(Value),
}

impl Desired {
    /// The value, where the row says one.
    #[must_use]
    pub fn value(&self) -> Option<&Value> {
        match self {
            Self::Keep => None,
            Self::Set(value) => Some(value),
        }
    }
}
