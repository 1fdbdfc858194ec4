//! Parts that every area shares: contenders, tasks, rounds, tables, plots and targets.

pub(crate) mod child;
mod plot;
pub(crate) mod rounds;
mod samples;
mod table;
mod target;
pub(crate) mod threads;

pub(crate) use plot::Plot;
pub(crate) use samples::{Results, Samples, median};
pub(crate) use table::{Column, Table, Unit, figure};
pub(crate) use target::{Bound, Judged, Target};

/// Values of a task, by column.
pub(crate) type Values = Vec<(String, f64)>;

/// One of the races.
pub(crate) struct Area {
    pub(crate) name: &'static str,
    /// Heading on the page.
    pub(crate) title: &'static str,
    pub(crate) contenders: Vec<Contender>,
    /// Tasks of a round. A contender returns no values for a task that it does not support.
    pub(crate) tasks: Vec<String>,
    pub(crate) tables: Vec<Table>,
    pub(crate) plots: Vec<Plot>,
    pub(crate) targets: Vec<Target>,
}

/// A library with a user's set-up, or a hand-written limit.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    /// Name in a table.
    pub(crate) label: &'static str,
    /// Does the work once and reads its result back.
    pub(crate) check: fn() -> Result<(), String>,
    /// Measures a task.
    pub(crate) measure: fn(task: &str, scale: Scale) -> Values,
}

/// Amount of work of a measurement.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    Full,
    /// A tenth of the work, which shows that everything runs.
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

    /// Name of a contender in the table.
    pub(crate) fn label(&self, name: &str) -> &'static str {
        self.contender(name).map_or("?", |contender| contender.label)
    }
}
