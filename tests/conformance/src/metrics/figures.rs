//! Counts, durations and exemplars of known calls.

use std::collections::BTreeMap;
use std::time::Duration;

use super::page::ASK_OPEN_METRICS;
use super::{OVERFLOW, parse, scrape};
use crate::case::{Outcome, ensure, equal, failed};
use crate::harness::exposition::{Format, Series};
use crate::harness::home::Home;
use crate::harness::http::REQUEST_ID;
use crate::harness::mixed::{Mixed, NOBODY};
use crate::harness::node::Node;
use crate::harness::{Lab, fake_llm, wait};

/// `requests_total` has exactly the calls that were made, by capability and result. Calls for capabilities that no node offers
/// are counted under one name.
pub(super) fn requests_total(lab: &Lab) -> Outcome {
    let mixed = Mixed::of(lab)?;
    let family = mixed.page.family("hearthnet_requests_total").ok_or_else(|| failed("the family", "none"))?;
    let labels = |series: &Series| {
        let label = |name| series.label(name).unwrap_or_default().to_owned();
        ((label("capability"), label("result")), series.value as u64)
    };
    let counted: BTreeMap<_, _> =
        family.samples.iter().filter(|series| series.value > 0.0).map(labels).collect();
    let shown = |capability| if capability == NOBODY { OVERFLOW.to_owned() } else { capability };
    let expected: BTreeMap<_, _> = mixed
        .expected()
        .into_iter()
        .map(|((capability, result), calls)| ((shown(capability), result), calls))
        .collect();
    equal("hearthnet_requests_total by capability and result", counted, expected)
}

/// Summary and histogram have the same count and sum, one observation a call.
pub(super) fn durations(lab: &Lab) -> Outcome {
    let mixed = Mixed::of(lab)?;
    let echo = [("capability", "experimental.echo")];
    let sum = |name: &str| mixed.page.sum(name, &echo);
    let calls = mixed.calls.iter().filter(|call| call.capability == "experimental.echo").count() as f64;
    equal("observations of the summary", sum("hearthnet_request_duration_ms_count"), calls)?;
    equal("observations of the histogram", sum("hearthnet_request_duration_seconds_count"), calls)?;
    let (ms, seconds) =
        (sum("hearthnet_request_duration_ms_sum"), sum("hearthnet_request_duration_seconds_sum"));
    ensure((ms / 1e3 - seconds).abs() <= 1e-6 * seconds.abs(), "the same total in both", (ms, seconds))?;
    // A hundred of the calls wait for two milliseconds each.
    ensure(ms >= 200.0, "a total of at least 200 ms", ms)?;

    let quantile = |quantile| {
        let summary = mixed.page.family("hearthnet_request_duration_ms");
        let samples = summary.map(|family| family.samples.as_slice()).unwrap_or_default();
        samples
            .iter()
            .find(|series| {
                series.label("quantile") == Some(quantile) && series.label("capability") == Some(echo[0].1)
            })
            .map(|series| series.value)
    };
    let values: Vec<_> = ["0.5", "0.9", "0.95", "0.99"].into_iter().filter_map(quantile).collect();
    let rising = values.len() == 4 && values.windows(2).all(|pair| pair[0] <= pair[1]) && values[0] > 0.0;
    ensure(rising, "four quantiles, each at least the one before", values)
}

/// No stream is open after the calls.
pub(super) fn gauges_at_rest(lab: &Lab) -> Outcome {
    let mixed = Mixed::of(lab)?;
    equal("hearthnet_active_streams", mixed.page.sum("hearthnet_active_streams", &[]), 0.0)
}

/// A streamed answer counts as an open stream and as a use of its model while it lasts.
pub(super) fn gauges_under_way(lab: &Lab) -> Outcome {
    let home = Home::initialised(lab)?;
    let backend = fake_llm::configure(&home)?;
    let node = Node::start(home)?;
    let client = node.client();
    let gauges = || -> Outcome<[f64; 2]> {
        let page = scrape(&client)?;
        let streams = page.sum("hearthnet_active_streams", &[("capability", "llm.chat")]);
        Ok([streams, page.sum("hearthnet_llm_concurrent", &[("model", "tiny")])])
    };
    let messages = serde_json::json!([{"role": "user", "content": fake_llm::SLOWLY}]);
    let chat = serde_json::json!({"params": {"model": "tiny"}, "input": {"messages": messages}}).to_string();
    std::thread::scope(|threads| {
        let calls: Vec<_> = (0..2)
            .map(|_| threads.spawn(|| client.call("llm.chat", chat.as_bytes(), &[])?.is(200)))
            .collect();
        let both = |expected: f64| gauges().is_ok_and(|found| found == [expected; 2]);
        let under_way = wait::until(Duration::from_secs(10), || both(2.0));
        let seen = gauges();
        backend.go_on();
        ensure(under_way, "2 open streams, 2 uses of the model", seen)?;
        for call in calls {
            call.join().map_err(|_| failed("a call that ends", "a panic"))??;
        }
        ensure(wait::until(Duration::from_secs(10), || both(0.0)), "none of either afterwards", gauges())
    })
}

/// The success rate covers the last 100 calls, by capability and node.
pub(super) fn success_rate(lab: &Lab) -> Outcome {
    let home = Home::initialised(lab)?;
    home.without_rate_limit()?;
    let node = Node::start(home)?;
    let client = node.client();
    let echo = |calls: usize, input: &str| -> Outcome {
        let body = format!(r#"{{"params":{{}},"input":{input}}}"#);
        (0..calls).try_for_each(|_| client.call("experimental.echo", body.as_bytes(), &[]).map(drop))
    };
    let rate = || -> Outcome<f64> {
        let echo = [("capability", "experimental.echo")];
        Ok(scrape(&client)?.sum("hearthnet_capability_health_success_rate", &echo))
    };
    echo(60, r#"{"text":"yes"}"#)?;
    echo(20, r#"{"text":"no","fail":"timeout"}"#)?;
    equal("after 60 good and 20 bad calls", rate()?, 0.75)?;
    echo(20, r#"{"text":"no","frames":1,"fail":"timeout"}"#)?;
    equal("after 20 streams that failed", rate()?, 0.6)?;
    echo(100, r#"{"text":"yes"}"#)?;
    equal("after 100 good calls", rate()?, 1.0)
}

/// In OpenMetrics, a bucket and a counter have the trace ID of a call that they count as exemplar.
pub(super) fn exemplars(lab: &Lab) -> Outcome {
    let node = Node::start(Home::initialised(lab)?)?;
    let client = node.client();
    let id = ulid::Ulid::generate().to_string();
    client
        .call("experimental.echo", br#"{"params":{},"input":{"text":"a"}}"#, &[(REQUEST_ID, &id)])?
        .is(200)?;
    let page =
        parse(&client.get_with("/metrics", &[ASK_OPEN_METRICS])?.is(200)?.text(), Format::OpenMetrics)?;
    for name in ["hearthnet_request_duration_seconds", "hearthnet_requests"] {
        let exemplars = page.family(name).map(|family| family.exemplars.clone()).unwrap_or_default();
        let named =
            exemplars.iter().any(|(_, exemplar)| exemplar.starts_with(&format!("{{trace_id=\"{id}\"}}")));
        ensure(named, &format!("an exemplar of {name} with trace_id={id}"), &exemplars)?;
    }
    let text = scrape(&client)?;
    ensure(
        text.families.iter().all(|family| family.exemplars.is_empty()),
        "no exemplar in the text format",
        "some",
    )
}
