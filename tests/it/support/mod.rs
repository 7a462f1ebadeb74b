//! What several integration tests share.

use serde_json::Value;

pub(crate) mod book;
pub(crate) mod campaign;
pub(crate) mod judge;
pub(crate) mod lane;
pub(crate) mod recording;
pub(crate) mod samples;
pub(crate) mod server;
pub(crate) mod shell;
pub(crate) mod workdir;

/// The member names of an object, in its order.
pub(crate) fn members(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}
