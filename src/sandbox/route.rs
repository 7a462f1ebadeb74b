//! URL templates run backwards: from a path to what is asked and the id in it.
//!
//! A template begins with a setting of type `url`, which stands for the lane's
//! prefix; all other settings are literal text of their segment.

use super::percent::decode;
use super::{SandboxError, lane_error};
use crate::core::Method;
use crate::provider::{Provider, SettingType, Settings};

/// What a route serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Serves {
    /// A record by its id.
    Read,
    /// A page of the records.
    List,
    /// An update of a record.
    Update,
    /// Access tokens.
    Token,
}

/// One route of a lane.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) method: Method,
    pub(super) template: String,
    pub(super) serves: Serves,
    segments: Vec<Segment>,
}

/// One segment of a path; the id stands between the two texts, where it does.
#[derive(Debug)]
struct Segment {
    before: String,
    after: Option<String>,
}

/// A path that is a route's.
#[derive(Debug)]
pub(super) struct Matched {
    /// The id in it, where the route has one; its form is not checked.
    pub(super) id: Option<String>,
}

/// All routes of a lane.
pub(super) fn routes(
    lane: &str,
    provider: &Provider,
    settings: &Settings,
) -> Result<Vec<Route>, SandboxError> {
    let manifest = &provider.manifest;
    let read = manifest
        .read
        .as_ref()
        .map(|read| (Method::Get, &read.url, Serves::Read));
    let list = manifest
        .list
        .as_ref()
        .map(|list| (Method::Get, &list.url, Serves::List));
    let update = Some((
        Method::from(manifest.update.method),
        &manifest.update.url,
        Serves::Update,
    ));
    let token = manifest
        .auth
        .token_url
        .as_ref()
        .map(|url| (Method::Post, url, Serves::Token));
    // The list comes first: its path has no id in it, so it is the exact one.
    [list, read, update, token]
        .into_iter()
        .flatten()
        .map(|(method, url, serves)| {
            let (template, segments) = backwards(url, provider, settings).ok_or_else(|| {
                lane_error(
                    lane,
                    format!("the URL template `{url}` does not begin with a `url` setting and go on with a path"),
                )
            })?;
            Ok(Route {
                method,
                template,
                serves,
                segments,
            })
        })
        .collect()
}

/// The path of a template, to be shown and to be matched.
fn backwards(
    url: &str,
    provider: &Provider,
    settings: &Settings,
) -> Option<(String, Vec<Segment>)> {
    let (base, path) = url.strip_prefix('{')?.split_once('}')?;
    if provider.manifest.settings.get(base)?.kind != SettingType::Url || path.contains(['?', '#']) {
        return None;
    }
    let fill = |text: &str| {
        let filled = settings.all().fold(decode(text)?, |text, (name, value)| {
            text.replace(&format!("{{{name}}}"), value)
        });
        Some(filled)
    };
    let segments = path
        .strip_prefix('/')?
        .split('/')
        .map(|segment| {
            Some(match segment.split_once("{id}") {
                Some((before, after)) => Segment {
                    before: fill(before)?,
                    after: Some(fill(after)?),
                },
                None => Segment {
                    before: fill(segment)?,
                    after: None,
                },
            })
        })
        .collect::<Option<_>>()?;
    Some((path.to_owned(), segments))
}

impl Route {
    /// What the decoded segments hold, if they are this route's.
    pub(super) fn matches(&self, segments: &[String]) -> Option<Matched> {
        if segments.len() != self.segments.len() {
            return None;
        }
        let mut id = None;
        for (own, given) in self.segments.iter().zip(segments) {
            match &own.after {
                None if own.before == *given => {}
                None => return None,
                Some(after) => {
                    let inner = given.strip_prefix(&own.before)?.strip_suffix(after)?;
                    id = Some(inner.to_owned());
                }
            }
        }
        Some(Matched { id })
    }
}
