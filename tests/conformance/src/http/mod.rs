//! The HTTP routes, the bus calls and the command of a node, from outside.

mod calls;
mod command;
mod files;
mod limits;
mod probes;
mod request_id;
mod signatures;
mod status;
mod traceparent;

use crate::case::{Case, Suite};

pub(crate) use files::snapshot;

pub(crate) const SUITE: Suite = Suite {
    name: "http",
    cases: &[
        Case::black_box("health", probes::health),
        Case::black_box("ready_gives_reasons", probes::ready_gives_reasons),
        Case::new("ready_needs_a_peer", probes::ready_needs_a_peer),
        Case::black_box("unknown_path_is_404", probes::unknown_path),
        Case::black_box("plain_answer", calls::plain_answer),
        Case::black_box("streamed_answer_ends_in_one_done", calls::streamed_answer),
        Case::black_box("streamed_answer_ends_in_one_error", calls::streamed_error),
        Case::black_box("error_codes_have_their_status", calls::error_codes),
        Case::black_box("unknown_capability_is_404", calls::unknown_capability),
        Case::black_box("missing_or_repeated_capability_is_400", calls::missing_capability),
        Case::black_box("malformed_body_is_400", calls::malformed_body),
        Case::black_box("only_post_is_a_call", calls::only_post),
        Case::black_box("body_over_1_mib_is_413", calls::oversized_body),
        Case::new("node_survives_broken_requests", calls::broken_requests),
        Case::black_box("request_id_comes_back", request_id::comes_back),
        Case::black_box("missing_request_id_gets_a_fresh_one", request_id::missing),
        Case::black_box("ill_formed_request_ids_are_never_echoed", request_id::ill_formed),
        Case::black_box("repeated_request_ids_are_refused", request_id::repeated),
        Case::new("ill_formed_request_ids_are_counted", request_id::counted),
        Case::black_box("traceparents_of_the_w3c_suite_are_taken_over", traceparent::accepted),
        Case::black_box("ill_formed_traceparents_get_a_fresh_id", traceparent::refused),
        Case::black_box("request_id_wins_over_traceparent", traceparent::request_id_wins),
        Case::new("hard_rate_limit_refuses", limits::hard),
        Case::new("soft_rate_limit_counts_and_logs", limits::soft),
        Case::new("right_signature_is_accepted", signatures::right),
        Case::new("wrong_signatures_are_refused", signatures::wrong),
        Case::new("init_makes_the_files_of_a_node", files::init_makes),
        Case::new("init_touches_nothing_there", files::init_touches_nothing),
        Case::new("run_makes_what_is_missing", files::run_makes),
        Case::new("sigterm_and_sigint_end_well", command::signals),
        Case::new("bad_config_names_file_line_and_field", command::bad_config),
        Case::new("port_taken_says_by_what", command::port_taken),
        Case::new("unusable_log_folder_is_named", command::unusable_log_folder),
        Case::new("bad_usage_exits_2", command::bad_usage),
        Case::new("version", command::version),
        Case::new("no_running_node_exits_3", command::no_running_node),
        Case::new("status_has_the_documented_form", status::status),
        Case::new("callers_are_shown_to_this_machine", status::callers),
        Case::new("levels_change_and_fall_back", status::levels),
        Case::new("call_command_exits_by_outcome", status::call),
    ],
};
