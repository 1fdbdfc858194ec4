//! Day files of a node.

use std::os::unix::fs::PermissionsExt as _;

use crate::case::{Outcome, ensure, equal};
use crate::harness::Lab;
use crate::harness::home::Home;
use crate::harness::http::REQUEST_ID;
use crate::harness::mixed::Mixed;
use crate::harness::node::Node;

/// After 1 000 calls of mixed outcome, each line has the specified form and is in the file of its day, in the order of time.
pub(super) fn form(lab: &Lab) -> Outcome {
    let mixed = Mixed::of(lab)?;
    for file in mixed.home.day_files()? {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let is_day = stem.len() == 10
            && stem.bytes().enumerate().all(|(place, byte)| {
                if place == 4 || place == 7 { byte == b'-' } else { byte.is_ascii_digit() }
            });
        ensure(is_day, "a file named after its day", &stem)?;
    }
    ensure(mixed.lines.len() >= crate::harness::mixed::CALLS, "a line for each call", mixed.lines.len())?;
    let ids = mixed.lines.iter().filter(|line| line.trace_id().is_some()).count();
    ensure(ids >= crate::harness::mixed::CALLS, "a trace ID on the lines of calls", ids)
}

/// The folder's mode is 0700, that of the files 0600.
pub(super) fn private(lab: &Lab) -> Outcome {
    let home = &Mixed::of(lab)?.home;
    let mode = |path: &std::path::Path| -> Outcome<u32> {
        Ok(std::fs::metadata(path)?.permissions().mode() & 0o777)
    };
    equal("the mode of the log folder", mode(&home.log_dir())?, 0o700)?;
    for file in home.day_files()? {
        equal("the mode of a day file", mode(&file)?, 0o600)?;
    }
    Ok(())
}

/// Lines of a call have the call's trace ID. Lines outside of calls have none.
pub(super) fn trace_ids(lab: &Lab) -> Outcome {
    let node = Node::start(Home::initialised(lab)?)?;
    let id = ulid::Ulid::generate().to_string();
    node.client()
        .call(
            "experimental.echo",
            br#"{"params":{},"input":{"text":"a","fail":"internal_error"}}"#,
            &[(REQUEST_ID, &id)],
        )?
        .is(500)?;
    let lines = node.stop()?.log_lines()?;
    let of_call = lines.iter().filter(|line| line.trace_id() == Some(&id)).count();
    ensure(of_call >= 1, "a line with the ID of the call", &lines)?;
    let start = lines.first().map(|line| line.trace_id());
    equal("the trace ID of the first line", start, Some(None))
}

/// 14 day files stay, by exact name. Other files stay as they are.
pub(super) fn retention(lab: &Lab) -> Outcome {
    let home = Home::initialised(lab)?;
    std::fs::create_dir_all(home.log_dir())?;
    let today = chrono::Utc::now().date_naive();
    let day = |ago: u64| (today - chrono::Days::new(ago)).format("%Y-%m-%d.log").to_string();
    let old: Vec<String> = (1..=20).map(day).collect();
    let foreign = [
        "2020-01-01.log.bak",
        "2020-1-1.log",
        "notes.log",
        "2020-13-01.log",
        "2020-01-32.log",
        "x2020-01-01.log",
        "2020-01-01.LOG",
    ];
    for name in old.iter().map(String::as_str).chain(foreign) {
        std::fs::write(home.log_dir().join(name), "")?;
    }
    let home = Node::start(home)?.stop()?;
    for name in foreign {
        ensure(home.log_dir().join(name).exists(), "foreign files untouched", name)?;
    }
    let mut kept: Vec<_> = std::fs::read_dir(home.log_dir())?
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    kept.retain(|name| !foreign.contains(&name.as_str()));
    kept.sort();
    equal("day files kept", kept.len(), 14)?;
    // Today's file and the newest 13 of the old ones. Midnight may pass meanwhile.
    let oldest = kept.first().cloned().unwrap_or_default();
    ensure(oldest == day(13) || oldest == day(12), "the oldest is of 13 days ago", &kept)
}

/// The log has every call before a SIGTERM.
pub(super) fn nothing_lost(lab: &Lab) -> Outcome {
    let home = Home::initialised(lab)?;
    home.without_rate_limit()?;
    let node = Node::start(home)?;
    let client = node.client();
    for _ in 0..200 {
        client.call("experimental.echo", br#"{"params":{},"input":{"text":"a"}}"#, &[])?.is(200)?;
    }
    let lines = node.stop()?.log_lines()?;
    equal("lines done", lines.iter().filter(|line| line.msg() == "done").count(), 200)
}
