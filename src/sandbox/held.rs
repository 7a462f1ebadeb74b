//! The records that a lane holds, in the order in which they came.
//!
//! The order is that of its lists. Records that were kept between runs and are
//! not in the seed come after it, in the order of their ids.

use std::collections::BTreeMap;

use crate::core::Json;

/// Records by id, and the order of their ids.
#[derive(Debug, Default)]
pub(super) struct Held {
    by_id: BTreeMap<String, Json>,
    order: Vec<String>,
}

impl Held {
    pub(super) fn get(&self, id: &str) -> Option<&Json> {
        self.by_id.get(id)
    }

    /// Holds a record; one that is there already keeps its place.
    pub(super) fn insert(&mut self, id: String, record: Json) {
        if self.by_id.insert(id.clone(), record).is_none() {
            self.order.push(id);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// The id of the first record.
    pub(super) fn first(&self) -> Option<&String> {
        self.order.first()
    }

    /// The records from a place on, in order.
    pub(super) fn from(&self, place: usize) -> impl Iterator<Item = &Json> {
        let rest = self.order.get(place..).unwrap_or_default();
        rest.iter().filter_map(|id| self.by_id.get(id))
    }
}

impl Extend<(String, Json)> for Held {
    fn extend<I: IntoIterator<Item = (String, Json)>>(&mut self, records: I) {
        for (id, record) in records {
            self.insert(id, record);
        }
    }
}
