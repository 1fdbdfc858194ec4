//! Ends one trace of ten spans a second, to measure the bytes that a device sees.
//!
//! ```text
//! cargo run -p obs-history --example trace_wear -- FOLDER SECONDS
//! ```
//!
//! The seventh number of `/sys/block/<device>/stat`, before and after, is the sectors of 512 bytes that were written.

use std::thread::sleep;
use std::time::Duration;

use obs_history::TraceHistory;
use obs_trace::{Store, new_trace, span};

fn main() {
    let mut args = std::env::args().skip(1);
    let folder = args.next().unwrap_or_else(|| "/tmp/trace_wear".to_owned());
    let seconds = args.next().and_then(|text| text.parse().ok()).unwrap_or(60);
    let _history = TraceHistory::start(&Store::current(), folder, TraceHistory::DEFAULT_BYTES);
    for _ in 0..seconds {
        let trace = new_trace("experimental.echo");
        trace.enter(|| (0..10).for_each(|number| drop(span("step").field("number", number).enter())));
        trace.finish();
        sleep(Duration::from_secs(1));
    }
}
