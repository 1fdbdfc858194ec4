//! Event log of the community: signed events in SQLite, ordered by a Lamport clock.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::state::create_once::{self, Access, Creation};
use crate::wire::clock;
use crate::wire::signing::identity::Identity;

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS events (
        event_id TEXT PRIMARY KEY,
        community_id TEXT NOT NULL,
        schema_version INTEGER NOT NULL,
        lamport INTEGER NOT NULL,
        wall_clock TEXT NOT NULL,
        author TEXT NOT NULL,
        event_type TEXT NOT NULL,
        data TEXT NOT NULL,
        signature TEXT NOT NULL,
        received_at TEXT NOT NULL
    );
    CREATE TABLE IF NOT EXISTS clock (community_id TEXT PRIMARY KEY, lamport INTEGER NOT NULL);
";

/// Extent of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) rows: i64,
    pub(crate) lamport_head: i64,
}

/// Event log of one community, over one connection. Every call may block on the disk.
#[derive(Debug)]
pub(crate) struct EventLog {
    connection: Connection,
    community_id: String,
    /// Extent at a value of SQLite's change counter. An unchanged log is not counted again.
    measured: Option<(i64, Extent)>,
}

/// Returns the file of the event log in the folder of its community.
pub(crate) fn file(community_dir: &Path) -> PathBuf {
    community_dir.join("events.sqlite")
}

/// Creates an empty event log at `path` in one step, if none exists.
pub(crate) fn create(path: &Path) -> Result<Creation, Failure> {
    create_once::with(path, Access::Private, |temporary| {
        let made = Connection::open(temporary.path()).and_then(|connection| {
            // No other process knows this file yet. In exclusive mode SQLite needs no shared memory, and reports a
            // full disk as such.
            connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
            prepare(&connection, temporary.path())
        });
        made.map_err(|error| Failure::sqlite("make the event log", path, &error))
    })
}

fn prepare(connection: &Connection, path: &Path) -> rusqlite::Result<()> {
    // Another process may hold the lock for a moment.
    connection.busy_timeout(Duration::from_secs(2))?;
    // Readers and one writer do not block each other in this mode.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // SQLite refuses to write if it is told to sync and cannot.
    let synchronous = if path.parent().is_none_or(create_once::can_sync) { "NORMAL" } else { "OFF" };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.execute_batch(TABLES)
}

impl EventLog {
    pub(crate) fn open(path: &Path, community_id: &str) -> rusqlite::Result<EventLog> {
        let connection = Connection::open(path)?;
        prepare(&connection, path)?;
        Ok(EventLog { connection, community_id: community_id.to_owned(), measured: None })
    }

    /// Appends a signed event of `author`, one tick after the last event.
    pub(crate) fn append(
        &mut self,
        author: &Identity,
        event_type: &str,
        data: &Value,
    ) -> rusqlite::Result<()> {
        let transaction =
            // The lock is taken before the clock is read. Two processes would use the same tick otherwise.
            self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let head: Option<i64> = transaction
            .query_row("SELECT lamport FROM clock WHERE community_id = ?1", [&self.community_id], |row| {
                row.get(0)
            })
            .optional()?;
        let lamport = head.unwrap_or(0).saturating_add(1);
        let (event_id, now) = (ulid::Ulid::generate().to_string(), clock::now_text());
        let signature = author.sign(&json!({
            "schema_version": 1,
            "event_id": event_id,
            "lamport": lamport,
            "wall_clock": now,
            "community_id": self.community_id,
            "author": author.node_id(),
            "event_type": event_type,
            "data": data,
        }));
        let (data, author) = (data.to_string(), author.node_id());
        transaction.execute(
            "INSERT INTO events VALUES (?1, ?2, 1, ?3, ?4, ?5, ?6, ?7, ?8, ?4)",
            params![event_id, self.community_id, lamport, now, author, event_type, data, signature],
        )?;
        transaction.execute(
            "INSERT INTO clock VALUES (?1, ?2) ON CONFLICT (community_id) DO UPDATE SET lamport = ?2",
            params![self.community_id, lamport],
        )?;
        self.measured = None;
        transaction.commit()
    }

    /// Returns the number of rows and the Lamport head of this community. They are counted again only after a write.
    pub(crate) fn extent(&mut self) -> rusqlite::Result<Extent> {
        let version = self.connection.query_row("PRAGMA data_version", [], |row| row.get(0))?;
        if let Some((measured_at, extent)) = self.measured
            && measured_at == version
        {
            return Ok(extent);
        }
        let extent = self.connection.query_row(
            "SELECT count(*), coalesce(max(lamport), 0) FROM events WHERE community_id = ?1",
            [&self.community_id],
            |row| Ok(Extent { rows: row.get(0)?, lamport_head: row.get(1)? }),
        )?;
        self.measured = Some((version, extent));
        Ok(extent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::signing::identity;

    fn fresh() -> (tempfile::TempDir, PathBuf, Identity) {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("events.sqlite");
        assert_eq!(create(&path).unwrap(), Creation::Created);
        (home, path, Identity::from_seed(&[7; 32]))
    }

    #[test]
    fn each_event_is_one_row_one_tick_later_and_signed_by_its_author() {
        let (_home, path, author) = fresh();
        let mut log = EventLog::open(&path, author.node_id()).unwrap();
        assert_eq!(log.extent().unwrap(), Extent { rows: 0, lamport_head: 0 });
        log.append(&author, "node.started", &json!({ "version": "0.1.0" })).unwrap();
        log.append(&author, "node.stopped", &json!({})).unwrap();
        assert_eq!(log.extent().unwrap(), Extent { rows: 2, lamport_head: 2 });

        let sql = "SELECT event_id, wall_clock, data, signature FROM events WHERE lamport = 1";
        let (id, wall_clock, data, signature): (String, String, String, String) = log
            .connection
            .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
            .unwrap();
        let signed = json!({
            "schema_version": 1, "event_id": id, "lamport": 1, "wall_clock": wall_clock,
            "community_id": author.node_id(), "author": author.node_id(), "event_type": "node.started",
            "data": serde_json::from_str::<Value>(&data).unwrap(),
        });
        assert_eq!(identity::verify(&signed, &signature, author.node_id()), Ok(()));
    }

    #[test]
    fn rows_that_another_process_wrote_are_counted() {
        let (_home, path, author) = fresh();
        let mut ours = EventLog::open(&path, author.node_id()).unwrap();
        let mut theirs = EventLog::open(&path, author.node_id()).unwrap();
        assert_eq!(ours.extent().unwrap().rows, 0);
        theirs.append(&author, "node.started", &json!({})).unwrap();
        assert_eq!(ours.extent().unwrap(), Extent { rows: 1, lamport_head: 1 });
    }

    #[test]
    fn an_existing_log_is_not_changed() {
        let (home, path, author) = fresh();
        EventLog::open(&path, author.node_id()).unwrap().append(&author, "node.started", &json!({})).unwrap();
        let before = std::fs::read(&path).unwrap();
        assert_eq!(create(&path).unwrap(), Creation::Kept);
        assert_eq!(std::fs::read(&path).unwrap(), before);
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1, "no -wal and no temporary file stays");
    }

    #[test]
    fn an_empty_file_becomes_a_log_when_it_is_opened() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("events.sqlite");
        std::fs::write(&path, b"").unwrap();
        assert_eq!(EventLog::open(&path, "c").unwrap().extent().unwrap().rows, 0);
    }
}
