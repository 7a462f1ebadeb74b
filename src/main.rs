//! clientsync.
fn main() {}
