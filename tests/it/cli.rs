//! The program as users run it: the built binary, real files, and a scripted
//! server that knows nothing of providers.

mod absent;
mod adoption;
mod codes;
mod configured;
mod crash;
mod deferred;
mod delivery;
mod drift;
mod failpoints;
mod forms;
mod full;
mod kept;
mod kills;
mod lanes;
mod locks;
mod output;
mod panics;
mod periods;
mod refused;
mod rows;
mod secrecy;
mod selection;
mod signals;
mod snapshot;
mod states;
mod status;
mod tokens;
mod unlinked;
