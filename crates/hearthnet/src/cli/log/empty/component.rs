//! Names of components that the log does not have.

use std::collections::BTreeSet;

use crate::cli::log::filter::{Component, Tally};
use crate::levels::loggers;
use crate::nearest::nearest;

/// Returns the problem with the component `name`, if no line was of it and the node has no such logger.
pub(crate) fn unknown(name: &str, tally: &Tally) -> Option<String> {
    if tally.has_component() || tally.loggers().is_empty() {
        return None;
    }
    let component = Component::new(name);
    if loggers().any(|logger: String| component.has(&logger)) {
        return None;
    }
    let short = |logger: &String| logger.strip_prefix("hearthnet.").unwrap_or(logger).to_owned();
    let in_log: BTreeSet<String> = tally.loggers().iter().map(short).collect();
    let known: BTreeSet<String> =
        loggers().map(|logger| short(&logger)).chain(in_log.iter().cloned()).collect();
    let parts = known.iter().flat_map(|logger| logger.split('.').chain([logger.as_str()]));
    let name_below_root = name.replace("::", ".");
    let name_below_root = name_below_root.strip_prefix("hearthnet.").unwrap_or(&name_below_root);
    let meant = nearest(name_below_root, parts).map(|meant| format!("; did you mean `{meant}`?"));
    let in_log: Vec<_> = in_log.into_iter().collect();
    Some(format!(
        "no component `{name}` in the log{}; the log has {}",
        meant.unwrap_or_default(),
        in_log.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::log::filter::Filter;

    fn tally(component: &str) -> Tally {
        let (filter, mut tally) = (Filter::new().component(Some(component)), Tally::default());
        for logger in ["hearthnet.node", "hearthnet.gossip", "hyper"] {
            let line = format!(
                r#"{{"ts":"2026-05-26T08:14:22.281Z","level":"info","logger":"{logger}","msg":"m"}}"#
            );
            filter.judge(line.as_bytes(), &mut tally);
        }
        tally
    }

    #[test]
    fn a_name_that_nothing_has_gets_a_suggestion() {
        for (name, meant) in
            [("nod", Some("node")), ("gosip", Some("gossip")), ("hearthnet.nod", Some("node")), ("zzz", None)]
        {
            let problem = unknown(name, &tally(name)).unwrap();
            assert_eq!(problem.contains("did you mean"), meant.is_some(), "{problem}");
            assert!(meant.is_none_or(|meant| problem.contains(&format!("`{meant}`"))), "{problem}");
            assert!(problem.ends_with("the log has gossip, hyper, node"), "{problem}");
        }
    }

    #[test]
    fn a_component_of_the_log_or_of_the_node_is_known() {
        for name in ["gossip", "hyper", "llm", "hearthnet::bus"] {
            assert_eq!(unknown(name, &tally(name)), None, "{name}");
        }
        assert_eq!(unknown("nosuch", &Tally::default()), None, "the log is empty");
    }
}
