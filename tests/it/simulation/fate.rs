//! What becomes of a request: faults as data, drawn from a seed.

use std::time::Duration;

use crate::support::campaign::Chance;
use clientsync::core::NoResponse;

/// What becomes of one request.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Fate {
    /// It is done and answered.
    Works,
    /// It is lost, or refused, before it is done.
    Lost(NoResponse),
    /// It is done, and no answer comes.
    Unanswered(NoResponse),
    /// No answer comes, and it is done so long after.
    Late(Duration),
    /// It is answered with an error.
    Says {
        status: u16,
        wait: Option<Wait>,
        done: bool,
    },
    /// It is answered with a success that cannot be read.
    Garbled { body: &'static str, done: bool },
    /// A success that is a failure inside, as one provider has them.
    Inner { done: bool },
    /// It is answered with the record of somebody else.
    Mistaken { done: bool },
}

/// How an answer asks to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    Seconds(u64),
    /// A date so many seconds from now.
    Date(u64),
}

/// The kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Refused,
    Dropped,
    AppliedAndDropped,
    Late,
    Failing,
    Unavailable,
    TooMany,
    Conflict,
    Garbled,
    Unauthorized,
    Mistaken,
}

const KINDS: [Kind; 11] = [
    Kind::Refused,
    Kind::Dropped,
    Kind::AppliedAndDropped,
    Kind::Late,
    Kind::Failing,
    Kind::Unavailable,
    Kind::TooMany,
    Kind::Conflict,
    Kind::Garbled,
    Kind::Unauthorized,
    Kind::Mistaken,
];

/// Bodies that no success has; some are cut off.
const GARBLED: [&str; 6] = [
    "",
    "null",
    "[]",
    "<html><body>sign in</body></html>",
    r#"{"id":"5eb0"#,
    r#"{"Status":200,"WasSuccessful":tr"#,
];

/// Which faults there are in a run, and how many.
#[derive(Clone, Debug)]
pub(super) struct Weather {
    percent: u64,
    kinds: Vec<Kind>,
    chance: Chance,
    /// Faults that end a lane occur once in a run.
    ended: bool,
}

/// What is asked, as far as its fate depends on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asking {
    pub(super) is_write: bool,
    /// Whether the provider has failures inside of a success, and conflicts
    /// that mean "wait".
    pub(super) is_odd: bool,
}

impl Weather {
    /// No faults, and no delays worth the name.
    pub(super) fn fine() -> Self {
        Self {
            percent: 0,
            kinds: Vec::new(),
            chance: Chance::of(0),
            ended: false,
        }
    }

    pub(super) fn draw(chance: &mut Chance) -> Self {
        let percent = *chance.one(&[0, 5, 10, 20, 35, 60, 100]);
        let some = 1 + chance.below(6);
        let kinds = if chance.percent(30) {
            KINDS.to_vec()
        } else {
            (0..some).map(|_| *chance.one(&KINDS)).collect()
        };
        Self {
            percent,
            kinds,
            chance: Chance::of(chance.next()),
            ended: false,
        }
    }

    /// How long a request takes there, and its answer back.
    pub(super) fn trip(&mut self) -> (Duration, Duration) {
        let slow = self.chance.percent(self.percent / 4);
        let longest = if slow { 14_000 } else { 150 };
        let mut way = || Duration::from_millis(5 + self.chance.below(longest));
        (way(), way())
    }

    /// What becomes of the next request.
    pub(super) fn fate(&mut self, asking: Asking) -> Fate {
        if !self.chance.percent(self.percent) {
            return Fate::Works;
        }
        let done = self.chance.percent(50);
        let broken = *self.chance.one(&[NoResponse::Broken, NoResponse::TimedOut]);
        match *self.chance.one(&self.kinds) {
            Kind::Refused => Fate::Lost(NoResponse::NotSent),
            Kind::Dropped => Fate::Lost(broken),
            Kind::AppliedAndDropped if self.chance.percent(10) => {
                Fate::Unanswered(NoResponse::TooLarge)
            }
            Kind::AppliedAndDropped => Fate::Unanswered(broken),
            Kind::Late => Fate::Late(Duration::from_secs(1 + self.chance.below(600))),
            Kind::Failing if asking.is_odd && self.chance.percent(30) => Fate::Inner { done },
            Kind::Failing => Fate::Says {
                status: *self.chance.one(&[500, 502, 503, 504]),
                wait: None,
                done,
            },
            Kind::Unavailable => self.throttled(503),
            Kind::TooMany if self.chance.percent(40) => Fate::Says {
                status: 429,
                wait: None,
                done: false,
            },
            Kind::TooMany => self.throttled(429),
            Kind::Conflict if asking.is_odd => self.throttled(409),
            Kind::Conflict => Fate::Says {
                status: 409,
                wait: None,
                done: false,
            },
            Kind::Garbled => Fate::Garbled {
                body: self.chance.one::<&str>(&GARBLED),
                done,
            },
            Kind::Unauthorized | Kind::Mistaken if self.ended => Fate::Works,
            Kind::Unauthorized => {
                self.ended = true;
                Fate::Says {
                    status: 401,
                    wait: None,
                    done: false,
                }
            }
            // Its answer to an update shows no record, so nobody could tell.
            Kind::Mistaken if asking.is_write && asking.is_odd => Fate::Works,
            Kind::Mistaken => {
                self.ended = true;
                Fate::Mistaken { done }
            }
        }
    }

    fn throttled(&mut self, status: u16) -> Fate {
        // Rarely longer than a run waits.
        let seconds = match self.chance.below(20) {
            0 => 301 + self.chance.below(3_000),
            1..4 => 20 + self.chance.below(280),
            _ => self.chance.below(20),
        };
        let wait = if self.chance.percent(30) {
            Wait::Date(seconds)
        } else {
            Wait::Seconds(seconds)
        };
        Fate::Says {
            status,
            wait: Some(wait),
            done: false,
        }
    }
}
