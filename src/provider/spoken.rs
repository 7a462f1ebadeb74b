//! The rules of a schema in plain words, for pages about a provider.
//!
//! Each rule is a predicate that follows the name of what it rules ("has at
//! most 20 members"). A keyword without words of its own is quoted as it
//! stands: a page that is silent about a rule is wrong.

use serde_json::{Map, Value};

use super::schema::types;

/// How deep references and nested rules are followed.
const DEPTH: u8 = 6;

/// Keywords that rule nothing, or that are told elsewhere: a member's type and
/// the members themselves, and what only belongs to another keyword.
const SILENT: [&str; 21] = [
    "$schema",
    "$id",
    "$anchor",
    "$comment",
    "$defs",
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "type",
    "properties",
    "additionalProperties",
    "then",
    "else",
    "minContains",
    "maxContains",
    "items",
    "allOf",
];

/// One rule of a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFacts {
    /// The rule, as a predicate.
    pub text: String,
    /// What a person reads who breaks it, where the contract has words for it.
    pub message: Option<String>,
    /// Where the rule comes from, where it says so itself.
    pub source: Option<String>,
}

/// The rules of one schema node; nothing of its listed members.
pub(super) fn rules(node: &Value, root: &Value) -> Vec<RuleFacts> {
    // Words at the root are meant for a rule of their own, if for any.
    let own = text(node, "x-message").filter(|_| !std::ptr::eq(node, root));
    collect(node, root, own, DEPTH)
}

fn collect(node: &Value, root: &Value, message: Option<&str>, depth: u8) -> Vec<RuleFacts> {
    let mut found = Vec::new();
    for (key, value) in node.as_object().into_iter().flatten() {
        // The part that is broken has the nearest words.
        let part = if key == "if" {
            node.get("then").or(node.get("else")).unwrap_or(value)
        } else {
            value
        };
        if key == "allOf" {
            for part in value.as_array().into_iter().flatten() {
                let message = text(part, "x-message").or(message);
                found.extend(collect(part, root, message, depth));
            }
        }
        if let Some(said) = predicate(node, key, value, root, depth) {
            found.push(RuleFacts {
                text: said,
                message: text(part, "x-message").or(message).map(str::to_owned),
                source: text(part, "x-source").map(str::to_owned),
            });
        }
    }
    // A closed object says so by `false`, the one form that is no schema.
    if node.get("additionalProperties") == Some(&Value::Bool(false)) {
        found.push(RuleFacts {
            text: "holds no other members than those listed".to_owned(),
            message: None,
            source: None,
        });
    }
    found
}

/// One keyword in words; `None` for one that says nothing here.
fn predicate(node: &Value, key: &str, value: &Value, root: &Value, depth: u8) -> Option<String> {
    if key.starts_with("x-") || (SILENT.contains(&key) && key != "items") {
        return None;
    }
    let unit = if node.get("x-list").is_some() {
        ("entry", "entries")
    } else {
        ("item", "items")
    };
    let inner = |part: &Value| clauses(part, "", root, depth.checked_sub(1));
    let count = |one: &str, many: &str| counted(value, one, many);
    Some(match key {
        "enum" => format!("is one of {}", listed(value)),
        "const" => format!("is {}", shown(value)),
        "format" => format(value.as_str().unwrap_or_default()),
        "pattern" => format!("matches {}", shown(value)),
        "minLength" => format!("has at least {}", count("character", "characters")),
        "maxLength" => format!("has at most {}", count("character", "characters")),
        "minimum" => format!("is at least {value}"),
        "maximum" => format!("is at most {value}"),
        "exclusiveMinimum" => format!("is more than {value}"),
        "exclusiveMaximum" => format!("is less than {value}"),
        "multipleOf" => format!("is a multiple of {value}"),
        "minItems" => format!("has at least {}", count(unit.0, unit.1)),
        "maxItems" => format!("has at most {}", count(unit.0, unit.1)),
        "uniqueItems" if value == &Value::Bool(true) => format!("holds no {} twice", unit.0),
        "uniqueItems" => return None,
        "items" => {
            let said = collect(value, root, None, depth.checked_sub(1)?);
            let said: Vec<String> = said.into_iter().map(|rule| rule.text).collect();
            if said.is_empty() {
                return None;
            }
            format!("each {} {}", unit.0, said.join(", and "))
        }
        "contains" => contains(node, value, unit, root, depth),
        "minProperties" => format!("has at least {}", count("member", "members")),
        "maxProperties" if value.as_u64() == Some(0) => "has no members".to_owned(),
        "maxProperties" => format!("has at most {}", count("member", "members")),
        "propertyNames" => format!("each key {}", inner(value).join(", and ")),
        "required" => format!("needs {}", listed(value)),
        "dependentRequired" => dependent(value, |needed| format!("needs {}", listed(needed))),
        "dependentSchemas" => dependent(value, |part| inner(part).join(", and ")),
        "if" => conditional(node, value, root, depth)?,
        "anyOf" => format!("keeps at least one of: {}", either(value, inner)),
        "oneOf" => format!("keeps exactly one of: {}", either(value, inner)),
        "not" => format!("does not keep: {}", inner(value).join(", and ")),
        "$ref" => {
            let pointer = value.as_str().and_then(|text| text.strip_prefix('#'));
            match pointer.and_then(|pointer| root.pointer(pointer)) {
                Some(part) if depth > 0 => inner(part).join(", and "),
                _ => format!("is as {} says", shown(value)),
            }
        }
        other => format!("keeps `{other}`: {value}"),
    })
}

/// All that a nested schema says of a place and of the members below it.
fn clauses(node: &Value, at: &str, root: &Value, depth: Option<u8>) -> Vec<String> {
    let Some(depth) = depth else {
        return vec![format!("{at} keeps: {node}").trim_start().to_owned()];
    };
    let subject = |said: &str| format!("{at} {said}").trim_start().to_owned();
    let mut found = Vec::new();
    let types = types(node);
    if !types.is_empty() && types != ["object"] {
        found.push(subject(&format!("is of type {}", types.join(" or "))));
    }
    found.extend(
        collect(node, root, None, depth)
            .iter()
            .map(|rule| subject(&rule.text)),
    );
    let members = node.get("properties").and_then(Value::as_object);
    for (name, member) in members.into_iter().flatten() {
        let place = if at.is_empty() {
            name.clone()
        } else {
            format!("{at}.{name}")
        };
        found.extend(clauses(member, &place, root, depth.checked_sub(1)));
    }
    if let Value::Bool(allowed) = node {
        found.push(subject(if *allowed {
            "may be given"
        } else {
            "must not be given"
        }));
    }
    found
}

/// What a condition asks for. A member that it needs and rules is named once;
/// one that it rules and does not need also holds where it is missing.
fn condition(node: &Value, root: &Value, depth: u8) -> String {
    let members = node.get("properties").and_then(Value::as_object);
    let needs = |name: &str| {
        let needed = node.get("required").and_then(Value::as_array);
        needed.is_some_and(|needed| needed.iter().any(|one| one == name))
    };
    let mut rest = node.as_object().cloned().unwrap_or_else(Map::new);
    rest.remove("properties");
    if let Some(Value::Array(needed)) = rest.get_mut("required") {
        needed.retain(|one| {
            let name = one.as_str().unwrap_or_default();
            members.is_none_or(|members| !members.contains_key(name))
        });
        if needed.is_empty() {
            rest.remove("required");
        }
    }
    let mut said = Vec::new();
    for (name, member) in members.into_iter().flatten() {
        let of_member = clauses(member, name, root, depth.checked_sub(1)).join(" and ");
        said.push(if needs(name) {
            of_member
        } else {
            format!("{of_member} or not given")
        });
    }
    said.extend(clauses(
        &Value::Object(rest),
        "",
        root,
        depth.checked_sub(1),
    ));
    said.join(" and ")
}

fn conditional(node: &Value, when: &Value, root: &Value, depth: u8) -> Option<String> {
    let part = |key: &str| {
        let said = clauses(node.get(key)?, "", root, depth.checked_sub(1)).join(", and ");
        (!said.is_empty()).then_some(said)
    };
    let when = condition(when, root, depth);
    match (part("then"), part("else")) {
        (Some(then), Some(other)) => Some(format!("while {when}: {then}; otherwise: {other}")),
        (Some(then), None) => Some(format!("while {when}: {then}")),
        (None, Some(other)) => Some(format!("unless {when}: {other}")),
        (None, None) => None,
    }
}

fn contains(node: &Value, part: &Value, unit: (&str, &str), root: &Value, depth: u8) -> String {
    let bound = |key: &str| node.get(key).and_then(Value::as_u64);
    let few = bound("minContains").unwrap_or(1);
    let how_many = match bound("maxContains") {
        Some(many) if many == few => format!("exactly {few}"),
        Some(many) => format!("{few} to {many}"),
        None => format!("at least {few}"),
    };
    let unit = if few == 1 && bound("maxContains").is_none_or(|many| many == 1) {
        unit.0
    } else {
        unit.1
    };
    let which = condition(part, root, depth);
    format!("holds {how_many} {unit} of which {which}")
}

/// Rules that depend on a member: "where a is given: ...".
fn dependent(value: &Value, words: impl Fn(&Value) -> String) -> String {
    let members = value.as_object().into_iter().flatten();
    let said: Vec<String> = members
        .map(|(name, part)| format!("where {name} is given: {}", words(part)))
        .collect();
    said.join("; ")
}

fn either(value: &Value, inner: impl Fn(&Value) -> Vec<String>) -> String {
    let parts = value.as_array().into_iter().flatten();
    let said: Vec<String> = parts
        .map(|part| format!("({})", inner(part).join(", and ")))
        .collect();
    said.join(" or ")
}

fn format(name: &str) -> String {
    match name {
        "date" => "is a date, YYYY-MM-DD".to_owned(),
        "date-time" => "is a date and time with an offset (RFC 3339)".to_owned(),
        "uri" => "is a URL with its scheme".to_owned(),
        "email" => "is an e-mail address".to_owned(),
        "uuid" => "is a UUID".to_owned(),
        other => format!("is of the format {other}"),
    }
}

fn counted(value: &Value, one: &str, many: &str) -> String {
    let unit = if value.as_u64() == Some(1) { one } else { many };
    format!("{value} {unit}")
}

/// Values as a person writes them: "a, b, c".
fn listed(values: &Value) -> String {
    let values = values.as_array().into_iter().flatten();
    values.map(shown).collect::<Vec<_>>().join(", ")
}

fn shown(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn text<'a>(node: &'a Value, key: &str) -> Option<&'a str> {
    node.get(key).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(node: &Value) -> Vec<String> {
        let rules = rules(node, &json!({"$defs": {"short": {"maxLength": 3}}}));
        rules.into_iter().map(|rule| rule.text).collect()
    }

    #[test]
    fn a_rule_is_a_predicate_of_what_it_rules() {
        for (node, words) in [
            (json!({"minLength": 1}), "has at least 1 character"),
            (json!({"maxProperties": 20}), "has at most 20 members"),
            (json!({"maxProperties": 0}), "has no members"),
            (json!({"required": ["a", "b"]}), "needs a, b"),
            (json!({"enum": ["a", 2]}), "is one of a, 2"),
            (json!({"uniqueItems": true}), "holds no item twice"),
            (
                json!({"items": {"enum": ["a", "b"]}}),
                "each item is one of a, b",
            ),
            (
                json!({"propertyNames": {"maxLength": 40}}),
                "each key has at most 40 characters",
            ),
            (
                json!({"dependentRequired": {"a": ["b"]}}),
                "where a is given: needs b",
            ),
            (json!({"$ref": "#/$defs/short"}), "has at most 3 characters"),
            (
                json!({"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}),
                "keeps at least one of: (needs a) or (needs b)",
            ),
            (
                json!({"unevaluatedProperties": false}),
                "keeps `unevaluatedProperties`: false",
            ),
        ] {
            assert_eq!(said(&node), [words], "{node}");
        }
        assert!(said(&json!({"type": "string", "title": "t", "x-source": "s"})).is_empty());
    }

    #[test]
    fn a_count_of_entries_names_which_ones() {
        let flagged = json!({"properties": {"on": {"const": true}}, "required": ["on"]});
        let list = |few: u64, many: Option<u64>| {
            let mut node = json!({"contains": flagged, "minContains": few, "x-list": {}});
            if let Some(many) = many {
                node["maxContains"] = many.into();
            }
            said(&node).remove(0)
        };
        assert_eq!(
            list(1, Some(1)),
            "holds exactly 1 entry of which on is true"
        );
        assert_eq!(
            list(2, None),
            "holds at least 2 entries of which on is true"
        );
    }

    #[test]
    fn a_condition_names_its_member_once_and_keeps_its_words() {
        let node = json!({
            "if": {"properties": {"away": {"const": true}}, "required": ["away"]},
            "then": {"required": ["from"], "x-message": "needs its first day"},
        });
        let found = rules(&node, &json!({}));
        assert_eq!(found[0].text, "while away is true: needs from");
        assert_eq!(found[0].message.as_deref(), Some("needs its first day"));
        let open = json!({
            "if": {"properties": {"away": {"const": true}}},
            "else": {"properties": {"from": false}},
        });
        assert_eq!(
            said(&open),
            ["unless away is true or not given: from must not be given"]
        );
    }

    #[test]
    fn a_schema_that_refers_to_itself_comes_to_an_end() {
        let root = json!({"$defs": {"a": {"not": {"$ref": "#/$defs/a"}}}});
        let found = rules(&json!({"$ref": "#/$defs/a"}), &root);
        assert!(found[0].text.len() < 1_000, "{found:?}");
    }
}
