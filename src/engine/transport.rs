//! What the engine needs of the outside: something that moves a request to a
//! provider and an answer back.
//!
//! One transport serves one lane and owns its credentials, so the engine never
//! sees a secret. It must never retry, redirect or wait for a limit: those are
//! the engine's decisions.

use std::future::Future;

use crate::core::{Exchange, Request};

/// The generation of the credentials a request was sent with; a renewal makes
/// a new generation, so that a token is renewed once however many requests it
/// failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(pub u64);

/// What came of asking for new credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// There are new ones: the request may be sent again.
    Renewed,
    /// There are none to be had: the lane stops.
    Impossible,
}

/// Moves requests of one lane.
pub trait Transport: Send + Sync {
    /// Sends one request with the lane's credentials and waits for its answer,
    /// within the lane's timeout.
    fn send(&self, request: Request) -> impl Future<Output = (Exchange, Generation)> + Send;

    /// Asks for new credentials after a request of this generation was refused
    /// with 401. At most one renewal per generation reaches the provider.
    fn renew(&self, refused: Generation) -> impl Future<Output = Renewal> + Send;
}
