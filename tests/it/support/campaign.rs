//! How often a test repeats: a little on every change, and much in a campaign.
//!
//! A campaign is asked for with `CLIENTSYNC_CAMPAIGN=1`; what it came to is
//! kept in `tests/CAMPAIGNS.md`.

use std::hash::{BuildHasher, RandomState};
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

/// Numbers that look random and can be had again: the seed is printed, and
/// `CLIENTSYNC_SEED` gives one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(test: &str) -> Self {
        let seed = std::env::var_os("CLIENTSYNC_SEED");
        let seed = seed.map_or_else(
            || RandomState::new().hash_one(test),
            |seed| seed.to_str().unwrap().parse().unwrap(),
        );
        say(&format!("{test}: CLIENTSYNC_SEED={seed}"));
        Self(seed)
    }

    /// Those of a seed that is known.
    pub(crate) const fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number (splitmix64).
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// True so often in a hundred.
    pub(crate) fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of these.
    pub(crate) fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let count = u64::try_from(of.len()).unwrap();
        &of[usize::try_from(self.below(count)).unwrap()]
    }
}
