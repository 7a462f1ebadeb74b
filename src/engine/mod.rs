//! The engine: plans, and applies plans.

mod event;
mod transport;

pub use event::{Event, Observer, Silent};
pub use transport::{Generation, Renewal, Transport};
