//! What several integration tests share.

pub(crate) mod lane;
pub(crate) mod samples;
pub(crate) mod server;
pub(crate) mod workdir;
