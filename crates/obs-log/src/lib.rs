//! obs-log
mod batch;
mod capture;
mod clock;
mod config;
mod configure;
mod console;
mod day_file;
mod dispatch;
mod encode;
mod error;
mod escape;
mod exception;
mod exit;
mod fields;
mod flush;
mod level;
mod local;
mod logger;
mod merge;
mod names;
mod nested;
mod pipeline;
mod rate_limit;
mod redact;
mod sink;
mod timestamp;
mod trace_id;
mod wake;
mod writer;

pub use crate::capture::{Capture, CaptureScope};
pub use crate::config::{Config, Console, LOG_RETENTION_DAYS, REDACTED_FIELDS};
pub use crate::configure::{Guard, configure};
pub use crate::encode::MAX_LINE_BYTES;
pub use crate::error::{Error, ErrorKind};
pub use crate::flush::{Stats, flush, stats};
pub use crate::logger::{Logger, get_logger};
pub use crate::rate_limit::{Keyed, RateLimited};
pub use crate::redact::Secret;
pub use crate::trace_id::{TraceIdSource, set_trace_id_source};
pub use log::{self, debug, error, info, log_enabled, trace, warn};

#[doc(hidden)]
pub mod __private {
    pub use crate::exception::{Caught, CaughtBox, CaughtError, Probe};
    pub use crate::rate_limit::{Admitted, admit};
}
