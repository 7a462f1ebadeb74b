//! Chosen faults: what shall go wrong, how often, and with which requests.
//!
//! Which request fails depends on a seed, its lane and its number in that lane
//! alone, so that a run against the sandbox can be repeated: how the requests
//! of several lanes mix is different every time. Requests for tokens never
//! fail: without one a lane stops, and nothing else could be seen.

use std::fmt;

use thiserror::Error;

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// It is answered with 500 and not applied.
    ServerError,
    /// It is answered with 503 and not applied.
    Unavailable,
    /// The provider asks everyone to wait for a second, in its own way.
    Throttle,
    /// The connection is reset before it is applied.
    ResetBefore,
    /// It is applied; then the connection is reset without an answer.
    ResetAfter,
    /// It is not applied and never answered.
    Timeout,
    /// It is not applied and answered with 200 and a page for people.
    Html,
    /// It is applied and answered, but half of the answer's body is missing.
    Truncated,
}

impl FaultKind {
    /// All kinds, with their names on the command line.
    const ALL: [(&'static str, Self); 8] = [
        ("500", Self::ServerError),
        ("503", Self::Unavailable),
        ("throttle", Self::Throttle),
        ("reset-before", Self::ResetBefore),
        ("reset-after", Self::ResetAfter),
        ("timeout", Self::Timeout),
        ("html", Self::Html),
        ("truncated", Self::Truncated),
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        let known = Self::ALL.iter().find(|(_, kind)| *kind == self);
        known.map_or("", |(name, _)| name)
    }

    /// Whether the request still reaches the records.
    pub(super) fn applies(self) -> bool {
        matches!(self, Self::ResetAfter | Self::Truncated)
    }

    /// Whether the client sees no answer at all.
    pub(super) fn is_silent(self) -> bool {
        matches!(self, Self::ResetBefore | Self::ResetAfter | Self::Timeout)
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A kind of fault, and how often it strikes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// The share of requests that it strikes: above 0, up to 1.
    pub rate: f64,
}

/// Why a text is no fault.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum FaultError {
    /// There is no such kind.
    #[error("`{kind}` is no kind of fault; known are {known}")]
    Kind {
        /// What was given.
        kind: String,
        /// The kinds there are.
        known: String,
    },
    /// The rate is no share.
    #[error("the rate must be a number above 0 and not above 1, for example 0.2")]
    Rate,
}

impl Fault {
    /// Reads `KIND` or `KIND=RATE`; without a rate every request is struck.
    pub fn parse(text: &str) -> Result<Self, FaultError> {
        let (name, rate) = match text.split_once('=') {
            Some((name, rate)) => (name, rate.parse().map_err(|_| FaultError::Rate)?),
            None => (text, 1.0),
        };
        if !(rate > 0.0 && rate <= 1.0) {
            return Err(FaultError::Rate);
        }
        let found = FaultKind::ALL.iter().find(|(known, _)| *known == name);
        let kind = found.map(|(_, kind)| *kind);
        let kind = kind.ok_or_else(|| FaultError::Kind {
            kind: name.to_owned(),
            known: FaultKind::ALL.map(|(known, _)| known).join(", "),
        })?;
        Ok(Self { kind, rate })
    }
}

/// All chosen faults; none by default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    /// The faults; the first that strikes a request decides.
    pub kinds: Vec<Fault>,
    /// Another seed strikes other requests.
    pub seed: u64,
}

impl Faults {
    /// What goes wrong with a lane's request of this number.
    pub(super) fn strike(&self, lane: &str, number: u64) -> Option<FaultKind> {
        // Lanes of one seed share nothing, or all would fail at once.
        let seed = lane.bytes().fold(mix(self.seed), |seed, byte| {
            mix(seed.wrapping_add(u64::from(byte)))
        });
        self.kinds
            .iter()
            .zip(1_u64..)
            .find(|(fault, place)| share(seed, *place, number) < fault.rate)
            .map(|(fault, _)| fault.kind)
    }
}

/// A share in 0..1 that looks random and is the same every time.
fn share(seed: u64, place: u64, number: u64) -> f64 {
    let mixed = mix(mix(seed.wrapping_add(place)).wrapping_add(number));
    let high = u32::try_from(mixed >> 32).unwrap_or(u32::MAX);
    f64::from(high) / (f64::from(u32::MAX) + 1.0)
}

/// The finisher of splitmix64 (Steele, Lea, Flood 2014).
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(texts: &[&str], seed: u64) -> Faults {
        Faults {
            kinds: texts.iter().map(|t| Fault::parse(t).unwrap()).collect(),
            seed,
        }
    }

    #[test]
    fn every_kind_is_read_by_its_name_and_a_rate_is_a_share() {
        for (name, kind) in FaultKind::ALL {
            assert_eq!(Fault::parse(name), Ok(Fault { kind, rate: 1.0 }));
            assert_eq!(kind.to_string(), name);
        }
        let quarter = Fault {
            kind: FaultKind::Html,
            rate: 0.25,
        };
        assert_eq!(Fault::parse("html=0.25"), Ok(quarter));
        for wrong in [
            "html=", "html=0", "html=1.1", "html=-1", "html=NaN", "html=x",
        ] {
            assert_eq!(Fault::parse(wrong), Err(FaultError::Rate), "{wrong}");
        }
        let error = Fault::parse("reset").unwrap_err().to_string();
        assert!(error.contains("`reset`") && error.contains("reset-after"));
        assert!(Fault::parse("").is_err());
    }

    #[test]
    fn a_rate_strikes_its_share_of_the_requests_and_the_same_ones_every_time() {
        let struck = |faults: &Faults| -> Vec<u64> {
            let hit = |n: &u64| faults.strike("crm", *n).is_some();
            (1..=10_000).filter(hit).collect()
        };
        let fifth = faults(&["500=0.2"], 0);
        let first = struck(&fifth);
        assert!((1_900..2_100).contains(&first.len()), "{}", first.len());
        assert_eq!(first, struck(&fifth));
        assert_ne!(first, struck(&faults(&["500=0.2"], 1)));
        assert_eq!(struck(&faults(&["500"], 7)).len(), 10_000);
        assert!(struck(&Faults::default()).is_empty());
    }

    #[test]
    fn each_lane_has_faults_of_its_own() {
        let half = faults(&["500=0.5"], 0);
        let fate = |lane: &str| -> Vec<bool> {
            let struck = |n| half.strike(lane, n).is_some();
            (1..=1_000).map(struck).collect()
        };
        let (one, other) = (fate("crm"), fate("shop"));
        let same = one.iter().zip(&other).filter(|(a, b)| a == b).count();
        assert!((400..600).contains(&same), "{same}");
        assert_ne!(fate("ab"), fate("ba"));
    }

    #[test]
    fn faults_strike_independently_and_the_first_decides() {
        let both = faults(&["500=0.5", "html=0.5"], 0);
        let count = |kind| {
            (1..=10_000)
                .filter(|n| both.strike("crm", *n) == Some(kind))
                .count()
        };
        let counts = (count(FaultKind::ServerError), count(FaultKind::Html));
        assert!((4_800..5_200).contains(&counts.0), "{counts:?}");
        assert!((2_300..2_700).contains(&counts.1), "{counts:?}");
    }
}
