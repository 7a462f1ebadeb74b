//! Laws of single values: canonical forms, JSON text, paths, and the way of a
//! value through a CSV cell.

use clientsync::core::{
    CellSource, Compare, Desired, FieldPath, Json, Mapping, Moment, Pointer, Policy,
};
use clientsync::provider::{LeafType, Scalar, coerce};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::string::string_regex;
use serde_json::{Value, json};

use super::config;
use super::world::{COMPLYCUBE, KEYED, NEXUDUS, PLACIO, RENAMED, SPP, WEEL, World};

const COMPARISONS: [Compare; 6] = [
    Compare::Exact,
    Compare::Number,
    Compare::Set,
    Compare::Phone,
    Compare::Nocase,
    Compare::Instant,
];

/// Values on which the comparisons do something, and any others.
fn value() -> impl Strategy<Value = Value> {
    let number = || {
        prop_oneof![
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            (-20_i32..20, 0_u32..4).prop_map(|(n, zeros)| {
                let zeros = "0".repeat(zeros as usize);
                Value::from(format!("{n}.{zeros}"))
            }),
            "-?[0-9]{1,4}(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?".prop_map(Value::from),
        ]
    };
    let text = prop_oneof![
        "[ +0-9()./-]{0,9}x?[0-9]",
        "[a-cA-Cßẞİı]{0,4}",
        (0_u8..3, 0_u8..3).prop_map(|(h, m)| format!("2021-09-01T0{h}:00:00+0{m}:00")),
        ".{0,6}",
    ];
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number(),
        text.prop_map(Value::from),
    ];
    prop_oneof![
        3 => scalar.clone(),
        1 => vec(scalar, 0..4).prop_map(Value::from),
    ]
}

/// JSON text with the scalars that a generic value would rewrite.
fn text() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("null".to_owned()),
        "-?(0|[1-9][0-9]{0,22})(\\.[0-9]{1,4})?([eE][+-]?[0-9]{1,3})?",
        r#""([a-z é]|\\u00e9|\\/|\\n|\\"){0,6}""#,
    ];
    scalar.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            vec(inner, 0..4).prop_map(|items| {
                let members: Vec<String> = items
                    .iter()
                    .enumerate()
                    .map(|(i, item)| format!("\"k/{i} \":{item}"))
                    .collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn equality_of_a_field_is_an_equivalence(values in vec(value(), 3)) {
        let [a, b, c] = &values[..] else { unreachable!() };
        for compare in COMPARISONS {
            prop_assert!(compare.equal(a, a));
            prop_assert_eq!(compare.equal(a, b), compare.equal(b, a));
            if compare.equal(a, b) && compare.equal(b, c) {
                prop_assert!(compare.equal(a, c), "{:?} {} {} {}", compare, a, b, c);
            }
            // What is equal has one canonical form, so one digest.
            prop_assert_eq!(
                compare.equal(a, b),
                compare.canonical(a) == compare.canonical(b),
                "{:?} {} {}", compare, a, b
            );
        }
    }

    #[test]
    fn a_canonical_form_is_its_own(value in value()) {
        // The form of a set is a list of texts, so it is no set of the kind it
        // was taken of; it is compared and digested, never taken twice.
        for compare in COMPARISONS.into_iter().filter(|c| *c != Compare::Set) {
            let once = compare.canonical(&value);
            prop_assert_eq!(compare.canonical(&once), once.clone(), "{:?} {}", compare, value);
            prop_assert_eq!(once.is_null(), value.is_null());
        }
    }

    #[test]
    fn json_goes_back_as_the_text_it_came(text in text()) {
        let tree = Json::parse(text.as_bytes()).unwrap();
        prop_assert_eq!(tree.to_text(), text.clone());
        prop_assert_eq!(serde_json::to_string(&tree).unwrap(), text);
        prop_assert_eq!(Json::parse(tree.to_text().as_bytes()).unwrap(), tree);
    }

    #[test]
    fn a_value_becomes_a_tree_and_comes_back(value in value()) {
        prop_assert_eq!(Json::from_value(&value).to_value(), value.clone());
        let text = Json::from_value(&json!({ "k": value })).to_text();
        prop_assert_eq!(Json::parse(text.as_bytes()).unwrap().to_text(), text);
    }

    #[test]
    fn a_field_path_reads_back_from_its_text(
        names in vec(prop_oneof!["[a-c./~ 01]{1,5}", "\\PC{1,4}"], 1..4)
    ) {
        let path = FieldPath::new(names.clone());
        let read = FieldPath::parse(&path.to_string()).unwrap();
        prop_assert_eq!(read.members(), &names[..]);
        let pointer = Pointer::new(names);
        prop_assert_eq!(Pointer::parse(&pointer.to_string()).unwrap(), pointer);
    }
}

/// Valid values of a leaf, by its schema; without spaces around texts.
fn valid(schema: &Value) -> BoxedStrategy<Value> {
    if let Some(options) = schema.get("enum").and_then(Value::as_array) {
        return prop::sample::select(options.clone()).boxed();
    }
    let kinds = match &schema["type"] {
        Value::Array(kinds) => kinds.clone(),
        kind => vec![kind.clone()],
    };
    let format = schema.get("format").and_then(Value::as_str);
    match (kinds[0].as_str().unwrap(), format) {
        ("boolean", _) => any::<bool>().prop_map(Value::from).boxed(),
        ("integer", _) => any::<i64>().prop_map(Value::from).boxed(),
        ("number", _) => (-1_000_000_i32..1_000_000, 0_i32..4)
            .prop_map(|(n, places)| Value::from(f64::from(n) / 10_f64.powi(places)))
            .boxed(),
        ("array", _) => vec(valid(&schema["items"]), 1..4)
            .prop_map(|items| {
                let mut once: Vec<Value> = Vec::new();
                for item in items {
                    if !once.contains(&item) {
                        once.push(item);
                    }
                }
                Value::from(once)
            })
            .boxed(),
        (_, Some("date")) => (1_u16..10_000, 1_u8..13, 1_u8..29)
            .prop_map(|(y, m, d)| Value::from(format!("{y:04}-{m:02}-{d:02}")))
            .boxed(),
        (_, Some("date-time")) => (1970_u16..2100, 0_u8..24)
            .prop_map(|(y, h)| Value::from(format!("{y}-06-01T{h:02}:00:00Z")))
            .boxed(),
        (_, Some("uuid")) => {
            text_like("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}")
        }
        (_, Some("uri")) => text_like("https://[a-z]{1,8}\\.org/[a-z0-9]{0,5}"),
        _ => match schema.get("pattern").and_then(Value::as_str) {
            Some(pattern) => text_like(pattern.trim_start_matches('^').trim_end_matches('$')),
            None => text_like("[^\\s\\pC]([^\\pC]{0,20}[^\\s\\pC])?"),
        },
    }
}

fn text_like(pattern: &str) -> BoxedStrategy<Value> {
    let pattern = string_regex(pattern).unwrap();
    // A byte order mark is white space to the patterns of JSON Schema; damaged
    // text and control characters are refused in any cell.
    let refused = |c: char| matches!(c, '\u{feff}' | '\u{fffd}') || c.is_control();
    let fits =
        move |text: &String| !text.is_empty() && text.trim() == text && !text.contains(refused);
    pattern
        .prop_filter("it keeps its ends", fits)
        .prop_map(Value::from)
        .boxed()
}

/// The text of a value as a cell would hold it.
fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join("|"),
        other => other.to_string(),
    }
}

/// Every value that a leaf allows comes through a CSV file as it is.
fn survives_a_cell(world: &'static World) {
    let all = world.provider.contract.facts();
    let mut checked = 0;
    for facts in &all {
        let name = facts.path.replace('*', "own key");
        // A read-only leaf is not mapped.
        let Ok(field) = world
            .provider
            .contract
            .field(&FieldPath::parse(&name).unwrap())
        else {
            continue;
        };
        let rules = world.provider.contract.leaf_rules(&field.path).unwrap();
        let mut source = CellSource::column("a");
        if let LeafType::Many(_) = rules.kind {
            source.separator = Some("|".to_owned());
        }
        if facts.schema.get("format") == Some(&json!("date")) {
            assert_eq!(rules.kind, LeafType::One(Scalar::Text));
            source.moment = Some(Moment::Date("%Y-%m-%d".to_owned()));
        }
        let mapping = Mapping {
            field,
            policy: Policy::Source,
            cell: source,
        };
        let mut config = config();
        // So many for each provider, shared by its leaves.
        config.cases = config.cases / u32::try_from(all.len()).unwrap() + 1;
        let outcome =
            proptest::test_runner::TestRunner::new(config).run(&valid(&facts.schema), |value| {
                let mut file = csv::Writer::from_writer(Vec::new());
                file.write_record([cell(&value).as_str(), "x"]).unwrap();
                let bytes = file.into_inner().unwrap();
                let mut file = csv::ReaderBuilder::new()
                    .has_headers(false)
                    .from_reader(bytes.as_slice());
                let row = file.records().next().unwrap().unwrap();
                let read = coerce(&mapping, &rules, &[&row[0]]);
                let Ok(Desired::Set(read)) = read else {
                    return Err(TestCaseError::fail(format!("{value} becomes {read:?}")));
                };
                // 10.0 is written as it came, and read as the number it is.
                let same = read == value || Compare::Number.equal(&read, &value);
                prop_assert!(same, "{} becomes {}", value, read);
                Ok(())
            });
        assert!(outcome.is_ok(), "{} {name}: {outcome:?}", world.name);
        checked += 1;
    }
    assert!(checked > 0);
}

#[test]
fn valid_values_of_complycube_come_through_a_cell() {
    survives_a_cell(&COMPLYCUBE);
}

#[test]
fn valid_values_of_nexudus_come_through_a_cell() {
    survives_a_cell(&NEXUDUS);
}

#[test]
fn valid_values_of_placio_spp_and_weel_come_through_a_cell() {
    for world in [&PLACIO, &SPP, &WEEL] {
        survives_a_cell(world);
    }
}

#[test]
fn valid_values_of_the_test_providers_come_through_a_cell() {
    for world in [&KEYED, &RENAMED] {
        survives_a_cell(world);
    }
}
