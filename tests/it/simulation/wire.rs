//! The transport in memory: it moves a request to the other side and an answer
//! back, in virtual time. Once the program was killed it moves nothing.

use std::future::{Future, pending};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clientsync::core::{Exchange, NoResponse, Request, Response};
use clientsync::engine::{Generation, Renewal, Transport};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::json;
use tokio::sync::Notify;

use super::fate::{Fate, Wait};
use super::outside::{Letter, Outside};
use super::run::{Crash, Moment};
use super::time;

/// How long the program waits for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// One lane's way to the other side.
#[derive(Clone)]
pub(super) struct Wire {
    pub(super) lane: String,
    /// Whether a refused token can be had anew.
    pub(super) is_renewable: bool,
    pub(super) outside: Arc<Mutex<Outside>>,
    pub(super) killed: Arc<Notify>,
    pub(super) generation: Arc<AtomicU64>,
}

impl Wire {
    /// The request leaves, unless the program is dead by now.
    fn leave(&self, request: &Request) -> Option<(Letter, Fate, Duration)> {
        let mut outside = self.outside.lock().unwrap();
        if !outside.is_dead {
            outside.requests += 1;
        }
        let number = outside.requests;
        if outside.dies(Crash::Request(number, Moment::Leaving), &self.killed) {
            return None;
        }
        let (letter, fate, took) = outside.leaves(&self.lane, request);
        if outside.dies(Crash::Request(number, Moment::UnderWay), &self.killed) {
            return None;
        }
        let took = match &fate {
            Fate::Lost(NoResponse::TimedOut)
            | Fate::Unanswered(NoResponse::TimedOut)
            | Fate::Late(_) => PATIENCE,
            _ => took,
        };
        Some((letter, fate, took))
    }

    /// The answer comes, or none does, unless the program is dead by now.
    fn come(&self, letter: &Letter, fate: &Fate) -> Option<Result<Response, NoResponse>> {
        let mut outside = self.outside.lock().unwrap();
        if outside.is_dead {
            return None;
        }
        outside.is_over(letter);
        let number = outside.requests;
        if outside.dies(Crash::Request(number, Moment::Answered), &self.killed) {
            return None;
        }
        Some(match fate {
            Fate::Works => Ok(answer(200, outside.answer(letter).to_text())),
            Fate::Mistaken { .. } => Ok(answer(200, outside.mistaken(letter).to_text())),
            Fate::Lost(nothing) | Fate::Unanswered(nothing) => Err(*nothing),
            Fate::Late(_) => Err(NoResponse::TimedOut),
            Fate::Garbled { body, .. } => Ok(answer(200, (*body).to_owned())),
            Fate::Inner { .. } => {
                let body = json!({ "Status": 500, "WasSuccessful": false, "Message": "later" });
                Ok(answer(200, body.to_string()))
            }
            Fate::Says { status, wait, .. } => {
                let mut answer = answer(*status, r#"{"message":"no"}"#.to_owned());
                if let Some(wait) = wait {
                    let (header, until) = retry_after(*wait);
                    answer.headers.push(("retry-after".to_owned(), header));
                    outside.leave_alone(&self.lane, until);
                }
                Ok(answer)
            }
        })
    }
}

impl Transport for Wire {
    fn send(&self, request: Request) -> impl Future<Output = (Exchange, Generation)> + Send {
        let me = self.clone();
        async move {
            let generation = Generation(me.generation.load(Ordering::Relaxed));
            let Some((letter, fate, took)) = me.leave(&request) else {
                return pending().await;
            };
            tokio::time::sleep(took).await;
            match me.come(&letter, &fate) {
                Some(result) => (Exchange { result, took }, generation),
                None => pending().await,
            }
        }
    }

    fn renew(&self, refused: Generation) -> impl Future<Output = Renewal> + Send {
        let renewal = if self.is_renewable {
            self.generation.store(refused.0 + 1, Ordering::Relaxed);
            Renewal::Renewed
        } else {
            Renewal::Impossible
        };
        std::future::ready(renewal)
    }
}

fn answer(status: u16, body: String) -> Response {
    Response {
        status,
        headers: Vec::new(),
        body: body.into_bytes(),
    }
}

/// The header, and until when it asks to wait.
fn retry_after(wait: Wait) -> (String, Duration) {
    match wait {
        Wait::Seconds(seconds) => (
            seconds.to_string(),
            time::now() + Duration::from_secs(seconds),
        ),
        Wait::Date(seconds) => {
            let until = time::of_day() + Duration::from_secs(seconds);
            let whole = Timestamp::from_second(until.as_second()).unwrap();
            let date = whole.to_zoned(TimeZone::UTC);
            let date = date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
            let part = Duration::from_nanos(until.subsec_nanosecond().unsigned_abs().into());
            (
                date,
                time::now() + Duration::from_secs(seconds).saturating_sub(part),
            )
        }
    }
}
