//! How a list is read: the request of a page, what its answer holds, and where
//! the next page begins.
//!
//! Pure: positions go in and come out, nothing is remembered between pages. It
//! never guesses where a list ends: an envelope that does not say so is an
//! error, because a list that is silently short would look like absence.

use serde_json::Value;

use super::Provider;
use super::manifest::{Page, PageBy};
use super::request::segment;
use super::response::Refusal;
use super::settings::Settings;
use crate::core::{Field, Json, Method, Pointer, Problem, ReadToken, Request, Response};

/// Where in a list a page begins; the default is the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Pages before it.
    pages: u64,
    /// Records before it, repeated ones included.
    records: u64,
}

/// A page of a list.
#[derive(Debug, PartialEq)]
pub struct ListPage {
    /// The records in the list's order, each with its id where it shows one of
    /// the provider's form. An id may come twice, also on one page: a list
    /// moves while it is read.
    pub records: Vec<(Option<String>, Json)>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Position>,
}

impl Provider {
    /// The request of one page; `None` where the provider has no list.
    pub fn list_request(
        &self,
        settings: &Settings,
        position: Position,
    ) -> Result<Option<Request>, Problem> {
        let Some(list) = &self.manifest.list else {
            return Ok(None);
        };
        let mut query: Vec<(&str, String)> = list
            .query
            .iter()
            .map(|(name, value)| (name.as_str(), value.clone()))
            .collect();
        if let Some(page) = &list.page {
            let place = match page.by {
                PageBy::Page => position.pages + 1,
                PageBy::Offset => position.records,
            };
            query.push((&page.param, place.to_string()));
            if let Some(param) = &page.size_param {
                query.push((param, page.size.to_string()));
            }
        }
        let query: Vec<String> = query
            .iter()
            .map(|(name, value)| format!("{}={}", segment(name), segment(value)))
            .collect();
        let template = if query.is_empty() {
            list.url.clone()
        } else {
            format!("{}?{}", list.url, query.join("&"))
        };
        Ok(Some(Request {
            method: Method::Get,
            url: self.url(&template, settings, None)?,
            headers: self.headers(settings),
            body: None,
        }))
    }

    /// Whether the list's records lack a field that a read by id has.
    #[must_use]
    pub fn list_omits(&self, field: &Field) -> bool {
        let Some(list) = &self.manifest.list else {
            return true;
        };
        let shown: Vec<&String> = match &field.read_as {
            Some(read_as) => read_as
                .0
                .iter()
                .map_while(|token| match token {
                    ReadToken::Member(name) => Some(name),
                    ReadToken::Each => None,
                })
                .collect(),
            None => field.place.members().iter().collect(),
        };
        let lies_below = |omitted: &Pointer| {
            let tokens = omitted.tokens();
            tokens.len() <= shown.len()
                && tokens.iter().zip(&shown).all(|(one, other)| one == *other)
        };
        list.omits.iter().any(lies_below)
    }

    /// The page in the answer to [`Self::list_request`], asked for at this
    /// position; or why it is none.
    pub fn list_page(&self, response: &Response, position: Position) -> Result<ListPage, Refusal> {
        let body = Json::parse(&response.body)
            .map_err(|_| Refusal::new("the answer to the list is not JSON"))?;
        let (items, next) = self.judge_page(&body, position)?;
        let id = |record: &Json| self.listed_id(record);
        Ok(ListPage {
            records: items
                .iter()
                .map(|record| (id(record), record.clone()))
                .collect(),
            next,
        })
    }

    /// The records of a page, and where the next one begins.
    pub(super) fn judge_page<'a>(
        &self,
        body: &'a Json,
        position: Position,
    ) -> Result<(&'a [Json], Option<Position>), Refusal> {
        let list = self.manifest.list.as_ref();
        let list = list.ok_or_else(|| Refusal::new("the provider has no list"))?;
        let Some(Json::Array(items)) = body.pointer(&list.items) else {
            let place = shown(&list.items);
            return Err(Refusal::new(format!(
                "the answer to the list holds no records at {place}"
            )));
        };
        let next = match &list.page {
            // A page that is empty ends every list, whatever else it says.
            Some(page) if !items.is_empty() => {
                let after = Position {
                    pages: position.pages + 1,
                    records: position.records
                        + u64::try_from(items.len()).unwrap_or(u64::from(u32::MAX)),
                };
                is_more(page, body, after)?.then_some(after)
            }
            _ => None,
        };
        Ok((items, next))
    }

    fn listed_id(&self, record: &Json) -> Option<String> {
        let id = record.pointer(&self.manifest.list.as_ref()?.id)?;
        let id = match id.to_value() {
            Value::String(text) => text,
            Value::Number(_) => id.to_text(),
            _ => return None,
        };
        self.check_id(&id).is_ok().then_some(id)
    }
}

/// Whether records follow what has been read; every end that the manifest
/// names must be there, and the first that is reached counts. A manifest that
/// names none has a list that ends with an empty page.
fn is_more(page: &Page, body: &Json, after: Position) -> Result<bool, Refusal> {
    let number = |at: &Pointer| {
        let value = body.pointer(at).map(Json::to_value);
        value
            .and_then(|value| value.as_u64())
            .ok_or_else(|| unsaid(at, "a whole number"))
    };
    let mut more = true;
    if let Some(at) = &page.pages {
        more &= after.pages < number(at)?;
    }
    if let Some(at) = &page.total {
        more &= after.records < number(at)?;
    }
    if let Some(at) = &page.more {
        let value = body.pointer(at).map(Json::to_value);
        more &= value
            .and_then(|value| value.as_bool())
            .ok_or_else(|| unsaid(at, "true or false"))?;
    }
    Ok(more)
}

fn unsaid(at: &Pointer, what: &str) -> Refusal {
    let place = shown(at);
    Refusal::new(format!(
        "the answer to the list does not say where it ends: {place} should hold {what}"
    ))
}

fn shown(at: &Pointer) -> String {
    if at.tokens().is_empty() {
        "its top".to_owned()
    } else {
        format!("`/{}`", at.tokens().join("/"))
    }
}
