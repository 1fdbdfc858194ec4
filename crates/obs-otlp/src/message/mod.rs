//! OTLP messages, reduced to the fields that are used.
//!
//! Names and numbers are those of `opentelemetry/proto/**/*.proto`. The enclosing messages of a request are written by
//! [`Envelope`](crate::Envelope).
//!
//! ```
//! use obs_otlp::message::{Kind, text};
//!
//! let attribute = text("service.name", "my-program");
//! assert_eq!(attribute.value.unwrap().value, Some(Kind::String("my-program".to_owned())));
//! ```
// Fields and variants have the names of the protocol, which documents them.
#![allow(missing_docs)]

mod common;
mod logs;
mod metrics;
mod reply;
mod span_writer;
mod trace;

pub use common::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, Kind, Resource, attribute, text,
};
pub use logs::LogRecord;
pub use metrics::{
    Buckets, Data, Exemplar, ExponentialHistogram, ExponentialPoint, Gauge, Histogram, HistogramPoint,
    Metric, Number, NumberPoint, Quantile, Sum, Summary, SummaryPoint, temporality,
};
pub(crate) use reply::{ExportResponse, PartialSuccess, RpcStatus};
pub(crate) use span_writer::write as write_span;
pub use span_writer::{Attributes, Scalar, SpanHead};
pub use trace::{Span, Status, code, flags, kind};
