//! The laws of a round, each over every provider.

use std::collections::BTreeSet;

use clientsync::core::{
    Access, Clear, Desired, FieldPath, Json, Known, Place, Policy, ReadReason, is_blank,
};
use proptest::test_runner::TestCaseError;
use serde_json::Value;

use super::case::{Case, Knowing, key, same};
use super::expected::{Effect, Refusal, leaves};
use super::round::{Ended, Reads, changes, round};
use super::server::{Reading, Server};
use super::world::{COMPLYCUBE, GROUPED, KEYED, NEXUDUS, RENAMED};
use super::{Checked, Verdict, hold};

const READINGS: [Reading; 2] = [Reading::Replacing, Reading::Merging];

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
            fn grouped() {
                hold(&GROUPED, $share, $check);
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

fn fail(text: impl Into<String>) -> TestCaseError {
    TestCaseError::fail(text.into())
}

/// Whether every value is known to be what the record holds.
fn truthful(case: &Case) -> bool {
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
            Ended::NothingSent if case.world.name == "grouped" => {}
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

/// Law 4: nothing travels without a label, and nothing changed is left out.
fn is_minimal(case: &Case) -> Checked {
    let mut server = Server::new(case.world, Reading::Replacing, &case.state);
    let mut known = case.acknowledged(None);
    let round = round(case, &mut server, &mut known, None, Reads::AsNeeded).map_err(fail)?;
    let draft = &round.draft;
    let Ended::Sent(body) = &round.ended else {
        return Ok(Verdict::Silent);
    };
    let place = |path: &FieldPath| {
        let mapping = case
            .mappings
            .iter()
            .find(|m| m.field.path == *path)
            .unwrap();
        mapping.field.place.members().to_vec()
    };
    let changed: Vec<_> = draft.changes.iter().map(|c| place(&c.field)).collect();
    let mut labelled = changed.clone();
    labelled.extend(draft.extras.iter().map(|e| place(&e.field)));
    let shape = &case.world.provider.shape;
    labelled.extend(shape.id.iter().map(|id| id.at.clone()));
    if draft.read.contains(&ReadReason::Together) {
        labelled.extend(shape.groups.iter().flat_map(|group| group.members.clone()));
    }
    for leaf in leaves(body).keys() {
        let carried = draft
            .carried
            .iter()
            .any(|unit| leaf.starts_with(unit.tokens()));
        if !carried && !labelled.contains(leaf) {
            return Err(fail(format!("{leaf:?} travels without a label")));
        }
    }
    // Without a read and with nothing that travels along, these leaves exactly.
    if draft.extras.is_empty() && draft.read.is_empty() && shape.id.is_none() {
        let sent: BTreeSet<_> = leaves(body).into_keys().collect();
        if sent != changed.iter().cloned().collect() {
            return Err(fail(format!("{sent:?} was sent for {changed:?}")));
        }
    }
    for leaf in changed {
        let mut less = body.clone();
        if let Some((name, parent)) = leaf.split_last()
            && let Some(unit) = less.at(parent)
        {
            let mut unit = unit.clone();
            unit.remove(name);
            less.set_at(parent, unit);
        }
        let mut other = Server::new(case.world, Reading::Merging, &case.state);
        let lost = other.apply(&less).is_err()
            || other.state.at(&leaf) != server.state.at(&leaf)
            || other.commands != server.commands;
        // A change that an unknown snapshot could not rule out says nothing.
        if !lost && case.state.at(&leaf) != server.state.at(&leaf) {
            return Err(fail(format!("{leaf:?} could have been left out")));
        }
    }
    Ok(Verdict::Held)
}

/// Law 5: a full record is the read with our values in it.
fn carries(case: &Case) -> Checked {
    let mut server = Server::new(case.world, Reading::Replacing, &case.state);
    let mut known = case.acknowledged(None);
    let round = round(case, &mut server, &mut known, None, Reads::AsNeeded).map_err(fail)?;
    let (Ended::Sent(body), Some(read)) = (&round.ended, &round.read) else {
        return Ok(Verdict::Silent);
    };
    let ours = |name: &str| {
        let path = [name.to_owned()];
        round
            .draft
            .changes
            .iter()
            .any(|c| c.field.members() == path)
            || round.draft.extras.iter().any(|e| e.field.members() == path)
    };
    let schema = case.world.provider.contract.schema();
    for (name, node) in schema["properties"].as_object().unwrap() {
        let flag = |key: &str| node.get(key) == Some(&Value::Bool(true));
        let (sent, seen) = (body.get(name), read.get(name));
        if flag("writeOnly") {
            let change = round
                .draft
                .changes
                .iter()
                .find(|c| c.field.to_string() == *name);
            if sent.map(Json::to_value) != change.map(|c| c.after.clone()) {
                return Err(fail(format!(
                    "the command {name} travels unasked, or not at all"
                )));
            }
        } else if name == "Id" {
            if sent.map(Json::to_text).as_deref() != Some("17") {
                return Err(fail("the id is not in its place"));
            }
        } else if !ours(name) && sent != seen {
            return Err(fail(format!("{name} does not go back as it was read")));
        }
    }
    let sent: BTreeSet<&str> = server
        .commands
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    let asked = (0..case.mappings.len()).filter(|&i| {
        let mapping = &case.mappings[i];
        mapping.field.access == Access::WriteOnly
            && mapping.policy == Policy::Source
            && case.desired[i].value().is_some_and(|value| {
                let known = case.known.get(&mapping.field.path);
                known.is_none_or(|known| !same(mapping.field.compare, known, value))
            })
    });
    if sent.len() == asked.count() {
        Ok(Verdict::Held)
    } else {
        Err(fail("commands were repeated or lost"))
    }
}

/// Law 6: a guarded value stands as it was, and what was seen is known.
fn guards(case: &Case) -> Checked {
    let mut verdict = Verdict::Silent;
    for reading in READINGS {
        let mut server = Server::new(case.world, reading, &case.state);
        let mut known = case.acknowledged(None);
        let round = round(case, &mut server, &mut known, None, Reads::AsNeeded).map_err(fail)?;
        if matches!(round.ended, Ended::Invalid(_)) || case.has_duplicates() {
            continue;
        }
        let after = Case {
            state: server.state.clone(),
            ..case.again()
        };
        for index in 0..case.mappings.len() {
            let field = &case.mappings[index].field;
            let (Some(before), Some(now)) = (case.view(field), after.view(field)) else {
                continue;
            };
            if case.mappings[index].policy == Policy::Ignore && !moved_along(case, index) {
                if before != now {
                    return Err(fail(format!("the ignored {} changed", field.path)));
                }
                continue;
            }
            if !case.guards(index) {
                continue;
            }
            // Nothing was read, and the snapshot says that there is nothing:
            // `once` needs no more.
            let trusts = round.read.is_none()
                && case.mappings[index].policy == Policy::Once
                && case.known.get(&field.path).is_some_and(is_blank);
            if !is_blank(&before) && before != now && !trusts && !moved_along(case, index) {
                return Err(fail(format!("the guarded {} was overwritten", field.path)));
            }
            if truthful(case)
                && let Effect::Stands(value) = case.effect(index)
                && !same(field.compare, &now, &value)
            {
                return Err(fail(format!("the blank {} was not filled", field.path)));
            }
            let kept = known.get(&field.path).and_then(Known::value);
            let withheld = round.draft.withheld.iter().any(|w| w.field == field.path)
                || (case.world.name == "grouped" && case.effect(index) == Effect::Untouched);
            if round.read.is_some()
                && !withheld
                && !kept.is_some_and(|kept| same(field.compare, kept, &now))
            {
                return Err(fail(format!(
                    "what was seen of {} is not known",
                    field.path
                )));
            }
            verdict = Verdict::Held;
        }
    }
    Ok(verdict)
}

/// Whether another mapped field may move this one: a flag leaves an entry
/// when another takes it or the entry goes.
fn moved_along(case: &Case, index: usize) -> bool {
    matches!(case.mappings[index].field.place, Place::Flag { .. })
}

/// Law 7: what a diff says is what is needed, in whatever order.
fn is_a_diff(case: &Case) -> Checked {
    let Ok(some) = changes(case, &case.acknowledged(None), None) else {
        return Ok(Verdict::Silent);
    };
    let mut known = case.known.clone();
    for change in &some {
        known.insert(change.field.clone(), change.after.clone());
    }
    for (mapping, desired) in case.mappings.iter().zip(&case.desired) {
        let (Desired::Set(value), Policy::Source) = (desired, mapping.policy) else {
            continue;
        };
        let stands = known.get(&mapping.field.path);
        if mapping.field.access != Access::Immutable
            && !stands.is_some_and(|stands| same(mapping.field.compare, stands, value))
        {
            return Err(fail(format!(
                "applying the diff misses {}",
                mapping.field.path
            )));
        }
    }
    let settled = Case {
        known,
        ..case.again()
    };
    match changes(&settled, &settled.acknowledged(None), None) {
        Ok(left) if left.is_empty() => {}
        left => return Err(fail(format!("a diff with itself: {left:?}"))),
    }
    let mut reversed = case.again();
    reversed.mappings.reverse();
    reversed.desired.reverse();
    let mut other =
        changes(&reversed, &case.acknowledged(None), None).map_err(|_| fail("order"))?;
    other.reverse();
    if other == some {
        Ok(if some.is_empty() {
            Verdict::Silent
        } else {
            Verdict::Held
        })
    } else {
        Err(fail("the order of the mappings changes the changes"))
    }
}

/// Law 8: a snapshot of digests leads to the same round.
fn digests(case: &Case) -> Checked {
    let key = key();
    let run = |key: Option<&_>| {
        let mut server = Server::new(case.world, Reading::Replacing, &case.state);
        let mut known = case.acknowledged(key);
        let one = round(case, &mut server, &mut known, key, Reads::AsNeeded).map_err(fail)?;
        let two = round(case, &mut server, &mut known, key, Reads::AsNeeded).map_err(fail)?;
        let places = |round: &super::round::Round| -> Vec<_> {
            let changes = round.draft.changes.iter();
            changes
                .map(|c| (c.field.clone(), c.after.clone(), c.when))
                .collect()
        };
        Ok::<_, TestCaseError>([&one, &two].map(|round| {
            let ended = match &round.ended {
                Ended::Sent(body) => body.to_text(),
                other => format!("{other:?}"),
            };
            (ended, places(round), round.drifted.clone())
        }))
    };
    let (plain, digested) = (run(None)?, run(Some(&key))?);
    if plain != digested {
        return Err(fail(format!("{plain:?}\nby digests: {digested:?}")));
    }
    Ok(if plain[0].1.is_empty() {
        Verdict::Silent
    } else {
        Verdict::Held
    })
}
