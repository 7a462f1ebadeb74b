//! How far a lane may go in one run: so many requests, and until when.
//!
//! It counts and never waits for a provider; whoever sends asks here first.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::Instant;

/// What the user allows a lane in one run; nothing is unbounded by accident,
/// only where it is said.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bounds {
    /// Requests, reads and retries included.
    pub budget: Option<u64>,
    /// When the run ends.
    pub deadline: Option<Instant>,
    /// When the lane may begin: its provider asked an earlier run to wait.
    pub not_before: Option<Timestamp>,
}

/// A bound that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// The requests are used up; there were so many.
    Budget(u64),
    /// The time is used up.
    Time,
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Budget(1) => f.write_str("the budget of 1 request is used up"),
            Self::Budget(requests) => write!(f, "the budget of {requests} requests is used up"),
            Self::Time => f.write_str("the time of the run (`max_duration`) is used up"),
        }
    }
}

/// The requests that a lane may still send.
///
/// A request that is given its place is sent, unless the lane ends for another
/// reason: the lane is over only when nobody holds a place any more.
#[derive(Debug)]
pub(in crate::engine) struct Places {
    budget: Option<u64>,
    count: Mutex<Count>,
    changed: Notify,
}

#[derive(Debug)]
struct Count {
    left: u64,
    /// Given, and neither used nor given back.
    held: u64,
}

/// The right to send one request.
pub(in crate::engine) struct Place<'a> {
    places: &'a Places,
    used: bool,
}

impl Places {
    pub(in crate::engine) fn new(budget: Option<u64>) -> Self {
        Self {
            budget,
            count: Mutex::new(Count {
                left: budget.unwrap_or(u64::MAX),
                held: 0,
            }),
            changed: Notify::new(),
        }
    }

    /// How many requests the budget still allows, where there is one.
    pub(in crate::engine) fn left(&self) -> Option<u64> {
        self.budget.map(|_| self.count().left)
    }

    /// A place for one request, or the bound once every place is used.
    pub(in crate::engine) async fn take(&self) -> Result<Place<'_>, Bound> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // From here on no change is missed, so the look comes after it.
            changed.as_mut().enable();
            {
                let mut count = self.count();
                if let Some(left) = count.left.checked_sub(1) {
                    count.left = left;
                    count.held += 1;
                    return Ok(Place {
                        places: self,
                        used: false,
                    });
                }
                if count.held == 0 {
                    return Err(Bound::Budget(self.budget.unwrap_or_default()));
                }
            }
            changed.await;
        }
    }

    fn count(&self) -> std::sync::MutexGuard<'_, Count> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// The request is on its way.
    pub(in crate::engine) fn used(mut self) {
        self.used = true;
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut count = self.places.count();
        count.held -= 1;
        count.left += u64::from(!self.used);
        drop(count);
        self.places.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_budget_is_over_when_its_last_place_is_used_not_when_it_is_given() {
        let places = Places::new(Some(2));
        let (Ok(first), Ok(second)) = (places.take().await, places.take().await) else {
            panic!("the budget allows two")
        };
        assert_eq!(places.count().left, 0);
        first.used();
        let refused = async { places.take().await.err() };
        let use_it = async {
            tokio::task::yield_now().await;
            second.used();
        };
        let (refused, ()) = tokio::join!(refused, use_it);
        assert_eq!(refused, Some(Bound::Budget(2)));
    }

    #[tokio::test]
    async fn a_place_that_was_not_used_is_given_to_another() {
        let places = Places::new(Some(1));
        let place = places.take().await;
        drop(place);
        assert_eq!(places.count().left, 1);
        assert!(places.take().await.is_ok());
    }

    #[tokio::test]
    async fn without_a_budget_there_is_always_a_place() {
        let places = Places::new(None);
        for _ in 0..1000 {
            assert!(places.take().await.map(Place::used).is_ok());
        }
    }
}
