//! The standard checks, one file for each subject.

mod capabilities;
mod clock;
mod community;
mod disk;
mod error_rate;
mod event_log;
mod keys;
mod llm;
mod mdns;
mod multicast;
mod observability;
mod port;
mod race;

use crate::check::Check;
use crate::report::Category;

/// Returns the checks in their documented order: the twelve of the specification, then those of observability itself.
pub(crate) fn standard() -> Vec<Check> {
    let identity = |name| Check::new(name).category(Category::IDENTITY);
    let network = |name| Check::new(name).category(Category::NETWORK);
    let node = |name| Check::new(name).category(Category::NODE);
    let machine = |name| Check::new(name).category(Category::MACHINE);
    let own = |name| Check::new(name).category(Category::OBSERVABILITY);
    vec![
        identity("keys_present").run_blocking(keys::present),
        identity("keys_loadable").after("keys_present").run_blocking(keys::loadable),
        identity("community_present").run_blocking(community::present),
        identity("event_log_writable").after("community_present").run_blocking(event_log::writable),
        network("mdns_socket").run_blocking(mdns::socket),
        network("udp_multicast").run_blocking(multicast::echo),
        network("transport_port").run_blocking(port::transport),
        node("at_least_one_capability").run_blocking(capabilities::at_least_one),
        machine("disk_space").run_blocking(disk::space),
        machine("clock_sanity").needs_internet().run_blocking(clock::sanity),
        Check::new("llm_backend_reachable").category(Category::SERVICES).run_blocking(llm::reachable),
        node("recent_error_rate").run_blocking(error_rate::recent),
        own("log_folder").run_blocking(observability::folder),
        own("log_writes").after("log_folder").run_blocking(observability::writes),
        own("log_handover").after("log_folder").run_blocking(observability::handover),
        own("log_crash_safety").after("log_folder").run_blocking(observability::crash_safety),
        own("trace_export").run_blocking(observability::export),
        own("last_stop").run_blocking(observability::last_stop),
        own("clock_steps").run_blocking(observability::clock_steps),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_order_are_as_documented() {
        let checks = standard();
        let names: Vec<&str> = checks.iter().map(Check::name).collect();
        assert_eq!(
            names,
            [
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
            ]
        );
    }
}
