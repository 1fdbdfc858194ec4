//! Trace ID of a line, which a hook gets from the crate that keeps traces.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::json::catch::caught;
use crate::json::text::escape::escape;
use crate::json::text::line_buf::LineBuf;
use crate::sync::lock;

/// Calls its argument with the text of the current trace ID, if a trace is current.
pub type TraceIdSource = fn(&mut dyn FnMut(&str));

static SOURCE: Mutex<Option<TraceIdSource>> = Mutex::new(None);

/// Number of times that a source was set. A thread compares it with one load a line instead of taking the lock.
static VERSION: AtomicU64 = AtomicU64::new(0);

/// Sets the function that gives lines their trace ID. Without one there are none.
///
/// The function is called on the logging thread, inside a line. It passes the current trace ID, if any, to the callback
/// once. It must not block, panic, log or record. The last one set wins. A panic in it is caught and counts as no ID.
///
/// It is called for each line. Any text is accepted as a trace ID and is escaped.
///
/// ```
/// # let capture = obs_log::Capture::new();
/// # let _scope = capture.enter();
/// obs_log::set_trace_id_source(|callback| callback("01HXR3F2M4C9T8Q0Z6V5K7B1AD"));
/// obs_log::info!("routed");
/// # assert_eq!(capture.lines()[0]["trace_id"], "01HXR3F2M4C9T8Q0Z6V5K7B1AD");
/// ```
pub fn set_trace_id_source(source: TraceIdSource) {
    let mut current = lock(&SOURCE);
    *current = Some(source);
    // Release: a thread that sees the version finds this source or a later one. Under the lock, so that none is skipped.
    VERSION.fetch_add(1, Ordering::Release);
}

/// Source as a thread knows it.
#[derive(Debug, Default)]
pub(crate) struct TraceIds {
    version: u64,
    source: Option<TraceIdSource>,
}

impl TraceIds {
    /// Appends `,"trace_id":"…"` when a trace is current.
    #[inline]
    pub(crate) fn write(&mut self, line: &mut LineBuf) {
        if let Some(source) = self.source() {
            write_from(source, line);
        }
    }

    /// Source in force.
    #[inline]
    pub(crate) fn source(&mut self) -> Option<TraceIdSource> {
        // Acquire: pairs with the addition in `set_trace_id_source`.
        let version = VERSION.load(Ordering::Acquire);
        if self.version != version {
            self.refresh(version);
        }
        self.source
    }

    #[cold]
    fn refresh(&mut self, version: u64) {
        // The source may be newer than `version`. Then the next line refreshes it once more.
        *self = TraceIds { version, source: *lock(&SOURCE) };
    }
}

fn write_from(source: TraceIdSource, line: &mut LineBuf) {
    let start = line.len();
    let asked = caught(|| {
        source(&mut |id| {
            // The last of several calls counts.
            line.truncate(start);
            line.extend_from_slice(b",\"trace_id\":\"");
            escape(line, id);
            line.push(b'"');
        });
    });
    if asked.is_none() {
        line.truncate(start);
    }
}
