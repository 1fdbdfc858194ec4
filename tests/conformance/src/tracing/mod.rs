//! Traces: one for each call, one ID over every hop, and no span of another task.

mod calls;
mod command;
mod context;
mod export;
mod kills;
mod recent;
mod signals;
mod two_nodes;

use crate::case::{Case, Outcome, Suite, failed};
use crate::harness::http::Client;
use serde_json::Value;

pub(crate) const SUITE: Suite = Suite {
    name: "tracing",
    cases: &[
        Case::new("test_trace_context_propagation", context::propagation),
        Case::new("tasks_on_one_thread_keep_apart", context::tasks_keep_apart),
        Case::new("end_is_recorded_once_with_its_status", context::ends),
        Case::black_box("recent_has_the_specified_form", recent::form),
        Case::black_box("recent_is_newest_first", recent::newest_first),
        Case::black_box("recent_takes_filters", recent::filters),
        Case::black_box("bad_parameters_are_400", recent::bad_parameters),
        Case::new("each_call_is_one_trace", calls::one_trace_each),
        Case::new("each_call_is_one_done_line", calls::one_done_line_each),
        Case::new("caller_gone_is_cancelled", calls::caller_gone),
        Case::new("one_id_over_two_nodes", two_nodes::one_id),
        Case::new("peer_that_is_gone_is_an_error", two_nodes::peer_gone),
        Case::new("one_trace_over_two_nodes_at_a_real_collector", export::one_trace_over_two_nodes),
        Case::new("opentelemetry_reads_what_is_exported", export::decoded_by_python),
        Case::new("opentelemetry_reads_metrics_and_lines", signals::cumulative),
        Case::new("opentelemetry_reads_differences", signals::delta),
        Case::new("real_collector_reads_metrics_and_lines", signals::at_a_real_collector),
        Case::new("real_collector_reads_differences", signals::delta_at_a_real_collector),
        Case::new("killed_node_exports_every_line", kills::lines_of_a_killed_node),
        Case::new("collector_that_is_gone_is_one_warning", export::collector_gone),
        Case::new("bad_otlp_endpoint_names_field_and_fix", export::bad_endpoint),
        Case::new("trace_recent_command", command::recent),
        Case::new("trace_show_takes_every_form_of_an_id", command::show),
    ],
};

/// Returns the traces that a node shows for a query.
fn traces(client: &Client, query: &str) -> Outcome<Vec<Value>> {
    let answer = client.get(&format!("/trace/recent{query}"))?.is(200)?;
    let body = answer.json()?;
    body["traces"].as_array().cloned().ok_or_else(|| failed("a list of traces", body.to_string()))
}
