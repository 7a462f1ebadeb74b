//! Reading from providers: the records of rows, and what is made of them.
//!
//! Nothing here writes to a provider. What is read is kept only as far as the
//! lane maps it.

mod adoption;
mod drift;
mod gathered;
mod gathering;
mod lanes;
mod linking;
mod reader;
mod roster;
mod spool;

pub use adoption::{Adoption, adopt};
pub use drift::{ReadBack, Tellers, compare, read_back};
pub use lanes::ReadLane;
pub use reader::{Found, ReadEnd, Reader, Stopper};
pub use roster::{LookFor, Roster, RosterRow};
