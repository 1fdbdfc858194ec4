//! Synchronisation primitives of traces and their store.
//!
//! They are the standard library's. A build for the models (`--cfg obs_loom`) takes loom's in their place, so that
//! `models.rs` runs the crate's own code in every order in which its threads can run.

mod instant;
#[cfg(all(test, obs_loom))]
mod modelled;
#[cfg(all(test, obs_loom))]
mod models;
#[cfg(not(all(test, obs_loom)))]
mod real;

#[cfg(all(test, obs_loom))]
pub(crate) use self::modelled::{IS_MODEL, Mutex, MutexGuard, OnceLock, atomic, lock, per_thread};
#[cfg(not(all(test, obs_loom)))]
pub(crate) use self::real::{IS_MODEL, Mutex, MutexGuard, OnceLock, atomic, lock, per_thread};

pub(crate) use self::instant::AtomicInstant;
