//! The files for those who run a node as a service, tried with the programs that read them.

mod lnav;
mod unit;

use crate::case::{Case, Suite};

pub(crate) const SUITE: Suite = Suite {
    name: "service",
    cases: &[
        Case::new("unit_is_correct_and_hardened", unit::correct_and_hardened),
        Case::new("unit_keeps_the_memory_of_a_killed_node", unit::keeps_the_memory_of_a_killed_node),
        Case::new("lnav_reads_the_log", lnav::reads_the_log),
    ],
};
