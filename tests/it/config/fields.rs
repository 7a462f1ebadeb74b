//! Every form of a field's source, and the exact reading it becomes.

use clientsync::core::{Blank, CellInput, CellSource, Letters, Mapping, Moment, Policy, Trim};
use serde_json::json;

use super::{bad, good, with, with_fields};

fn mapped(fields: &str) -> Vec<Mapping> {
    good(&with_fields(fields)).lanes.remove(0).mappings
}

/// The reading of the one field in these lines.
fn cell(fields: &str) -> CellSource {
    let mut mappings = mapped(fields);
    assert_eq!(mappings.len(), 1);
    mappings.remove(0).cell
}

/// The problem of the one field in these lines, without its place in the file.
fn refused(fields: &str) -> String {
    let text = bad(&with_fields(fields));
    let (_, message) = text
        .split_once("[providers.demo.fields.")
        .unwrap_or_else(|| panic!("{text}"));
    message.to_owned()
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
    // `personDetails` does not, so this is the source of something that is no field.
    assert_eq!(
        refused("personDetails = { column = \"a\" }"),
        "personDetails] `personDetails` is not a single value; map its members, for example `personDetails.firstName`"
    );
    assert_eq!(
        refused("persnDetails = { firstName = \"a\" }"),
        "persnDetails.firstName] the provider has no field `persnDetails.firstName`; did you mean `personDetails.firstName`?"
    );
    assert_eq!(refused("personDetails = {}"), "personDetails] maps nothing");
}

#[test]
fn combinations_that_mean_nothing_are_refused() {
    for (fields, message) in [
        (
            "name = {}",
            "name] names no source: give `column`, `columns` with `join`, or `const`",
        ),
        (
            "name = { column = \"a\", const = \"b\" }",
            "name] names more than one of `column`, `columns` and `const`",
        ),
        (
            "name = { column = \"a\", join = \" \" }",
            "name.join] means nothing without `columns`",
        ),
        (
            "name = { columns = [\"a\", \"a\"], join = \" \" }",
            "name.columns[1]] is named twice",
        ),
        (
            "name = { columns = [], join = \" \" }",
            "name.columns] must name at least one column",
        ),
        (
            "name = { columns = [\"a\"] }",
            "name.join] is missing: say what stands between the columns, for example \" \"",
        ),
        (
            "name = { column = \"a\", otherwise = \"x\" }",
            "name.otherwise] means nothing without `values`",
        ),
        (
            "name = { column = \"a\", values = {} }",
            "name.values] lists nothing; write { \"in the file\" = \"at the provider\" }",
        ),
        (
            "seen = { column = \"a\", timezone = \"UTC\" }",
            "seen.timezone] means nothing without `datetime`",
        ),
        (
            "seen = { column = \"a\", datetime = \"%Y-%m-%d %H:%M\" }",
            "seen.timezone] is missing: say in which time zone the file's clock stands, for example \"Europe/Vienna\"",
        ),
        (
            "name = { column = \"a\", separator = \";\" }",
            "name.separator] means nothing here: the field is not a list",
        ),
        (
            "spaces = { column = \"a\" }",
            "spaces.separator] is missing: the field is a list; say what stands between its items, for example \";\"",
        ),
        (
            "spaces = \"a\"",
            "spaces] is a list: write { column = ..., separator = ... }",
        ),
        (
            "visits = { column = \"a\", date = \"%Y-%m-%d\" }",
            "visits.date] means nothing here: the field is not a text",
        ),
        (
            "visits = { column = \"a\", decimal = \",\" }",
            "visits.decimal] means nothing here: the field is not a decimal number",
        ),
        (
            "balance = { column = \"a\", decimal = \";\" }",
            "balance.decimal] must be \".\" or \",\"",
        ),
        (
            "name = { const = \"a\", default = \"b\" }",
            "name.default] means nothing beside `const`",
        ),
        (
            "name = { const = \"a\", values = { a = \"b\" } }",
            "name.values] means nothing beside `const`",
        ),
        (
            "name = { column = \"a\", default = \"b\", blank = \"reject\" }",
            "name.blank] means nothing beside `default`, which stands in for every blank cell",
        ),
        (
            "kind = { column = \"a\", policy = \"ignore\" }",
            "kind.policy] means nothing here: the field cannot change at the provider, so it is compared and never sent",
        ),
        (
            "name = { column = \"a\", blank = \"clear\" }",
            "name.blank] cannot be \"clear\": the provider documents no way to empty this field; use keep or reject",
        ),
        (
            "name = { column = \"a\", blank = \"empty\" }",
            "name.blank] must be one of keep, clear, reject",
        ),
        (
            "name = { column = \"a\", lowercse = true }",
            "name.lowercse] is not a known key; did you mean `lowercase`?",
        ),
        (
            "name = { column = \"a\", default = 1.5 }",
            "name.default] must be a text, a whole number, true or false, not a number",
        ),
        (
            "name = 3",
            "name] must be the name of a column, or a table such as { column = \"...\" }",
        ),
        ("name = \"\"", "name] must not be empty"),
        (
            "created = \"a\"",
            "created] `created` is read-only at the provider",
        ),
        (
            "nme = \"a\"",
            "nme] the provider has no field `nme`; did you mean `name`?",
        ),
        (
            "\"a..b\" = \"c\"",
            "\"a..b\"] a member name in `a..b` is empty",
        ),
    ] {
        assert_eq!(refused(fields), message, "{fields}");
    }
}

#[test]
fn constants_are_judged_by_the_contract() {
    for (fields, message) in [
        (
            "kind = { const = \"canary\" }",
            "kind.const] is not one of person, company",
        ),
        ("visits = { const = -1 }", "visits.const] is less than 0"),
        (
            "visits = { const = \"3\" }",
            "visits.const] does not have the type that the provider documents",
        ),
        (
            "joined = { const = \"31.01.2020\" }",
            "joined.const] is not a valid date",
        ),
        (
            "name = { const = { a = 1 } }",
            "name.const] must be a text, a number, true, false, or a list of these",
        ),
        (
            "balance = { const = inf }",
            "balance.const] must be a text, a number, true, false, or a list of these",
        ),
    ] {
        assert_eq!(refused(fields), message, "{fields}");
    }
}

#[test]
fn forms_of_dates_are_tried_when_the_file_is_read() {
    let date = |form: &str| {
        let text = with_fields(&format!("joined = {{ column = \"d\", date = \"{form}\" }}"));
        super::parse(&text).is_ok()
    };
    for form in [
        "%Y-%m-%d",
        "%d/%m/%Y",
        "%d %B %Y",
        "%b %d, %y",
        "%F",
        "%Y%m%d",
        "%D",
    ] {
        assert!(date(form), "{form}");
    }
    for form in ["dd/mm/yyyy", "%d/%m", "%Y-%m", "%!", "%", "%H:%M", "%q"] {
        assert!(!date(form), "{form}");
    }
    let instant = |form: &str, zone: &str| {
        let text = with_fields(&format!(
            "seen = {{ column = \"d\", datetime = \"{form}\", timezone = \"{zone}\" }}"
        ));
        super::parse(&text).is_ok()
    };
    assert!(instant("%d.%m.%Y %H:%M:%S", "America/New_York"));
    assert!(!instant("%d.%m.%Y", "America/New_York"));
    assert!(!instant("%d.%m.%Y %H:%M", "Europe/Vienne"));
    assert!(!instant("%d.%m.%Y %H:%M", ""));
}

#[test]
fn a_general_clear_names_every_field_that_has_no_way_to_be_cleared() {
    let text = with(
        "",
        "",
        "name = \"n\"\nemail = \"e\"\nspaces = { column = \"s\", separator = \";\" }\nmetadata.x = \"x\"\nvisits = { column = \"v\", default = 0 }\nkind = { column = \"k\", blank = \"reject\" }\njoined = { const = \"2020-01-01\" }\nactive = { column = \"a\" }",
    )
    .replace("key = \"no\"", "key = \"no\"\nblank = \"clear\"");
    assert_eq!(
        bad(&text),
        "clientsync.toml:5:1: [source.blank] cannot be \"clear\" for fields that the provider documents no way to empty; give each of them its own `blank`: providers.demo.fields.name, providers.demo.fields.active"
    );
}

#[test]
fn a_field_is_mapped_once_however_it_is_spelt() {
    assert_eq!(
        bad(&with_fields(
            "metadata.tier = \"a\"\n\"/metadata/tier\" = \"b\""
        )),
        "clientsync.toml:12:1: [providers.demo.fields.\"/metadata/tier\"] maps a field that line 11 maps already"
    );
}
