//! Every form of a field's source, and the exact reading it becomes.

use clientsync::core::{Blank, CellInput, CellSource, Letters, Mapping, Moment, Policy, Trim};
use serde_json::json;

use super::{NAME, bad, good, with, with_fields};

fn mapped(fields: &str) -> Vec<Mapping> {
    good(&with_fields(fields)).lanes.remove(0).mappings
}

/// The reading of the one field in these lines.
fn cell(fields: &str) -> CellSource {
    let mut mappings = mapped(fields);
    assert_eq!(mappings.len(), 1);
    mappings.remove(0).cell
}

fn column(name: &str) -> CellSource {
    CellSource::column(name)
}

#[test]
fn a_column_is_a_text_or_a_table() {
    assert_eq!(cell("name = \"full name\""), column("full name"));
    assert_eq!(cell("name = { column = \"n\" }"), column("n"));
}

#[test]
fn columns_are_joined() {
    let joined = CellInput::Columns(vec!["a".into(), "b".into()], " ".into());
    assert_eq!(
        cell("name = { columns = [\"a\", \"b\"], join = \" \" }"),
        CellSource::of(joined)
    );
    let glued = CellInput::Columns(vec!["a".into()], String::new());
    assert_eq!(
        cell("name = { columns = [\"a\"], join = \"\" }"),
        CellSource::of(glued)
    );
}

#[test]
fn constants_have_the_type_of_their_field() {
    for (field, value) in [
        ("name = { const = \"x\" }", json!("x")),
        ("visits = { const = 3 }", json!(3)),
        ("balance = { const = 2.5 }", json!(2.5)),
        ("active = { const = true }", json!(true)),
        ("spaces = { const = [1, 2] }", json!([1, 2])),
        ("joined = { const = 2020-01-31 }", json!("2020-01-31")),
    ] {
        assert_eq!(cell(field), CellSource::of(CellInput::Const(value)));
    }
}

#[test]
fn the_ways_of_reading_a_cell_are_taken_over() {
    let mut expected = column("c");
    expected.trim = Trim::Nothing;
    expected.letters = Letters::Lower;
    expected.default = Some("2".into());
    assert_eq!(
        cell("name = { column = \"c\", trim = false, lowercase = true, default = 2 }"),
        expected
    );

    let mut expected = column("c");
    expected.blank = Blank::Clear;
    assert_eq!(
        cell("email = { column = \"c\", blank = \"clear\" }"),
        expected
    );

    let mut expected = column("c");
    expected.separator = Some(";".into());
    assert_eq!(
        cell("spaces = { column = \"c\", separator = \";\" }"),
        expected
    );

    let mut expected = column("c");
    expected.decimal = ',';
    assert_eq!(
        cell("balance = { column = \"c\", decimal = \",\" }"),
        expected
    );
}

#[test]
fn lookup_tables_keep_the_order_of_the_file() {
    let mut expected = column("c");
    let text = |from: &str, to: &str| (from.to_owned(), to.to_owned());
    expected.values = Some(vec![
        text("z", "true"),
        text("a b", "false"),
        text("1", "0"),
    ]);
    expected.otherwise = Some("false".into());
    assert_eq!(
        cell(
            "active = { column = \"c\", values = { z = true, \"a b\" = \"false\", 1 = 0 }, otherwise = false }"
        ),
        expected
    );
}

#[test]
fn dates_and_instants_have_a_form() {
    let mut expected = column("c");
    expected.moment = Some(Moment::Date("%d.%m.%y".into()));
    assert_eq!(
        cell("joined = { column = \"c\", date = \"%d.%m.%y\" }"),
        expected
    );
    expected.moment = Some(Moment::Instant(
        "%Y-%m-%d %H:%M".into(),
        "Europe/Vienna".into(),
    ));
    assert_eq!(
        cell(
            "seen = { column = \"c\", datetime = \"%Y-%m-%d %H:%M\", timezone = \"Europe/Vienna\" }"
        ),
        expected
    );
    expected.moment = Some(Moment::Instant("%Y-%m-%dT%H:%M:%S%:z".into(), "UTC".into()));
    assert_eq!(
        cell("seen = { column = \"c\", datetime = \"%Y-%m-%dT%H:%M:%S%:z\" }"),
        expected
    );
}

#[test]
fn policies_are_read() {
    for (name, policy) in [
        ("source", Policy::Source),
        ("once", Policy::Once),
        ("fill_blank", Policy::FillBlank),
        ("ignore", Policy::Ignore),
    ] {
        let mappings = mapped(&format!("name = {{ column = \"c\", policy = \"{name}\" }}"));
        assert_eq!(mappings[0].policy, policy);
    }
}

#[test]
fn what_the_source_says_of_all_cells_holds_for_each() {
    let text =
        with_fields("email = \"e\"\nname = { column = \"n\", blank = \"keep\", trim = true }")
            .replace(
                "key = \"no\"",
                "key = \"no\"\nblank = \"reject\"\ntrim = false\nnull_tokens = [\"-\"]",
            );
    let mappings = good(&text).lanes.remove(0).mappings;
    let [email, name] = &mappings[..] else {
        panic!("two mappings");
    };
    assert_eq!(
        (email.cell.blank, email.cell.trim),
        (Blank::Reject, Trim::Nothing)
    );
    assert_eq!((name.cell.blank, name.cell.trim), (Blank::Keep, Trim::Ends));
    assert_eq!(email.cell.null_tokens, ["-"]);
}

#[test]
fn all_spellings_of_a_path_mean_the_same() {
    let path = |fields: &str| mapped(fields)[0].field.path.to_string();
    for fields in [
        "metadata.tier = \"t\"",
        "\"metadata.tier\" = \"t\"",
        "\"/metadata/tier\" = \"t\"",
        "metadata = { tier = \"t\" }",
        "metadata = { tier = { column = \"t\" } }",
        "metadata.tier.column = \"t\"",
        "[providers.demo.fields.metadata]\ntier = \"t\"",
        "[providers.demo.fields.metadata.tier]\ncolumn = \"t\"",
    ] {
        assert_eq!(path(fields), "metadata.tier", "{fields}");
    }
    assert_eq!(path("\"/metadata/a.b\" = \"t\""), "/metadata/a.b");
    assert_eq!(path("metadata.\"/a.b\" = \"t\""), "/metadata/a.b");
    assert_eq!(
        path("contactMethods.preferred = \"t\""),
        "contactMethods.preferred"
    );
}

#[test]
fn the_contract_decides_what_a_table_is() {
    // `metadata` holds members of any name, so `column` is one of them here.
    let mappings = mapped("metadata = { column = \"a\", const = \"b\" }");
    let paths: Vec<String> = mappings.iter().map(|m| m.field.path.to_string()).collect();
    assert_eq!(paths, ["metadata.column", "metadata.const"]);
}

/// A whole configuration of a lane that has no more than these lines.
fn lane(lines: &str) -> String {
    format!(
        "version = 1\n[source]\npath = \"c.csv\"\nkey = \"no\"\nblank = \"keep\"\n[providers.weel]\nsettings = {{ business_id = 1 }}\n{lines}\n[providers.weel.fields]\nrole_id = \"role\"\n"
    )
}

#[test]
fn a_record_is_matched_by_any_field_that_it_shows() {
    // Weel lets nobody write an e-mail address, and shows it.
    let config = good(&lane("match = { field = \"email\", column = \"mail\" }"));
    let (mapping, _) = config.lanes[0].matching.as_ref().unwrap();
    assert_eq!(mapping.field.path.to_string(), "email");
    assert_eq!(mapping.cell.columns(), ["mail"]);
    assert_eq!(config.lanes[0].id_column, None);
    // To write it is still refused.
    let found = bad(&lane("id = \"i\"").replace("role_id = \"role\"", "email = \"mail\""));
    assert!(
        found.contains("`email` is read-only at the provider"),
        "{found}"
    );
}

#[test]
fn a_match_that_cannot_work_is_refused() {
    for (lines, words) in [
        ("", "weel.id] is missing: name the column"),
        ("match = \"email\"", "must be a table"),
        (
            "match = { field = \"emial\", column = \"m\" }",
            "did you mean `email`?",
        ),
        (
            "match = { field = \"payment_types\", column = \"m\" }",
            "is a list; match by a single value",
        ),
        ("match = { column = \"m\" }", "match.field] is missing"),
        (
            "match = { field = \"email\", column = \"\" }",
            "must not be empty",
        ),
        (
            "match = { field = \"email\", column = \"m\", lowercase = true }",
            "is not a known key",
        ),
    ] {
        let found = bad(&lane(lines));
        assert!(found.contains(words), "{lines}: {found}");
    }
    let demo = with("", "match = { field = \"name\", column = \"n\" }", NAME);
    assert!(bad(&demo).contains("the provider has no list of its records"));
    let nexudus = "version = 1\n[source]\npath = \"c.csv\"\nkey = \"no\"\n[providers.nexudus]\nmatch = { field = \"NewPassword\", column = \"p\" }\n[providers.nexudus.fields]\nFullName = \"n\"\n";
    assert!(bad(nexudus).contains("is write-only at the provider"));
}

#[test]
fn what_a_client_holds_that_left_is_a_constant_of_a_mapped_field() {
    let absent = |lines: &str| {
        with(
            "",
            lines,
            "name = \"n\"\nbalance = \"b\"\nkind = \"k\"\nmetadata.tier = \"t\"\ncustomFields.note = { column = \"c\", policy = \"once\" }",
        )
    };
    let config = good(&absent(
        "absent = { name = { const = \"(left)\" }, metadata.tier = { const = \"none\" } }",
    ));
    let set: Vec<(String, serde_json::Value)> = config.lanes[0]
        .absent
        .iter()
        .map(|(path, value)| (path.to_string(), value.clone()))
        .collect();
    assert_eq!(
        set,
        [
            ("name".to_owned(), json!("(left)")),
            ("metadata.tier".to_owned(), json!("none")),
        ]
    );
    for (lines, words) in [
        ("absent = { }", "sets nothing"),
        ("absent = { name = \"n\" }", "must be { const = ... }"),
        (
            "absent = { name = { column = \"n\" } }",
            "must be { const = ... }",
        ),
        (
            "absent = { name = { const = \"x\", policy = \"once\" } }",
            "must be { const = ... }",
        ),
        (
            "absent = { email = { const = \"x\" } }",
            "is not mapped in this lane",
        ),
        (
            "absent = { customFields.note = { const = \"x\" } }",
            "keeps what the provider holds",
        ),
        (
            "absent = { emial = { const = \"x\" } }",
            "did you mean `email`?",
        ),
        (
            "absent = { kind = { const = \"person\" } }",
            "cannot change at the provider",
        ),
        ("absent = { balance = { const = \"much\" } }", "balance"),
        (
            "absent = { name = { const = \"far too long for the field it is\" } }",
            "name",
        ),
    ] {
        let found = bad(&absent(lines));
        assert_eq!(found.lines().count(), 1, "{lines}: {found}");
        assert!(found.contains(words), "{lines}: {found}");
    }
}
