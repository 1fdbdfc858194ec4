//! Metrics of the community: what this node shares with the consent of its owner, and on the node that collects
//! `GET /metrics/community` and snapshots of the past. `obs_community` decides what is published.

mod collect;
mod counts;
mod document;
mod federation;
mod machine;
mod meter;
mod names;
mod route;
mod snapshot;
mod store;
mod tick;

pub(crate) use self::federation::Federation;
pub(crate) use self::route::routes;
pub(crate) use self::snapshot::Snapshots;
pub(crate) use self::tick::watch;
