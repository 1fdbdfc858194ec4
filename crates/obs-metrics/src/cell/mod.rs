//! The storage behind each series, and the handles that write to it.

pub(crate) mod counter;
pub(crate) mod exemplar;
pub(crate) mod gauge;
pub(crate) mod histogram;
#[cfg(all(test, obs_loom))]
mod models;
pub(crate) mod padded;
#[cfg(all(test, not(obs_loom)))]
#[path = "../../tests/it/raise.rs"]
pub(crate) mod raise;
pub(crate) mod summary;
mod sync;
mod thread_slot;
