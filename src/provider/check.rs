//! What serde cannot check of a manifest, and the shape that it gives.
//!
//! A manifest that passes here can be run: no later step meets a key that
//! makes no sense.

use serde_json::Value;

use super::ProviderError;
use super::contract::Contract;
use super::field::nearest;
use super::manifest::{IdType, MANIFEST_FORMAT, Manifest, Mode, Scheme, SettingType};
use super::response::parse_wait;
use crate::core::{BodyId, IdKind, Pointer, Shape, Together, Whole};

pub(super) fn meaning(key: &str, why: &str) -> ProviderError {
    ProviderError::Meaning {
        key: key.to_owned(),
        why: why.to_owned(),
    }
}

/// What serde cannot check: keys that only make sense with others. All that
/// is wrong is found at once.
pub(super) fn check(manifest: &Manifest) -> Vec<ProviderError> {
    let mut found = Vec::new();
    if manifest.format != MANIFEST_FORMAT {
        found.push(meaning(
            "format",
            "is not 1, the one format this version reads",
        ));
    }
    let name_fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if manifest.name.is_empty() || !manifest.name.chars().all(name_fits) {
        found.push(meaning(
            "name",
            "may hold lower-case letters, digits, `-` and `_` only",
        ));
    }
    let auth = &manifest.auth;
    let complete = match auth.scheme {
        Scheme::Bearer => auth.token.is_some(),
        Scheme::Header => auth.token.is_some() && auth.header.is_some(),
        Scheme::Oauth2Password => {
            auth.token_url.is_some() && auth.username.is_some() && auth.password.is_some()
        }
    };
    if !complete {
        found.push(meaning(
            "auth",
            "lacks a key that its scheme needs (token; header; token_url, username and password)",
        ));
    }
    if manifest.id.kind == IdType::Integer && manifest.id.pattern.is_some() {
        found.push(meaning(
            "id.pattern",
            "is for ids of type string; an integer has one form",
        ));
    }
    if manifest.id.body.is_none() && !manifest.update.url.contains("{id}") {
        found.push(meaning(
            "update.url",
            "holds no `{id}`, and no `id.body` says where else the id is written",
        ));
    }
    let needs_read = manifest.update.mode == Mode::Replace
        || !manifest.update.whole.is_empty()
        || !manifest.update.together.is_empty();
    if needs_read && manifest.read.is_none() {
        found.push(meaning(
            "read",
            "is needed: what is sent complete is built from a fresh read",
        ));
    }
    if manifest.update.mode == Mode::Replace && !manifest.update.whole.is_empty() {
        found.push(meaning(
            "update.whole",
            "says nothing under mode `replace`: the whole record is sent",
        ));
    }
    if manifest
        .response
        .rule
        .iter()
        .filter_map(|rule| rule.wait.as_deref())
        .any(|wait| parse_wait(wait).is_none())
    {
        found.push(meaning(
            "response.rule.wait",
            "is not a duration, for example `30s`",
        ));
    }
    found.extend(check_limits(manifest).err());
    found.extend(check_list(manifest).err());
    if manifest
        .settings
        .get("base_url")
        .is_none_or(|setting| setting.kind != SettingType::Url)
    {
        found.push(meaning(
            "settings.base_url",
            "is missing: a setting of type url with which every URL begins",
        ));
    }
    for (key, url) in [
        ("update.url", Some(&manifest.update.url)),
        ("read.url", manifest.read.as_ref().map(|r| &r.url)),
        ("list.url", manifest.list.as_ref().map(|list| &list.url)),
        ("auth.token_url", manifest.auth.token_url.as_ref()),
    ] {
        if let Some(url) = url {
            found.extend(check_template(key, url, manifest));
        }
    }
    found
}

/// One table of limits, or one per value of a setting; every window admits calls.
fn check_limits(manifest: &Manifest) -> Result<(), ProviderError> {
    let limits = &manifest.limits;
    let one_table = limits.quota.is_some()
        && limits.concurrency.is_some()
        && limits.by.is_none()
        && limits.variant.is_empty();
    let by_setting = limits.by.as_ref().is_some_and(|by| {
        let values = manifest
            .settings
            .get(by)
            .map(|s| s.values.as_slice())
            .unwrap_or_default();
        !values.is_empty()
            && values
                .iter()
                .all(|value| limits.variant.contains_key(value))
    });
    if !one_table && !by_setting {
        return Err(meaning(
            "limits",
            "needs `quota` and `concurrency`, or `by` a setting with a variant for each of its values",
        ));
    }
    let tables = limits
        .variant
        .values()
        .flat_map(|l| &l.quota)
        .chain(limits.quota.iter().flatten());
    if tables.into_iter().any(|quota| quota.calls == 0) {
        return Err(meaning("limits.quota", "admits no call at all"));
    }
    Ok(())
}

/// A list can be asked for page by page, and its answers can be understood.
fn check_list(manifest: &Manifest) -> Result<(), ProviderError> {
    let Some(list) = &manifest.list else {
        return Ok(());
    };
    if list.url.contains("{id}") || list.url.contains('?') {
        return Err(meaning(
            "list.url",
            "may hold no `{id}` and no `?`: parameters belong in `list.query` and `list.page`",
        ));
    }
    if list.id.tokens().is_empty() {
        return Err(meaning("list.id", "is the whole record, which is no id"));
    }
    let Some(page) = &list.page else {
        return Ok(());
    };
    if page.size == 0 {
        return Err(meaning("list.page.size", "admits no record at all"));
    }
    let params = [Some(&page.param), page.size_param.as_ref()];
    if page.size_param.as_ref() == Some(&page.param)
        || params
            .into_iter()
            .flatten()
            .any(|param| list.query.contains_key(param))
    {
        return Err(meaning(
            "list.page",
            "names a parameter that is used for something else",
        ));
    }
    let ends = [&page.pages, &page.total, &page.more];
    if list.items.tokens().is_empty() && ends.into_iter().any(Option::is_some) {
        return Err(meaning(
            "list.items",
            "is the whole answer, so nothing beside it can tell where the pages end",
        ));
    }
    Ok(())
}

/// Every `{name}` of a URL template is a setting or the id.
fn check_template(key: &str, template: &str, manifest: &Manifest) -> Vec<ProviderError> {
    let mut found = Vec::new();
    if !template.starts_with("{base_url}") {
        found.push(meaning(key, "does not begin with `{base_url}`"));
    }
    let known: Vec<String> = manifest.settings.keys().cloned().collect();
    for part in template.split('{').skip(1) {
        let name = part.split('}').next().unwrap_or_default();
        if name != "id" && !manifest.settings.contains_key(name) {
            let hint = nearest(name, &known)
                .map_or_else(String::new, |near| format!("; did you mean `{{{near}}}`?"));
            let why = format!("names `{{{name}}}`, which is no setting{hint}");
            found.push(meaning(key, &why));
        }
    }
    found
}

/// The shape of updates: full-record mode is the one whole at the root.
pub(super) fn shape(manifest: &Manifest, contract: &Contract) -> Result<Shape, Vec<ProviderError>> {
    let units = match manifest.update.mode {
        Mode::Replace => vec![Vec::new()],
        Mode::Merge => manifest
            .update
            .whole
            .iter()
            .map(|pointer| pointer.tokens().to_vec())
            .collect(),
    };
    let mut wholes: Vec<Whole> = Vec::new();
    let mut found = Vec::new();
    for at in units {
        let (key, unit) = if at.is_empty() {
            ("update.mode", "sends the whole record".to_owned())
        } else {
            let pointer = Pointer::new(at.clone());
            ("update.whole", format!("names `{pointer}`"))
        };
        let mut refuse = |why: &str| {
            found.push(meaning(key, &format!("{unit}, which {why}")));
        };
        let Some(writable) = contract.writable(&at) else {
            refuse("the contract does not list");
            continue;
        };
        if wholes
            .iter()
            .any(|other| other.at.starts_with(&at) || at.starts_with(&other.at))
        {
            refuse("lies inside another one, or holds it");
        }
        let read_elsewhere = contract.facts().iter().any(|facts| {
            let inside = at.is_empty()
                || facts
                    .path
                    .split('.')
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
                    .starts_with(&at);
            inside && facts.schema.get("x-read-as").is_some()
        });
        if read_elsewhere {
            refuse(
                "holds a member that is read from another place (`x-read-as`), so a read cannot be sent back",
            );
        }
        wholes.push(Whole {
            closed: contract.closed_leaves(&at),
            writable,
            at,
        });
    }
    if !found.is_empty() {
        return Err(found);
    }
    let groups = manifest.update.together.iter().map(|table| Together {
        members: table.members.iter().map(|p| p.tokens().to_vec()).collect(),
        when: table
            .when
            .as_ref()
            .map(|c| (c.pointer.tokens().to_vec(), c.equals.clone())),
    });
    let id = manifest.id.body.as_ref().map(|pointer| BodyId {
        at: pointer.tokens().to_vec(),
        kind: match manifest.id.kind {
            IdType::Integer => IdKind::Integer,
            IdType::String => IdKind::Text,
        },
    });
    Ok(Shape {
        wholes,
        groups: groups.collect(),
        id,
    })
}

/// Pointers of the manifest that name no member of the record.
pub(super) fn check_pointers(manifest: &Manifest, contract: &Contract) -> Vec<ProviderError> {
    let update = &manifest.update;
    let groups = update.together.iter().flat_map(|group| {
        let condition = group.when.iter().map(|when| &when.pointer);
        group.members.iter().chain(condition)
    });
    let keyed = groups
        .map(|pointer| ("update.together", pointer))
        .chain(manifest.id.body.iter().map(|pointer| ("id.body", pointer)));
    let shown = manifest.response.echo.iter().flat_map(|echo| &echo.omits);
    let shown = shown
        .filter(|pointer| !is_read_place(pointer, contract))
        .map(|pointer| ("response.echo.omits", pointer));
    keyed
        .chain(shown)
        .filter(|(_, pointer)| contract.writable(pointer.tokens()).is_none())
        .map(|(key, pointer)| {
            meaning(
                key,
                &format!("names `{pointer}`, which the contract does not list"),
            )
        })
        .collect()
}

/// Whether a member is one that only a read record has: where an `x-read-as`
/// begins.
fn is_read_place(pointer: &Pointer, contract: &Contract) -> bool {
    let first = pointer.tokens().first();
    contract.facts().iter().any(|facts| {
        let place = facts.schema.get("x-read-as").and_then(Value::as_str);
        let begins = place.and_then(|place| place.split('/').nth(1));
        begins.is_some() && begins == first.map(String::as_str)
    })
}
