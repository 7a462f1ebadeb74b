//! Linking: which row and which record belong together by their value of
//! `match`.
//!
//! Exactly one row and exactly one record, both without a partner, and nobody
//! else on either side: everything else is told and left alone. It must only
//! run when all records were seen.

use super::gathered::Missed;
use super::roster::{Roster, Wanted};
use super::spool::Place;
use crate::core::{Outcome, Problem, SkipReason};
use crate::engine::lane::Lane;
use crate::engine::problems::at_match;

/// What the values of `match` say.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// The rows that found their record, with the place in the spool where it
    /// was kept.
    pub(super) found: Vec<(usize, Option<Place>)>,
    /// The rows that found none, or not one.
    pub(super) missed: Vec<Missed>,
    /// Records that nobody may take.
    pub(super) strays: Vec<Problem>,
}

impl Links {
    /// Links the rows of a roster whose records were all seen.
    pub(super) fn of(lane: &Lane, roster: &mut Roster) -> Self {
        let mut links = Self::default();
        for wanted in roster.take_wanted() {
            let Wanted {
                seekers,
                others,
                records,
                free,
            } = wanted;
            if let ([place], 0, 1, Some(free)) = (&seekers[..], others, records, &free) {
                roster.link(*place, free.id.clone());
                links.found.push((*place, free.kept));
                continue;
            }
            let rows = others + u64::try_from(seekers.len()).unwrap_or(u64::MAX);
            let (reason, code, why) = unmatched(lane, rows, records);
            links.missed.extend(seekers.into_iter().map(|place| {
                let mut problem = Problem::new(code, why.clone()).line(roster.rows[place].line);
                problem.key.clone_from(&roster.rows[place].key);
                if let Some(matching) = &lane.matching {
                    problem = at_match(matching, problem);
                }
                Missed {
                    place,
                    outcome: Outcome::Skipped(reason),
                    status: None,
                    problems: vec![problem],
                }
            }));
            links.strays.extend(free.map(|free| stray_twin(free.id)));
        }
        links
    }
}

/// Why rows found no record, by how many rows and records hold their value.
fn unmatched(lane: &Lane, rows: u64, records: u64) -> (SkipReason, &'static str, String) {
    if records == 0 {
        let why = "no record at the provider holds this value".to_owned();
        return (SkipReason::Unlinked, "W_UNMATCHED", why);
    }
    let why = match (rows, records) {
        (1, 1) => "the one record that holds this value belongs to another key",
        (_, 1) => "other rows hold this value too, and one record at the provider",
        (1, _) => "several records at the provider hold this value",
        _ => "several rows and several records at the provider hold this value",
    };
    let what_to_do = match (rows, records, &lane.id) {
        (1, 1, _) => "",
        (_, _, Some(_)) => "; fill the id column",
        (_, _, None) => "; give each a value of its own, or the file a column with the remote ids",
    };
    (
        SkipReason::Ambiguous,
        "W_AMBIGUOUS",
        format!("{why}{what_to_do}"),
    )
}

/// A record that nobody looks for.
pub(super) fn stray(id: String) -> Problem {
    Problem::new(
        "W_UNMATCHED_RECORD",
        "a record at the provider that no row belongs to",
    )
    .remote_id(id)
}

/// A record that is not the only one, or not for one row alone.
pub(super) fn stray_twin(id: String) -> Problem {
    Problem::new(
        "W_AMBIGUOUS_RECORD",
        "a record at the provider whose value of `match` does not belong to exactly one row and one record",
    )
    .remote_id(id)
}
