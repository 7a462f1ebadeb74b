//! All integration tests, as one binary.

// `cfg(test)` lets clippy know that functions here may unwrap as tests do.
#[cfg(test)]
mod sandbox;
