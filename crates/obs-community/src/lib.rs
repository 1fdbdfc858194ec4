//! Metrics of a community of nodes, without those of any node.
//!
//! Each node gives a [`Share`] at each tick: what it counted since the last one and the state of its machine, of the metrics
//! that its owner consents to. A [`Community`] of one collecting node adds the shares up, and its page has bands in place of
//! numbers. A [`History`] keeps the sums of a week by the hour, and of a year by the day.
//!
//! ```
//! use obs_community::{Community, Rules, Share};
//!
//! let mut community = Community::new(Rules::default().settling_ticks(0));
//! let share = Share::default().calls("llm.chat", 6);
//! let shares = ["a", "b", "c"].map(|node| (node.to_owned(), share.clone()));
//! community.tick(&shares.into());
//! let page = community.page().unwrap();
//! assert!(page.contains("{capability=\"llm.chat\",band=\"10-20\"} 10"));
//! ```
//!
//! # Rules
//! - **Groups.** For each metric of each capability, nodes are put into disjoint groups of at least three, for good. A figure is the
//!   sum of whole groups. A group that lacks one of its nodes is left out, and a node that joins waits until there are enough others
//!   for a new group. So no two figures differ by the share of one node. See [`Rules::patience_ticks`] for nodes that never return.
//! - **At least three.** A group counts if at least three of its nodes had calls in the tick.
//! - **Weights.** A share weighs at most twice the median of its group. One beyond three standard deviations from the mean of its
//!   group is left out, which takes a group of eleven or more.
//! - **Audiences.** Figures for others than the community are sums of the groups of which all owners consent to that. A group is
//!   for both audiences or for the community alone, for good, so the two kinds of figures differ by whole groups too.
//! - **Bands.** A figure is published as one of a fixed list of bands.
//!
//! The README says what this does not protect.

mod band;
mod cohort;
mod community;
mod history;
mod metric;
mod page;
mod rules;
mod sample;
mod share;
mod sum;

pub use community::Community;
pub use history::{Audience, Change, History};
pub use metric::Metric;
pub use rules::Rules;
pub use share::{Refusal, Share};
