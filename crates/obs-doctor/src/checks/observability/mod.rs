//! Checks of observability itself: the log, the export of traces, the last stop, and steps of the clock.
//!
//! The folder of the log is read from the file system, with or without a node. Everything else is known to the running node
//! alone ([`CapabilityBus::observability`](crate::CapabilityBus::observability)).

mod clock_steps;
mod crash_safety;
mod export;
mod facts;
mod folder;
mod handover;
mod last_stop;
mod writes;

pub(super) use self::clock_steps::steps as clock_steps;
pub(super) use self::crash_safety::crash_safety;
pub(super) use self::export::export;
pub(super) use self::folder::folder;
pub(super) use self::handover::handover;
pub(super) use self::last_stop::last_stop;
pub(super) use self::writes::writes;
