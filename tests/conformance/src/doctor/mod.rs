//! The doctor, as a command and as functions.

mod command;
mod functions;
mod node;
mod read_only;

use crate::case::{Case, Suite};

/// Names of the checks in their order: the twelve of the specification, then those of observability itself.
const NAMES: [&str; 19] = [
    "keys_present",
    "keys_loadable",
    "community_present",
    "event_log_writable",
    "mdns_socket",
    "udp_multicast",
    "transport_port",
    "at_least_one_capability",
    "disk_space",
    "clock_sanity",
    "llm_backend_reachable",
    "recent_error_rate",
    "log_folder",
    "log_writes",
    "log_handover",
    "log_crash_safety",
    "trace_export",
    "last_stop",
    "clock_steps",
];

pub(crate) const SUITE: Suite = Suite {
    name: "doctor",
    cases: &[
        Case::new("test_doctor_all_pass_on_default_config", functions::all_pass),
        Case::new("test_doctor_keys_missing", functions::keys_missing),
        Case::new("own_checks_are_registered", functions::own_checks),
        Case::new("fresh_init_is_healthy", command::fresh_init),
        Case::new("running_node_is_healthy", command::running_node),
        Case::new("readable_key_fails_with_its_fix", command::readable_key),
        Case::new("json_has_the_documented_form", command::json_form),
        Case::new("text_and_json_agree", command::text_and_json),
        Case::new("one_check_alone", command::one_check),
        Case::new("unknown_check_exits_2_with_the_list", command::unknown_check),
        Case::new("faults_have_details_and_fixes", command::faults),
        Case::new("no_secret_is_shown", command::no_secret),
        Case::new("doctor_changes_nothing", read_only::changes_nothing),
        Case::new("node_starts_beside_a_doctor_loop", node::starts_beside_a_loop),
        Case::new("doctor_route_is_one_run_for_this_machine", node::route),
    ],
};
