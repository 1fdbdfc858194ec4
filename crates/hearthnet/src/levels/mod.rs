//! Change of the log levels while the node runs. A change ends by itself, because the log of a node that stays at `debug`
//! hides what matters and fills the disk.
//!
//! [`change`] checks a change, [`live`] applies and ends it, [`route`] is `GET` and `PUT /log/level`.

pub(crate) mod change;
mod component;
mod live;
pub(crate) mod period;
mod route;

pub(crate) use self::component::loggers;
pub(crate) use self::route::routes;
