//! `[providers.NAME]`: one lane.
//!
//! Secrets are references and stay references here; one that stands in the
//! file itself is refused without being repeated.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value as Json;

use super::absent;
use super::fields;
use super::guards;
use super::matching;
use super::reader::{Section, Value, child, did_you_mean};
use super::run::MAX_CONCURRENCY;
use super::source::SourceTable;
use crate::cli::secrets::{SecretRef, SecretRefs};
use crate::core::{FieldPath, Mapping};
use crate::engine::Guards;
use crate::provider::{Catalog, LeafRules, Limits, Provider, Quota, Settings, Window};

/// One `[providers.NAME]` table.
#[derive(Debug)]
pub struct LaneConfig {
    /// The lane's name.
    pub name: String,
    /// Its kind of provider.
    pub provider: Arc<Provider>,
    /// The provider's settings, with defaults.
    pub settings: Settings,
    /// Where its credentials are kept.
    pub secrets: SecretRefs,
    /// The column with the remote id, where the file has one.
    pub id_column: Option<String>,
    /// How rows without a remote id find their records, and the rules of what
    /// is compared.
    pub matching: Option<(Mapping, Arc<LeafRules>)>,
    /// What a client holds that a whole file does not have any more.
    pub absent: Vec<(FieldPath, Json)>,
    /// The pace: the manifest's, or the user's in place of it.
    pub limits: Limits,
    /// The guards of this lane.
    pub guards: Guards,
    /// The mapped fields, in the order of the file.
    pub mappings: Vec<Mapping>,
    /// The leaf rules of each mapping, in the same order.
    pub rules: Vec<LeafRules>,
}

/// What the rest of the file says to a lane.
pub(super) struct Context<'c> {
    pub(super) catalog: &'c Catalog,
    pub(super) directory: &'c Path,
    /// `None` where the table is missing or broken.
    pub(super) source: Option<&'c SourceTable>,
    pub(super) guards: Guards,
    /// Keys of fields that `[source] blank = "clear"` cannot clear.
    pub(super) unclearable: RefCell<Vec<String>>,
}

/// Reads a lane; every `None` has recorded a problem.
pub(super) fn read(value: Value<'_>, context: &Context<'_>) -> Option<LaneConfig> {
    let name = value.name.clone();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
        value.refuse_key(
            "is not a name for a provider: use letters, digits, `_` and `-`, at most 64",
        );
    }
    let mut section = value.section()?;
    let provider = provider(&mut section, &name, context.catalog);
    let settings = settings(&mut section, provider.as_deref());
    let secrets = secrets(&mut section, provider.as_deref(), context.directory);
    if !section.has("id") && !section.has("match") {
        section.missing(
            "id",
            "name the column that holds the provider's id of the record; without one, `match` says by which value `adopt --from provider` finds it",
        );
    }
    let id_column = section.text("id");
    let matching = section
        .take("match")
        .and_then(|value| matching::read(value, provider.as_deref(), context.source));
    let absent = section.take("absent");
    let given = section
        .take("limits")
        .map(|value| value.section().and_then(limits));
    let guards = guards::read(section.section("guards"), context.guards);
    let mapped = mapped(&mut section, provider.as_deref(), context);
    section.finish();
    let (provider, settings) = (provider?, settings?);
    let limits = match given {
        Some(limits) => limits?,
        None => provider.limits(&settings),
    };
    let mapped = mapped?;
    let absent = match absent {
        Some(value) => absent::read(value, &provider.contract, &mapped, context),
        None => Vec::new(),
    };
    let (mappings, rules) = mapped.into_iter().unzip();
    Some(LaneConfig {
        name,
        provider,
        settings,
        secrets,
        id_column,
        matching,
        absent,
        limits,
        guards,
        mappings,
        rules,
    })
}

fn provider(section: &mut Section<'_>, name: &str, catalog: &Catalog) -> Option<Arc<Provider>> {
    let given = section.take("kind");
    let kind = match &given {
        Some(value) => value.text()?,
        None => name.to_owned(),
    };
    if let Ok(provider) = catalog.get(&kind) {
        return Some(provider);
    }
    let known: Vec<String> = catalog.all().map(|p| p.name().to_owned()).collect();
    let mut hint = did_you_mean(&kind, &known);
    if hint.is_empty() {
        hint = format!("; known are {}", known.join(", "));
    }
    let message = format!("is not a kind of provider{hint}");
    match given {
        Some(value) => value.refuse(message),
        None => section.refuse(format!(
            "{message} (set `kind` where the lane has another name)"
        )),
    }
    None
}

fn settings(section: &mut Section<'_>, provider: Option<&Provider>) -> Option<Settings> {
    let entries = match section.take("settings") {
        Some(value) => value.section()?.entries(),
        None => Vec::new(),
    };
    let mut given = BTreeMap::new();
    let mut complete = true;
    for entry in &entries {
        match entry.word() {
            Some(text) => {
                given.insert(entry.name.clone(), text);
            }
            None => complete = false,
        }
    }
    let refused = match provider?.resolve(&given) {
        Ok(settings) => return complete.then_some(settings),
        Err(refused) => refused,
    };
    for problem in refused {
        match entries.iter().find(|entry| entry.name == problem.name) {
            // A value of the wrong type has its answer already.
            Some(entry) if given.contains_key(&entry.name) => entry.refuse(&problem.message),
            Some(_) => {}
            None => section.refuse_below(&child("settings", &problem.name), &problem.message),
        }
    }
    None
}

/// The keys of a secret: itself (refused), and the three references to it.
const SECRETS: [[&str; 4]; 3] = [
    ["token", "token_env", "token_file", "token_command"],
    [
        "username",
        "username_env",
        "username_file",
        "username_command",
    ],
    [
        "password",
        "password_env",
        "password_file",
        "password_command",
    ],
];

fn secrets(section: &mut Section<'_>, provider: Option<&Provider>, directory: &Path) -> SecretRefs {
    let auth = provider.map(|provider| &provider.manifest.auth);
    let defaults = [
        auth.and_then(|auth| auth.token.as_deref()),
        auth.and_then(|auth| auth.username.as_deref()),
        auth.and_then(|auth| auth.password.as_deref()),
    ];
    let wanted: Vec<&str> = SECRETS
        .iter()
        .zip(defaults)
        .filter_map(|(names, default)| default.map(|_| names[0]))
        .collect();
    let [token, username, password] = [0, 1, 2].map(|which| {
        let default = defaults[which];
        let given = reference(section, &SECRETS[which], directory, |value| {
            if provider.is_some() && default.is_none() {
                value.refuse_key(format!(
                    "is not used here: the provider takes {}",
                    wanted.join(" and ")
                ));
            }
        });
        given.or_else(|| default.map(|name| SecretRef::Env(name.to_owned())))
    });
    SecretRefs {
        token,
        username,
        password,
    }
}

fn reference(
    section: &mut Section<'_>,
    names: &[&'static str; 4],
    directory: &Path,
    judge: impl Fn(&Value<'_>),
) -> Option<SecretRef> {
    let [literal, env, file, command] = *names;
    if let Some(value) = section.take_unlisted(literal) {
        value.refuse_as(
            "E_LITERAL_SECRET",
            format!("must not stand in the file; say where it is kept: {env} (a variable), {file} (a file of mode 0600) or {command} (a command that prints it)"),
        );
    }
    let given = [env, file, command].map(|name| section.take(name));
    let mut before = None;
    for (name, value) in [env, file, command].iter().zip(&given) {
        let Some(value) = value else { continue };
        judge(value);
        if let Some(before) = before {
            value.refuse_key(format!("is given beside {before}; one of the two must go"));
        }
        before = Some(*name);
    }
    let [env, file, command] = given;
    if let Some(value) = env {
        let name = value.text()?;
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if !name.chars().all(word) || name.starts_with(|c: char| c.is_ascii_digit()) {
            value.refuse(
                "must be the name of a variable (letters, digits and `_`), never the secret itself",
            );
        }
        return Some(SecretRef::Env(name));
    }
    if let Some(value) = file {
        return Some(SecretRef::File(directory.join(value.text()?)));
    }
    Some(SecretRef::Command(command?.text()?))
}

fn limits(mut section: Section<'_>) -> Option<Limits> {
    let concurrency = match section.take("concurrency") {
        // One at a time, where nothing is said: the safe side.
        None => Some(1),
        Some(value) => value
            .whole(1..=u64::from(MAX_CONCURRENCY))
            .and_then(|number| u32::try_from(number).ok()),
    };
    let quota = if let Some(value) = section.take("quota") {
        quotas(value)
    } else {
        section.missing("quota", "`limits` replaces all limits of the provider, so it needs its windows, for example [{ calls = 100, per = \"minute\" }]");
        None
    };
    section.finish();
    Some(Limits {
        quota: quota?,
        concurrency: concurrency?,
    })
}

fn quotas(value: Value<'_>) -> Option<Vec<Quota>> {
    if value
        .inner()
        .as_array()
        .is_some_and(|items| items.is_empty())
    {
        value.refuse("must list at least one window");
        return None;
    }
    value.list()?.into_iter().map(quota).collect()
}

fn quota(value: Value<'_>) -> Option<Quota> {
    let mut section = value.section()?;
    if !section.has("calls") {
        section.missing("calls", "say how many requests the window admits");
    }
    if !section.has("per") {
        section.missing("per", "say second, minute, hour or day");
    }
    let calls = section.small("calls", 1..=u32::MAX);
    let per = section.choice(
        "per",
        &[
            ("second", Window::Second),
            ("minute", Window::Minute),
            ("hour", Window::Hour),
            ("day", Window::Day),
        ],
    );
    let writes_only = section.flag("writes_only").unwrap_or(false);
    section.finish();
    Some(Quota {
        calls: calls?,
        per: per?,
        writes_only,
    })
}

fn mapped(
    section: &mut Section<'_>,
    provider: Option<&Provider>,
    context: &Context<'_>,
) -> Option<Vec<(Mapping, LeafRules)>> {
    let Some(value) = section.take("fields") else {
        section.missing(
            "fields",
            "map at least one field, for example email = \"email\"",
        );
        return None;
    };
    let fields = value.section()?;
    if fields.is_empty() {
        fields.refuse("maps nothing; map at least one field, for example email = \"email\"");
    }
    Some(fields::read(fields, &provider?.contract, context))
}
