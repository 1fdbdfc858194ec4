//! File with the figures of the past, so that they outlive the process. It has no name of a node.

use std::path::Path;
use std::time::Duration;

use obs_community::{Change, History};
use rusqlite::{Connection, params};

use crate::state::create_once::{self, Access};

/// Maximum number of pages, of 4 KiB each. The figures that a history keeps have less than half of it.
const MAX_PAGES: u32 = 16_384;

const TABLE: &str = "
    CREATE TABLE IF NOT EXISTS figures (
        start_hour INTEGER NOT NULL,
        hours INTEGER NOT NULL,
        sums TEXT NOT NULL,
        PRIMARY KEY (start_hour, hours)
    );
";

/// Reads the file. Rows that cannot be read are passed over. May block on the disk.
pub(super) fn load(file: &Path) -> rusqlite::Result<History> {
    let mut history = History::default();
    if !file.exists() {
        return Ok(history);
    }
    let connection = open(file)?;
    let mut rows = connection.prepare("SELECT start_hour, hours, sums FROM figures ORDER BY start_hour")?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let whole = |column| row.get::<_, i64>(column).ok().and_then(|number| u64::try_from(number).ok());
        if let (Some(start), Some(hours), Ok(sums)) = (whole(0), whole(1), row.get::<_, String>(2)) {
            history.restore(start, hours, &sums);
        }
    }
    Ok(history)
}

/// Writes what has changed, all or nothing. May block on the disk.
pub(super) fn write(file: &Path, changes: &[Change]) -> rusqlite::Result<()> {
    // An empty file is a database. SQLite would make one that everybody may read.
    if !file.exists() {
        let _ = create_once::file(file, b"", Access::Private);
    }
    let mut connection = open(file)?;
    let transaction = connection.transaction()?;
    for Change { start_hour, hours, figures } in changes {
        // An hour is far below the range of the cast.
        let (start, hours) = (*start_hour as i64, *hours as i64);
        match figures {
            Some(sums) => {
                let insert = "INSERT OR REPLACE INTO figures VALUES (?1, ?2, ?3)";
                transaction.execute(insert, params![start, hours, sums])?
            }
            None => {
                let delete = "DELETE FROM figures WHERE start_hour = ?1 AND hours = ?2";
                transaction.execute(delete, params![start, hours])?
            }
        };
    }
    transaction.commit()
}

fn open(file: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(file)?;
    // A backup may hold the lock for a moment.
    connection.busy_timeout(Duration::from_secs(2))?;
    connection.pragma_update(None, "max_page_count", MAX_PAGES)?;
    connection.execute_batch(TABLE)?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use obs_community::{Audience, Community, Rules, Share};

    use super::*;

    #[test]
    fn figures_are_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("figures.sqlite");
        let mut history = load(&file).unwrap();
        assert!(!file.exists(), "a node that collects nothing has no file");

        let mut community = Community::new(Rules::default().settling_ticks(0));
        let share = Share::default().calls("llm.chat", 6);
        community.tick(&["a", "b", "c"].map(|node| (node.to_owned(), share.clone())).into());
        for hour in 1000..1300 {
            history.note(hour, &community);
            write(&file, &history.changes(hour)).unwrap();
        }
        let connection = open(&file).unwrap();
        let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        let hours = count("SELECT count(*) FROM figures WHERE hours = 1");
        assert!((168..200).contains(&hours), "{hours}");
        assert!(count("SELECT count(*) FROM figures WHERE hours = 24") >= 4);
        // Another program has put these rows there.
        connection
            .execute_batch("INSERT INTO figures VALUES (-1, 1, '[]'), (1, 1, x'ff'), (2, 1, '{}')")
            .unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }

        let restored = load(&file).unwrap();
        for window in [1, 24, 200, 8784] {
            let of = |history: &History| history.snapshot(Audience::Community, 1298, window);
            assert!(of(&restored).is_some());
            assert_eq!(of(&restored), of(&history), "{window}");
        }
        std::fs::write(&file, "no database").unwrap();
        assert!(load(&file).is_err() && write(&file, &[]).is_err());
    }
}
