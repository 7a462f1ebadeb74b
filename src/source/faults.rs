//! Structural faults, collected while a file is read.
//!
//! The scanner knows columns by their number; the names are put in when the
//! header is known. It must never hold a cell's value, nor more faults than
//! [`LISTED`]: a file of another encoding has one in every row.

use crate::core::Problem;

/// How many faults are listed; the rest is counted.
pub(super) const LISTED: usize = 100;

/// One fault, with its column by number.
#[derive(Debug)]
struct Fault {
    problem: Problem,
    column: Option<usize>,
    place: Place,
}

/// Where a fault stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In the header or above it.
    Header,
    /// Below the header.
    Rows,
}

/// The faults of one pass.
#[derive(Debug, Default)]
pub(super) struct Faults {
    listed: Vec<Fault>,
    more: u64,
}

impl Faults {
    /// Adds a fault; the answer is its number in the list, when it was listed.
    pub(super) fn add(
        &mut self,
        problem: Problem,
        column: Option<usize>,
        place: Place,
    ) -> Option<usize> {
        if self.listed.len() == LISTED {
            self.more += 1;
            return None;
        }
        self.listed.push(Fault {
            problem,
            column,
            place,
        });
        Some(self.listed.len() - 1)
    }

    /// Adds a remark to the message of a listed fault.
    pub(super) fn remark(&mut self, number: usize, remark: &str) {
        if let Some(fault) = self.listed.get_mut(number) {
            fault.problem.message.push_str(remark);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    /// The faults of the header, when it has any.
    pub(super) fn into_header_problems(mut self) -> Vec<Problem> {
        self.listed.retain(|fault| fault.place == Place::Header);
        self.more = 0;
        self.into_problems(&[])
    }

    /// All problems in the order of their lines, with the names of their columns.
    pub(super) fn into_problems(self, names: &[String]) -> Vec<Problem> {
        let with_column = self.listed.into_iter().map(|fault| {
            let name = fault.column.and_then(|column| names.get(column));
            match name {
                Some(name) if fault.place == Place::Rows => fault.problem.column(name),
                _ => fault.problem,
            }
        });
        let mut problems: Vec<Problem> = with_column.collect();
        problems.sort_by_key(|problem| problem.line);
        if self.more > 0 {
            let message = format!("{} more problems are not listed", self.more);
            problems.push(Problem::new("E_MORE", message));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_capped_and_the_rest_counted() {
        let mut faults = Faults::default();
        for line in 1..=130 {
            faults.add(
                Problem::new("E_RAGGED", "x").line(line),
                Some(1),
                Place::Rows,
            );
        }
        let problems = faults.into_problems(&["id".into(), "name".into()]);
        assert_eq!(problems.len(), LISTED + 1);
        assert_eq!(problems[0].column.as_deref(), Some("name"));
        assert_eq!(problems[LISTED].code, "E_MORE");
        assert!(problems[LISTED].message.starts_with("30 more"));
    }
}
