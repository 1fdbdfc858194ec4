//! Types of the JSON API, version 1. The page's types are generated from them.
//!
//! Instants are RFC 3339 in UTC. `t` is an instant of a chart in seconds since 1970. `_ms` is a duration in milliseconds.
//!
//! | request | answer |
//! |---|---|
//! | `GET api/v1/overview?since=&until=` | [`Overview`] |
//! | `GET api/v1/series?family=&label.NAME=&since=&until=` | [`Series`] |
//! | `GET api/v1/traces?capability=&status=&min_ms=&id=&since=&until=&sort=&active=&n=` | [`Traces`] |
//! | `GET api/v1/traces/{id}?peers=true` | [`TraceDetail`] |
//! | `GET api/v1/logs?level=&logger=&text=&trace=&field.NAME=&since=&until=&n=&around=` | [`LogLines`] |
//! | `GET api/v1/logs/download?` the same | the lines as they are in the files |
//! | `GET api/v1/logs/tail?level=&logger=&text=&trace=&field.NAME=` | server-sent events `lines` with [`TailLines`] |
//! | `GET api/v1/metrics` | [`Families`] |
//! | `GET api/v1/doctor`, `POST api/v1/doctor/run` | [`Doctor`] |
//! | `GET api/v1/problems` | [`Problems`] |
//! | `POST api/v1/problems/{id}/mute` with [`Mute`] | 204 |
//! | `GET api/v1/peers` | [`Peers`] |
//! | `POST api/v1/session` with [`Login`] | [`Session`] and a cookie |
//! | `GET api/v1/sessions`, `DELETE api/v1/sessions/{id}` | [`Sessions`], 204 |
//!
//! `since` and `until` are RFC 3339, or a number with `m`, `h` or `d` before now. A refused request has [`Refusal`].

mod doctor;
mod logs;
mod metrics;
mod overview;
mod peers;
mod problems;
mod session;
#[cfg(test)]
mod tests;
mod trace_log;
mod traces;
mod window;

pub use doctor::{Check, Doctor, DoctorSummary};
pub use logs::{LogCount, LogLine, LogLines, LogQuery, TailLines};
pub use metrics::{Exemplar, Families, Family, Quantiles, Sample, Series, SeriesPoint, SeriesQuery};
pub use overview::{Capability, CodeCount, Gauge, Node, Overview, Point, Remark, Run, Severity};
pub use peers::{Peer, Peers};
pub use problems::{Mute, Problem, ProblemKind, ProblemState, Problems};
pub use session::{Login, Refusal, Session, Sessions};
pub use trace_log::TraceLog;
pub use traces::{Span, Trace, TraceDetail, TracePart, TraceQuery, TraceSummary, Traces};
pub use window::Window;
