//! `absent`: what a client holds that a whole file does not have any more.
//!
//! Constants of mapped fields alone: there is no row to read from.

use serde_json::Value as Json;

use super::cell;
use super::fields::collect;
use super::lane::Context;
use super::reader::Value;
use crate::core::{Access, CellInput, FieldPath, Mapping, Policy};
use crate::provider::{Contract, LeafRules};

/// Reads `{ path = { const = ... } }`; what is missing has recorded a problem.
pub(super) fn read(
    value: Value<'_>,
    contract: &Contract,
    mapped: &[(Mapping, LeafRules)],
    context: &Context<'_>,
) -> Vec<(FieldPath, Json)> {
    let Some(section) = value.section() else {
        return Vec::new();
    };
    if section.is_empty() {
        section.refuse("sets nothing, for example { name = { const = \"(left)\" } }");
    }
    let mut found = Vec::new();
    for entry in section.entries() {
        collect(entry, &[], contract, &mut found);
    }
    let mut absent: Vec<(FieldPath, Json)> = Vec::new();
    for (field, value) in found {
        let path = field.path.clone();
        let Some((mapping, rules)) = mapped.iter().find(|(m, _)| m.field.path == path) else {
            value.refuse_key("is not mapped in this lane; only mapped fields can be set");
            continue;
        };
        if absent.iter().any(|(other, _)| *other == path) {
            value.refuse_key("is given twice; one of the two must go");
            continue;
        }
        if mapping.policy != Policy::Source {
            value.refuse_key("has a policy that keeps what the provider holds; it cannot be set");
            continue;
        }
        if mapping.field.access == Access::Immutable {
            value.refuse_key("cannot change at the provider");
            continue;
        }
        let table = value.inner().as_table();
        if table.is_none_or(|table| table.len() != 1 || !table.contains_key("const")) {
            value.refuse("must be { const = ... }: the file says nothing of the client");
            continue;
        }
        let read = cell::read(value, &field, rules, context.source);
        if let Some(CellInput::Const(constant)) = read.map(|(cell, _)| cell.input) {
            absent.push((path, constant));
        }
    }
    absent
}
