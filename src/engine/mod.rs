//! The engine: plans, and applies plans.
//!
//! Planning has no transport, so a plan cannot send. Applying recomputes
//! nothing. What follows from an answer is decided in [`decide`] alone.

mod delivery;
mod ends;
mod event;
mod exchange;
mod lane;
mod past;
mod planning;
mod problems;
mod reading;
mod recorder;
mod transport;

pub use delivery::apply::{ApplyLane, Interrupt, OpenPlan, PlanBytes, apply};
pub use delivery::worker::Worker;
pub use ends::{LaneEnd, Stopped};
pub use event::{Event, Observer, Silent, Work};
pub use exchange::bounds::{Bound, Bounds};
pub use exchange::decide::{ATTEMPTS, Action, Attempt, Came, Leeway, Stop, applied, cost, decide};
pub use exchange::exchanger::Clock;
pub use exchange::pacer::{DayUsedUp, Ending, Ledger, MARGIN, Pacer, Turn};
pub use lane::{Digests, IdColumn, Keeping, Lane, Matching};
pub use past::Past;
pub use planning::declare::{Takers, declare};
pub use planning::estimate::estimate;
pub use planning::guards::{Guards, Limit, Rows, judge_rows};
pub use planning::periods::Periods;
pub use planning::plan_file::{
    PlanEnds, PlanFileError, PlanReader, PlanWriter, Sealing, open_update, verify,
};
pub use planning::planner::{PlanError, Selection, plan};
pub use planning::rows::SourceView;
pub use problems::{MatchCell, body_problems, unlinked};
pub use reading::{
    Adoption, Found, LookFor, ReadBack, ReadEnd, ReadLane, Reader, Roster, RosterRow, Stopper,
    Tellers, adopt, compare, read_back,
};
pub use recorder::{NotRecorded, Recorder, RecorderThread, Recording, Unrecorded};
pub use transport::{Generation, Renewal, Transport};

use problems::{refusal_problems, violation_problem};
