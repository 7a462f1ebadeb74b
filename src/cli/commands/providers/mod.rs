//! `providers` and `providers show`: what the manifests and contracts say.

mod check;
mod fields;
mod page;
mod protocol;

use crate::cli::config::PageFormat;
use crate::cli::exit::ExitCode;
use crate::cli::failure::Failure;
use crate::cli::output::{PageLook, print};
use crate::core::Method;
use crate::provider::{Catalog, Limits, Mode, Provider, Scheme, Window};
use crate::report::{
    ProviderLine, write_provider_json, write_provider_text, write_providers_json,
    write_providers_text,
};

pub(in crate::cli) use check::check;
use page::page;

/// Lists all providers.
pub(in crate::cli) fn list(catalog: &Catalog, look: PageLook) -> Result<ExitCode, Failure> {
    let lines: Vec<ProviderLine> = catalog.all().map(|provider| line(provider)).collect();
    print(|out| match look.format {
        PageFormat::Text => write_providers_text(out, &lines, look.colour),
        PageFormat::Json => write_providers_json(out, &lines),
    })?;
    Ok(ExitCode::Ok)
}

/// Shows one provider.
pub(in crate::cli) fn show(
    catalog: &Catalog,
    name: &str,
    look: PageLook,
) -> Result<ExitCode, Failure> {
    let provider = catalog
        .get(name)
        .map_err(|error| Failure::new(ExitCode::Usage, error))?;
    let page = page(&provider);
    print(|out| match look.format {
        PageFormat::Text => write_provider_text(out, &page, look.colour),
        PageFormat::Json => write_provider_json(out, &page),
    })?;
    Ok(ExitCode::Ok)
}

/// One provider in the matrix.
fn line(provider: &Provider) -> ProviderLine {
    let manifest = &provider.manifest;
    let table = &manifest.limits;
    let mut limits: Vec<String> = table
        .variant
        .iter()
        .flat_map(|(value, limits)| windows(limits, Some(value)))
        .collect();
    if table.by.is_none() {
        limits = windows(
            &Limits {
                quota: table.quota.clone().unwrap_or_default(),
                concurrency: table.concurrency.unwrap_or(1),
            },
            None,
        );
    }
    ProviderLine {
        name: manifest.name.clone(),
        title: manifest.title.clone(),
        update: Method::from(manifest.update.method).as_str().to_owned(),
        mode: match manifest.update.mode {
            Mode::Merge => "merge".to_owned(),
            Mode::Replace => "replace".to_owned(),
        },
        read: manifest.read.is_some(),
        list: manifest.list.is_some(),
        auth: match manifest.auth.scheme {
            Scheme::Bearer => "bearer".to_owned(),
            Scheme::Header => format!(
                "header {}",
                manifest.auth.header.as_deref().unwrap_or_default()
            ),
            Scheme::Oauth2Password => "OAuth 2 password".to_owned(),
        },
        limits,
    }
}

fn windows(limits: &Limits, variant: Option<&str>) -> Vec<String> {
    let prefix = variant.map_or_else(String::new, |variant| format!("{variant}: "));
    let word = |window| match window {
        Window::Second => "a second",
        Window::Minute => "a minute",
        Window::Hour => "an hour",
        Window::Day => "a day",
    };
    limits
        .quota
        .iter()
        .map(|quota| {
            format!(
                "{prefix}{} {} {}",
                quota.calls,
                if quota.writes_only {
                    "writes"
                } else {
                    "requests"
                },
                word(quota.per)
            )
        })
        .collect()
}
