//! The request layer: each bus call, and each request of a route, becomes one trace, one `done` line and one count.

mod body;
mod body_rule;
mod call;
mod headers;
mod layer;
mod outcome;
mod propagate;
mod result_label;
mod route;
mod traced;
mod upgrade;

pub use body::ObservedBody;
pub use headers::{CAPABILITY, REQUEST_ID};
pub use layer::{Observe, ObserveFuture, ObserveLayer, layer};
pub use outcome::ResultCode;
pub(in crate::http) use propagate::inject_of;
pub use propagate::{inject, inject_traceparent};
pub(in crate::http) use route::Verb;
pub use traced::traced;
