//! What every area shares: who races, in what, how often, and how the outcome is judged and shown.

pub(crate) mod child;
pub(crate) mod report;
pub(crate) mod rounds;
mod samples;
mod table;
mod target;
pub(crate) mod threads;

pub(crate) use samples::{Results, Samples, median};
pub(crate) use table::{Column, Table, Unit};
pub(crate) use target::{Bound, Judged, Target};

/// What a task has measured: values by column.
pub(crate) type Values = Vec<(String, f64)>;

/// One of the three races.
pub(crate) struct Area {
    pub(crate) name: &'static str,
    pub(crate) contenders: Vec<Contender>,
    /// What a round runs for each contender. A contender that has nothing to show in one returns no values.
    pub(crate) tasks: Vec<String>,
    pub(crate) tables: Vec<Table>,
    pub(crate) targets: Vec<Target>,
}

/// A library as a user would set it up, or a limit written by hand.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    /// How it is called in a table.
    pub(crate) label: &'static str,
    /// Does the work once and reads back what came of it.
    pub(crate) check: fn() -> Result<(), String>,
    /// Measures a task.
    pub(crate) measure: fn(task: &str, scale: Scale) -> Values,
}

/// How much work a measurement is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    Full,
    /// A tenth: shows that everything works.
    Quick,
}

impl Scale {
    pub(crate) fn of(self, full: usize) -> usize {
        match self {
            Scale::Full => full,
            Scale::Quick => (full / 10).max(1),
        }
    }
}

impl Area {
    pub(crate) fn contender(&self, name: &str) -> Option<&Contender> {
        self.contenders.iter().find(|contender| contender.name == name)
    }

    /// The table's words for a contender.
    pub(crate) fn label(&self, name: &str) -> &'static str {
        self.contender(name).map_or("?", |contender| contender.label)
    }
}
