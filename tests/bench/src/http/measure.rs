//! The measurements of a whole request.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use super::collector::Collector;
use super::load::Load;
use super::server::{SERVE, Server};
use super::{Stack, replies, serve};
use crate::harness::{Scale, Values};

/// Lines and spans of a request.
const RECORDS: usize = 2;

/// Length of a measurement: at 40 000 requests a second, an exporter that sends four traces of five fills its queue in it.
const TIME: Duration = Duration::from_millis(2_500);
/// Time in which connections are opened, and stores and caches are filled.
const WARM_UP: Duration = Duration::from_millis(500);

pub(super) fn task<S: Stack>(task: &str, scale: Scale) -> Values {
    if task == SERVE {
        serve::run::<S>();
        return Values::new();
    }
    measure::<S>(task, scale).expect("the server answers")
}

fn measure<S: Stack>(task: &str, scale: Scale) -> io::Result<Values> {
    let load = load(task);
    let folder = tempfile::tempdir()?;
    let collector = Collector::start();
    let mut server = Server::start::<S>(folder.path(), collector.address())?;
    let shorter = if scale == Scale::Quick { 10 } else { 1 };
    let warm_up = load.run(server.address(), WARM_UP / shorter)?;
    let before = server.settle()?;
    let answers = load.run(server.address(), TIME / shorter)?;
    let resident = server.resident()?;
    // With the work that the server has put off.
    let cpu = server.settle()? - before;

    let requests = answers.nanos.len();
    let mut values = Values::new();
    let mut add = |key: &str, value: f64| values.push((format!("{key}-{task}"), value));
    add("rate", requests as f64 / answers.time.as_secs_f64());
    add("cpu", cpu / requests as f64 * 1e5);
    add("p50", answers.micros(0.5));
    add("p99", answers.micros(0.99));
    add("p999", answers.micros(0.999));
    add("resident", resident as f64 / 1e6);
    if !S::LINES.is_empty() {
        let sent = warm_up.nanos.len() + requests;
        let lost = |wanted: usize, found: usize| wanted as f64 - found as f64;
        add("lines-lost", lost(sent * RECORDS, lines::<S>(folder.path())?));
        add("spans-lost", lost(sent * RECORDS, collector.spans().len()));
        add("counts-lost", lost(sent, counted::<S>(server.address())?));
    }
    Ok(values)
}

fn load(task: &str) -> Load {
    let (what, connections) = task.split_once('-').expect("a task ends in its number of connections");
    let connections = connections.parse().expect("a number of connections");
    if what == "echo" { Load::echo(connections) } else { Load::get("/stream", connections) }
}

/// Sends one request of each kind and reads its records.
pub(super) fn check<S: Stack>() -> Result<(), String> {
    checked::<S>().map_err(|error| error.to_string())
}

fn checked<S: Stack>() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let collector = Collector::start();
    let mut server = Server::start::<S>(folder.path(), collector.address())?;
    let echoed = Load::echo(1).once(server.address())?;
    if !echoed.ends_with(replies::ECHOED) {
        return Err(format!("not the body of the request: {echoed}").into());
    }
    let streamed = Load::get("/stream", 1).once(server.address())?;
    if streamed.matches("data:").count() != 8 {
        return Err(format!("not eight chunks: {streamed}").into());
    }
    server.settle()?;
    if S::LINES.is_empty() {
        return Ok(());
    }
    let found = (lines::<S>(folder.path())?, counted::<S>(server.address())?);
    if found != (2 * RECORDS, 2) {
        return Err(format!("lines and counts of two requests: {found:?}").into());
    }
    let spans = collector.spans();
    let parents = spans.iter().filter(|span| span.parent_span_id.is_empty());
    let is_child =
        |parent: &[u8]| spans.iter().any(|span| span.name == "answer" && span.parent_span_id == parent);
    let pairs = parents.filter(|parent| is_child(&parent.span_id)).count();
    if (spans.len(), pairs) != (2 * RECORDS, 2) {
        return Err(format!("not two traces of a span and its child: {spans:#?}").into());
    }
    Ok(())
}

/// Counts the lines of requests.
fn lines<S: Stack>(folder: &Path) -> io::Result<usize> {
    let mut count = 0;
    for file in fs::read_dir(folder)? {
        let file = file?;
        // Hidden files are no log.
        if file.file_type()?.is_file() && !file.file_name().as_encoded_bytes().starts_with(b".") {
            let text = String::from_utf8_lossy(&fs::read(file.path())?).into_owned();
            count += text.lines().filter(|line| S::LINES.iter().any(|mark| line.contains(mark))).count();
        }
    }
    Ok(count)
}

/// Returns the number of requests by the page of the server.
fn counted<S: Stack>(server: SocketAddr) -> io::Result<usize> {
    let page = Load::get("/metrics", 1).once(server)?;
    let counts = page.lines().filter(|line| line.starts_with(S::COUNTED) && !line.contains("/metrics"));
    let numbers = counts.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    Ok(numbers.sum::<f64>() as usize)
}
