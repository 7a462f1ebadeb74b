//! How often a test repeats: a little on every change, and much in a campaign.
//!
//! A campaign is asked for with `CLIENTSYNC_CAMPAIGN=1`; what it came to is
//! kept in `tests/CAMPAIGNS.md`.

use std::io::Write;

/// The number for every change, or the campaign's.
pub(crate) fn times<T>(always: T, campaign: T) -> T {
    if std::env::var_os("CLIENTSYNC_CAMPAIGN").is_some() {
        campaign
    } else {
        always
    }
}

/// Says something that shall be seen also where nothing fails.
pub(crate) fn say(text: &str) {
    std::io::stderr()
        .write_all(format!("{text}\n").as_bytes())
        .unwrap();
}
