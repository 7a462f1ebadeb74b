//! What the refusals of a lane's rows say about the lane: a wrong workspace, a
//! right that is missing, a wrong mapping. One row's refusal is its own; many
//! are everyone's.
//!
//! Pure counts. Refusals that may turn out to be everyone's are withheld until
//! that is known, so that no row is marked for what is not its fault.

use crate::core::Outcome;
use crate::engine::exchange::decide::Stop;

/// Rows that nobody knows, before any that somebody does.
const UNKNOWN: u32 = 20;
/// Rows that may not be written, with none in between that may.
const FORBIDDEN: u32 = 5;
/// Refusals that are too many where they are most of the rows.
const REFUSALS: u64 = 20;

/// What becomes of a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Verdict {
    /// It is the row's outcome.
    Record,
    /// The same, and it is one too many: the lane ends for this reason.
    RecordLast(String),
    /// It waits until more is known.
    Withhold,
    /// It is not the row's fault: the row stays planned.
    Drop,
    /// The same, and the lane ends.
    End(Stop, String),
}

/// See the module.
#[derive(Debug, Default)]
pub(in crate::engine) struct Tally {
    /// Rows that came to an outcome.
    finished: u64,
    refused: u64,
    /// Answers 404 while no row was known.
    unknown: u32,
    /// Whether a row was known.
    known: bool,
    /// Answers 403 in a row.
    forbidden: u32,
    /// Whether refusals ended the lane.
    ended: bool,
    /// Rows that the provider holds by now, as planning found.
    unchanged: u64,
    /// Rows that were refused before and are refused again.
    again: u64,
}

impl Tally {
    /// Hears of a refusal with this status.
    pub(in crate::engine) fn refuse(&mut self, status: Option<u16>) -> Verdict {
        if self.ended {
            return Verdict::Drop;
        }
        match status {
            Some(404) if !self.known => {
                self.unknown += 1;
                if self.unknown < UNKNOWN {
                    return Verdict::Withhold;
                }
                self.ended = true;
                let why = format!(
                    "it knows none of the first {UNKNOWN} records (404); check the settings of the lane, and the column of the remote id"
                );
                Verdict::End(Stop::Unusable, why)
            }
            Some(403) => {
                self.known = true;
                self.forbidden += 1;
                if self.forbidden < FORBIDDEN {
                    return Verdict::Withhold;
                }
                self.ended = true;
                let why = format!(
                    "it answered 403 {FORBIDDEN} times in a row; check the rights of the account"
                );
                Verdict::End(Stop::Credentials, why)
            }
            _ => {
                self.known = true;
                self.count_refused()
            }
        }
    }

    /// A lane that has so many rows with nothing to send.
    pub(in crate::engine) fn new(unchanged: u64) -> Self {
        Self {
            unchanged,
            ..Self::default()
        }
    }

    /// Hears of the refusal of a row that an earlier run saw refused. That says
    /// nothing new, unless most of all rows are such: then nobody has mended what
    /// is wrong with all of them.
    pub(in crate::engine) fn refuse_again(&mut self) -> Verdict {
        self.again += 1;
        let others = self.finished - self.refused + self.unchanged;
        if self.ended || self.again < REFUSALS || self.again <= others {
            return Verdict::Record;
        }
        self.ended = true;
        Verdict::RecordLast(format!(
            "too many rejects: {} rows that were rejected before are rejected again; check the mapping of the lane",
            self.again
        ))
    }

    /// Counts a refusal that is its row's own.
    pub(in crate::engine) fn count_refused(&mut self) -> Verdict {
        self.finished += 1;
        self.refused += 1;
        let too_many = self.refused >= REFUSALS && self.refused * 2 > self.finished;
        if !too_many {
            return Verdict::Record;
        }
        self.ended = true;
        Verdict::RecordLast(format!(
            "too many rejects: {} of {} rows; check the mapping of the lane",
            self.refused, self.finished
        ))
    }

    /// Hears of a row that came to another outcome.
    pub(in crate::engine) fn settle(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Updated | Outcome::Unchanged => {
                self.known = true;
                self.forbidden = 0;
                self.finished += 1;
            }
            Outcome::Failed | Outcome::InDoubt => self.finished += 1,
            // Nothing was asked about these, or it is counted elsewhere.
            Outcome::Rejected | Outcome::Invalid | Outcome::Planned | Outcome::Skipped(_) => {}
        }
    }

    /// Whether a withheld refusal is known to be its row's own by now.
    pub(in crate::engine) fn releases(&self, status: Option<u16>) -> bool {
        !self.ended
            && match status {
                Some(403) => self.forbidden == 0,
                _ => self.known,
            }
    }

    /// Whether refusals ended the lane: what is withheld is nobody's fault.
    pub(in crate::engine) fn has_ended(&self) -> bool {
        self.ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_rows_that_nobody_knows_end_the_lane_and_mark_none() {
        let mut tally = Tally::default();
        for _ in 1..UNKNOWN {
            assert_eq!(tally.refuse(Some(404)), Verdict::Withhold);
            assert!(!tally.releases(Some(404)));
        }
        assert!(matches!(
            tally.refuse(Some(404)),
            Verdict::End(Stop::Unusable, _)
        ));
        assert_eq!(tally.refuse(Some(404)), Verdict::Drop);
        assert!(tally.has_ended() && !tally.releases(Some(404)));
    }

    #[test]
    fn one_row_that_is_known_makes_the_others_their_own_fault() {
        for known in [Outcome::Updated, Outcome::Unchanged] {
            let mut tally = Tally::default();
            assert_eq!(tally.refuse(Some(404)), Verdict::Withhold);
            tally.settle(Outcome::Failed);
            assert!(!tally.releases(Some(404)), "a failure says nothing");
            tally.settle(known);
            assert!(tally.releases(Some(404)));
            assert_eq!(tally.refuse(Some(404)), Verdict::Record);
        }
        let mut tally = Tally::default();
        assert_eq!(tally.refuse(Some(404)), Verdict::Withhold);
        assert_eq!(tally.refuse(Some(422)), Verdict::Record);
        assert!(tally.releases(Some(404)));
    }

    #[test]
    fn five_rows_in_a_row_that_may_not_be_written_end_the_lane() {
        let mut tally = Tally::default();
        for _ in 1..FORBIDDEN {
            assert_eq!(tally.refuse(Some(403)), Verdict::Withhold);
        }
        tally.settle(Outcome::Updated);
        assert!(tally.releases(Some(403)));
        for _ in 1..FORBIDDEN {
            assert_eq!(tally.refuse(Some(403)), Verdict::Withhold);
            // Another refusal is no success.
            assert_eq!(tally.refuse(Some(422)), Verdict::Record);
        }
        assert!(!tally.releases(Some(403)));
        assert!(matches!(
            tally.refuse(Some(403)),
            Verdict::End(Stop::Credentials, _)
        ));
    }

    #[test]
    fn most_rows_refused_are_too_many_from_twenty_on() {
        let mut tally = Tally::default();
        for _ in 1..REFUSALS {
            assert_eq!(tally.refuse(Some(422)), Verdict::Record);
        }
        let Verdict::RecordLast(why) = tally.refuse(Some(422)) else {
            panic!()
        };
        assert!(why.contains("too many rejects: 20 of 20"), "{why}");
        assert_eq!(tally.refuse(Some(422)), Verdict::Drop);

        let mut half = Tally::default();
        for _ in 0..500 {
            half.settle(Outcome::Updated);
            assert_eq!(half.refuse(Some(422)), Verdict::Record);
        }
        let last = half.refuse(Some(422));
        assert!(matches!(last, Verdict::RecordLast(_)), "501 of 1001");
    }

    #[test]
    fn what_is_refused_every_night_ends_the_lane_only_where_it_is_most_of_it() {
        // Of 400 rows 25 are refused, and the others are as they should be.
        let mut few = Tally::new(375);
        for _ in 0..25 {
            assert_eq!(few.refuse_again(), Verdict::Record);
        }
        assert_eq!(few.refuse(Some(422)), Verdict::Record);
        // Nobody has mended the mapping since all of them were refused.
        let mut all = Tally::new(30);
        all.settle(Outcome::Updated);
        for _ in 0..31 {
            assert_eq!(all.refuse_again(), Verdict::Record);
        }
        assert!(matches!(all.refuse_again(), Verdict::RecordLast(_)));
        assert_eq!(all.refuse_again(), Verdict::Record, "it was under way");
    }
}
