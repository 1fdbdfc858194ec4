//! Traces of a node that does not run, from the file that outlives it.

use std::fs;
use std::path::Path;

use obs_facade::history::TraceHistory;
use obs_facade::trace::{Query, Store};
use serde::Serialize;
use serde_json::json;

use super::node::{FAILED_TRACES, RECENT_TRACES, SLOWEST_TRACES};
use super::place::{FAILED, Place, RECENT, SLOWEST};

/// File with the traces in the folder of the history.
const FILE: &str = "traces.ring";
/// Maximum length of the file that is read.
const MAX_BYTES: u64 = 64 << 20;

/// Reads the traces of the last runs.
///
/// The file belongs to the node, which could start at this moment. So nothing is written or locked. The length bounds the time:
/// a time of its own would leave the traces out of the report of a machine that is busy.
pub(super) fn read(history: &Path) -> Result<Vec<(Place, String)>, String> {
    let path = history.join(FILE);
    let failed = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    if fs::metadata(&path).map_err(failed)?.len() > MAX_BYTES {
        return Err(format!("{} has more than 64 MiB", path.display()));
    }
    let store = Store::default();
    TraceHistory::read(&store, history).map_err(failed)?;
    let page = |query: Query| {
        let found = store.query(&query);
        let records: Vec<_> = found.iter().map(|record| record.with_span_ids()).collect();
        text(&records)
    };
    let of = |n: usize| Query::default().n(n);
    Ok(vec![
        (RECENT, page(of(RECENT_TRACES))),
        (FAILED, page(of(FAILED_TRACES).failed())),
        (SLOWEST, page(of(SLOWEST_TRACES).slowest_first())),
    ])
}

fn text(records: &impl Serialize) -> String {
    json!({ "traces": records }).to_string()
}
