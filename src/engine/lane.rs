//! A lane as the engine works with it: one provider under one user's settings
//! and mapping, bound to the columns of the source.

use std::sync::Arc;

use serde_json::Value;

use crate::core::{Desired, Field, FieldPath, Key, Known, Mapping, Problem, Row, Visibility};
use crate::provider::{LeafRules, Limits, Provider, Settings, coerce};

/// One lane.
#[derive(Debug)]
pub struct Lane {
    /// Its name.
    pub name: String,
    /// Its place in the configuration, from 0.
    pub ordinal: u8,
    /// The provider.
    pub provider: Arc<Provider>,
    /// The provider's settings.
    pub settings: Settings,
    /// What the lane's state is bound to.
    pub target: String,
    /// The mapped fields.
    pub mappings: Vec<Mapping>,
    /// The leaf rules of each, in the same order.
    pub rules: Arc<Vec<LeafRules>>,
    /// The columns that each reads, in the same order.
    pub columns: Vec<Vec<usize>>,
    /// The column of the remote id.
    pub id_column: usize,
    /// Its name.
    pub id_name: String,
    /// The pace.
    pub limits: Limits,
    /// How values are kept in the snapshot.
    pub keeping: Keeping,
}

/// How values are kept in the snapshot.
#[derive(Clone, Debug)]
pub struct Keeping {
    /// The key of digests and seals; absent only where there is no state yet.
    pub key: Option<Key>,
    /// Which values become digests.
    pub digests: Digests,
}

/// Which values become digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digests {
    /// Those of sensitive fields.
    Sensitive,
    /// All.
    All,
}

impl Lane {
    /// What the row says about every mapped field, or every problem of it.
    pub fn desired(&self, row: &Row) -> Result<Vec<Desired>, Vec<Problem>> {
        let mut desired = Vec::with_capacity(self.mappings.len());
        let mut problems = Vec::new();
        for ((mapping, rules), columns) in self
            .mappings
            .iter()
            .zip(self.rules.iter())
            .zip(&self.columns)
        {
            let cells: Vec<&str> = columns
                .iter()
                .map(|column| row.cell(*column).unwrap_or_default())
                .collect();
            match coerce(mapping, rules, &cells) {
                Ok(value) => desired.push(value),
                Err(found) => problems.extend(found),
            }
        }
        if problems.is_empty() {
            Ok(desired)
        } else {
            Err(problems)
        }
    }

    /// What the snapshot keeps of a value.
    #[must_use]
    pub fn keep(&self, field: &Field, value: &Value) -> Known {
        let digested =
            field.visibility == Visibility::Sensitive || self.keeping.digests == Digests::All;
        Known::of(
            field,
            value,
            if digested {
                self.keeping.key.as_ref()
            } else {
                None
            },
        )
    }

    /// The mapping of a path.
    #[must_use]
    pub fn mapping(&self, path: &FieldPath) -> Option<&Mapping> {
        self.mappings
            .iter()
            .find(|mapping| mapping.field.path == *path)
    }

    /// What becomes known of a record, as the snapshot keeps it.
    #[must_use]
    pub fn settled(
        &self,
        values: &[(FieldPath, Option<Value>)],
    ) -> Vec<(FieldPath, Option<Known>)> {
        values
            .iter()
            .filter_map(|(path, value)| {
                let field = &self.mapping(path)?.field;
                Some((
                    path.clone(),
                    value.as_ref().map(|value| self.keep(field, value)),
                ))
            })
            .collect()
    }
}
