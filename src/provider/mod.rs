//! Providers as data: a manifest (protocol) and a contract (shape), read by
//! one engine.
//!
//! Everything here is pure: the same files and the same input give the same
//! output. No provider has code of its own.

mod allowance;
mod builtin;
mod catalog;
mod check;
mod coerce;
mod contract;
mod facts;
mod field;
mod group;
mod leaf;
mod manifest;
mod paging;
mod request;
mod response;
mod rule;
mod schema;
mod settings;
mod soundness;
mod spoken;
mod violation;
mod wait;

use jsonschema::Validator;
use serde_json::{Value, json};
use thiserror::Error;

pub use allowance::{Allowance, allowances};
pub use catalog::{Catalog, ProviderFiles};
pub use coerce::coerce;
pub use contract::{Checked, Contract, LeafRules};
pub use facts::{FieldFacts, FieldRole};
pub use field::{FieldError, nearest};
pub use group::{GroupFacts, GroupKind};
pub use leaf::{LeafType, Scalar};
pub use manifest::{
    Auth, Condition, Echo, ErrorsShape, ErrorsTable, Id, IdType, Limits, LimitsTable, List,
    MANIFEST_FORMAT, Manifest, Mode, Page, PageBy, Quota, Read, RequestHeaders, ResponseRules,
    Rule, Scheme, Setting, SettingType, Then, TogetherTable, Update, UpdateMethod, Window,
};
pub use paging::{ListPage, Position};
pub use request::TokenEndpoint;
pub use response::{Answer, Asked, Refusal, USUAL_ANSWERS};
pub use rule::NamedCheck;
pub use schema::ContractError;
pub use settings::{SettingProblem, Settings, is_loopback};
pub use spoken::RuleFacts;
pub use violation::Violation;
pub use wait::{garbled_retry_after, told_wait};

use check::{check, check_pointers, meaning, shape};
use rule::check_rules;
use soundness::why_no_pattern;

use crate::core::{Shape, sha256_hex};

/// One kind of remote system: valid by construction.
#[derive(Debug)]
pub struct Provider {
    /// The protocol.
    pub manifest: Manifest,
    /// The writable record.
    pub contract: Contract,
    /// Which members travel together.
    pub shape: Shape,
    /// SHA-256 of the manifest's text.
    pub manifest_sha256: String,
    /// SHA-256 of the contract's text.
    pub contract_sha256: String,
    id_rule: Validator,
}

/// Why a provider cannot be used.
#[derive(Debug, Error)]
pub enum ProviderError {
    /// The manifest is not TOML of our vocabulary; the text has line and column.
    #[error("the manifest cannot be read: {0}")]
    Manifest(String),
    /// The manifest says something that cannot be meant.
    #[error("the manifest's `{key}` {why}")]
    Meaning {
        /// The key.
        key: String,
        /// What is wrong with it.
        why: String,
    },
    /// The contract cannot be used.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// There is no such provider.
    #[error("there is no provider `{name}`; known are {known}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
}

impl Provider {
    /// Makes a provider of its two files.
    pub fn new(manifest: &str, contract: &str) -> Result<Self, ProviderError> {
        let parsed = read_manifest(manifest)?;
        let compiled = Contract::parse(contract).map_err(first)?;
        let wrong = check(&parsed)
            .into_iter()
            .chain(check_pointers(&parsed, &compiled))
            .chain(check_rules(&parsed.check, &compiled));
        if let Some(first) = wrong.into_iter().next() {
            return Err(first);
        }
        let shape = shape(&parsed, &compiled).map_err(first)?;
        Ok(Self {
            id_rule: id_rule(&parsed)?,
            manifest: parsed,
            contract: compiled,
            shape,
            manifest_sha256: sha256_hex(manifest.as_bytes()),
            contract_sha256: sha256_hex(contract.as_bytes()),
        })
    }

    /// All that keeps two files from being a provider; nothing where they are
    /// one. A file that could not be read is `None`: the other is judged alone.
    #[must_use]
    pub fn findings(manifest: Option<&str>, contract: Option<&str>) -> Vec<ProviderError> {
        let manifest = manifest.map(read_manifest).transpose();
        let contract = contract.map(Contract::parse).transpose();
        let mut found = Vec::new();
        if let Ok(Some(manifest)) = &manifest {
            found.extend(check(manifest));
            found.extend(id_rule(manifest).err());
        }
        if let (Ok(Some(manifest)), Ok(Some(contract))) = (&manifest, &contract) {
            found.extend(check_pointers(manifest, contract));
            found.extend(shape(manifest, contract).err().into_iter().flatten());
            found.extend(check_rules(&manifest.check, contract));
        }
        found.extend(manifest.err());
        let of_contract = contract.err().into_iter().flatten();
        found.extend(of_contract.map(ProviderError::from));
        found
    }

    /// The name that a manifest gives, whatever else is wrong with it.
    #[must_use]
    pub fn name_in(manifest: &str) -> Option<String> {
        let table: toml::Table = manifest.parse().ok()?;
        Some(table.get("name")?.as_str()?.to_owned())
    }

    /// The provider's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.manifest.name
    }

    /// Judges a final body of a record: by the contract, and by the named
    /// checks. `ours` are the wire places that we wrote.
    #[must_use]
    pub fn check_body(&self, body: &Value, ours: &[Vec<String>], id: &str) -> Checked {
        rule::check_body(&self.contract, &self.manifest.check, body, ours, id)
    }

    /// Judges a body as the provider would: by the whole contract, whoever
    /// wrote a member, and by the named checks.
    #[must_use]
    pub fn check_all(&self, body: &Value, id: &str) -> Vec<Violation> {
        let mut all = self.contract.check_all(body);
        all.extend(rule::broken_rules(&self.manifest.check, body, id));
        all
    }

    /// The pace that the manifest gives under these settings.
    #[must_use]
    pub fn limits(&self, settings: &Settings) -> Limits {
        let table = &self.manifest.limits;
        let variant = table
            .by
            .as_deref()
            .and_then(|by| settings.get(by))
            .and_then(|value| table.variant.get(value));
        variant.cloned().unwrap_or_else(|| Limits {
            quota: table.quota.clone().unwrap_or_default(),
            concurrency: table.concurrency.unwrap_or(1),
        })
    }
}

/// What loading says of several things that are wrong.
fn first<E: Into<ProviderError>>(found: Vec<E>) -> ProviderError {
    let first = found.into_iter().next().map(Into::into);
    first.unwrap_or_else(|| meaning("format", "cannot be judged"))
}

fn read_manifest(text: &str) -> Result<Manifest, ProviderError> {
    toml::from_str(text).map_err(|error| ProviderError::Manifest(error.to_string()))
}

/// What a remote id must match.
fn id_rule(manifest: &Manifest) -> Result<Validator, ProviderError> {
    let pattern = manifest.id.pattern.as_deref().unwrap_or(".+");
    jsonschema::draft202012::new(&json!({ "pattern": pattern })).map_err(|_| {
        let why = why_no_pattern(pattern);
        meaning("id.pattern", &format!("is not a regular expression{why}"))
    })
}
