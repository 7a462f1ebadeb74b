//! The contract: what a provider's writable record may hold.
//!
//! It resolves fields, says what of a read may go back, and judges values,
//! bodies and records. It never changes what it judges, and a violation names
//! the place and the rule, never the value.

use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::{Map, Value};

use super::leaf::{LeafType, leaf_type};
use super::schema::{ContractError, check_annotations, is_set, member, message, rest};
use super::soundness::{check_meaning, in_words, refused};
use super::violation::{Violation, code_of, text_of};
use crate::core::{FieldPath, Writable};

/// A compiled contract.
#[derive(Debug)]
pub struct Contract {
    pub(super) schema: Value,
    body: Validator,
    record: Option<Validator>,
}

/// What the check of a body found.
#[derive(Debug, Default)]
pub struct Checked {
    /// What refuses the body.
    pub violations: Vec<Violation>,
    /// What is wrong inside members that are not ours.
    pub foreign: Vec<Violation>,
}

/// The leaf rules of one mapped field, compiled.
#[derive(Debug)]
pub struct LeafRules {
    schema: Value,
    validator: Validator,
    /// The type that cells are parsed to.
    pub kind: LeafType,
}

impl Contract {
    /// Reads and compiles a contract; all that is wrong with it is found at once.
    pub fn parse(text: &str) -> Result<Self, Vec<ContractError>> {
        let schema: Value = serde_json::from_str(text).map_err(|e| {
            vec![ContractError::NotJson {
                line: e.line(),
                column: e.column(),
            }]
        })?;
        let mut found = check_meaning(&schema);
        check_annotations(&schema, "", &mut found);
        let body = compile(&schema);
        let record = schema
            .pointer("/$defs/record")
            .map(|rules| compile(&with_definitions(rules, &schema)))
            .transpose();
        match (body, record) {
            (Ok(body), Ok(record)) => {
                let contract = Self {
                    schema,
                    body,
                    record,
                };
                found.extend(contract.check_fields().err());
                if found.is_empty() {
                    Ok(contract)
                } else {
                    Err(found)
                }
            }
            (Err(error), _) | (_, Err(error)) => {
                // What is told in our words is not told again in the validator's.
                let told = |one: &ContractError| {
                    one.place().is_some() && found.iter().any(|own| own.place() == one.place())
                };
                let mut refused = refused(&schema, error);
                refused.retain(|one| !told(one));
                found.extend(refused);
                Err(found)
            }
        }
    }

    /// The schema itself, for pages about it and for the sandbox.
    #[must_use]
    pub fn schema(&self) -> &Value {
        &self.schema
    }

    /// Compiles the rules of one leaf.
    #[must_use]
    pub fn leaf_rules(&self, path: &FieldPath) -> Option<LeafRules> {
        let node = self.leaf(path)?;
        let schema = with_definitions(node, &self.schema);
        let validator = compile(&schema).ok()?;
        Some(LeafRules {
            kind: leaf_type(node)?,
            schema,
            validator,
        })
    }

    /// Judges a final body. `ours` are the wire places that we wrote.
    #[must_use]
    pub fn check_body(&self, body: &Value, ours: &[Vec<String>]) -> Checked {
        let mut checked = Checked::default();
        for error in self.body.iter_errors(body) {
            let violation = self.violation(&self.schema, &error);
            if counts(&error, &violation.at, ours, &self.schema) {
                checked.violations.push(violation);
            } else if !error.instance().is_null() {
                // A null that somebody else left in a member of ours to keep is
                // the ordinary state of a record, and nothing to report.
                checked.foreign.push(violation);
            }
        }
        checked
    }

    /// Judges a whole record by the body's own rules, as the provider would.
    #[must_use]
    pub fn check_all(&self, body: &Value) -> Vec<Violation> {
        self.body
            .iter_errors(body)
            .map(|error| self.violation(&self.schema, &error))
            .collect()
    }

    /// Judges what is known of the desired record by the rules of
    /// `$defs.record`.
    #[must_use]
    pub fn check_record(&self, record: &Value) -> Vec<Violation> {
        let (Some(validator), Some(rules)) = (&self.record, self.schema.pointer("/$defs/record"))
        else {
            return Vec::new();
        };
        validator
            .iter_errors(record)
            .map(|error| self.violation(rules, &error))
            .collect()
    }

    fn violation(&self, schema: &Value, error: &ValidationError<'_>) -> Violation {
        violation(schema, error, &self.schema)
    }

    /// What of a read unit may be sent back.
    #[must_use]
    pub fn writable(&self, at: &[String]) -> Option<Writable> {
        at.iter()
            .try_fold(&self.schema, |node, name| member(node, name))
            .map(writable)
    }

    /// All writable leaves of a unit, where the contract closes it.
    #[must_use]
    pub fn closed_leaves(&self, at: &[String]) -> Option<Vec<Vec<String>>> {
        let node = at
            .iter()
            .try_fold(&self.schema, |node, name| member(node, name))?;
        let mut leaves = Vec::new();
        collect_closed(node, at, &mut leaves)?;
        Some(leaves)
    }
}

impl LeafRules {
    /// Judges one value.
    #[must_use]
    pub fn check(&self, value: &Value) -> Vec<Violation> {
        if self.validator.is_valid(value) {
            return Vec::new();
        }
        self.validator
            .iter_errors(value)
            .map(|error| violation(&self.schema, &error, &self.schema))
            .collect()
    }
}

fn violation(schema: &Value, error: &ValidationError<'_>, root: &Value) -> Violation {
    let own = schema.get("x-message").and_then(Value::as_str);
    let path = error.schema_path().as_str().to_owned();
    let tokens: Vec<String> = path
        .split('/')
        .skip(1)
        .map(|t| t.replace("~1", "/").replace("~0", "~"))
        .collect();
    // A `required` or a type failure of the root itself is better told by our
    // own words than by a message meant for a narrower rule.
    let nearest = message(schema, tokens.iter().map(String::as_str)).or(
        if std::ptr::eq(schema, root) && tokens.len() == 1 && schema.get("properties").is_none() {
            own
        } else {
            None
        },
    );
    Violation {
        at: pointer_tokens(error.instance_path().as_str()),
        code: code_of(error.kind()),
        message: nearest.map_or_else(|| text_of(error), str::to_owned),
    }
}

/// Whether a violation is ours to answer for.
fn counts(
    error: &ValidationError<'_>,
    at: &[String],
    ours: &[Vec<String>],
    schema: &Value,
) -> bool {
    let touched = |place: &[String]| {
        ours.iter()
            .any(|ours| ours.starts_with(place) || place.starts_with(ours))
    };
    let conditional = error.schema_path().segments().any(|segment| {
        let segment = segment.to_string();
        segment == "then" || segment == "else" || segment == "dependentSchemas"
    });
    touched(at) || conditional || (error.instance().is_null() && is_required(schema, at))
}

/// Whether the member at a place is one that its object requires.
fn is_required(schema: &Value, at: &[String]) -> bool {
    let Some((name, parent)) = at.split_last() else {
        return false;
    };
    parent
        .iter()
        .try_fold(schema, |node, name| member(node, name))
        .and_then(|node| node.get("required"))
        .and_then(Value::as_array)
        .is_some_and(|required| required.iter().any(|r| r == name.as_str()))
}

/// A part of the schema that can stand alone.
fn with_definitions(part: &Value, schema: &Value) -> Value {
    let mut alone = part.as_object().cloned().unwrap_or_else(Map::new);
    if let Some(definitions) = schema.get("$defs") {
        alone.entry("$defs").or_insert_with(|| definitions.clone());
    }
    Value::Object(alone)
}

/// Compiles with formats asserted, patterns in linear time and no fetching.
pub(super) fn compile(schema: &Value) -> Result<Validator, ContractError> {
    jsonschema::draft202012::options()
        .should_validate_formats(true)
        .should_ignore_unknown_formats(false)
        .with_pattern_options(PatternOptions::regex())
        .offline()
        .build(schema)
        .map_err(|error| in_words(&error))
}

fn pointer_tokens(pointer: &str) -> Vec<String> {
    pointer
        .split('/')
        .skip(1)
        .map(|t| t.replace("~1", "/").replace("~0", "~"))
        .collect()
}

fn writable(node: &Value) -> Writable {
    if is_set(node, "readOnly") || is_set(node, "writeOnly") || is_set(node, "x-immutable") {
        return Writable::Nothing;
    }
    if let Some(items) = node
        .get("items")
        .filter(|items| items.get("properties").is_some())
    {
        return Writable::Items(Box::new(writable(items)));
    }
    if node.get("properties").is_none() && rest(node).is_none() {
        return Writable::All;
    }
    let listed = node.get("properties").and_then(Value::as_object);
    let members = listed
        .into_iter()
        .flatten()
        .map(|(name, node)| (name.clone(), writable(node)))
        .collect();
    Writable::Members(
        members,
        Box::new(rest(node).map_or(Writable::Nothing, writable)),
    )
}

/// Collects the writable leaves below a node; `None` where it is not closed.
fn collect_closed(node: &Value, at: &[String], leaves: &mut Vec<Vec<String>>) -> Option<()> {
    if rest(node).is_some() || node.get("x-list").is_some() {
        return None;
    }
    let Some(properties) = node.get("properties").and_then(Value::as_object) else {
        if writable(node) != Writable::Nothing {
            leaves.push(at.to_vec());
        }
        return Some(());
    };
    properties.iter().try_for_each(|(name, node)| {
        let mut at = at.to_vec();
        at.push(name.clone());
        collect_closed(node, &at, leaves)
    })
}
