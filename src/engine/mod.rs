//! The engine: plans, and applies plans.
//!
//! Planning has no transport, so a plan cannot send. Applying recomputes
//! nothing. What follows from an answer is decided in [`decide`] alone.

mod apply;
mod attempt;
mod bounds;
mod breaker;
mod decide;
mod declare;
mod ends;
mod estimate;
mod event;
mod exchanger;
mod gate;
mod guards;
mod journey;
mod lane;
mod pacer;
mod periods;
mod plan_file;
mod planner;
mod problems;
mod reading;
mod recorder;
mod rows;
mod sweep;
mod tally;
mod transport;
mod trouble;
mod worker;

pub use apply::{ApplyLane, Interrupt, OpenPlan, PlanBytes, apply};
pub use bounds::{Bound, Bounds};
pub use decide::{ATTEMPTS, Action, Attempt, Came, Leeway, Stop, applied, cost, decide};
pub use declare::{Takers, declare};
pub use ends::{LaneEnd, Stopped};
pub use estimate::estimate;
pub use event::{Event, Observer, Silent, Work};
pub use exchanger::Clock;
pub use guards::{Guards, Limit, Rows, judge_rows};
pub use lane::{Digests, IdColumn, Keeping, Lane, Matching};
pub use pacer::{DayUsedUp, Ending, Ledger, MARGIN, Pacer, Turn};
pub use periods::Periods;
pub use plan_file::{
    PlanEnds, PlanFileError, PlanReader, PlanWriter, Sealing, open_update, verify,
};
pub use planner::{PlanError, Selection, plan};
pub use problems::body_problems;
pub use reading::{
    Adoption, Found, LookFor, ReadBack, ReadEnd, ReadLane, Reader, Roster, RosterRow, Stopper,
    Tellers, adopt, compare, read_back,
};
pub use recorder::{NotRecorded, Recorder, RecorderThread, Unrecorded};
pub use rows::SourceView;
pub use transport::{Generation, Renewal, Transport};
pub use worker::Worker;

use problems::{refusal_problems, violation_problem};
