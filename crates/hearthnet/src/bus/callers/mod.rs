//! Callers with the most calls, refusals and errors since the start of the node.
//!
//! A caller is a signer, or the address of calls without a valid signature. Memory is bounded whatever callers invent:
//! three sketches of [`sketch::COUNTERS`] counters each, under 300 KiB. See [`sketch`] for the guarantee.

mod key;
mod route;
mod sketch;
mod table;
mod visit;

pub(super) use self::route::routes;
pub(crate) use self::table::{CallerCount, Callers};
pub(super) use self::visit::Visit;
