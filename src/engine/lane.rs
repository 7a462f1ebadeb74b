//! A lane as the engine works with it: one provider under one user's settings
//! and mapping, bound to the columns of the source.

use std::sync::Arc;

use serde_json::Value;

use crate::core::{
    Access, Acknowledged, Desired, Field, FieldPath, Hint, Json, Key, Known, Mapping, Policy,
    Problem, Row, Visibility, decode, is_blank,
};
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
    /// What a client holds that a whole file does not have any more.
    pub absent: Vec<(FieldPath, Value)>,
    /// The column of the remote id, where the file has one.
    pub id: Option<IdColumn>,
    /// How rows without a remote id find their records, where they may.
    pub matching: Option<Matching>,
    /// The pace.
    pub limits: Limits,
    /// How values are kept in the snapshot.
    pub keeping: Keeping,
}

/// The column of the remote id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdColumn {
    /// Its place in a row.
    pub index: usize,
    /// Its name.
    pub name: String,
}

/// How rows without a remote id find their records: where exactly one row and
/// exactly one record hold the same value.
#[derive(Clone, Debug)]
pub struct Matching {
    /// The field, and how the cell is read.
    pub mapping: Mapping,
    /// The leaf rules of the field.
    pub rules: Arc<LeafRules>,
    /// The column.
    pub column: usize,
}

impl Matching {
    /// What a row holds: the canonical form of its value, or `None` where its
    /// cell is empty.
    pub fn of_row(&self, row: &Row) -> Result<Option<Value>, Vec<Problem>> {
        let cell = row.cell(self.column).unwrap_or_default();
        let desired = coerce(&self.mapping, &self.rules, &[cell])?;
        Ok(desired.value().and_then(|value| self.canonical(value)))
    }

    /// What a record holds, in the same form.
    #[must_use]
    pub fn of_record(&self, record: &Json) -> Option<Value> {
        let value = decode(&self.mapping.field, record, &|_| Hint::default()).ok()?;
        self.canonical(&value)
    }

    fn canonical(&self, value: &Value) -> Option<Value> {
        (!is_blank(value)).then(|| self.mapping.field.compare.canonical(value))
    }
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

    /// The mapped fields that a record shows and that are kept: all but those
    /// that can only be written and those that are switched off.
    pub fn readable(&self) -> impl Iterator<Item = &Mapping> {
        self.mappings.iter().filter(|mapping| {
            mapping.field.access != Access::WriteOnly && mapping.policy != Policy::Ignore
        })
    }

    /// What a record holds in them. A field is `None` where the record holds
    /// several entries and none of them is known to be ours.
    pub fn view<'v>(
        &self,
        record: &Json,
        desired: &dyn Fn(&FieldPath) -> Option<&'v Value>,
        known: &Acknowledged,
    ) -> Vec<(FieldPath, Option<Value>)> {
        let hints = |path: &FieldPath| Hint {
            desired: desired(path),
            acknowledged: known
                .get(path)
                .map(|known| (known, self.keeping.key.as_ref())),
        };
        self.readable()
            .map(|mapping| {
                let value = decode(&mapping.field, record, &hints).ok();
                (mapping.field.path.clone(), value)
            })
            .collect()
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
