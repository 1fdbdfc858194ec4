//! `/metrics`: the page, its formats, outside checkers, and the correctness of its values.

mod families;
mod figures;
mod functions;
mod labels;
mod native;
mod oracles;
mod page;
mod server;

use crate::case::{Case, Outcome, Suite, failed};
use crate::harness::exposition::{Format, Page};
use crate::harness::http::Client;

/// Label value for capabilities that no node offers.
const OVERFLOW: &str = "__overflow__";

pub(crate) const SUITE: Suite = Suite {
    name: "metrics",
    cases: &[
        Case::black_box("test_metrics_endpoint_format", page::endpoint_format),
        Case::black_box("content_negotiation", page::negotiation),
        Case::black_box("gzip_when_asked", page::gzip),
        Case::black_box("openmetrics_page", page::open_metrics),
        Case::black_box("both_formats_agree", page::formats_agree),
        Case::black_box("order_is_stable_and_sorted", page::order),
        Case::black_box("promtool_accepts_the_page", oracles::promtool),
        Case::black_box("python_reads_the_same_samples", oracles::python_text),
        Case::black_box("python_reads_the_openmetrics_page", oracles::python_openmetrics),
        Case::new("standard_families_before_the_first_sample", families::before_the_first_sample),
        Case::new("standard_families_have_live_values", families::live_values),
        Case::new("oracles_accept_a_full_page", families::oracles_accept),
        Case::new("process_families", families::process),
        Case::new("metrics_can_be_disabled", families::disabled),
        Case::new("declarations_agree_or_are_errors", functions::declarations),
        Case::new("series_end_and_handles_do_not", functions::series_end),
        Case::new("registries_keep_apart", functions::registries_apart),
        Case::new("third_party_metrics_share_the_page", functions::third_party),
        Case::new("requests_total_adds_up", figures::requests_total),
        Case::new("durations_agree", figures::durations),
        Case::new("gauges_follow_what_is_under_way", figures::gauges_under_way),
        Case::new("gauges_return_to_rest", figures::gauges_at_rest),
        Case::new("success_rate_is_of_the_last_100_calls", figures::success_rate),
        Case::new("exemplars_carry_trace_ids", figures::exemplars),
        Case::new("prometheus_stores_every_series", server::values),
        Case::new("prometheus_stores_the_exemplars", server::exemplars),
        Case::new("protobuf_for_who_asks", native::negotiation),
        Case::new("prometheus_takes_native_histograms", native::node),
        Case::new("prometheus_has_each_value_in_its_bucket", native::buckets),
        Case::new("hostile_names_round_trip", labels::hostile_names),
        Case::new("series_are_capped", labels::cap),
    ],
};

/// Returns the page for a scraper without `Accept`.
fn scrape(client: &Client) -> Outcome<Page> {
    parse(&client.get("/metrics")?.is(200)?.text(), Format::Text)
}

fn parse(text: &str, format: Format) -> Outcome<Page> {
    Page::parse(text, format)
        .map_err(|fault| failed("a well-formed page", fault).by_hand("curl -s <node>/metrics"))
}
