//! Context of the code that runs: the current trace, and the span that encloses it.
//!
//! Each scope has a [`Frame`](frame::Frame), and so does each thread for code outside all scopes. The frame in force is in
//! a thread-local. A future that is a scope keeps its own frame and swaps it in for each poll. A tokio task outside all
//! scopes has its trace in [`tasks`] and does not see its thread's.

mod current;
mod drops;
mod entered;
mod frame;
#[cfg(feature = "rt")]
mod panic;
mod poll;
mod scope;
#[cfg(feature = "rt")]
mod spawn;
mod tasks;

pub use self::current::{attach, current_trace, detach, has_current_trace, with_current_id};
pub(crate) use self::drops::{cancelling, is_cancelled};
pub(crate) use self::entered::{Mark, enter, enter_in, exit, exit_closed, exit_tag, last_tag};
pub(crate) use self::frame::{Frame, Position, give_back, position, within};
pub(crate) use self::poll::measured;
pub use self::poll::off_worker;
pub use self::scope::{Scope, WithContext, carry, carry_callback, carry_fn, scope};
#[cfg(feature = "rt")]
pub use self::spawn::{JoinSet, spawn, spawn_blocking, spawn_local};
