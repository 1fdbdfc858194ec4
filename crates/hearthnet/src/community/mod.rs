//! Metrics of the community: what this node shares with the consent of its owner, and `GET /metrics/community` of the node that
//! collects. `obs_community` decides what is published.

mod collect;
mod counts;
mod document;
mod federation;
mod meter;
mod names;
mod route;
mod tick;

pub(crate) use self::federation::Federation;
pub(crate) use self::route::routes;
pub(crate) use self::tick::watch;
