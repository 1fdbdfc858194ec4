//! Problems of the node, for callers on this machine: `GET /problems` and `PUT /problems/{id}`.
//!
//! [`document`] is the list as JSON, [`silence`] what a person asks for, [`route`] the two routes.

pub(crate) mod document;
mod route;
pub(crate) mod silence;

pub(crate) use self::route::routes;
