//! The laws of a round, each over every provider.

use std::collections::BTreeSet;

use clientsync::core::{Access, Clear, Desired, Json, Place, Policy};
use proptest::test_runner::TestCaseError;
use serde_json::Value;

use super::bodies::{carries, digests, guards, is_a_diff, is_minimal};
use super::case::{Case, Knowing};
use super::expected::{Refusal, leaves};
use super::round::{Ended, Reads, round};
use super::server::{Reading, Server};
use super::world::{COMPLYCUBE, KEYED, NEXUDUS, PLACIO, RENAMED, SPP, WEEL};
use super::{Checked, Verdict, hold};

pub(super) const READINGS: [Reading; 2] = [Reading::Replacing, Reading::Merging];

/// One test of a law for each provider. The number is the share of cases, one
/// in so many, that must have said something.
macro_rules! law {
    ($($name:ident: $check:path, $share:literal;)*) => {$(
        mod $name {
            use super::*;

            #[test]
            fn complycube() {
                hold(&COMPLYCUBE, $share, $check);
            }

            #[test]
            fn nexudus() {
                hold(&NEXUDUS, $share, $check);
            }

            #[test]
            fn keyed() {
                hold(&KEYED, $share, $check);
            }

            #[test]
            fn placio() {
                hold(&PLACIO, $share, $check);
            }

            #[test]
            fn spp() {
                hold(&SPP, $share, $check);
            }

            #[test]
            fn weel() {
                hold(&WEEL, $share, $check);
            }

            #[test]
            fn renamed() {
                hold(&RENAMED, $share, $check);
            }
        }
    )*};
}

law! {
    every_wanted_value_stands_after_one_round: converges, 3;
    no_foreign_value_changes_even_if_the_snapshot_is_stale: spares, 5;
    a_second_round_sends_nothing: rests, 4;
    the_body_holds_changes_and_labelled_extras_only: is_minimal, 5;
    once_and_fill_blank_never_overwrite: guards, 10;
    a_diff_with_itself_is_empty_and_applying_it_gives_the_row: is_a_diff, 3;
    digests_behave_as_values: digests, 3;
}

#[test]
fn a_full_record_update_carries_all_and_invents_nothing() {
    hold(&NEXUDUS, 3, carries);
}

pub(super) fn fail(text: impl Into<String>) -> TestCaseError {
    TestCaseError::fail(text.into())
}

/// Whether every value is known to be what the record holds.
pub(super) fn truthful(case: &Case) -> bool {
    case.knowing != Knowing::Stale
}

/// Law 1: one round gives exactly the expected record; and law 2 for every
/// truthful snapshot, because all else is compared as text.
fn converges(case: &Case) -> Checked {
    if !truthful(case) {
        return Ok(Verdict::Silent);
    }
    let expected = case.expected();
    let mut verdict = Verdict::Silent;
    for reading in READINGS {
        let mut server = Server::new(case.world, reading, &case.state);
        let mut known = case.acknowledged(None);
        let round = round(case, &mut server, &mut known, None, Reads::AsNeeded).map_err(fail)?;
        let should_be = match (&round.ended, expected.refusal) {
            (Ended::Invalid(codes), Refusal::Never) => {
                return Err(fail(format!("refused for no reason: {codes:?}")));
            }
            (Ended::Invalid(_), _) => &case.state,
            (ended, Refusal::Certain) => {
                return Err(fail(format!("should be refused: {ended:?}")));
            }
            _ => &expected.state,
        };
        if let Ended::Invalid(_) = round.ended {
            if server.state != *should_be || server.writes > 0 {
                return Err(fail("a refused row changed the record"));
            }
            continue;
        }
        if let Some(difference) = case.differs(should_be, &server.state, reading) {
            return Err(fail(format!(
                "{reading:?}: {difference}, {:?}",
                round.ended
            )));
        }
        verdict = Verdict::Held;
    }
    Ok(verdict)
}

/// Law 2: what is not mapped, or not said, or ignored, keeps its text.
fn spares(case: &Case) -> Checked {
    let mut verdict = Verdict::Silent;
    for reading in READINGS {
        let mut server = Server::new(case.world, reading, &case.state);
        let mut known = case.acknowledged(None);
        let round = round(case, &mut server, &mut known, None, Reads::AsNeeded).map_err(fail)?;
        if !matches!(round.ended, Ended::Sent(_)) {
            continue;
        }
        // What held nothing may become the object that holds a value of ours.
        let owned = |place: &Vec<String>| {
            let was_null = case.state.at(place).is_none_or(Json::is_null);
            (0..case.mappings.len()).any(|index| {
                let field = &case.mappings[index].field;
                let ours = field.place.members();
                (ours == place.as_slice() || (was_null && ours.starts_with(place)))
                    && case.said(&field.path).is_some()
            })
        };
        let (before, after) = (leaves(&case.state), leaves(&server.state));
        let all: BTreeSet<_> = before.keys().chain(after.keys()).collect();
        if let Some(place) = all
            .into_iter()
            .find(|place| !owned(place) && before.get(*place) != after.get(*place))
        {
            return Err(fail(format!("{reading:?}: the foreign {place:?} changed")));
        }
        spares_entries(case, &server)?;
        verdict = Verdict::Held;
    }
    Ok(verdict)
}

/// Entries of keys that the row says nothing of keep their text, but the flag.
fn spares_entries(case: &Case, server: &Server) -> Result<(), TestCaseError> {
    for candidate in &case.world.fields {
        let Place::Entry { list, .. } = &candidate.field.place else {
            continue;
        };
        let foreign = |state: &Json| -> Vec<Json> {
            let Some(Json::Array(items)) = state.at(&list.at) else {
                return Vec::new();
            };
            let is_said = |item: &&Json| {
                let key = item.get(&list.key).unwrap().to_value();
                case.entry_field(&list.at, &key)
                    .is_some_and(|field| case.said(&field.path).is_some())
            };
            let mut items: Vec<Json> = items
                .iter()
                .filter(|item| !is_said(item))
                .cloned()
                .collect();
            if let Some(flag) = &list.flag {
                for item in &mut items {
                    item.remove(flag);
                }
            }
            items
        };
        if foreign(&case.state) != foreign(&server.state) {
            return Err(fail(format!("a foreign entry of {:?} changed", list.at)));
        }
    }
    Ok(())
}

/// Law 3: nothing is sent again, by the settled snapshot or by a read.
fn rests(case: &Case) -> Checked {
    if !truthful(case) || clears_a_duplicate(case) {
        return Ok(Verdict::Silent);
    }
    let mut verdict = Verdict::Silent;
    for reading in READINGS {
        let mut server = Server::new(case.world, reading, &case.state);
        let mut known = case.acknowledged(None);
        let first = round(case, &mut server, &mut known, None, Reads::AsNeeded).map_err(fail)?;
        if let Ended::Invalid(_) = first.ended {
            continue;
        }
        let writes = server.writes;
        let mut settled = known.clone();
        let second = round(case, &mut server, &mut settled, None, Reads::AsNeeded).map_err(fail)?;
        match second.ended {
            Ended::NothingPlanned => {}
            // Whether dates are withheld is known only once the mode was read.
            Ended::NothingSent if case.world.name == "weel" && !says_mode(case) => {}
            ended => return Err(fail(format!("{reading:?}: a second round: {ended:?}"))),
        }
        let command = (0..case.mappings.len()).any(|i| {
            case.mappings[i].field.access == Access::WriteOnly && case.desired[i] != Desired::Keep
        });
        let certain = case.expected().refusal == Refusal::Never;
        let told = reading == Reading::Replacing || !forgets(case);
        if certain && told && !command && !case.has_duplicates() {
            let mut nothing = Case {
                known: [].into(),
                ..case.again()
            }
            .acknowledged(None);
            let third =
                round(case, &mut server, &mut nothing, None, Reads::Always).map_err(fail)?;
            if !matches!(third.ended, Ended::NothingPlanned | Ended::NothingSent) {
                return Err(fail(format!(
                    "{reading:?}: a reading round: {:?}",
                    third.ended
                )));
            }
        }
        if server.writes != writes {
            return Err(fail("a second round wrote"));
        }
        verdict = Verdict::Held;
    }
    Ok(verdict)
}

/// Whether the row itself decides that somebody is away.
fn says_mode(case: &Case) -> bool {
    case.mappings
        .iter()
        .zip(&case.desired)
        .any(|(mapping, desired)| {
            mapping.field.path.to_string() == "out_of_office_mode"
                && mapping.policy == Policy::Source
                && *desired != Desired::Keep
        })
}

/// Whether the row clears an entry whose key stands twice: the other one is
/// then the only one, and would be meant by the next round that reads.
fn clears_a_duplicate(case: &Case) -> bool {
    case.has_duplicates() && case.desired.contains(&Desired::Set(Value::Null))
}

/// Whether the row clears members by leaving them out of an object.
fn forgets(case: &Case) -> bool {
    case.mappings
        .iter()
        .zip(&case.desired)
        .any(|(mapping, desired)| {
            mapping.field.clear == Clear::Remove
                && matches!(mapping.field.place, Place::Member(_))
                && desired.value() == Some(&Value::Null)
        })
}
