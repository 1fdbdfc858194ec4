//! Provider of the console's data.

use crate::api::{
    Doctor, Families, LogLine, LogLines, LogQuery, Overview, Peers, Problems, Series, SeriesQuery, TailLines,
    TraceDetail, TraceQuery, Traces, Window,
};

/// Lines of a download from one search.
const LINES_OF_A_SEARCH: usize = 10_000;

/// Bytes of a download's part. Larger parts cost memory for each viewer, smaller ones a system call more.
const PART_BYTES: usize = 64 << 10;

/// Reason for which a [`Source`] cannot answer.
///
/// ```
/// use obs_console::Failure;
///
/// fn find(id: &str) -> Result<(), Failure> {
///     Err(Failure::NotFound(format!("no trace {} is kept", id.escape_default())))
/// }
/// assert_eq!(find("01HX"), Err(Failure::NotFound("no trace 01HX is kept".to_owned())));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// The query is wrong. The text says why; the answer has status 400.
    BadQuery(String),
    /// There is no such thing, such as a trace that is not kept. The text says why; the answer has status 404.
    NotFound(String),
    /// The data cannot be read now. The text says why; the answer has status 503.
    Unavailable(String),
}

/// Provider of what the console shows.
///
/// Every method may block and is called on a thread for blocking work. Each answer is bounded by the source.
pub trait Source: Send + Sync + 'static {
    /// Returns the state of the node and its calls in a window of time.
    fn overview(&self, window: &Window) -> Result<Overview, Failure>;

    /// Returns the points of one family over a window of time.
    fn series(&self, query: &SeriesQuery) -> Result<Series, Failure>;

    /// Returns kept or running traces.
    fn traces(&self, query: &TraceQuery) -> Result<Traces, Failure>;

    /// Returns a trace by its ID, with the parts of other nodes if `peers` is set.
    fn trace(&self, id: &str, peers: bool) -> Result<TraceDetail, Failure>;

    /// Searches the log files.
    fn logs(&self, query: &LogQuery) -> Result<LogLines, Failure>;

    /// Begins a download of all lines that match, oldest first, as they are in the files. `query.n` is not a limit of it.
    ///
    /// The default has the lines of one [search](Source::logs), at most 10 000.
    fn download(&self, query: &LogQuery) -> Result<Box<dyn Download>, Failure> {
        let found = self.logs(&LogQuery { n: LINES_OF_A_SEARCH, ..query.clone() })?;
        Ok(Box::new(found.lines.into_iter()))
    }

    /// Begins a tail of the log. It begins with the last lines that match.
    fn tail(&self, query: &LogQuery) -> Result<Box<dyn Tail>, Failure>;

    /// Returns all metric families.
    fn families(&self) -> Result<Families, Failure>;

    /// Returns the last report of the doctor, or runs it if `run` is set.
    fn doctor(&self, run: bool) -> Result<Doctor, Failure>;

    /// Returns the problems.
    fn problems(&self) -> Result<Problems, Failure>;

    /// Mutes a problem until a time, in seconds since 1970. `None` unmutes it.
    fn mute(&self, problem: &str, until: Option<u64>) -> Result<(), Failure>;

    /// Returns this node's view of its peers.
    fn peers(&self) -> Result<Peers, Failure>;
}

/// Lines of a download.
///
/// A list of lines is one:
///
/// ```
/// use obs_console::Download as _;
/// use obs_console::api::LogLine;
///
/// let mut lines = vec![LogLine::from_iter([("msg".to_owned(), "done".into())])].into_iter();
/// assert_eq!(lines.read().unwrap().unwrap(), b"{\"msg\":\"done\"}\n");
/// assert!(lines.read().unwrap().is_none());
/// ```
pub trait Download: Send {
    /// Returns the next lines, each with its line break, or `None` after the last one. A part has some 64 KiB.
    fn read(&mut self) -> Result<Option<Vec<u8>>, Failure>;
}

impl Download for std::vec::IntoIter<LogLine> {
    fn read(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        let mut part = Vec::new();
        while part.len() < PART_BYTES
            && let Some(line) = self.next()
        {
            serde_json::to_writer(&mut part, &line)
                .map_err(|error| Failure::Unavailable(format!("a line is not JSON: {error}")))?;
            part.push(b'\n');
        }
        Ok(Some(part).filter(|part| !part.is_empty()))
    }
}

/// Tail of the log of one viewer.
///
/// ```
/// use obs_console::api::TailLines;
/// use obs_console::{Failure, Tail};
///
/// /// Tail of a program that writes no lines.
/// struct Silent;
///
/// impl Tail for Silent {
///     fn read(&mut self, _most: usize) -> Result<TailLines, Failure> {
///         Ok(TailLines::default())
///     }
/// }
/// assert_eq!(Silent.read(500).unwrap().written, 0);
/// ```
pub trait Tail: Send {
    /// Returns the lines since the last call, at most `most` of them, and the number of those left out. It does not wait for
    /// lines.
    fn read(&mut self, most: usize) -> Result<TailLines, Failure>;
}
