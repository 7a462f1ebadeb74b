//! The one integration binary.

// `cfg(test)` lets clippy see that helpers beside the tests are tests too.
#[cfg(test)]
mod report;
