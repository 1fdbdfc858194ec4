//! Bus of the node: takes calls, applies limits, finds the capability or peer that answers, and sends the answer.

pub(crate) mod answer;
mod call;
pub(crate) mod callers;
pub(crate) mod capability;
pub(crate) mod failure;
mod forward;
mod health;
mod limiter;
mod logger;
pub(crate) mod manifest;
mod peers;
mod progress;
pub(crate) mod recent;
mod routes;
mod signed;
mod state;

pub(crate) use self::peers::PeerView;
pub(crate) use self::peers::watch::watch_all as watch_peers;
pub(crate) use self::routes::{local_routes, no_such_route, routes};
pub(crate) use self::signed::Signer;
pub(crate) use self::state::{Bus, Capabilities, Profile};
