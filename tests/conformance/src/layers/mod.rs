//! The structure of the workspace: crate graph, dependencies of consumers, import circles, rules for sources and documents.

mod cargo;
mod circles;
mod consumers;
mod documents;
mod facade;
mod graph;
mod sources;
mod trees;
mod workspace;

use std::time::Duration;

use crate::case::{Case, Suite};

/// Deadline of a case for which cargo may have to build something.
const BUILDS: Duration = Duration::from_secs(900);

pub(crate) const SUITE: Suite = Suite {
    name: "layers",
    cases: &[
        Case::new("top_level_is_as_laid_down", workspace::top_level),
        Case::new("readme_begins_with_the_two_commands", workspace::readme),
        Case::new("documents_of_crates_stand_once", documents::stand_once),
        Case::new("documents_name_what_exists", documents::name_what_exists),
        Case::new("every_crate_opts_into_the_lints", workspace::lints),
        Case::new("crate_graph", graph::crates),
        Case::new("http_server_only_under_the_facade", graph::http_server),
        Case::new("named_packages_are_in_use", graph::named_packages),
        Case::new("sub_crates_have_light_defaults", graph::light_defaults),
        Case::new("one_version_of_metrics", graph::one_version_of_metrics),
        Case::new("consumer_trees_are_pinned", trees::pinned).deadline(BUILDS),
        Case::new("consumer_trees_hold_nothing_heavy", trees::nothing_heavy),
        Case::new("trees_stay_small", trees::small),
        Case::new("configure_sets_up_all_four", facade::configure),
        Case::new("nothing_prints", sources::nothing_prints),
        Case::new("emission_cannot_panic", sources::nothing_panics),
        Case::new("nothing_logs_from_inside_a_sink", sources::nothing_logs_inside),
        Case::new("no_import_circles", circles::none),
        Case::new("consumers_build_and_run", consumers::run).deadline(BUILDS),
    ],
};
