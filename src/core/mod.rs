//! The pure heart: values in, values out. No IO, no clock, no async, no log.

mod compare;
mod complete;
mod diff;
mod drift;
mod field;
mod json;
mod known;
mod mapping;
mod outcome;
mod path;
mod payload;
mod plan;
mod problem;
mod record;
mod secret;
mod shape;
mod view;
mod wire;

pub use compare::{Compare, is_blank};
pub use complete::{Body, Completed, Completing, KEPT, Settled, complete};
pub use diff::{Before, Change, DiffContext, Shown, When, diff, immutable_problem};
pub use drift::{Drift, DriftedField, Says};
pub use field::{Access, Clear, Field, KeyedList, Place, ReadAs, ReadToken, Visibility};
pub use json::{Json, JsonError, MAX_DEPTH};
pub use known::{Acknowledged, Known};
pub use mapping::{Blank, CellInput, CellSource, Desired, Letters, Mapping, Moment, Policy, Trim};
pub use outcome::{LaneCounts, LeftOutReason, Outcome, SkipReason};
pub use path::{FieldPath, PathError, Pointer};
pub use payload::{Draft, Extra, ReadReason, Travels, Withheld, assemble};
pub use plan::{
    Estimate, GuardVerdict, Header, LaneHeader, LeftOut, Note, Overlay, PLAN_FORMAT, PlanLine,
    PlannedUpdate, Push, Ruling, Scope, Trailer,
};
pub use problem::{Code, Problem};
pub use record::{NOT_IN_FILE, RecordKey, Row, line_in_file};
pub use secret::{Digest, Key, SealError, Secret, hex, sha256_hex};
pub use shape::{BodyId, IdKind, Shape, Together, Whole, Writable};
pub use view::{Hint, Hints, ViewError, decode, encode};
pub use wire::{Exchange, Method, NoResponse, Request, Response};
