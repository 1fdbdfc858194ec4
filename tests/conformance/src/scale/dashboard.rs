//! The Grafana dashboard: each of its queries, asked of both servers.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::chains::Chains;
use super::servers::Server;
use crate::case::{Outcome, ensure, equal, failed};
use crate::harness::{Lab, wait};

/// Time within which every query has data. Most have it after two scrapes.
const LIMIT: Duration = Duration::from_secs(60);
/// Panel that is empty while all is well.
const OF_FAULTS: &str = "Failed checks";

/// Prometheus and VictoriaMetrics answer every query of the dashboard with data of the nodes.
pub(super) fn has_data(lab: &Lab) -> Outcome {
    let text = std::fs::read_to_string(lab.root().join("docs/operate/grafana/hearthnet.json"))?;
    let dashboard: Value = serde_json::from_str(&text)?;
    let queries = queries(&dashboard)?;
    ensure(queries.len() >= 30, "queries of the dashboard", queries.len())?;
    let chains = Chains::of(lab)?;
    let end = Instant::now() + LIMIT;
    for (name, server) in chains.stores() {
        for (panel, query) in &queries {
            has_values(server, panel, query, end).map_err(|stop| stop.at(name))?;
        }
        let names = server.get("/api/v1/label/node_name/values", &[("match[]", "hearthnet_build_info")])?;
        let names: Vec<_> =
            names["data"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        equal(&format!("the nodes that {name} lists"), names, vec!["ada", "bob"])?;
    }
    Ok(())
}

/// Returns panel and query for every target, with the variables replaced as Grafana does.
fn queries(dashboard: &Value) -> Outcome<Vec<(String, String)>> {
    let mut queries = Vec::new();
    for panel in dashboard["panels"].as_array().into_iter().flatten() {
        let title = panel["title"].as_str().unwrap_or_default();
        for target in panel["targets"].as_array().into_iter().flatten() {
            let query = target["expr"].as_str().ok_or_else(|| failed("a query", target.to_string()))?;
            let query = query.replace("$node", ".*").replace("$__rate_interval", "10s");
            ensure(!query.contains('$'), "no other variable", &query)?;
            queries.push((title.to_owned(), query));
        }
    }
    Ok(queries)
}

fn has_values(server: &Server, panel: &str, query: &str, end: Instant) -> Outcome {
    let mut last = String::new();
    let has = || {
        let answer = server.query(query);
        last = format!("{answer:?}");
        let is_number = |sample: &Value| sample["value"][1].as_str().is_some_and(|value| value != "NaN");
        answer
            .is_ok_and(|samples| samples.iter().any(is_number) || (samples.is_empty() && panel == OF_FAULTS))
    };
    match wait::until(end.saturating_duration_since(Instant::now()), has) {
        true => Ok(()),
        false => Err(failed(format!("data for {panel:?}: {query}"), format!("{last}\n{}", server.log()))),
    }
}
