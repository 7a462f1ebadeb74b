//! Looks providers up by name: the built-in ones, then folders that were read.
//!
//! It reads no file: whoever calls gives the texts of a user's folder.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::builtin::BUILT_IN;
use super::{Provider, ProviderError};

/// The two files of a provider's folder.
#[derive(Clone, Debug)]
pub struct ProviderFiles {
    /// The text of `provider.toml`.
    pub manifest: String,
    /// The text of `contract.schema.json`.
    pub contract: String,
}

/// All providers that can be named.
#[derive(Clone, Debug)]
pub struct Catalog {
    providers: BTreeMap<String, Arc<Provider>>,
}

impl Catalog {
    /// The built-in providers and those of a user's folders, which may not
    /// take the name of another.
    pub fn load(folders: &[ProviderFiles]) -> Result<Self, ProviderError> {
        let mut catalog = Self {
            providers: BTreeMap::new(),
        };
        for (manifest, contract) in BUILT_IN {
            catalog.add(manifest, contract)?;
        }
        for files in folders {
            catalog.add(&files.manifest, &files.contract)?;
        }
        Ok(catalog)
    }

    fn add(&mut self, manifest: &str, contract: &str) -> Result<(), ProviderError> {
        let provider = Provider::new(manifest, contract)?;
        let name = provider.name().to_owned();
        if self.providers.contains_key(&name) {
            return Err(ProviderError::Meaning {
                key: "name".to_owned(),
                why: format!("is `{name}`, which another provider has already"),
            });
        }
        self.providers.insert(name, Arc::new(provider));
        Ok(())
    }

    /// The provider of a name.
    pub fn get(&self, name: &str) -> Result<Arc<Provider>, ProviderError> {
        self.providers
            .get(name)
            .map(Arc::clone)
            .ok_or_else(|| ProviderError::Unknown {
                name: name.to_owned(),
                known: self
                    .providers
                    .keys()
                    .cloned()
                    .collect::<Vec<_>>()
                    .join(", "),
            })
    }

    /// All providers, by name.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Provider>> {
        self.providers.values()
    }
}
