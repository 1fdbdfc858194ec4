//! The request layer: each bus call becomes one trace, one `done` line and one count.

mod body;
mod body_rule;
mod call;
mod headers;
mod layer;
mod outcome;
mod propagate;
mod result_label;

pub use body::ObservedBody;
pub use headers::{CAPABILITY, REQUEST_ID};
pub use layer::{Observe, ObserveFuture, ObserveLayer, layer};
pub use outcome::ResultCode;
pub use propagate::{inject, inject_traceparent};
