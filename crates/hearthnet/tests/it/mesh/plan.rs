//! Calls of the simulation and what happens to them, all of it decided by a number.

use serde::{Deserialize, Serialize};

/// Number of nodes.
pub(crate) const NODES: usize = 5;

/// One call over a chain of nodes.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Plan {
    /// Node that fails, and whether it does so before it asks the next one, or after that has answered well.
    pub(crate) fails: Option<(usize, Moment)>,
    /// Node whose request to the next one is lost, and which half of it.
    pub(crate) lost: Option<(usize, Half)>,
    /// Whether the second node asks the last one too, before it asks the third.
    pub(crate) branches: bool,
    /// Node that answers well although the node that it asked did not.
    pub(crate) recovers: Option<usize>,
    /// Whether a node asks no other.
    pub(crate) is_leaf: bool,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) enum Moment {
    Before,
    After,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) enum Half {
    Request,
    Answer,
}

impl Plan {
    /// Returns a call in which all nodes answer well.
    pub(crate) fn good(number: u64) -> Plan {
        Plan { branches: number.is_multiple_of(5), ..Plan::default() }
    }

    /// Returns a call in which a node fails, or a request or an answer is lost.
    pub(crate) fn bad(number: u64) -> Plan {
        let at = mixed(number, 1) as usize;
        let mut plan = Plan { branches: mixed(number, 2).is_multiple_of(4), ..Plan::default() };
        let (node, from) = (at % NODES, at % (NODES - 1));
        match mixed(number, 3) % 8 {
            0..3 => plan.fails = Some((node, Moment::Before)),
            3..5 => plan.fails = Some((node, Moment::After)),
            5 => plan.lost = Some((from, Half::Request)),
            _ => plan.lost = Some((from, Half::Answer)),
        }
        if mixed(number, 4).is_multiple_of(5) {
            plan.recovers = Some(mixed(number, 5) as usize % (NODES - 1));
        }
        plan
    }
}

/// Mixes a number: the finaliser of SplitMix64.
pub(crate) fn mixed(number: u64, salt: u64) -> u64 {
    let mut mixed = number.wrapping_add(salt.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
