//! The ID of the current trace in the lines of the log.

use std::sync::Once;

/// Puts the ID of the current trace into lines, once: a source that the program sets later wins.
pub(crate) fn join() {
    static JOINED: Once = Once::new();
    JOINED.call_once(|| obs_log::set_trace_id_source(obs_trace::with_current_id));
}
