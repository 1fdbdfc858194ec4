//! Reading of the page by a real Prometheus: it scrapes a node, and the cases query its API.

use std::collections::BTreeMap;
use std::time::Duration;

use super::families::{NAMES, busy_node};
use super::page::ASK_OPEN_METRICS;
use super::{OVERFLOW, parse, scrape};
use crate::case::{Outcome, ensure, equal, failed};
use crate::harness::exposition::{Format, Page, Series};
use crate::harness::http::{Client, REQUEST_ID};
use crate::harness::prometheus::Prometheus;
use crate::harness::{Lab, wait};

const HOSTILE: &str = "a\"b\\c{d=\"e\"},\\n # HELP";
const SCRAPED: Duration = Duration::from_secs(15);

/// Prometheus has exactly the series of the page, with their labels, and with their values where these do not change by
/// themselves.
pub(super) fn values(lab: &Lab) -> Outcome {
    let (node, _peer) = busy_node(lab)?;
    let client = node.client();
    client.call(HOSTILE, b"{}", &[])?;
    let prometheus = Prometheus::scraping(lab, node.base(), "")?;

    let mut difference = None;
    wait::until(SCRAPED, || {
        difference = Some(differ(&client, &prometheus).unwrap_or_else(|stop| format!("{stop:?}")));
        difference.as_ref().is_some_and(String::is_empty)
    });
    equal("what the page and Prometheus differ in", difference.as_deref(), Some(""))?;

    let hostile = prometheus.query("hearthnet_requests_total{result=\"not_found\"}")?;
    let names: Vec<_> = hostile.iter().filter_map(|series| series.label("capability")).collect();
    equal("what a capability that nobody offers is counted under", names, vec![OVERFLOW])?;
    let page = open_metrics(&client)?;
    for family in page.families.iter().filter(|family| family.name.starts_with("hearthnet_request")) {
        let name =
            if family.kind == "counter" { format!("{}_total", family.name) } else { family.name.clone() };
        // Prometheus 2 stores the metadata of an OpenMetrics counter without `_total`.
        let kinds = [prometheus.kind(&name)?, prometheus.kind(&family.name)?];
        ensure(kinds.contains(&family.kind), &format!("the type of {name}: {}", family.kind), &kinds)?;
    }
    // The purpose of the histogram: a quantile over several nodes.
    let rate = "histogram_quantile(0.9, sum by (le) (hearthnet_request_duration_seconds_bucket))";
    let quantile = prometheus.query(rate)?;
    ensure(quantile.len() == 1 && quantile[0].value > 0.0, "a quantile of the histogram", &quantile)
}

/// The exemplars of a known call are in the exemplar storage, for its bucket and its counter.
pub(super) fn exemplars(lab: &Lab) -> Outcome {
    let (node, _peer) = busy_node(lab)?;
    let prometheus = Prometheus::scraping(lab, node.base(), "")?;
    let id = ulid::Ulid::generate().to_string();
    let body = br#"{"params":{},"input":{"text":"a","delay_ms":30}}"#;
    node.client().call("experimental.echo", body, &[(REQUEST_ID, &id)])?.is(200)?;
    for query in ["hearthnet_request_duration_seconds_bucket", "hearthnet_requests_total"] {
        let query = format!("{query}{{capability=\"experimental.echo\"}}");
        let mut found = Vec::new();
        wait::until(SCRAPED, || {
            found = prometheus.exemplars(&query).unwrap_or_default();
            found.iter().any(|(trace_id, _)| *trace_id == id)
        });
        let value = found.iter().find(|(trace_id, _)| *trace_id == id).map(|(_, value)| *value);
        let value =
            value.ok_or_else(|| failed(format!("an exemplar of {query} with {id}"), format!("{found:?}")))?;
        ensure(value > 0.0, "the exemplar's value", value)?;
    }
    Ok(())
}

fn open_metrics(client: &Client) -> Outcome<Page> {
    parse(&client.get_with("/metrics", &[ASK_OPEN_METRICS])?.is(200)?.text(), Format::OpenMetrics)
}

/// Returns the first few differences between the page and the server's data.
fn differ(client: &Client, prometheus: &Prometheus) -> Outcome<String> {
    let before = keyed(scrape(client)?.series());
    let stored = prometheus.query("{job=\"node\", __name__!~\"up|scrape_.*\"}")?;
    let stored = keyed(stored.iter());
    let after = keyed(scrape(client)?.series());

    let is_standard =
        |key: &str| NAMES.iter().any(|name| key.starts_with(name)) || key.starts_with("hearthnet_request_");
    let at_rest = |key: &String, value: &f64| {
        is_standard(key) && after.get(key).is_some_and(|after| same(*after, *value))
    };
    let mut differences = Vec::new();
    for (key, value) in &before {
        match stored.get(key) {
            None => differences.push(format!("{key} is not stored")),
            Some(stored) if at_rest(key, value) && !same(*stored, *value) => {
                differences.push(format!("{key} is {value} on the page and {stored} in Prometheus"));
            }
            Some(_) => {}
        }
    }
    differences.extend(
        stored.keys().filter(|key| !before.contains_key(*key)).map(|key| format!("{key} is not on the page")),
    );
    differences.truncate(5);
    Ok(differences.join("; "))
}

/// Returns name and labels as a key. Prometheus treats a label without a value as absent.
fn keyed<'a>(series: impl Iterator<Item = &'a Series>) -> BTreeMap<String, f64> {
    let key = |series: &Series| {
        let labels = series.labels.iter().filter(|(_, value)| !value.is_empty()).cloned().collect();
        Series { labels, ..series.clone() }.key()
    };
    series.map(|series| (key(series), series.value)).collect()
}

fn same(one: f64, other: f64) -> bool {
    one == other || (one.is_nan() && other.is_nan())
}
