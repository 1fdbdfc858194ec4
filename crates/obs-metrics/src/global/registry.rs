//! The registry of the process.

use std::sync::LazyLock;

use super::{process, standard};
use crate::family::scope;
use crate::registry::Registry;

impl Registry {
    /// Returns the registry of the process. It has the [standard](crate::standard) families and those of the
    /// [process](crate::process) from the start.
    #[must_use]
    pub fn global() -> &'static Self {
        static GLOBAL: LazyLock<Registry> = LazyLock::new(|| {
            let registry = Registry::with_losses(true);
            standard::declare_in(&registry);
            process::collect_in(&registry);
            registry
        });
        &GLOBAL
    }

    /// Returns the registry in force: the one that this thread has entered, else the global one.
    pub(super) fn current() -> Self {
        scope::current().map_or_else(|| Self::global().clone(), Self::of)
    }
}
