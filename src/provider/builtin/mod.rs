//! The files of the built-in providers; the only Rust that names one.

/// Manifest and contract of each.
pub(super) const BUILT_IN: [(&str, &str); 5] = [
    (
        include_str!("complycube/provider.toml"),
        include_str!("complycube/contract.schema.json"),
    ),
    (
        include_str!("nexudus/provider.toml"),
        include_str!("nexudus/contract.schema.json"),
    ),
    (
        include_str!("placio/provider.toml"),
        include_str!("placio/contract.schema.json"),
    ),
    (
        include_str!("spp/provider.toml"),
        include_str!("spp/contract.schema.json"),
    ),
    (
        include_str!("weel/provider.toml"),
        include_str!("weel/contract.schema.json"),
    ),
];
