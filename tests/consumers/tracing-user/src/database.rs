//! A database whose statements are events, as a crate for databases would do.

use rusqlite::Connection;
use rusqlite::trace::{TraceEvent, TraceEventCodes};

/// Counts three peers.
#[tracing::instrument(skip_all)]
pub(crate) fn count_peers() -> rusqlite::Result<i64> {
    let mut database = Connection::open_in_memory()?;
    database.execute_batch("CREATE TABLE peer (name TEXT); INSERT INTO peer VALUES ('a'), ('b'), ('c')")?;
    database.trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(say))?;
    let peers = database.query_row("SELECT count(*) FROM peer", [], |row| row.get(0))?;
    tracing::info!(peers, "counted");
    Ok(peers)
}

fn say(event: TraceEvent<'_>) {
    if let TraceEvent::Stmt(_, sql) = event {
        tracing::debug!(target: "sqlite", sql, "statement");
    }
}
