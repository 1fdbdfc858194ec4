//! Export of a signal: queue, worker, delays, and the state that the log tells.

mod backoff;
mod exporter;
mod feed;
mod health;
mod item;
mod queue;
mod stats;
mod worker;

pub use exporter::Exporter;
pub use feed::{Feed, Offer, Settled};
pub use item::Item;
pub use stats::Stats;
