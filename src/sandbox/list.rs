//! A page of a lane's records: `[list]` of the manifest run backwards.
//!
//! It never shows a member that the manifest says the list omits, so that a
//! client which trusts a list too much is found out here.

use serde_json::Value;

use super::answer::{self, Reply};
use super::held::Held;
use super::percent;
use crate::core::Json;
use crate::provider::{List, Page, PageBy, Provider};

/// What a query asks for.
struct Window {
    /// The place of the first record.
    from: usize,
    /// At most so many.
    size: usize,
    /// Whether a filter came that this list does not know.
    filtered: bool,
}

/// The answer to a list request.
pub(super) fn page(provider: &Provider, held: &Held, query: Option<&str>) -> Reply {
    let Some(list) = &provider.manifest.list else {
        return answer::refusal(provider, 404, "there is no list", &[]);
    };
    let Some(query) = percent::form(query.unwrap_or_default().as_bytes()) else {
        return answer::refusal(provider, 400, "the query is not valid", &[]);
    };
    match window(list, &query) {
        Ok(window) => Reply::tree(200, &body(list, held, &window)),
        Err((parameter, why)) => {
            let fields = [(parameter, why.to_owned())];
            answer::refusal(provider, 400, "the query is not valid", &fields)
        }
    }
}

/// Reads the query; or the parameter that is wrong, and why.
fn window(list: &List, query: &[(String, String)]) -> Result<Window, (String, &'static str)> {
    let mut filtered = false;
    let (mut place, mut asked) = (None, None);
    for (name, value) in query {
        let number = || {
            let wrong = || (name.clone(), "must be a whole number");
            value.parse::<usize>().map_err(|_| wrong())
        };
        match &list.page {
            Some(page) if *name == page.param => place = Some(number()?),
            Some(page) if page.size_param.as_ref() == Some(name) => asked = Some(number()?),
            // A server that does not know a filter may answer 200 with nothing
            // at all (ComplyCube documents it): who reads that as "there is no
            // such record" is wrong, and shall find it out here.
            _ => filtered |= list.query.get(name) != Some(value),
        }
    }
    let Some(page) = &list.page else {
        return Ok(Window {
            from: 0,
            size: usize::MAX,
            filtered,
        });
    };
    let most = size_of(page);
    if asked == Some(0) {
        let name = page.size_param.clone().unwrap_or_default();
        return Err((name, "must be at least 1"));
    }
    let size = asked.map_or(most, |asked| asked.min(most));
    let from = match (page.by, place) {
        (PageBy::Page, Some(0)) => return Err((page.param.clone(), "must be at least 1")),
        (PageBy::Page, place) => place.map_or(0, |page| (page - 1).saturating_mul(size)),
        (PageBy::Offset, place) => place.unwrap_or(0),
    };
    Ok(Window {
        from,
        size,
        filtered,
    })
}

fn size_of(page: &Page) -> usize {
    usize::try_from(page.size).unwrap_or(usize::MAX).max(1)
}

fn body(list: &List, held: &Held, window: &Window) -> Json {
    let total = if window.filtered { 0 } else { held.len() };
    let shown = held.from(window.from).take(window.size.min(total));
    let items = shown.map(|record| without(record.clone(), list)).collect();
    let mut body = Json::object();
    body.set_at(list.items.tokens(), Json::Array(items));
    let Some(page) = &list.page else {
        return body;
    };
    let seen = window.from.saturating_add(window.size);
    // Envelopes name the page that they hold as it was asked for; a vendor's own
    // client may look there, though we do not.
    let place = match page.by {
        PageBy::Page => window.from / window.size + 1,
        PageBy::Offset => window.from,
    };
    body.set(&page.param, Json::from_value(&Value::from(place)));
    let told = [
        (&page.pages, Value::from(total.div_ceil(window.size))),
        (&page.total, Value::from(total)),
        (&page.more, Value::from(seen < total)),
    ];
    for (at, value) in told {
        if let Some(at) = at {
            body.set_at(at.tokens(), Json::from_value(&value));
        }
    }
    body
}

/// The record as a list shows it.
fn without(mut record: Json, list: &List) -> Json {
    for omitted in &list.omits {
        let Some((name, parent)) = omitted.tokens().split_last() else {
            continue;
        };
        let holder = parent
            .iter()
            .try_fold(&mut record, |json, name| json.get_mut(name));
        if let Some(holder) = holder {
            holder.remove(name);
        }
    }
    record
}
