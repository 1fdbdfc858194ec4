//! Native histograms: negotiation of the protobuf format, and its reading by a real Prometheus.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use obs_metrics::{Format, Registry};

use super::families::busy_node;
use super::page::OPEN_METRICS;
use super::{OVERFLOW, scrape};
use crate::case::{Outcome, ensure, equal, failed};
use crate::harness::home::Home;
use crate::harness::http::REQUEST_ID;
use crate::harness::node::Node;
use crate::harness::prometheus::{NativeHistogram, Prometheus};
use crate::harness::{Lab, wait};

const FEATURE: &str = ",native-histograms";
const SCRAPED: Duration = Duration::from_secs(15);

const ASKED: &str =
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
const PROTOBUF: &str =
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

/// A scraper that names protobuf and prefers no text format gets protobuf.
pub(super) fn negotiation(lab: &Lab) -> Outcome {
    let node = Node::start(Home::initialised(lab)?)?;
    let rest = "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    for (accept, expected) in [
        (ASKED.to_owned(), PROTOBUF),
        (format!("{ASKED},{rest}"), PROTOBUF),
        (format!("{ASKED};escaping=allow-utf-8;q=0.9,{rest}"), PROTOBUF),
        (format!("{ASKED};q=0.7,{rest}"), OPEN_METRICS),
        (format!("{ASKED};q=0,{rest}"), OPEN_METRICS),
        (format!("{},{rest}", ASKED.replace("delimited", "compact-text")), OPEN_METRICS),
    ] {
        let answer = node.client().get_with("/metrics", &[("accept", &accept)])?.is(200)?;
        equal("content-type", answer.header("content-type")?, expected)
            .map_err(|stop| stop.at(&format!("Accept: {accept}")))?;
    }
    Ok(())
}

/// A real Prometheus stores a node's durations as a native histogram with exemplars, and all other series as before.
pub(super) fn node(lab: &Lab) -> Outcome {
    let (node, _peer) = busy_node(lab)?;
    let prometheus = Prometheus::scraping(lab, node.base(), FEATURE)?;
    let slow = br#"{"params":{},"input":{"text":"a","delay_ms":30}}"#;
    node.client().call("experimental.echo", slow, &[])?.is(200)?;

    let page = scrape(&node.client())?;
    let labels = [("capability", "experimental.echo")];
    let count = page.sum("hearthnet_request_duration_seconds_count", &labels);
    let sum = page.sum("hearthnet_request_duration_seconds_sum", &labels);
    let query = "hearthnet_request_duration_seconds{capability=\"experimental.echo\"}";
    let found = stored(&prometheus, query, count)?;
    equal("the sum", found.sum, sum)?;
    let slow = found.buckets.iter().any(|bucket| bucket.lower < 0.035 && bucket.upper > 0.03);
    ensure(slow, "a bucket for the call of 30 ms", &found.buckets)?;

    let classic = prometheus.query("hearthnet_request_duration_seconds_bucket")?;
    ensure(classic.is_empty(), "no classic buckets where the native ones were taken", &classic)?;
    let quantile = prometheus.query(&format!("histogram_quantile(0.5, {query})"))?;
    ensure(quantile.len() == 1 && quantile[0].value > 0.0, "a quantile", &quantile)?;
    let others =
        prometheus.query("hearthnet_requests_total{capability=\"experimental.echo\",result=\"ok\"}")?;
    let expected = page.sum("hearthnet_requests_total", &[labels[0], ("result", "ok")]);
    equal("a counter beside it", others.first().map(|series| series.value), Some(expected))?;

    // Prometheus 2.42 stores only the first exemplar of a native histogram, so the series has this one call.
    let id = ulid::Ulid::generate().to_string();
    node.client().call("called.once", b"{}", &[(REQUEST_ID, &id)])?.refuses(404, "not_found")?;
    let query = format!("hearthnet_request_duration_seconds{{capability={OVERFLOW:?}}}");
    let exemplars = || prometheus.exemplars(&query).unwrap_or_default();
    let has_ours = wait::until(SCRAPED, || exemplars().iter().any(|(trace_id, _)| *trace_id == id));
    ensure(has_ours, &format!("an exemplar with {id}"), exemplars())
}

/// Each bucket that Prometheus stores counts exactly the values between its bounds.
pub(super) fn buckets(lab: &Lab) -> Outcome {
    let registry = Registry::new();
    let sizes = registry.histogram("sizes", "Sizes.", ["of"], &[1.0]).native();
    let powers = (-40..=40).map(|exponent| 2f64.powi(exponent));
    let steps = (1..400).map(|step| 1.013f64.powi(step) / 7.0);
    let recorded: [(&str, Vec<f64>); 5] = [
        ("nothing", Vec::new()),
        ("durations", steps.collect()),
        ("bounds", powers.clone().take(60).collect()),
        ("both sides", powers.clone().flat_map(|power| [power * 1.3, -power * 1.3, 0.0]).collect()),
        ("far apart", powers.flat_map(|power| (0..8).map(move |step| power * 1.09f64.powi(step))).collect()),
    ];
    for (of, values) in &recorded {
        let series = sizes.with([of]);
        values.iter().for_each(|value| series.observe(*value));
    }
    sizes.observe(["infinity"], f64::INFINITY);

    let prometheus = Prometheus::scraping(lab, &serve(registry)?, FEATURE)?;
    for (of, values) in &recorded {
        let found = stored(&prometheus, &format!("sizes{{of={of:?}}}"), values.len() as f64)?;
        for bucket in &found.buckets {
            let inside = values.iter().filter(|value| bucket.holds(**value)).count();
            equal(&format!("{of}: values in {bucket:?}"), bucket.count, inside as f64)?;
        }
        equal(
            &format!("{of}: values in buckets"),
            found.buckets.iter().map(|bucket| bucket.count).sum::<f64>(),
            found.count,
        )?;
        ensure(found.buckets.len() <= 161, "a bounded number of buckets", found.buckets.len())?;
    }
    let infinity = stored(&prometheus, "sizes{of=\"infinity\"}", 1.0)?;
    equal(
        "the upper bound of infinity",
        infinity.buckets.last().map(|bucket| bucket.upper),
        Some(f64::INFINITY),
    )
}

/// Returns the histogram of a query once the server has scraped `count` observations.
fn stored(prometheus: &Prometheus, query: &str, count: f64) -> Outcome<NativeHistogram> {
    let mut found = Vec::new();
    wait::until(SCRAPED, || {
        found = prometheus.histograms(query).unwrap_or_default();
        found.iter().any(|histogram| histogram.count == count)
    });
    match <[NativeHistogram; 1]>::try_from(found) {
        Ok([histogram]) if histogram.count == count => Ok(histogram),
        Ok(other) => Err(failed(format!("one native histogram {query} of {count}"), format!("{other:?}"))),
        Err(found) => Err(failed(format!("one native histogram {query}"), format!("{found:?}"))),
    }
}

/// Starts a server that answers every request with the registry's page in protobuf, and returns its address.
fn serve(registry: Registry) -> Outcome<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = format!("http://{}", listener.local_addr()?);
    std::thread::spawn(move || {
        // A client may disconnect halfway. Prometheus scrapes again.
        listener.incoming().flatten().for_each(|stream| _ = answer(stream, &registry));
    });
    Ok(address)
}

fn answer(mut stream: TcpStream, registry: &Registry) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let request = BufReader::new(stream.try_clone()?);
    for line in request.lines() {
        if line?.is_empty() {
            break;
        }
    }
    let (kind, page) = (Format::Protobuf.content_type(), registry.expose(Format::Protobuf));
    let length = page.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    )?;
    stream.write_all(&page)
}
