//! Rules of a community.

/// Rules by which a [`Community`](crate::Community) publishes figures.
///
/// ```
/// use obs_community::Rules;
///
/// let rules = Rules::default().min_nodes(5).tick_seconds(60);
/// # let _ = rules;
/// ```
#[must_use]
#[derive(Clone, Debug)]
pub struct Rules {
    pub(crate) min_nodes: usize,
    pub(crate) tick_seconds: u32,
    pub(crate) settling_ticks: u64,
    pub(crate) patience_ticks: u64,
    pub(crate) rest_ticks: u64,
}

impl Rules {
    /// Least number of nodes behind a figure. A lower number of [`Rules::min_nodes`] is raised to it.
    pub const LEAST_NODES: usize = 3;

    /// Sets the number of nodes that a group has at least. Default: 3.
    pub fn min_nodes(self, min_nodes: usize) -> Rules {
        Rules { min_nodes: min_nodes.max(Rules::LEAST_NODES), ..self }
    }

    /// Sets the seconds between two ticks, by which calls a minute are reckoned. Default: 60. 0 is 1.
    pub fn tick_seconds(self, seconds: u32) -> Rules {
        Rules { tick_seconds: seconds.max(1), ..self }
    }

    /// Sets the number of ticks before the first groups form. Default: 5.
    ///
    /// Nodes that are found in this time are in the first groups. A later one waits for enough others.
    pub fn settling_ticks(self, ticks: u64) -> Rules {
        Rules { settling_ticks: ticks, ..self }
    }

    /// Sets the number of ticks after which a group that is not whole dissolves. Default: 60.
    pub fn patience_ticks(self, ticks: u64) -> Rules {
        Rules { patience_ticks: ticks, ..self }
    }

    /// Sets the number of ticks for which the nodes of a dissolved group are in no figure. Default: 1440, a day of minutes.
    ///
    /// A new group of the nodes that are left, next to the old one, would show the share of the node that left.
    pub fn rest_ticks(self, ticks: u64) -> Rules {
        Rules { rest_ticks: ticks, ..self }
    }
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            min_nodes: Rules::LEAST_NODES,
            tick_seconds: 60,
            settling_ticks: 5,
            patience_ticks: 60,
            rest_ticks: 1440,
        }
    }
}
