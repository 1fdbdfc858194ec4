//! Calls: who may make one, which capability or peer answers it, and how its answer goes out.

pub(crate) mod answer;
mod call;
pub(crate) mod capability;
mod forward;
mod health;
mod limiter;
mod logger;
mod manifest;
mod peers;
mod routes;
mod state;

pub(crate) use self::peers::watch::watch_all as watch_peers;
pub(crate) use self::routes::routes;
pub(crate) use self::state::{Bus, Capabilities, Profile};
