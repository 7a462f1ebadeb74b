//! What several integration tests share.

pub(crate) mod lane;
pub(crate) mod server;
pub(crate) mod workdir;
