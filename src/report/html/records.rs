//! The block of JSON that the page's script reads, written row by row.
//!
//! ```text
//! {"rows": [[lane, key, line, remote_id, outcome, first, [[kind, field, before, after, note]]]],
//!  "names": [text], "complete": bool}
//! ```
//!
//! `lane`, `field` and `outcome` are indexes into `names`; `kind` counts the
//! variants of [`Kind`]; `first` is 1 for a first push. `before` and `after` are
//! a text, or the number of a state: 0 unknown, 1 new field, 2 hidden, 3 empty.
//! What does not apply is null, and at an end left out. The form is between this
//! file and `page.js`, and no contract.

use std::collections::HashMap;

use serde::Serialize;

use crate::core::{
    Change, DriftedField, Extra, KEPT, Outcome, Push, Says, SkipReason, Travels, When,
};
use crate::report::escape::escape;
use crate::report::model::{Detail, ProblemDetail, ReportError, RowDetail};
use crate::report::text::named;
use crate::report::value::{KEPT_WORDS, Side, Values, WORDS_HIDDEN, foreign, long_sides, shown};

use super::page::Page;

/// What an item tells of its row; `page.js` has the same order.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Change,
    Extra,
    Withheld,
    Carried,
    Problem,
    Request,
    Outcome,
    Drift,
}

/// A cell of an item.
#[derive(Serialize)]
#[serde(untagged)]
enum Cell {
    Nothing,
    Number(usize),
    Text(String),
}

/// One item of a row, as it is written.
#[derive(Serialize)]
pub(super) struct Item(Vec<Cell>);

/// What stands before the items of a row.
pub(super) struct Subject<'a> {
    pub(super) lane: Option<&'a str>,
    pub(super) key: &'a str,
    pub(super) line: Option<u64>,
    pub(super) remote_id: Option<&'a str>,
    pub(super) outcome: Option<String>,
    pub(super) push: Option<Push>,
}

/// The block that is being written. [`Records::end`] closes it.
pub(super) struct Records<'p, 'w> {
    page: &'p mut Page<'w>,
    names: Names,
    rows: u64,
}

/// Texts that many rows share: lanes, fields, outcomes. There are as many as
/// the configuration and the contracts name, whatever the number of rows.
#[derive(Default)]
struct Names {
    list: Vec<String>,
    index: HashMap<String, usize>,
}

impl Names {
    fn of(&mut self, name: &str) -> usize {
        if let Some(index) = self.index.get(name) {
            return *index;
        }
        let index = self.list.len();
        self.list.push(foreign(name));
        self.index.insert(name.to_owned(), index);
        index
    }
}

impl<'p, 'w> Records<'p, 'w> {
    pub(super) fn begin(page: &'p mut Page<'w>) -> Result<Self, ReportError> {
        page.markup("<script type=\"application/json\" id=\"records\">{\"rows\":[")?;
        Ok(Self {
            page,
            names: Names::default(),
            rows: 0,
        })
    }

    /// Writes what is to be told of one detail.
    pub(super) fn detail(&mut self, detail: &Detail, values: Values) -> Result<(), ReportError> {
        match detail {
            Detail::Row(row) => {
                let items = self.items_of(row, values);
                let subject = Subject {
                    lane: Some(&row.provider),
                    key: row.key.as_str(),
                    line: row.line,
                    remote_id: Some(&row.remote_id),
                    outcome: Some(row.outcome.to_string()),
                    push: Some(row.push),
                };
                self.row(&subject, &items)
            }
            Detail::Drift(drift) => {
                let fields = drift.fields.iter();
                let items: Vec<Item> = fields.map(|field| self.drifted(field, values)).collect();
                let subject = Subject {
                    lane: Some(&drift.lane),
                    key: drift.key.as_str(),
                    line: Some(drift.line),
                    remote_id: Some(&drift.remote_id),
                    outcome: Some(Outcome::Skipped(SkipReason::Drifted).to_string()),
                    push: None,
                };
                self.row(&subject, &items)
            }
            Detail::Problem(problem) => {
                let item = self.problem(problem, values);
                let key = problem.problem.key.as_ref();
                let subject = Subject {
                    lane: problem.provider.as_deref(),
                    key: key.map_or("", |key| key.as_str()),
                    line: problem.problem.line,
                    remote_id: problem.problem.remote_id.as_deref(),
                    outcome: problem.outcome.map(|outcome| outcome.to_string()),
                    push: None,
                };
                self.row(&subject, &[item])
            }
        }
    }

    /// Writes one row with its items.
    pub(super) fn row(&mut self, subject: &Subject<'_>, items: &[Item]) -> Result<(), ReportError> {
        let lane = subject.lane.map(|lane| self.names.of(lane));
        let outcome = subject.outcome.as_deref().map(|o| self.names.of(o));
        let row = (
            lane,
            foreign(subject.key),
            subject.line,
            subject.remote_id.map(foreign),
            outcome,
            u8::from(subject.push == Some(Push::First)),
            items,
        );
        let text = serde_json::to_string(&row)?;
        self.page.markup(if self.rows > 0 { ",\n" } else { "\n" })?;
        self.rows += 1;
        self.page.json(&text)
    }

    fn items_of(&mut self, row: &RowDetail, values: Values) -> Vec<Item> {
        let draft = &row.draft;
        let mut items = Vec::with_capacity(draft.changes.len());
        for change in &draft.changes {
            items.push(if row.is_kept(&change.field) {
                let field = self.names.of(&change.field.to_string());
                let words = KEPT_WORDS.to_owned();
                item(Kind::Withheld, Some(field), [None, None], words)
            } else {
                self.change(change, values)
            });
        }
        for extra in &draft.extras {
            items.push(self.extra(extra, values));
        }
        for withheld in &draft.withheld {
            let note = format!("not sent while {} is false", named(&withheld.while_false));
            let field = self.names.of(&withheld.field.to_string());
            items.push(item(Kind::Withheld, Some(field), [None, None], note));
        }
        for unit in &draft.carried {
            let note = format!("the rest of {} is carried from the read", named(unit));
            items.push(item(Kind::Carried, None, [None, None], note));
        }
        // What was kept is told with its field already.
        let problems = row.problem_details().into_iter();
        for problem in problems.filter(|detail| detail.problem.code != KEPT) {
            items.push(self.problem(&problem, values));
        }
        items
    }

    fn change(&mut self, change: &Change, values: Values) -> Item {
        let note = match change.when {
            When::Always => "",
            When::Blank => "only if the provider holds nothing",
        };
        let field = self.names.of(&change.field.to_string());
        let before = Side::before(&change.before, change.shown, values);
        let after = Side::of(&change.after, change.shown, values);
        item(
            Kind::Change,
            Some(field),
            cells([before, after]),
            note.to_owned(),
        )
    }

    /// What was acknowledged and what is held now, with what the row says of it.
    fn drifted(&mut self, drifted: &DriftedField, values: Values) -> Item {
        let note = match &drifted.source {
            Says::Nothing => "the file says nothing".to_owned(),
            Says::Same => "the file says the same".to_owned(),
            Says::Other(wanted) => {
                format!("the file says {}", shown(wanted, drifted.shown, values))
            }
            Says::Invalid => "the file has a row that cannot be used".to_owned(),
        };
        let field = self.names.of(&drifted.field.to_string());
        let acknowledged = Side::before(&drifted.acknowledged, drifted.shown, values);
        let now = Side::of(&drifted.now, drifted.shown, values);
        item(Kind::Drift, Some(field), cells([acknowledged, now]), note)
    }

    fn extra(&mut self, extra: &Extra, values: Values) -> Item {
        let note = match &extra.because {
            Travels::Whole(unit) => format!("because {} is sent whole", named(unit)),
            Travels::Together(first) => {
                format!("because the group of {} is sent together", named(first))
            }
        };
        let field = self.names.of(&extra.field.to_string());
        let side = Side::of(&extra.value, extra.shown, values);
        let [after, _] = cells([side, side]);
        item(Kind::Extra, Some(field), [None, after], note)
    }

    fn problem(&mut self, detail: &ProblemDetail, values: Values) -> Item {
        let problem = &detail.problem;
        let hidden = values == Values::Hidden && detail.quotes_provider();
        let mut note = if hidden {
            WORDS_HIDDEN.to_owned()
        } else {
            foreign(&problem.message)
        };
        if let Some(status) = detail.status {
            note = format!("{note} (status {status})");
        }
        let name = match (&problem.field, &problem.column) {
            (Some(field), _) => Some(field.to_string()),
            (None, column) => column.clone(),
        };
        let field = name.map(|name| self.names.of(&name));
        item(Kind::Problem, field, [None, None], note)
    }

    /// Closes the block, and says on the page when rows are missing in it.
    pub(super) fn end(self, told: &Result<(), ReportError>) -> Result<(), ReportError> {
        self.page.markup("\n],\"names\":")?;
        self.page.json(&serde_json::to_string(&self.names.list)?)?;
        let complete = if told.is_ok() { "true" } else { "false" };
        self.page.markup(",\"complete\":")?;
        self.page.markup(complete)?;
        self.page.markup("}</script>\n")?;
        if let Err(error @ ReportError::Details(_)) = told {
            let attributes = [("class", "incomplete"), ("role", "alert")];
            let text = escape(&error.to_string()).into_owned();
            self.page.leaf("p", &attributes, &text)?;
        }
        Ok(())
    }
}

/// The cells of two sides of a field.
fn cells(sides: [Side<'_>; 2]) -> [Option<Cell>; 2] {
    let [before, after] = long_sides(sides);
    [Some(cell(sides[0], before)), Some(cell(sides[1], after))]
}

fn cell(side: Side<'_>, text: Option<String>) -> Cell {
    match (side, text) {
        (Side::Unknown, _) => Cell::Number(0),
        (Side::NewField, _) => Cell::Number(1),
        (Side::Hidden, _) => Cell::Number(2),
        (Side::Value(_), None) => Cell::Number(3),
        (Side::Value(_), Some(text)) => Cell::Text(text),
    }
}

/// An item that has only words.
pub(super) fn item_of_words(kind: Kind, words: String) -> Item {
    item(kind, None, [None, None], words)
}

/// An item without the empty cells at its end.
fn item(kind: Kind, field: Option<usize>, sides: [Option<Cell>; 2], note: String) -> Item {
    let [before, after] = sides;
    let note = if note.is_empty() {
        Cell::Nothing
    } else {
        Cell::Text(note)
    };
    let mut cells = vec![
        Cell::Number(kind as usize),
        field.map_or(Cell::Nothing, Cell::Number),
        before.unwrap_or(Cell::Nothing),
        after.unwrap_or(Cell::Nothing),
        note,
    ];
    while matches!(cells.last(), Some(Cell::Nothing)) {
        cells.pop();
    }
    Item(cells)
}
