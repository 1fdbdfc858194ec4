//! Problems: errors grouped by their cause, with exact counts and bounded memory.
//!
//! ```
//! use obs_history::problems::{Kind, Occurrence, Problems, State};
//!
//! let problems = Problems::new();
//! let hour = 3_600_000;
//! for peer in 1..=3_u64 {
//!     let example = format!("no answer from 10.0.0.{peer}");
//!     let at_ms = peer * hour;
//!     let error = Occurrence { at_ms, count: 1, is_error: true, example: &example, trace_id: None };
//!     problems.observe_line("hearthnet.bus", &example, None, &error);
//! }
//! let [problem] = &problems.list()[..] else { unreachable!() };
//! assert_eq!(problem.cause.to_string(), "hearthnet.bus: no answer from …");
//! assert_eq!((problem.count, problem.state), (3, State::Open));
//! assert_eq!(problems.open_by_kind()[0], (Kind::Line, 1));
//!
//! problems.mute(problem.id, 5 * hour);
//! problems.tick(5 * hour);
//! assert_eq!(problems.list()[0].state, State::Open, "the silence is over");
//! ```

mod cause;
mod changes;
mod counters;
mod file;
mod handle;
mod pattern;
mod problem;
mod table;
#[cfg(test)]
mod tests;

pub use self::cause::{Cause, Kind};
pub use self::file::{FILE_NAME, ProblemFile, ProblemFileStats, Stored};
pub use self::handle::{News, Problems};
pub use self::problem::{ParseProblemIdError, Problem, ProblemId, State};
pub use self::table::{MAX_PER_KIND, MAX_PER_PLACE, MAX_PROBLEMS, Occurrence};
