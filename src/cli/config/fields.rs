//! `[providers.NAME.fields]`: which fields are mapped.
//!
//! Dotted keys, quoted dotted keys, JSON Pointers and nested tables mean the
//! same. Whether a table is a field's source or holds members is decided by
//! the contract, never by guessing.

use std::collections::HashMap;

use super::cell::{self, INPUTS, can_clear};
use super::lane::Context;
use super::reader::{Section, Value};
use crate::core::{Blank, CellInput, Field, FieldPath, Mapping};
use crate::provider::{Contract, FieldError, LeafRules};

/// Reads the mapped fields in the order of the file.
pub(super) fn read(
    section: Section<'_>,
    contract: &Contract,
    context: &Context<'_>,
) -> Vec<(Mapping, LeafRules)> {
    let problems = section.problems();
    let mut found = Vec::new();
    for entry in section.entries() {
        collect(entry, &[], contract, &mut found);
    }
    let mut lines: HashMap<FieldPath, usize> = HashMap::new();
    let mut mapped = Vec::new();
    for (field, value) in found {
        if let Some(line) = lines.get(&field.path) {
            value.refuse_key(format!("maps a field that line {line} maps already"));
            continue;
        }
        lines.insert(field.path.clone(), problems.position(value.key_at).0);
        let Some(rules) = contract.leaf_rules(&field.path) else {
            value.refuse_key("cannot be mapped: its contract holds no rules for it");
            continue;
        };
        let key = value.key().to_owned();
        let Some((cell, policy)) = cell::read(value, &field, &rules, context.source) else {
            continue;
        };
        let clears = cell.blank == Blank::Clear
            && cell.default.is_none()
            && !matches!(cell.input, CellInput::Const(_));
        // A field that asks for it by itself has its own answer already.
        if clears && !can_clear(&field, &rules) {
            context.unclearable.borrow_mut().push(key);
        }
        let mapping = Mapping {
            field,
            policy,
            cell,
        };
        mapped.push((mapping, rules));
    }
    mapped
}

/// The fields that a table of them names, each with its value.
pub(super) fn collect<'a>(
    value: Value<'a>,
    above: &[String],
    contract: &Contract,
    found: &mut Vec<(Field, Value<'a>)>,
) {
    let path = match FieldPath::parse(&value.name) {
        Ok(below) => FieldPath::new([above, below.members()].concat()),
        Err(error) => {
            value.refuse_key(error.to_string());
            return;
        }
    };
    match contract.field(&path) {
        Ok(field) => found.push((field, value)),
        Err(FieldError::NotALeaf(..) | FieldError::Unknown { .. })
            if holds_members(&value, &path, contract) =>
        {
            let Some(section) = value.section() else {
                return;
            };
            if section.is_empty() {
                section.refuse("maps nothing");
            }
            for entry in section.entries() {
                collect(entry, path.members(), contract, found);
            }
        }
        Err(error) => value.refuse_key(error.to_string()),
    }
}

/// Whether a table at a path that is no field holds fields below it. It does,
/// unless it looks like the source of a field and no field below has the name
/// that makes it look so.
fn holds_members(value: &Value<'_>, path: &FieldPath, contract: &Contract) -> bool {
    let Some(table) = value.inner().as_table() else {
        return false;
    };
    let is_field = |name: &str| {
        let below = [path.members(), &[name.to_owned()]].concat();
        contract.field(&FieldPath::new(below)).is_ok()
    };
    !INPUTS
        .iter()
        .any(|name| table.contains_key(*name) && !is_field(name))
}
