//! The files of the built-in providers; the only Rust that names one.

/// Manifest and contract of each.
pub(super) const BUILT_IN: [(&str, &str); 2] = [
    (
        include_str!("complycube/provider.toml"),
        include_str!("complycube/contract.schema.json"),
    ),
    (
        include_str!("nexudus/provider.toml"),
        include_str!("nexudus/contract.schema.json"),
    ),
];
