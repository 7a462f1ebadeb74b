//! What of a manifest or contract is refused when it is loaded, each by one
//! change to files that are sound.

use clientsync::provider::Provider;

use super::all;

/// What loading says of a built-in provider with one text replaced.
fn said(name: &str, before: &str, after: &str) -> String {
    let found = all()
        .into_iter()
        .find(|found| found.name() == name)
        .unwrap();
    let contract = found.contract.to_string();
    let (manifest, contract) = if found.manifest.contains(before) {
        (found.manifest.replacen(before, after, 1), contract)
    } else {
        assert!(contract.contains(before), "{name} has no {before}");
        (found.manifest.clone(), contract.replacen(before, after, 1))
    };
    Provider::new(&manifest, &contract).unwrap_err().to_string()
}

#[test]
fn a_check_names_fields_of_the_contract() {
    let checks = [
        (
            "pointer = \"/out_of_office_end_date\"\nother",
            "pointer = \"/end\"\nother",
            "names `/end`, which is no field of the contract",
        ),
        (
            "other   = \"/out_of_office_start_date\"",
            "other   = \"/out_of_office_mode\"",
            "which is not a date",
        ),
        (
            "pointer = \"/delegate_approver\"",
            "pointer = \"/out_of_office_mode\"",
            "which is not an id",
        ),
        (
            "on      = \"/out_of_office_mode\"",
            "on      = \"/delegate_approver\"",
            "which is not true or false",
        ),
        (
            "rule    = \"not_before\"",
            "rule    = \"not_later\"",
            "unknown variant `not_later`",
        ),
    ];
    for (before, after, why) in checks {
        let said = said("weel", before, after);
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn a_group_names_members_of_the_contract() {
    for (before, after) in [
        ("[\"/out_of_office_mode\", ", "[\"/mode\", "),
        (
            "{ pointer = \"/out_of_office_mode\"",
            "{ pointer = \"/mode\"",
        ),
    ] {
        let said = said("weel", before, after);
        assert!(said.contains("names `/mode`"), "{said}");
    }
}

#[test]
fn a_flag_has_no_name_of_a_key() {
    let said = said("placio", "\"name\":\"preferred\"", "\"name\":\"fax\"");
    assert!(said.contains("gives its flag the name of a key"), "{said}");
}
