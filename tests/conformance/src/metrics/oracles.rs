//! Outside checkers on the page.

use super::page::ASK_OPEN_METRICS;
use super::{parse, scrape};
use crate::case::{Outcome, ensure, equal};
use crate::harness::Lab;
use crate::harness::exposition::{Format, Page, Series};
use crate::harness::http::Client;
use crate::harness::oracle;

pub(super) fn promtool(lab: &Lab) -> Outcome {
    promtool_accepts(lab, &Client::new(lab.base()?).get("/metrics")?.is(200)?.text())
}

/// `promtool` accepts the page. It may remark only on the unit in one specified name.
pub(super) fn promtool_accepts(lab: &Lab, page: &str) -> Outcome {
    let ran = oracle::promtool(lab, page)?;
    let output = ran.output();
    let remarks: Vec<_> = output.lines().filter(|line| !line.trim().is_empty()).collect();
    let allowed = |line: &&str| line.starts_with("hearthnet_request_duration_ms ") && line.contains("unit");
    ensure(
        remarks.iter().all(allowed),
        "no remark but on the unit of hearthnet_request_duration_ms",
        &output,
    )
    .map_err(|stop| stop.by_hand("curl -s <node>/metrics | promtool check metrics"))?;
    ensure(matches!(ran.code, Some(0 | 3)), "exit code 0, or 3 with remarks", ran.code)
}

pub(super) fn python_text(lab: &Lab) -> Outcome {
    let text = Client::new(lab.base()?).get("/metrics")?.is(200)?.text();
    python_agrees_on_text(lab, &text)
}

/// Python's parser reads exactly the samples that the strict parser reads.
pub(super) fn python_agrees_on_text(lab: &Lab, text: &str) -> Outcome {
    let page = parse(text, Format::Text)?;
    same_samples(&page, &oracle::python_text(lab, text)?)
}

pub(super) fn python_openmetrics(lab: &Lab) -> Outcome {
    let client = Client::new(lab.base()?);
    scrape(&client)?;
    python_agrees_on_open_metrics(lab, &client.get_with("/metrics", &[ASK_OPEN_METRICS])?.is(200)?.text())
}

pub(super) fn python_agrees_on_open_metrics(lab: &Lab, text: &str) -> Outcome {
    let page = parse(text, Format::OpenMetrics)?;
    same_samples(&page, &oracle::python_openmetrics(lab, text)?)
}

fn same_samples(page: &Page, others: &[Series]) -> Outcome {
    let written = |series: &Series| (series.key(), series.value.to_string());
    let sorted = |mut list: Vec<(String, String)>| {
        list.sort();
        list
    };
    let ours = sorted(page.series().map(written).collect());
    let theirs = sorted(others.iter().map(written).collect());
    for (ours, theirs) in ours.iter().zip(&theirs) {
        equal("the sample as Python's prometheus_client reads it", theirs, ours)?;
    }
    equal("samples that Python's prometheus_client reads", theirs.len(), ours.len())
}
