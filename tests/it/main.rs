//! The one integration binary: one file of tests per module.

mod sandbox;
