//! Trace ID of a line, which a hook gets from the crate that keeps traces.

use std::sync::OnceLock;

use crate::json::catch::caught;
use crate::json::escape::escape;
use crate::json::line_buf::LineBuf;

/// Function that calls its argument with the ID of the current trace, if a trace is current.
pub type TraceIdSource = fn(&mut dyn FnMut(&str));

// Set once, so that a line reads it without a lock.
static SOURCE: OnceLock<TraceIdSource> = OnceLock::new();

/// Sets the source of the current trace ID. Returns whether `source` is the one in force.
///
/// The first source stays for the life of the process. Setting it again returns `true`. Setting another one changes
/// nothing and returns `false`. Without a source, nothing has a trace ID.
///
/// The source is called on the thread that logs, once a line, while the line is made. It should return at once. If it
/// panics, the line has no `trace_id`.
///
/// ```
/// fn current(give: &mut dyn FnMut(&str)) {
///     give("01HXR3F2M9Z5T1V8Q4W7N6K0JD");
/// }
/// assert!(obs_log::set_trace_id_source(current));
/// assert!(obs_log::set_trace_id_source(current));
/// assert!(!obs_log::set_trace_id_source(|_| {}));
/// ```
#[must_use = "`false` means that another source is in force"]
pub fn set_trace_id_source(source: TraceIdSource) -> bool {
    SOURCE.set(source).is_ok() || SOURCE.get().is_some_and(|known| std::ptr::fn_addr_eq(*known, source))
}

/// Appends `,"trace_id":"…"` when a trace is current.
pub(crate) fn write(line: &mut LineBuf) {
    let Some(source) = SOURCE.get() else { return };
    let start = line.len();
    let asked = caught(|| {
        source(&mut |id| {
            // Of several calls the last one counts.
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
