//! What a case expects: the form of `expected.json` and `snapshot.json`.
//!
//! Unknown keys are refused, so that no expectation is passed over in silence.

use std::collections::{BTreeMap, BTreeSet};

use clientsync::cli::config::ConfigProblem;
use clientsync::core::{Before, FieldPath, Json, Pointer, Push, Travels};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// What becomes of a case: of its configuration, or of each of its rows.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expected {
    /// The configuration is refused, for all of this.
    pub(super) config: Option<Vec<ConfigExpected>>,
    /// What becomes of each row, in the order of the file.
    pub(super) rows: Option<Vec<RowExpected>>,
}

/// One problem of the configuration.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfigExpected {
    pub(super) code: String,
    pub(super) key: String,
    /// A part of the message.
    pub(super) says: String,
}

impl ConfigExpected {
    /// A problem that was found, in the same words.
    pub(super) fn of(problem: ConfigProblem) -> Self {
        Self {
            code: problem.code.to_owned(),
            key: problem.key,
            says: problem.message,
        }
    }
}

/// What becomes of a row: exactly one of request, nothing, `left_out`, skipped
/// and repeat.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RowExpected {
    pub(super) request: Option<RequestExpected>,
    pub(super) nothing: Option<NothingExpected>,
    pub(super) left_out: Option<LeftOutExpected>,
    pub(super) skipped: Option<String>,
    pub(super) repeat: Option<RepeatExpected>,
    /// Where the record is read first; absent where no read may be needed.
    pub(super) read_url: Option<String>,
    /// How the plan shows the update.
    pub(super) labels: Option<LabelsExpected>,
    /// What is known of the record once the answer is good.
    pub(super) settles: BTreeMap<FieldPath, Value>,
    /// The fields that someone else changed meanwhile.
    pub(super) drifted: BTreeSet<FieldPath>,
    /// Texts that the plan file must not hold.
    pub(super) plan_hides: Vec<String>,
    pub(super) next_run: NextRun,
}

impl RowExpected {
    /// What it says that the row becomes; exactly one thing, if it is sound.
    pub(super) fn says(&self) -> Vec<&'static str> {
        [
            (self.request.is_some(), "a request"),
            (self.nothing.is_some(), "nothing to send"),
            (self.left_out.is_some(), "an invalid row"),
            (self.skipped.is_some(), "a skipped row"),
            (self.repeat.is_some(), "a row that is collapsed"),
        ]
        .into_iter()
        .filter_map(|(said, what)| said.then_some(what))
        .collect()
    }
}

/// What a second run right after this one makes of the row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum NextRun {
    #[default]
    SendsNothing,
    PlansAgain,
}

/// The update, as it leaves.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestExpected {
    pub(super) method: String,
    pub(super) url: String,
    /// The exact text, or JSON whose white space alone says nothing.
    pub(super) body: Box<RawValue>,
}

/// Why nothing is sent.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum NothingExpected {
    /// The provider holds what the row says.
    Unchanged,
}

/// Why the row is refused, before the read or after it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LeftOutExpected {
    pub(super) invalid: Vec<ProblemExpected>,
}

/// A row that repeats an earlier one to the letter.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RepeatExpected {
    Collapsed,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProblemExpected {
    pub(super) code: String,
    #[serde(default)]
    pub(super) field: Option<String>,
    #[serde(default)]
    pub(super) column: Option<String>,
}

/// How the plan shows an update. What is not named is expected to be empty.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LabelsExpected {
    pub(super) push: Option<Push>,
    /// Per changed field what was known of it before.
    #[serde(default)]
    pub(super) changes: BTreeMap<FieldPath, Before>,
    /// Fields that must travel, and what forces them to.
    #[serde(default)]
    pub(super) extras: BTreeMap<FieldPath, Travels>,
    /// Units whose other members come from the read.
    #[serde(default)]
    pub(super) carried: Vec<Pointer>,
    #[serde(default)]
    pub(super) withheld: BTreeSet<FieldPath>,
    /// Changes that the read decides.
    #[serde(default)]
    pub(super) conditional: BTreeSet<FieldPath>,
    /// Fields that are compared and never sent.
    #[serde(default)]
    pub(super) compared: BTreeMap<FieldPath, Value>,
}

/// What the state holds before the case.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Snapshot {
    /// The fields that the lane has mapped before, where it has run before.
    pub(super) mapped_before: Option<BTreeSet<FieldPath>>,
    pub(super) records: Vec<RecordKnown>,
}

/// What the provider acknowledged of a record.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordKnown {
    pub(super) key: String,
    pub(super) remote_id: String,
    pub(super) acknowledged: BTreeMap<FieldPath, Value>,
}

/// The exact text that a body is expected to be.
pub(super) fn body_text(body: &RawValue) -> String {
    match serde_json::from_str::<Value>(body.get()).unwrap() {
        Value::String(text) => text,
        _ => Json::parse(body.get().as_bytes()).unwrap().to_text(),
    }
}
