//! Fields that are refused, and what is said of them.

use super::{bad, parse, with, with_fields};

/// The problem of the one field in these lines, without its place in the file.
fn refused(fields: &str) -> String {
    let text = bad(&with_fields(fields));
    let (_, message) = text
        .split_once("[providers.demo.fields.")
        .unwrap_or_else(|| panic!("{text}"));
    message.to_owned()
}

#[test]
fn a_table_that_is_neither_a_source_nor_members_is_refused() {
    // This is the source of something that is no field.
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

/// Lines of fields, and what is said of them.
const COMBINATIONS: &[(&str, &str)] = &[
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
];

#[test]
fn combinations_that_mean_nothing_are_refused() {
    for (fields, message) in COMBINATIONS {
        assert_eq!(refused(fields), *message, "{fields}");
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
        parse(&text).is_ok()
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
        parse(&text).is_ok()
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
