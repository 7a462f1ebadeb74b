//! Laws of bodies, policies, diffs and digests.

use std::collections::BTreeSet;

use clientsync::core::{
    Access, Desired, FieldPath, Json, Known, Place, Policy, ReadReason, is_blank,
};
use proptest::test_runner::TestCaseError;
use serde_json::Value;

use super::case::{Case, key, same};
use super::expected::{Effect, leaves};
use super::laws::{READINGS, fail, truthful};
use super::round::{Ended, Reads, changes, round};
use super::server::{Reading, Server};
use super::{Checked, Verdict};

/// Law 4: nothing travels without a label, and nothing changed is left out.
pub(super) fn is_minimal(case: &Case) -> Checked {
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
pub(super) fn carries(case: &Case) -> Checked {
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
pub(super) fn guards(case: &Case) -> Checked {
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
                || (case.world.name == "weel" && case.effect(index) == Effect::Untouched);
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
pub(super) fn is_a_diff(case: &Case) -> Checked {
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
pub(super) fn digests(case: &Case) -> Checked {
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
