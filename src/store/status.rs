//! Where the state stands: its last runs. Only read.

use rusqlite::OptionalExtension;

use super::convert::count;
use super::run::RunRow;
use super::{Store, StoreError};

impl Store {
    /// The newest run.
    pub fn last_run(&self) -> Result<Option<RunRow>, StoreError> {
        Ok(self.runs(1)?.pop())
    }

    /// The newest run that planned a whole file: what it left planned or failed
    /// is still to be done.
    pub fn last_whole_run(&self) -> Result<Option<RunRow>, StoreError> {
        let run_id: Option<String> = self
            .connection
            .prepare_cached(
                "SELECT run_id FROM run WHERE scope = 'whole' AND command <> 'adopt'
                 ORDER BY rid DESC LIMIT 1",
            )?
            .query_row([], |row| row.get(0))
            .optional()?;
        match run_id {
            Some(run_id) => self.run(&run_id),
            None => Ok(None),
        }
    }

    /// The number of the newest run; runs are numbered from 1, and no number
    /// comes twice, also where runs were dropped.
    pub fn last_number(&self) -> Result<u64, StoreError> {
        let number: Option<i64> = self
            .connection
            .prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'run'")?
            .query_row([], |row| row.get(0))
            .optional()?;
        count(number.unwrap_or_default())
    }
}
