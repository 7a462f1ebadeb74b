//! `match`: by which value a row without a remote id finds its record.
//!
//! The value is compared as the contract says and never approximately. The
//! field need not be mapped, and may be one that only the provider sets.

use std::sync::Arc;

use super::cell::start;
use super::reader::Value;
use super::source::SourceTable;
use crate::core::{Access, Blank, CellInput, FieldPath, Mapping, Policy};
use crate::provider::{LeafRules, LeafType, Provider};

/// Reads `{ field = ..., column = ... }`; every `None` has recorded a problem.
pub(super) fn read(
    value: Value<'_>,
    provider: Option<&Provider>,
    source: Option<&SourceTable>,
) -> Option<(Mapping, Arc<LeafRules>)> {
    let mut section = value.section()?;
    for name in ["field", "column"] {
        if !section.has(name) {
            section.missing(
                name,
                "`match` is { field = \"path at the provider\", column = \"column of the file\" }",
            );
        }
    }
    let field = section.take("field");
    let column = section.text("column");
    section.finish();
    let (given, provider) = (field?, provider?);
    if provider.manifest.list.is_none() {
        given.refuse("cannot be looked for: the provider has no list of its records");
        return None;
    }
    let path = match FieldPath::parse(&given.text()?) {
        Ok(path) => path,
        Err(error) => {
            given.refuse(error.to_string());
            return None;
        }
    };
    let field = match provider.contract.readable(&path) {
        Ok(field) => field,
        Err(error) => {
            given.refuse(error.to_string());
            return None;
        }
    };
    if field.access == Access::WriteOnly {
        given.refuse("is write-only at the provider: no record shows it");
        return None;
    }
    let Some(rules) = provider.contract.leaf_rules(&path) else {
        given.refuse("cannot be compared: its contract holds no rules for it");
        return None;
    };
    if matches!(rules.kind, LeafType::Many(_)) {
        given.refuse("is a list; match by a single value");
        return None;
    }
    let mut cell = start(CellInput::Column(column?), source);
    // An empty cell finds nothing, whatever it says of a mapped field.
    cell.blank = Blank::Keep;
    let mapping = Mapping {
        field,
        policy: Policy::Ignore,
        cell,
    };
    Some((mapping, Arc::new(rules)))
}
