//! Atomics, locks and thread-locals of the cells: the standard library's, or loom's in a build for the models of
//! `models.rs` (`--cfg obs_loom`).

#[cfg(not(all(test, obs_loom)))]
mod real;
#[cfg(not(all(test, obs_loom)))]
pub(crate) use self::real::*;

#[cfg(all(test, obs_loom))]
mod modelled;
#[cfg(all(test, obs_loom))]
pub(crate) use self::modelled::*;
