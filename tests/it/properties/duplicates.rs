//! Lists that hold one key twice, and by name what the laws once found.

use std::collections::BTreeMap;

use clientsync::core::{CellSource, Desired, FieldPath, Key, Mapping, Policy};
use serde_json::{Value, json};

use super::case::{Case, Knowing, key};
use super::round::{Ended, Reads, round};
use super::server::{Reading, Server};
use super::world::{self, COMPLYCUBE, KEYED, WEEL, World};

/// A mapped field: path, policy, what the row says, what is known of it.
type Said = (&'static str, Policy, Option<Value>, Option<Value>);

fn case(world: &'static World, record: &str, row: &[Said]) -> Case {
    let mut case = Case {
        world,
        state: world::json(record),
        mappings: Vec::new(),
        desired: Vec::new(),
        knowing: Knowing::Stale,
        known: BTreeMap::new(),
    };
    for (path, policy, desired, known) in row {
        let path = FieldPath::parse(path).unwrap();
        case.mappings.push(Mapping {
            field: world.provider.contract.field(&path).unwrap(),
            policy: *policy,
            cell: CellSource::column("column"),
        });
        case.desired
            .push(desired.clone().map_or(Desired::Keep, Desired::Set));
        if let Some(known) = known {
            case.known.insert(path, known.clone());
        }
    }
    case
}

/// How the round ended, and the record after it.
fn run(case: &Case, key: Option<&Key>) -> (Ended, String) {
    let mut server = Server::new(case.world, Reading::Replacing, &case.state);
    let mut known = case.acknowledged(key);
    let round = round(case, &mut server, &mut known, key, Reads::AsNeeded).unwrap();
    (round.ended, server.state.to_text())
}

const TWO: &str =
    r#"{"customFields":[{"fieldKey":"notes","value":"hers"},{"fieldKey":"notes","value":"ours"}]}"#;

#[test]
fn of_two_entries_the_one_equal_to_the_row_is_meant() {
    let row = [(
        "customFields.notes",
        Policy::Source,
        Some(json!("ours")),
        None,
    )];
    let (ended, record) = run(&case(&KEYED, TWO, &row), None);
    assert!(matches!(ended, Ended::NothingSent));
    assert_eq!(record, TWO);
}

#[test]
fn of_two_entries_the_acknowledged_one_is_meant_else() {
    let row = [(
        "customFields.notes",
        Policy::Source,
        Some(json!("new")),
        Some(json!("ours")),
    )];
    for key in [None, Some(&key())] {
        let (ended, record) = run(&case(&KEYED, TWO, &row), key);
        assert!(matches!(ended, Ended::Sent(_)), "{ended:?}");
        assert_eq!(record, TWO.replace("ours", "new"));
    }
}

#[test]
fn of_two_unknown_entries_none_is_guessed() {
    let row = [(
        "customFields.notes",
        Policy::Source,
        Some(json!("new")),
        None,
    )];
    let (ended, record) = run(&case(&KEYED, TWO, &row), None);
    assert!(matches!(ended, Ended::Invalid(codes) if codes == ["E_AMBIGUOUS_ENTRY"]));
    assert_eq!(record, TWO);
}

#[test]
fn the_flag_goes_to_the_entry_that_is_meant_however_it_is_spelt() {
    let record = r#"{"contactMethods":[{"type":"email","value":"HERS@x.org","isPreferred":true},{"type":"email","value":"OURS@x.org"}]}"#;
    let row = [
        (
            "contactMethods.email",
            Policy::Source,
            Some(json!("ours@x.org")),
            None,
        ),
        (
            "contactMethods.preferred",
            Policy::Source,
            Some(json!("email")),
            None,
        ),
    ];
    let (ended, after) = run(&case(&KEYED, record, &row), None);
    assert!(matches!(ended, Ended::Sent(_)), "{ended:?}");
    assert_eq!(
        after,
        r#"{"contactMethods":[{"type":"email","value":"HERS@x.org","isPreferred":false},{"type":"email","value":"OURS@x.org","isPreferred":true}]}"#
    );
}

#[test]
fn foreign_duplicates_do_not_keep_the_flag_from_moving() {
    let record = r#"{"contactMethods":[{"type":"fax","value":"1","isPreferred":true},{"type":"fax","value":"2"},{"type":"phone","value":"3"}]}"#;
    let row = [(
        "contactMethods.preferred",
        Policy::Source,
        Some(json!("phone")),
        None,
    )];
    let (ended, after) = run(&case(&KEYED, record, &row), None);
    assert!(matches!(ended, Ended::Sent(_)), "{ended:?}");
    // The entry that says nothing of the flag goes back like that.
    assert_eq!(
        after,
        r#"{"contactMethods":[{"type":"fax","value":"1","isPreferred":false},{"type":"fax","value":"2"},{"type":"phone","value":"3","isPreferred":true}]}"#
    );
}

#[test]
fn what_is_wrong_in_a_foreign_entry_does_not_refuse_a_removal() {
    let record = r#"{"customFields":[{"fieldKey":"fax","value":[1,2.50]},{"fieldKey":"notes","value":"x"}]}"#;
    let row = [(
        "customFields.notes",
        Policy::Source,
        Some(Value::Null),
        None,
    )];
    let (ended, after) = run(&case(&KEYED, record, &row), None);
    assert!(matches!(ended, Ended::Sent(_)), "{ended:?}");
    assert_eq!(
        after,
        r#"{"customFields":[{"fieldKey":"fax","value":[1,2.50]}]}"#
    );
}

#[test]
fn a_removal_does_not_make_the_entries_behind_it_ours() {
    let record = r#"{"customFields":[{"fieldKey":"a.b","value":"x"},{"fieldKey":"notes","value":"n"},{"fieldKey":"fax","value":1.10}]}"#;
    let row = [
        (
            "customFields.notes",
            Policy::Source,
            Some(json!("n")),
            Some(json!("n")),
        ),
        (
            "/customFields/a.b",
            Policy::Source,
            Some(Value::Null),
            Some(json!("x")),
        ),
    ];
    let (ended, after) = run(&case(&KEYED, record, &row), None);
    assert!(matches!(ended, Ended::Sent(_)), "{ended:?}");
    assert_eq!(
        after,
        r#"{"customFields":[{"fieldKey":"notes","value":"n"},{"fieldKey":"fax","value":1.10}]}"#
    );
}

#[test]
fn once_believes_a_read_more_than_the_snapshot() {
    let record = r#"{"personDetails":{"firstName":"Hers"},"metadata":{}}"#;
    let row = [
        (
            "personDetails.firstName",
            Policy::Once,
            Some(json!("Ours")),
            Some(Value::Null),
        ),
        ("metadata.tier", Policy::Source, Some(json!("gold")), None),
    ];
    let (ended, after) = run(&case(&COMPLYCUBE, record, &row), None);
    assert!(matches!(ended, Ended::Sent(_)), "{ended:?}");
    assert_eq!(
        after,
        r#"{"personDetails":{"firstName":"Hers"},"metadata":{"tier":"gold"}}"#
    );
}

const START: &str = "out_of_office_start_date";
const END: &str = "out_of_office_end_date";
const MODE: &str = "out_of_office_mode";

#[test]
fn dates_stay_back_while_the_record_says_that_nobody_is_away() {
    for record in [r#"{"out_of_office_mode":false}"#, r#"{"id":123}"#] {
        let row = [(END, Policy::Source, Some(json!("2026-06-01")), None)];
        let (ended, after) = run(&case(&WEEL, record, &row), None);
        assert!(matches!(ended, Ended::NothingSent), "{ended:?}");
        assert_eq!(after, record);
    }
}

#[test]
fn a_date_that_its_policy_keeps_back_comes_from_the_read() {
    let record = r#"{"out_of_office_mode":false,"out_of_office_start_date":"2026-01-01"}"#;
    let row = [
        (MODE, Policy::Source, Some(json!(true)), Some(json!(false))),
        (
            START,
            Policy::Once,
            Some(json!("2027-01-01")),
            Some(json!("2026-01-01")),
        ),
        (
            END,
            Policy::Source,
            Some(json!("2027-02-01")),
            Some(Value::Null),
        ),
    ];
    let (ended, after) = run(&case(&WEEL, record, &row), None);
    assert!(matches!(ended, Ended::Sent(_)), "{ended:?}");
    assert_eq!(
        after,
        r#"{"out_of_office_mode":true,"out_of_office_start_date":"2026-01-01","out_of_office_end_date":"2027-02-01"}"#
    );
}

#[test]
fn a_mode_that_the_row_must_not_set_does_not_keep_dates_back() {
    let record = r#"{"out_of_office_mode":true,"out_of_office_start_date":"2026-01-01","out_of_office_end_date":"2026-01-02"}"#;
    let row = [
        (MODE, Policy::Ignore, Some(json!(false)), None),
        (END, Policy::Source, Some(json!("2026-02-01")), None),
    ];
    let (ended, after) = run(&case(&WEEL, record, &row), None);
    assert!(matches!(ended, Ended::Sent(_)), "{ended:?}");
    assert_eq!(after, record.replace("2026-01-02", "2026-02-01"));
}
