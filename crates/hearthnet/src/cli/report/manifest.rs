//! List of contents: the file `manifest.json` of the archive.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::collect::Contents;
use super::redaction::Redaction;
use crate::cli::log::period::Period;
use crate::version::{COMMIT, VERSION};

/// Name of the form, by which a reader knows the archive.
pub(super) const FORMAT: &str = "hearthnet-report";
/// Version of the form. It goes up when a file changes its meaning or goes away.
pub(super) const FORMAT_VERSION: u32 = 1;

pub(super) fn of(
    contents: &Contents,
    written: &[Value],
    redaction: &Redaction,
    now: DateTime<Utc>,
    period: Period,
) -> Value {
    let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Millis, true);
    let entries = written.iter().zip(contents.places()).map(|(written, place)| {
        json!({
            "path": written["path"], "bytes": written["bytes"], "format": place.form.name(), "about": place.about,
        })
    });
    let left_out = contents.left_out().iter().map(|left| json!({ "what": left.what, "why": left.why }));
    json!({
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "made_at": time(now),
        "made_by": { "name": "hearthnet", "version": VERSION, "commit": COMMIT },
        "node": contents.node(),
        "is_running": contents.is_running(),
        "since": period.since.map(time),
        "until": period.until.map(time),
        "entries": entries.collect::<Vec<_>>(),
        "log": contents.log(),
        "redacted": redaction.counts(),
        "private_addresses_are_hidden": redaction.hides_private_addresses,
        "left_out": left_out.collect::<Vec<_>>(),
    })
}
