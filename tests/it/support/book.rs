//! A provider's records that a test and a scripted server share: lists page by
//! page, reads by id, and updates that are merged.
//!
//! It speaks as `ComplyCube` does, and must never use the code under test.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value, json};

use super::server::{Answer, Hit};
use super::workdir::Remote;

/// The records, in the order of the list.
#[derive(Clone, Default)]
pub(crate) struct Book(Arc<Mutex<Vec<Value>>>);

impl Book {
    pub(crate) fn new(records: impl IntoIterator<Item = Value>) -> Self {
        Self(Arc::new(Mutex::new(records.into_iter().collect())))
    }

    fn records(&self) -> MutexGuard<'_, Vec<Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The record with this id, as it is now.
    pub(crate) fn get(&self, id: &str) -> Value {
        let found = self
            .records()
            .iter()
            .find(|record| record["id"] == id)
            .cloned();
        found.unwrap_or(Value::Null)
    }

    /// Somebody else changes members of a record.
    pub(crate) fn change(&self, id: &str, members: Value) {
        let mut records = self.records();
        let record = records
            .iter_mut()
            .find(|record| record["id"] == id)
            .unwrap();
        merge(record, members);
    }

    /// Somebody else makes a record, which stands first in the list.
    pub(crate) fn create(&self, record: Value) {
        self.records().insert(0, record);
    }

    /// Somebody else deletes a record.
    pub(crate) fn delete(&self, id: &str) {
        self.records().retain(|record| record["id"] != id);
    }

    /// A server of these records.
    pub(crate) fn serve(&self) -> Remote {
        let book = self.clone();
        Remote::new(move |hit| book.answer(hit))
    }

    /// The answer to a request.
    pub(crate) fn answer(&self, hit: &Hit) -> Answer {
        let (path, query) = hit.target.split_once('?').unwrap_or((&hit.target, ""));
        if let Some(id) = path.strip_prefix("/v1/clients/") {
            if !hit.body.is_empty() {
                let members = serde_json::from_slice(&hit.body).unwrap();
                let mut records = self.records();
                if let Some(record) = records.iter_mut().find(|record| record["id"] == id) {
                    merge(record, members);
                }
            }
            return match self.get(id) {
                Value::Null => json_answer(404, &json!({ "message": "no such client" })),
                record => json_answer(200, &record),
            };
        }
        let asked = |name: &str| {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            let mut values = pairs.filter(|(n, _)| *n == name).map(|(_, value)| value);
            values.next().unwrap().parse::<usize>().unwrap()
        };
        let (page, size) = (asked("page"), asked("pageSize"));
        let records = self.records();
        let items: Vec<&Value> = records.iter().skip((page - 1) * size).take(size).collect();
        let pages = records.len().div_ceil(size);
        json_answer(
            200,
            &json!({ "page": page, "pages": pages, "items": items }),
        )
    }
}

fn json_answer(status: u16, body: &Value) -> Answer {
    Answer::reply(status, &body.to_string()).with("Content-Type", "application/json")
}

/// Members are merged, one level deep.
fn merge(record: &mut Value, members: Value) {
    let members: Map<String, Value> = serde_json::from_value(members).unwrap();
    for (name, value) in members {
        match (record.get_mut(&name), value) {
            (Some(Value::Object(old)), Value::Object(new)) => old.extend(new),
            (_, value) => record[name] = value,
        }
    }
}
