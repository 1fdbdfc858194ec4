//! Atomics, locks and thread-locals of the cells and of a family's table: those of the standard library, or those of loom in
//! a build with `--cfg obs_loom`, which runs the models.

#[cfg(not(all(test, obs_loom)))]
mod real;
#[cfg(not(all(test, obs_loom)))]
pub(crate) use self::real::*;

#[cfg(all(test, obs_loom))]
mod modelled;
#[cfg(all(test, obs_loom))]
pub(crate) use self::modelled::*;
