//! All integration tests, as one binary.

mod http;
mod support;

fn main() {}
