//! Counts changes and groups problems while the rows stream by.
//!
//! Memory is bounded by the number of mapped fields, [`MAX_GROUPS`] and
//! [`MAX_PLACES`], never by the number of rows; what exceeds the bounds is
//! counted and said.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::core::{FieldPath, Outcome};

use super::model::{Cause, Detail, Place, ProblemDetail, ProblemGroup, Report, RowDetail};

/// How many causes are kept apart.
pub const MAX_GROUPS: usize = 1_000;

/// How many rows of each cause are named.
pub const MAX_PLACES: usize = 20;

/// Takes every detail of a plan or a run once and fills the report's head.
#[derive(Debug, Default)]
pub struct Collector {
    fields: BTreeMap<String, BTreeMap<FieldPath, u64>>,
    groups: HashMap<(Cause, String), Gathered>,
    not_grouped: u64,
    known: Option<BTreeSet<Cause>>,
}

#[derive(Debug)]
struct Gathered {
    group: ProblemGroup,
    order: usize,
    /// The line counted last: a row that names one cause twice counts once.
    last: Option<u64>,
}

impl Collector {
    /// A collector that knows the causes of the last run, and so which are new.
    #[must_use]
    pub fn since(known: BTreeSet<Cause>) -> Self {
        Self {
            known: Some(known),
            ..Self::default()
        }
    }

    /// Takes one detail.
    pub fn take(&mut self, detail: &Detail) {
        match detail {
            Detail::Row(row) => self.take_row(row),
            Detail::Problem(problem) => self.take_problem(problem),
            Detail::Drift(drift) => {
                let fields = drift.fields.iter().map(|field| &field.field);
                self.count(&drift.lane, fields);
            }
        }
    }

    fn take_row(&mut self, row: &RowDetail) {
        if matches!(row.outcome, Outcome::Planned | Outcome::Updated) {
            let fields = row.draft.changes.iter().map(|change| &change.field);
            self.count(&row.provider, fields.filter(|field| !row.is_kept(field)));
        }
        for problem in row.problem_details() {
            self.take_problem(&problem);
        }
    }

    fn count<'f>(&mut self, lane: &str, changed: impl Iterator<Item = &'f FieldPath>) {
        // Names are cloned once per lane and field, not once per row.
        if !self.fields.contains_key(lane) {
            self.fields.insert(lane.to_owned(), BTreeMap::new());
        }
        let Some(fields) = self.fields.get_mut(lane) else {
            return;
        };
        for field in changed {
            match fields.get_mut(field) {
                Some(count) => *count += 1,
                None => {
                    fields.insert(field.clone(), 1);
                }
            }
        }
    }

    fn take_problem(&mut self, detail: &ProblemDetail) {
        let problem = &detail.problem;
        let message = if detail.quotes_provider() {
            without_particulars(&problem.message)
        } else {
            problem.message.clone()
        };
        let key = (detail.cause(), message);
        let order = self.groups.len();
        if order >= MAX_GROUPS && !self.groups.contains_key(&key) {
            self.not_grouped += 1;
            return;
        }
        let new = self.known.as_ref().map(|known| !known.contains(&key.0));
        let gathered = self
            .groups
            .entry(key)
            .or_insert_with_key(|(cause, message)| Gathered {
                group: ProblemGroup {
                    code: cause.code.clone(),
                    message: message.clone(),
                    provider: cause.provider.clone(),
                    column: cause.column.clone(),
                    field: cause.field.clone(),
                    outcome: detail.outcome,
                    rows: 0,
                    first: Vec::new(),
                    new,
                },
                order,
                last: None,
            });
        let of_row = problem.line.is_some() || problem.key.is_some() || problem.remote_id.is_some();
        if !of_row || (problem.line.is_some() && gathered.last == problem.line) {
            return;
        }
        gathered.last = problem.line;
        gathered.group.rows += 1;
        if gathered.group.first.len() < MAX_PLACES {
            gathered.group.first.push(Place {
                line: problem.line,
                key: problem.key.clone(),
                remote_id: problem.remote_id.clone(),
            });
        }
    }

    /// Puts what was gathered into the report.
    pub fn finish(self, report: &mut Report) {
        for (lane, fields) in self.fields {
            report.providers.entry(lane).or_default().field_changes = fields;
        }
        let mut groups: Vec<Gathered> = self.groups.into_values().collect();
        // New ones first, then the largest, then as they came.
        groups.sort_by_key(|gathered| {
            (
                gathered.group.new != Some(true),
                std::cmp::Reverse(gathered.group.rows),
                gathered.order,
            )
        });
        report.problem_groups = groups.into_iter().map(|gathered| gathered.group).collect();
        report.problems_not_grouped = self.not_grouped;
    }
}

impl ProblemDetail {
    /// What this problem has in common with others of its kind.
    #[must_use]
    pub fn cause(&self) -> Cause {
        Cause {
            provider: self.provider.clone(),
            code: self.problem.code.clone(),
            column: self.problem.column.clone(),
            field: self.problem.field.clone(),
        }
    }
}

/// A provider's words without what differs from row to row: quoted parts, and
/// words that hold a digit or an at sign. So one cause stays one group.
fn without_particulars(message: &str) -> String {
    let mut unquoted = String::with_capacity(message.len());
    let mut quote: Option<char> = None;
    let mut previous = ' ';
    let mut rest = message.chars();
    while let Some(c) = rest.next() {
        match quote {
            Some(end) if c == end => {
                quote = None;
                unquoted.push('…');
            }
            Some(_) => {}
            // An apostrophe inside a word quotes nothing, nor does a mark that
            // nothing closes.
            None if matches!(c, '"' | '\'' | '`')
                && !previous.is_alphanumeric()
                && rest.as_str().contains(c) =>
            {
                quote = Some(c);
            }
            None => unquoted.push(c),
        }
        previous = c;
    }
    let words: Vec<&str> = unquoted
        .split_whitespace()
        .map(|word| {
            if word.contains(|c: char| c.is_ascii_digit() || c == '@') {
                "…"
            } else {
                word
            }
        })
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_differ_by_row_make_one_cause() {
        let table = [
            ("email ann@example.com is taken", "email … is taken"),
            ("value \"Ann Lee\" is too long", "value … is too long"),
            ("client 4711 not found", "client … not found"),
            ("can't be blank, isn't valid", "can't be blank, isn't valid"),
            ("'x' isn't one of 'a', 'b'", "… isn't one of …, …"),
            ("an \"open end", "an \"open end"),
        ];
        for (message, cause) in table {
            assert_eq!(without_particulars(message), cause);
        }
    }
}
