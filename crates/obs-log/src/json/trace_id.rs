//! The trace ID of a line (T9): asked of whoever keeps traces, through a hook.

use std::sync::OnceLock;

use crate::json::catch::caught;
use crate::json::escape::escape;
use crate::json::line_buf::Buffer;

/// Calls its argument with the ID of the current trace, if there is one.
pub type TraceIdSource = fn(&mut dyn FnMut(&str));

static SOURCE: OnceLock<TraceIdSource> = OnceLock::new();

/// Sets where lines get their `trace_id` from (T9). The first source of the process stays; `false` says that this
/// one came too late.
///
/// ```
/// fn current(give: &mut dyn FnMut(&str)) {
///     give("01HXR3F2M9Z5T1V8Q4W7N6K0JD");
/// }
/// assert!(obs_log::set_trace_id_source(current));
/// ```
pub fn set_trace_id_source(source: TraceIdSource) -> bool {
    SOURCE.set(source).is_ok() || SOURCE.get().is_some_and(|known| std::ptr::fn_addr_eq(*known, source))
}

/// Appends `,"trace_id":"…"` when a trace is current.
pub(crate) fn write(line: &mut Buffer) {
    let Some(source) = SOURCE.get() else { return };
    let start = line.len();
    let asked = caught(|| {
        source(&mut |id| {
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
