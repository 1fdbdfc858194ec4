//! Queries from query strings.

use axum::extract::{FromRequestParts, Path};
use http::Uri;
use http::request::Parts;

use crate::api::{LogQuery, SeriesQuery, TraceQuery, Window};
use crate::refused::Refused;
use crate::server::console::now;
use crate::server::parameters::{Parameters, shown};

/// Traces when `n` is not told, and at most.
const TRACES: (usize, usize) = (100, 1000);

/// Lines when `n` is not told, and at most. More lines are for a download.
const LINES: (usize, usize) = (200, 5000);

/// Levels of the log.
const LEVELS: [&str; 4] = ["debug", "info", "warning", "error"];

/// Filters of lines.
const FILTERS: [&str; 4] = ["level", "logger", "text", "trace"];

/// Longest ID in a path, in bytes.
const LONGEST_ID: usize = 128;

/// Refuses any parameter.
pub(super) fn none(uri: &Uri) -> Result<(), Refused> {
    Parameters::read(uri.query(), &[], None, now()).map(drop)
}

/// Returns the window of an overview.
pub(super) fn window(uri: &Uri) -> Result<Window, Refused> {
    Parameters::read(uri.query(), &["since", "until"], None, now())?.window()
}

/// Returns the query of a family's points.
pub(super) fn series(uri: &Uri) -> Result<SeriesQuery, Refused> {
    let read = Parameters::read(uri.query(), &["family", "since", "until"], Some("label"), now())?;
    let family = read.text("family").ok_or_else(|| Refused::bad_request("`family` is needed"))?;
    Ok(SeriesQuery { family, labels: read.family("label"), window: read.window()? })
}

/// Returns the query of traces.
pub(super) fn traces(uri: &Uri) -> Result<TraceQuery, Refused> {
    let names = ["capability", "status", "min_ms", "id", "since", "until", "sort", "active", "n"];
    let read = Parameters::read(uri.query(), &names, None, now())?;
    let (since, until) = read.bounds()?;
    Ok(TraceQuery {
        capability: read.text("capability"),
        status: read.text("status"),
        min_ms: read.milliseconds("min_ms")?,
        id: read.text("id").map(|id| part_of_id(&id)).transpose()?,
        since,
        until,
        slowest: read.word("sort", &["newest", "slowest"])?.is_some_and(|sort| sort == "slowest"),
        active: read.flag("active")?,
        n: read.number("n", TRACES.0, TRACES.1)?,
    })
}

/// Returns whether the parts of peers are wanted.
pub(super) fn peers(uri: &Uri) -> Result<bool, Refused> {
    Parameters::read(uri.query(), &["peers"], None, now())?.flag("peers")
}

/// Returns the query of lines.
pub(super) fn logs(uri: &Uri) -> Result<LogQuery, Refused> {
    let names = [&FILTERS[..], &["since", "until", "n", "around"]].concat();
    let read = Parameters::read(uri.query(), &names, Some("field"), now())?;
    let (since, until) = read.bounds()?;
    let n = read.number("n", LINES.0, LINES.1)?;
    Ok(LogQuery { since, until, n, around: read.instant("around")?, ..filters(&read)? })
}

/// Returns the query of a tail.
pub(super) fn tail(uri: &Uri) -> Result<LogQuery, Refused> {
    let read = Parameters::read(uri.query(), &FILTERS, Some("field"), now())?;
    Ok(LogQuery { n: LINES.0, ..filters(&read)? })
}

/// ID in the path of a request.
pub(super) struct Id(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Refused;

    async fn from_request_parts(request: &mut Parts, state: &S) -> Result<Self, Refused> {
        let path = Path::<String>::from_request_parts(request, state).await;
        let Path(text) = path.map_err(|_| Refused::bad_request("the ID in the address is not UTF-8"))?;
        id(&text).map(Id)
    }
}

/// Checks an ID.
fn id(text: &str) -> Result<String, Refused> {
    let is_id = |letter: u8| letter.is_ascii_alphanumeric() || b"-_.:".contains(&letter);
    match (1..=LONGEST_ID).contains(&text.len()) && text.bytes().all(is_id) {
        true => Ok(text.to_owned()),
        false => Err(Refused::bad_request(format!("`{}` is not an ID", shown(text)))),
    }
}

fn filters(read: &Parameters) -> Result<LogQuery, Refused> {
    Ok(LogQuery {
        level: read.word("level", &LEVELS)?,
        logger: read.text("logger"),
        text: read.text("text"),
        trace: read.text("trace").map(|trace| id(&trace)).transpose()?,
        fields: read.family("field"),
        ..LogQuery::default()
    })
}

/// Checks an ID, or its beginning and its end with `…` between.
fn part_of_id(text: &str) -> Result<String, Refused> {
    let mut parts = text.splitn(2, '…').filter(|part| !part.is_empty());
    match parts.clone().next().is_some() && parts.all(|part| id(part).is_ok()) {
        true => Ok(text.to_owned()),
        false => Err(Refused::bad_request(format!("`id` is `{}`, which is no part of an ID", shown(text)))),
    }
}
