//! Takes a case through the real functions and tells every difference.
//!
//! Configuration, source, plan, body and request are made by the program; the
//! judge only compares. It must never repair an expectation.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use clientsync::core::{
    Acknowledged, Before, Body, Completed, Completing, FieldPath, Json, LeftOut, LeftOutReason,
    Outcome, Overlay, PlanLine, PlannedUpdate, Problem, Response, Settled, When, complete,
};
use clientsync::engine::{body_problems, open_update};
use clientsync::store::{Adopted, OpenRun, SnapshotWrite, Store};
use serde::Serialize;
use serde_json::Value;

use super::expected::{
    ConfigExpected, Expected, LabelsExpected, LeftOutExpected, NextRun, ProblemExpected,
    RequestExpected, RowExpected, body_text,
};
use super::state::{begin, remember};
use crate::support::lane::{Plan, Setup, key};

/// Every difference between a case and what the program makes of it.
pub(super) fn judge(folder: &Path) -> Vec<String> {
    let text = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let expected: Expected = match serde_json::from_str(&text("expected.json")) {
        Ok(expected) => expected,
        Err(error) => return vec![format!("expected.json cannot be read: {error}")],
    };
    let setup = match Setup::read(&text("clientsync.toml"), folder) {
        Ok(setup) => setup,
        Err(problems) => {
            let wanted = expected.config.unwrap_or_default();
            let fits = wanted.len() == problems.len()
                && wanted.iter().zip(&problems).all(|(want, got)| {
                    want.code == got.code && want.key == got.key && got.message.contains(&want.says)
                });
            let got: Vec<ConfigExpected> = problems.into_iter().map(ConfigExpected::of).collect();
            let difference = format!("configuration{}", difference(&wanted, &got));
            return if fits { Vec::new() } else { vec![difference] };
        }
    };
    if expected.config.is_some() {
        return vec!["the configuration was expected to be refused".to_owned()];
    }
    let mut store = Store::open_in_memory().unwrap();
    setup.bind(&mut store);
    let run = begin(&mut store);
    let snapshot = folder.join("snapshot.json");
    if snapshot.is_file() {
        let snapshot = serde_json::from_str(&text("snapshot.json")).unwrap();
        remember(&mut store, run, &setup.lanes[0], snapshot);
    }
    let record = folder.join("record.json");
    let record = record.is_file().then(|| fs::read(&record).unwrap());
    let given = ["row.csv", "snapshot.json", "record.json"]
        .map(|name| fs::read_to_string(folder.join(name)).unwrap_or_default())
        .concat();
    let rows = expected.rows.unwrap_or_default();
    let mut hidden = rows.iter().flat_map(|row| &row.plan_hides);
    if let Some(text) = hidden.find(|text| !given.contains(text.as_str())) {
        return vec![format!(
            "`{text}` cannot be hidden: no file of the case holds it"
        )];
    }
    let mut case = Case {
        setup,
        store,
        run,
        record,
        record_used: false,
        differences: Vec::new(),
    };
    case.rows(&rows);
    case.differences
}

/// A case on its way.
struct Case {
    setup: Setup,
    store: Store,
    run: OpenRun,
    record: Option<Vec<u8>>,
    record_used: bool,
    differences: Vec<String>,
}

/// What became of a row.
enum Became<'a> {
    Unplanned,
    LeftOut(&'a LeftOut),
    Update(&'a PlannedUpdate),
}

impl Case {
    fn rows(&mut self, expected: &[RowExpected]) {
        let plan = self.setup.plan(&self.store);
        let counts = &plan.trailer.lanes[&self.setup.lanes[0].name];
        let repeats = expected.iter().filter(|row| row.repeat.is_some()).count();
        self.same(
            "rows",
            &u64::try_from(expected.len() - repeats).unwrap(),
            &counts.rows,
        );
        let lines = plan.lines();
        for (row, line) in expected.iter().zip(2..) {
            let became = lines.iter().find_map(|found| match found {
                PlanLine::LeftOut(left_out) if left_out.line == line => {
                    Some(Became::LeftOut(left_out))
                }
                PlanLine::Update(update) if update.line == line => Some(Became::Update(update)),
                _ => None,
            });
            let before = self.differences.len();
            self.row(row, became.unwrap_or(Became::Unplanned), &plan);
            for difference in &mut self.differences[before..] {
                *difference = format!("line {line}: {difference}");
            }
        }
        if self.record.is_some() && !self.record_used {
            self.differ("record.json is there, but nothing was read");
        }
        self.next_run(expected);
    }

    fn row(&mut self, expected: &RowExpected, became: Became<'_>, plan: &Plan) {
        let plan = String::from_utf8_lossy(&plan.bytes);
        if expected.says().len() != 1 {
            self.differ("expected.json says not one thing of the row");
        }
        for text in &expected.plan_hides {
            if plan.contains(text) {
                self.differ(format!("the plan file holds `{text}`"));
            }
        }
        match (expected, became) {
            (
                RowExpected {
                    nothing: Some(_),
                    read_url: None,
                    ..
                }
                | RowExpected {
                    repeat: Some(_), ..
                },
                Became::Unplanned,
            ) => {}
            (
                RowExpected {
                    left_out: Some(LeftOutExpected { invalid }),
                    read_url: None,
                    ..
                },
                Became::LeftOut(left_out),
            ) => {
                self.same("reason", &LeftOutReason::Invalid, &left_out.reason);
                self.problems(invalid, &left_out.problems);
            }
            (
                RowExpected {
                    skipped: Some(reason),
                    ..
                },
                Became::LeftOut(left_out),
            ) => {
                let outcome = Outcome::from(left_out.reason).to_string();
                self.same("outcome", &format!("skipped({reason})"), &outcome);
            }
            (expected, Became::Update(update)) => self.update(expected, update.clone()),
            (expected, Became::LeftOut(left_out)) => {
                let says = expected.says().concat();
                self.differ(format!(
                    "expected {says}
got a row that is left out"
                ));
                self.problems(&[], &left_out.problems);
            }
            (expected, Became::Unplanned) => {
                let says = expected.says().concat();
                self.differ(format!(
                    "expected {says}
got nothing to send"
                ));
            }
        }
    }

    /// A planned update, completed with the read where it needs one.
    fn update(&mut self, expected: &RowExpected, mut update: PlannedUpdate) {
        open_update(&mut update, &key()).unwrap();
        let known = self
            .store
            .acknowledged(&update.lane, &update.key)
            .unwrap()
            .map_or_else(Acknowledged::new, |row| row.values);
        let labels = expected.labels.as_ref();
        self.labels(labels.unwrap_or(&LabelsExpected::default()), &update);
        let lane = &self.setup.lanes[0];
        let read = (!update.draft.read.is_empty())
            .then(|| {
                lane.provider
                    .read_request(&lane.settings, &update.remote_id)
            })
            .map(|request| request.unwrap().expect("the provider can be read"));
        let record = read.as_ref().map(|_| {
            let response = Response {
                status: 200,
                headers: Vec::new(),
                body: self.record.clone().expect("record.json, for the read"),
            };
            lane.provider.record(&response).expect("a record")
        });
        let was_read = read.is_some();
        let read_url = read.map(|request| request.url);
        let completed = complete(
            &update.draft,
            record.as_ref(),
            &Completing {
                shape: &lane.provider.shape,
                mappings: &lane.mappings,
                known: &known,
                key: lane.keeping.key.as_ref(),
                remote_id: &update.remote_id,
            },
        );
        let refused = match &completed {
            Err(problems) => problems.clone(),
            Ok(Completed::Body(body)) => body_problems(lane, body, &update.remote_id),
            Ok(Completed::Unchanged(_)) => Vec::new(),
        };
        self.record_used |= was_read;
        self.same("read_url", &expected.read_url, &read_url);
        match (expected, completed) {
            (
                RowExpected {
                    left_out: Some(LeftOutExpected { invalid }),
                    ..
                },
                _,
            ) => self.problems(invalid, &refused),
            (
                RowExpected {
                    request: Some(request),
                    ..
                },
                Ok(Completed::Body(body)),
            ) if refused.is_empty() => {
                self.request(request, &update, &body, was_read);
                self.settled(expected, &update, &body.settled);
            }
            (
                RowExpected {
                    nothing: Some(_), ..
                },
                Ok(Completed::Unchanged(settled)),
            ) => self.settled(expected, &update, &settled),
            (expected, Ok(Completed::Body(body))) if refused.is_empty() => self.differ(format!(
                "expected {}
got the body {}",
                expected.says().concat(),
                body.json.to_text()
            )),
            (expected, Ok(Completed::Unchanged(_))) => self.differ(format!(
                "expected {}
got nothing to send after the read",
                expected.says().concat()
            )),
            (_, _) => self.problems(&[], &refused),
        }
    }

    fn request(
        &mut self,
        expected: &RequestExpected,
        update: &PlannedUpdate,
        body: &Body,
        was_read: bool,
    ) {
        // Where nothing is read, the plan's own body is sent.
        let json: &Json = match &update.overlay {
            Overlay::Clear(json) if !was_read => json,
            _ => &body.json,
        };
        let lane = &self.setup.lanes[0];
        let request = lane
            .provider
            .update_request(&lane.settings, &update.remote_id, json)
            .unwrap();
        let (method, text) = (request.method.as_str().to_owned(), request.body);
        self.same("method", &expected.method, &method);
        self.same("url", &expected.url, &request.url);
        let (wanted, text) = (body_text(&expected.body), text.unwrap_or_default());
        if wanted != text {
            self.differ(format!("body: expected\n{wanted}\ngot\n{text}"));
        }
    }

    fn labels(&mut self, expected: &LabelsExpected, update: &PlannedUpdate) {
        let draft = &update.draft;
        let changes: BTreeMap<FieldPath, Before> = draft
            .changes
            .iter()
            .map(|change| (change.field.clone(), change.before.clone()))
            .collect();
        let extras = draft.extras.iter();
        let conditional = draft.changes.iter().filter(|c| c.when == When::Blank);
        let got = LabelsExpected {
            push: Some(update.push),
            changes,
            extras: extras
                .map(|extra| (extra.field.clone(), extra.because.clone()))
                .collect(),
            carried: draft.carried.clone(),
            withheld: draft.withheld.iter().map(|w| w.field.clone()).collect(),
            conditional: conditional.map(|change| change.field.clone()).collect(),
            compared: draft.expected.iter().cloned().collect(),
        };
        self.same("labels", expected, &got);
    }

    /// Compares what becomes known, and keeps it as the answer would.
    fn settled(&mut self, expected: &RowExpected, update: &PlannedUpdate, settled: &Settled) {
        let known: BTreeMap<FieldPath, Value> = settled
            .values
            .iter()
            .filter_map(|(path, value)| Some((path.clone(), value.clone()?)))
            .collect();
        self.same("settles", &expected.settles, &known);
        let drifted: BTreeSet<FieldPath> = settled.drifted.iter().cloned().collect();
        self.same("drifted", &expected.drifted, &drifted);
        let lane = &self.setup.lanes[0];
        let adopted = Adopted {
            key: update.key.clone(),
            snapshot: SnapshotWrite {
                remote_id: update.remote_id.clone(),
                settled: lane.settled(&settled.values),
            },
        };
        self.store.adopt(self.run, &lane.name, &[adopted]).unwrap();
    }

    /// A second run right after sends nothing.
    fn next_run(&mut self, expected: &[RowExpected]) {
        let lines = self.setup.plan(&self.store).lines();
        for (row, line) in expected.iter().zip(2..) {
            if row.request.is_none() && row.nothing.is_none() {
                continue;
            }
            let again = lines
                .iter()
                .any(|found| matches!(found, PlanLine::Update(update) if update.line == line));
            if again != (row.next_run == NextRun::PlansAgain) {
                self.differ(format!(
                    "line {line}: a second run was expected to be {:?}",
                    row.next_run
                ));
            }
        }
    }

    fn problems(&mut self, expected: &[ProblemExpected], got: &[Problem]) {
        let got: Vec<ProblemExpected> = got
            .iter()
            .map(|problem| ProblemExpected {
                code: problem.code.to_string(),
                field: problem.field.as_ref().map(ToString::to_string),
                column: problem.column.clone(),
            })
            .collect();
        self.same("problems", &expected.to_vec(), &got);
    }

    fn same<V: PartialEq + Serialize>(&mut self, what: &str, expected: &V, got: &V) {
        if expected != got {
            self.differ(format!("{what}{}", difference(expected, got)));
        }
    }

    fn differ(&mut self, what: impl Into<String>) {
        self.differences.push(what.into());
    }
}

/// The lines in which two values differ: `-` expected, `+` got.
fn difference<V: Serialize>(expected: &V, got: &V) -> String {
    let [expected, got] = [expected, got].map(|value| serde_json::to_string_pretty(value).unwrap());
    let only = |mark: char, these: &str, those: &str| {
        let those: Vec<&str> = those.lines().collect();
        these
            .lines()
            .filter(|line| !those.contains(line))
            .map(|line| format!("\n{mark} {line}"))
            .collect::<Vec<_>>()
            .concat()
    };
    match only('-', &expected, &got) + &only('+', &got, &expected) {
        order if order.is_empty() => format!(" in another order:\n{got}"),
        lines => lines,
    }
}
