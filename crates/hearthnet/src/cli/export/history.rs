//! History of the community: the events of the node's event log.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use crate::cli::log::period::Period;

/// Reads the events in `file` that the node received in the `period`, as JSON lines in their order. Signatures are public.
pub(super) fn read(file: &Path, period: &Period) -> Result<String, String> {
    let failed = |error: rusqlite::Error| format!("cannot read {}: {error}", file.display());
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(failed)?;
    // The node may write at this moment.
    connection.busy_timeout(Duration::from_secs(2)).map_err(failed)?;
    let mut statement = connection
        .prepare(
            "SELECT event_id, community_id, schema_version, lamport, wall_clock, author, event_type, data, signature, \
             received_at FROM events ORDER BY lamport, event_id",
        )
        .map_err(failed)?;
    let events = statement.query_map([], |row| {
        let data: String = row.get(7)?;
        let data: Value = serde_json::from_str(&data).unwrap_or(Value::String(data));
        Ok(json!({
            "event_id": row.get::<_, String>(0)?, "community_id": row.get::<_, String>(1)?,
            "schema_version": row.get::<_, i64>(2)?, "lamport": row.get::<_, i64>(3)?,
            "wall_clock": row.get::<_, String>(4)?, "author": row.get::<_, String>(5)?,
            "event_type": row.get::<_, String>(6)?, "data": data,
            "signature": row.get::<_, String>(8)?, "received_at": row.get::<_, String>(9)?,
        }))
    });
    let mut lines = String::new();
    for event in events.map_err(failed)? {
        let event = event.map_err(failed)?;
        let received = event["received_at"].as_str().and_then(|received| received.parse().ok());
        if received.is_none_or(|received| period.has(received)) {
            let _ = writeln!(lines, "{event}");
        }
    }
    Ok(lines)
}
