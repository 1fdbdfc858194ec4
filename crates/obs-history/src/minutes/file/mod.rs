//! File of the minutes: its tables, the writer's connection, and reading.

mod buckets;
mod fault;
mod histogram;
mod hours;
mod place;
mod prune;
pub(crate) mod reader;
mod roll_up;
pub(crate) mod rows;
mod schema;
pub(crate) mod steps;
pub(super) mod store;
mod sum;
mod summary;
mod tables;

pub(super) use self::fault::Fault;
pub(crate) use self::place::path_in;
