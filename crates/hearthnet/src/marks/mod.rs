//! Marks of traces of which a part failed: requests to the peers that took part, and `POST /trace/keep`, which takes them.
//!
//! `obs_facade::http::keep` decides which peers are told. Here is how: a signed request, by which a peer knows this node.

mod carrier;
mod names;
mod route;

use std::sync::Arc;

use obs_facade::http::keep::{Courier, RunningCourier};

pub(crate) use self::route::routes;
use crate::bus::Bus;

/// Tells peers of failed traces until the result is dropped.
pub(crate) fn carry(bus: &Arc<Bus>) -> RunningCourier {
    Courier::new(carrier::ToPeers::new(bus.clone())).start()
}
