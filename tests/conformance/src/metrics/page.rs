//! Content types, formats and order of the page.

use std::io::Read as _;

use flate2::read::GzDecoder;

use super::{parse, scrape};
use crate::case::{Outcome, ensure, equal, failed};
use crate::harness::Lab;
use crate::harness::exposition::{Format, Page};
use crate::harness::http::Client;

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
pub(super) const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
pub(super) const ASK_OPEN_METRICS: (&str, &str) = ("accept", "application/openmetrics-text; version=1.0.0");

/// Names of the standard families that the page must have.
const STANDARD: [&str; 13] = super::families::NAMES;

pub(super) fn endpoint_format(lab: &Lab) -> Outcome {
    let answer = Client::new(lab.base()?).get("/metrics")?.is(200)?;
    equal("content-type", answer.header("content-type")?, TEXT).map_err(|stop| answer.shown(stop))?;
    let page = parse(&answer.text(), Format::Text)?;
    for family in &page.families {
        let complete = !family.kind.is_empty() && family.help.as_ref().is_some_and(|help| !help.is_empty());
        ensure(complete, "HELP and TYPE of each family", &family.name)?;
    }
    for name in STANDARD {
        ensure(page.family(name).is_some(), &format!("the family {name}"), "none")?;
    }
    Ok(())
}

/// Values of `Accept` and the content type of the answer.
const NEGOTIATED: [(&str, &str); 15] = [
    ("", TEXT),
    ("*/*", TEXT),
    ("text/plain", TEXT),
    ("text/*;q=0.5", TEXT),
    ("text/html", TEXT),
    ("garbage;;;q=x,,", TEXT),
    ("application/openmetrics-text", OPEN_METRICS),
    ("application/openmetrics-text; version=1.0.0", OPEN_METRICS),
    ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4", OPEN_METRICS),
    ("application/openmetrics-text;version=1.0.0;q=0.3,text/plain;version=0.0.4;q=0.4", TEXT),
    ("application/openmetrics-text;version=1.0.0;q=0,*/*", TEXT),
    ("application/openmetrics-text; q=0", TEXT),
    ("APPLICATION/OpenMetrics-Text", OPEN_METRICS),
    (
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.4,application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        OPEN_METRICS,
    ),
    ("application/vnd.google.protobuf", TEXT),
];

pub(super) fn negotiation(lab: &Lab) -> Outcome {
    let client = Client::new(lab.base()?);
    for (accept, expected) in NEGOTIATED {
        let headers = [("accept", accept)];
        let answer = client.get_with("/metrics", if accept.is_empty() { &[] } else { &headers })?.is(200)?;
        equal("content-type", answer.header("content-type")?, expected)
            .map_err(|stop| answer.shown(stop.at(&format!("Accept: {accept}"))))?;
        let ends = answer.text().ends_with("\n# EOF\n");
        equal("ends in # EOF", ends, expected == OPEN_METRICS).map_err(|stop| answer.shown(stop))?;
    }
    Ok(())
}

pub(super) fn gzip(lab: &Lab) -> Outcome {
    let client = Client::new(lab.base()?);
    for accept in ["gzip", "gzip, deflate", "deflate, gzip;q=0.5", "*"] {
        let answer = client.get_with("/metrics", &[("accept-encoding", accept)])?.is(200)?;
        if accept == "*" && answer.headers.get("content-encoding").is_none() {
            continue;
        }
        equal("content-encoding", answer.header("content-encoding")?, "gzip")
            .map_err(|stop| answer.shown(stop.at(accept)))?;
        let mut text = String::new();
        GzDecoder::new(answer.body.as_slice()).read_to_string(&mut text)?;
        parse(&text, Format::Text)?;
    }
    for accept in ["identity", "gzip;q=0", "deflate", "br"] {
        let answer = client.get_with("/metrics", &[("accept-encoding", accept)])?.is(200)?;
        ensure(answer.headers.get("content-encoding").is_none(), "a page as it is", &answer.headers)
            .map_err(|stop| answer.shown(stop.at(accept)))?;
    }
    Ok(())
}

pub(super) fn open_metrics(lab: &Lab) -> Outcome {
    let answer = Client::new(lab.base()?).get_with("/metrics", &[ASK_OPEN_METRICS])?.is(200)?;
    equal("content-type", answer.header("content-type")?, OPEN_METRICS)?;
    let page = parse(&answer.text(), Format::OpenMetrics)?;
    for name in STANDARD {
        ensure(
            page.family(name.trim_end_matches("_total")).is_some(),
            &format!("the family {name}"),
            "none",
        )?;
    }
    Ok(())
}

/// Both formats have the same series and kinds, and the same values where these do not change by themselves.
pub(super) fn formats_agree(lab: &Lab) -> Outcome {
    let client = Client::new(lab.base()?);
    let text = scrape(&client)?;
    let open = client.get_with("/metrics", &[ASK_OPEN_METRICS])?.is(200)?.text();
    let open = parse(&open, Format::OpenMetrics)?;

    let outline = |page: &Page| {
        let families = page.families.iter().map(|family| {
            let kind = if family.kind == "unknown" { "untyped" } else { &family.kind };
            let mut keys: Vec<_> = family
                .samples
                .iter()
                .map(|series| series.key())
                .filter(|key| !key.contains("_created"))
                .collect();
            keys.sort();
            (family.name.trim_end_matches("_total").to_owned(), kind.to_owned(), family.help.clone(), keys)
        });
        let mut families: Vec<_> = families.collect();
        families.sort();
        families
    };
    for (text, open) in outline(&text).into_iter().zip(outline(&open)) {
        equal("the family in the text format, in OpenMetrics", text, open)?;
    }
    equal("families", text.families.len(), open.families.len())?;

    for series in text.series().filter(|series| series.name.starts_with("hearthnet_requests_total")) {
        let other = open.series().find(|other| other.key() == series.key()).map(|other| other.value);
        equal(&series.key(), other, Some(series.value))?;
    }
    Ok(())
}

/// Families are sorted by name, in the same order at every scrape.
pub(super) fn order(lab: &Lab) -> Outcome {
    let client = Client::new(lab.base()?);
    let keys = |page: &Page| page.series().map(crate::harness::exposition::Series::key).collect::<Vec<_>>();
    let (one, two) = (scrape(&client)?, scrape(&client)?);
    let kept: Vec<_> = keys(&two).into_iter().filter(|key| keys(&one).contains(key)).collect();
    equal("series that stand in both scrapes", kept, keys(&one))?;

    let names: Vec<_> = one.families.iter().map(|family| family.name.as_str()).collect();
    match names.windows(2).find(|pair| pair[0] > pair[1]) {
        Some(pair) => Err(failed("families sorted by name", format!("{} before {}", pair[0], pair[1]))),
        None => Ok(()),
    }
}
