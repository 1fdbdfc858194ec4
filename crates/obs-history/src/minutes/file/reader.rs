//! Reading of the file, while its node runs or after.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rusqlite::{Connection, OpenFlags};

use super::fault::Fault;
use super::rows::{Range, Row, Run, Series, Value};
use super::schema::{self, State, first_id, minute_of_id};
use super::steps::{Grid, Steps};
use super::{place, summary, tables};
use crate::error::{Error, ErrorKind};

/// Maximum wait for the lock of a program that changes the file.
const PATIENCE: Duration = Duration::from_secs(1);

/// Connection for reading. It changes nothing.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use obs_history::{Config, History, Reader};
///
/// # let place = tempfile::tempdir()?;
/// # let folder = place.path().join("history");
/// # drop(History::open(Config::new(&folder))?);
/// let now = SystemTime::now();
/// let range = Reader::open(&folder)?.range(now - Duration::from_secs(2 * 3600), now)?;
/// assert_eq!(range.runs.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    path: PathBuf,
}

impl Reader {
    /// Opens the history in a folder.
    ///
    /// # Errors
    ///
    /// If there is none, a later version wrote it, it is damaged, or it cannot be opened. See [`ErrorKind`].
    pub fn open(folder: &Path) -> Result<Reader, Error> {
        let path = place::path_in(folder);
        if !path.exists() {
            return Err(missing(&path));
        }
        match open(&path) {
            Ok((_, State::Empty)) => Err(missing(&path)),
            Ok((connection, State::Ours)) => Ok(Reader { connection, path }),
            Err(fault) => Err(error(&path, &fault)),
        }
    }

    /// Returns the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the minutes that overlap the span from `since` until `until`.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or is damaged.
    pub fn range(&self, since: SystemTime, until: SystemTime) -> Result<Range, Error> {
        let mut rows = Vec::new();
        let (runs, unreadable) = self.visit(since, until, |_| true, |row| rows.push(row))?;
        // Tables are read one after the other.
        rows.sort_by_key(|row| row.minute);
        Ok(Range { rows, runs, unreadable })
    }

    /// Reads the minutes that overlap a span, of the series that `wanted` chooses, and calls `visit` with each row: counters,
    /// then gauges, then histograms, each in order of the minutes. Nothing is collected, so that long spans take little
    /// memory. Returns the runs that overlap the span, and the number of rows that could not be read.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or is damaged.
    pub fn visit(
        &self,
        since: SystemTime,
        until: SystemTime,
        wanted: impl Fn(&Series) -> bool,
        visit: impl FnMut(Row),
    ) -> Result<(Vec<Run>, u64), Error> {
        let span = (minute_of(since), minute_of(until));
        self.try_visit(span, wanted, visit).map_err(|fault| error(&self.path, &fault))
    }

    /// Sums the minutes of a span by steps of equal length, for a chart of any span in little memory.
    ///
    /// `group` returns the name of the group that a series belongs to, such as the series [`only`](Series::only) with some of
    /// its labels; `None` leaves it out. The rows of a group are summed. Steps begin at multiples of `step` from 1970 in UTC, the
    /// first one before `since`. `step` is at least a minute, and becomes longer where the span would have more than
    /// [`Steps::MAX_STEPS`]; [`Steps::step_for`] chooses one.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use obs_history::{Config, History, Reader, Steps, Value};
    ///
    /// # let place = tempfile::tempdir()?;
    /// # let folder = place.path().join("history");
    /// # let history = History::open(Config::new(&folder))?;
    /// # obs_metrics::standard::requests_total().with(["llm.chat", "ok"]).add(2);
    /// # drop(history);
    /// let (until, span) = (SystemTime::now(), Duration::from_secs(24 * 3600));
    /// let step = Steps::step_for(span, 300);
    /// let steps = Reader::open(&folder)?.steps(until - span, until, step, |series| {
    ///     (series.family == "hearthnet_requests_total").then(|| series.only(&["capability"]))
    /// })?;
    /// let calls = &steps.lines[0];
    /// assert_eq!(calls.series.label("capability"), Some("llm.chat"));
    /// assert_eq!(calls.points[0].value, Value::Counter(2.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the file cannot be read or is damaged, or if the groups have so many values that they would take more than about
    /// 60 MB ([`ErrorKind::OutOfRange`]).
    pub fn steps(
        &self,
        since: SystemTime,
        until: SystemTime,
        step: Duration,
        group: impl Fn(&Series) -> Option<Series>,
    ) -> Result<Steps, Error> {
        let grid = Grid::new((minute_of(since), minute_of(until)), step);
        let summed = summary::read(&self.connection, grid, group);
        summed.map_err(|fault| error(&self.path, &fault))?.ok_or_else(|| {
            let advice = "choose longer steps, or fewer groups of series";
            Error::new(ErrorKind::OutOfRange, "", "the span has too many values", advice)
        })
    }

    fn try_visit(
        &self,
        span: (i64, i64),
        wanted: impl Fn(&Series) -> bool,
        mut visit: impl FnMut(Row),
    ) -> Result<(Vec<Run>, u64), Fault> {
        // One transaction, so that rows and runs are those of one moment.
        let transaction = self.connection.unchecked_transaction()?;
        let chosen = tables::series(&transaction, |series| wanted(&series).then(|| Arc::new(series)))?;
        let mut visitor = Visitor { series: chosen, span, unreadable: 0, visit: &mut visit };
        visitor.table(&transaction, tables::COUNTERS, tables::counter)?;
        visitor.table(&transaction, tables::GAUGES, tables::gauge)?;
        visitor.table(&transaction, tables::HISTOGRAMS, tables::histogram)?;
        let unreadable = visitor.unreadable;
        Ok((tables::runs(&transaction, span)?, unreadable))
    }
}

/// Rows of one reading.
struct Visitor<'a> {
    series: HashMap<i64, Arc<Series>>,
    /// First and last minute.
    span: (i64, i64),
    unreadable: u64,
    visit: &'a mut dyn FnMut(Row),
}

impl Visitor<'_> {
    fn table(
        &mut self,
        connection: &Connection,
        select: &str,
        value: impl Fn(&rusqlite::Row<'_>) -> rusqlite::Result<Option<Value>>,
    ) -> Result<(), Fault> {
        let sql = format!("{select} WHERE id >= ?1 AND id < ?2 ORDER BY id");
        let mut statement = connection.prepare(&sql)?;
        let (first, last) = self.span;
        let mut rows = statement.query([first_id(first), first_id(last.saturating_add(1))])?;
        while let Some(row) = rows.next()? {
            let key = || Ok::<_, rusqlite::Error>((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?));
            // A value of another type than its column is the work of someone else.
            let Ok((id, run, series)) = key() else {
                self.unreadable += 1;
                continue;
            };
            let Some(series) = self.series.get(&series) else { continue };
            match value(row) {
                Ok(Some(value)) => {
                    (self.visit)(Row { minute: minute_of_id(id), run, series: series.clone(), value })
                }
                _ => self.unreadable += 1,
            }
        }
        Ok(())
    }
}

/// Opens the file for reading.
fn open(path: &Path) -> Result<(Connection, State), Fault> {
    let read = |path: &Path, flags| -> Result<(Connection, State), Fault> {
        let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.busy_timeout(PATIENCE)?;
        schema::distrust(&connection)?;
        let state = schema::examine(&connection)?;
        Ok((connection, state))
    };
    let opened = read(path, OpenFlags::SQLITE_OPEN_NO_MUTEX);
    if !matches!(opened, Err(Fault::Io(_))) {
        return opened;
    }
    // A folder that this user cannot write to: SQLite cannot make the index of the log there. Without a log, the file is
    // complete and can be read as one that nobody changes.
    let encoded = path.to_str().filter(|path| place::log_bytes(Path::new(path)) == 0).map(uri);
    let Some(uri) = encoded else { return opened };
    read(Path::new(&uri), OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI)
}

/// Returns the URI of a file that nobody changes.
fn uri(path: &str) -> String {
    let escaped: String = path
        .bytes()
        .map(|byte| match byte {
            b'/' | b'-' | b'_' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect();
    format!("file:{escaped}?immutable=1")
}

/// Returns the minute of a time.
fn minute_of(time: SystemTime) -> i64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs() / 60).unwrap_or(i64::MAX),
        Err(before) => {
            i64::try_from(before.duration().as_secs().div_ceil(60)).map_or(i64::MIN, |minutes| -minutes)
        }
    }
}

fn missing(path: &Path) -> Error {
    let problem = format!("there is no history at {}", path.display());
    Error::new(
        ErrorKind::Missing,
        "",
        problem,
        "a node begins one a minute after its start, unless `history` is off",
    )
}

fn error(path: &Path, fault: &Fault) -> Error {
    let path = path.display();
    let problem = format!("cannot read the history at {path}: {fault}");
    let (kind, advice) = match fault {
        Fault::Newer(_) => (ErrorKind::Newer, "use the later version"),
        Fault::Foreign => (ErrorKind::Unreadable, "move the file away"),
        Fault::Damaged(_) => {
            (ErrorKind::Unreadable, "a running node moves the file aside and begins a new one")
        }
        Fault::Locked | Fault::Held => (ErrorKind::Unavailable, "try again"),
        Fault::Full | Fault::Io(_) => (ErrorKind::Unavailable, "check the folder and its permissions"),
    };
    Error::new(kind, "", problem, advice)
}
