//! Guards: named limits on a whole plan, judged before the first byte is sent.
//!
//! Pure. A guard never changes a plan; it lets it pass or refuses all of it.

use crate::core::{GuardVerdict, Ruling, Scope};

/// No percentage is judged below this many records.
const FLOOR: u64 = 10;

/// The limits of one lane, or of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guards {
    /// The fewest rows a source may have; 0 is off.
    pub min_rows: u64,
    /// How many rows fewer than the last good run a source may have.
    pub max_row_drop: Limit,
}

/// A limit of a guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// A share of what is known, in hundredths of a percent: 10% is 1000.
    Share(u32),
    /// A number.
    Count(u64),
    /// No limit.
    Off,
}

impl Default for Guards {
    /// At least one row, and at most 10% fewer than before.
    fn default() -> Self {
        Self {
            min_rows: 1,
            max_row_drop: Limit::Share(1_000),
        }
    }
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Share(share) if share % 100 == 0 => write!(f, "{}%", share / 100),
            Self::Share(share) => write!(f, "{}.{:02}%", share / 100, share % 100),
            Self::Count(count) => write!(f, "{count}"),
            Self::Off => f.write_str("off"),
        }
    }
}

/// What the row guards judge.
#[derive(Clone, Copy, Debug)]
pub struct Rows {
    /// The rows of the source now.
    pub now: u64,
    /// The rows of the last good run, where there was one.
    pub last_good: Option<u64>,
    /// Whether the source is the whole population.
    pub scope: Scope,
}

/// Judges the number of rows, for one lane or for all (`lane` is `None`).
#[must_use]
pub fn judge_rows(guards: &Guards, rows: Rows, lane: Option<&str>) -> Vec<GuardVerdict> {
    let verdict = |guard: &str, refused: bool, message: String| GuardVerdict {
        guard: guard.to_owned(),
        lane: lane.map(str::to_owned),
        ruling: if refused {
            Ruling::Refused
        } else {
            Ruling::Passed
        },
        message,
    };
    let place = lane.map_or_else(
        || "[guards]".to_owned(),
        |lane| format!("[providers.{lane}.guards]"),
    );
    let mut verdicts = Vec::new();
    let short = rows.now < guards.min_rows;
    let remedy = if short {
        format!("; is the file complete? If so, lower min_rows in {place}")
    } else {
        String::new()
    };
    verdicts.push(verdict(
        "min_rows",
        short,
        format!(
            "{} rows, at least {} are expected{remedy}",
            rows.now, guards.min_rows
        ),
    ));
    let (Some(before), Scope::Whole) = (rows.last_good, rows.scope) else {
        return verdicts;
    };
    let dropped = before.saturating_sub(rows.now);
    let refused = match guards.max_row_drop {
        Limit::Off => false,
        Limit::Count(most) => dropped > most,
        Limit::Share(_) if before < FLOOR => false,
        Limit::Share(share) => hundredths(dropped, before) > u128::from(share),
    };
    let message = format!(
        "{} rows now, {before} in the last good run: {dropped} fewer ({}.{:02}%), the limit is {}{}",
        rows.now,
        hundredths(dropped, before) / 100,
        hundredths(dropped, before) % 100,
        guards.max_row_drop,
        if refused {
            format!(
                "; is the file cut off? If so many clients really left, raise max_row_drop in {place}"
            )
        } else {
            String::new()
        }
    );
    verdicts.push(verdict("max_row_drop", refused, message));
    verdicts
}

/// A share in hundredths of a percent, rounded up: a limit is never passed by
/// a rounding.
fn hundredths(part: u64, whole: u64) -> u128 {
    (u128::from(part) * 10_000).div_ceil(u128::from(whole.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(now: u64, last_good: Option<u64>, scope: Scope, max_row_drop: Limit) -> Vec<String> {
        let guards = Guards {
            min_rows: 1,
            max_row_drop,
        };
        let verdicts = judge_rows(
            &guards,
            Rows {
                now,
                last_good,
                scope,
            },
            None,
        );
        verdicts
            .into_iter()
            .filter(|v| v.ruling == Ruling::Refused)
            .map(|v| v.guard)
            .collect()
    }

    #[test]
    fn an_empty_source_is_refused() {
        assert_eq!(refused(0, None, Scope::Whole, Limit::Off), ["min_rows"]);
        assert_eq!(refused(0, None, Scope::Partial, Limit::Off), ["min_rows"]);
    }

    #[test]
    fn a_drop_is_judged_from_ten_rows_on_and_only_for_whole_files() {
        let ten = Limit::Share(1_000);
        assert_eq!(refused(89, Some(100), Scope::Whole, ten), ["max_row_drop"]);
        assert!(refused(90, Some(100), Scope::Whole, ten).is_empty());
        assert!(refused(200, Some(100), Scope::Whole, ten).is_empty());
        assert!(refused(10, Some(100), Scope::Partial, ten).is_empty());
        assert!(refused(1, Some(9), Scope::Whole, ten).is_empty());
        assert!(refused(10, Some(100), Scope::Whole, Limit::Off).is_empty());
        assert_eq!(
            refused(3, Some(9), Scope::Whole, Limit::Count(5)),
            ["max_row_drop"]
        );
    }

    #[test]
    fn a_verdict_names_its_numbers_and_the_remedy() {
        let guards = Guards {
            min_rows: 1,
            max_row_drop: Limit::Share(1_000),
        };
        let verdicts = judge_rows(
            &guards,
            Rows {
                now: 58,
                last_good: Some(100),
                scope: Scope::Whole,
            },
            Some("crm"),
        );
        assert_eq!(
            verdicts[1].message,
            "58 rows now, 100 in the last good run: 42 fewer (42.00%), the limit is 10%; is the file cut off? \
             If so many clients really left, raise max_row_drop in [providers.crm.guards]"
        );
    }
}
