//! Installation of the bridge as the dispatcher of the process.

use std::sync::{Mutex, PoisonError};

use tracing_core::{Dispatch, callsite, dispatcher};

use crate::error::{Error, ErrorKind};
use crate::{Bridge, event, levels, others, roots, trace_ids};

/// Settings of the bridge.
///
/// ```
/// let config = obs_tracing::Config::new().roots(["my_crate::jobs"]);
/// obs_tracing::configure(&config)?;
/// # Ok::<(), obs_tracing::Error>(())
/// ```
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    enabled: bool,
    install: bool,
    roots: Vec<String>,
}

impl Default for Config {
    fn default() -> Config {
        Config { enabled: true, install: true, roots: Vec::new() }
    }
}

impl Config {
    /// Returns the default settings: the bridge is on, is the dispatcher of the process, and begins no traces.
    pub fn new() -> Config {
        Config::default()
    }

    /// Sets whether the bridge observes anything. On by default.
    pub fn enabled(mut self, on: bool) -> Config {
        self.enabled = on;
        self
    }

    /// Sets whether the bridge becomes the dispatcher of the process. On by default. A program that has a stack of its own
    /// turns it off and adds the layer to its stack. Turning it off later takes nothing back.
    pub fn install(mut self, on: bool) -> Config {
        self.install = on;
        self
    }

    /// Sets the targets whose outermost span begins a trace where none is current: `my_crate::jobs`, with the targets below it.
    /// None by default.
    pub fn roots<S: Into<String>>(mut self, targets: impl IntoIterator<Item = S>) -> Config {
        self.roots = targets.into_iter().map(Into::into).collect();
        self
    }

    /// Checks the settings. [`configure`] does so too.
    ///
    /// # Errors
    ///
    /// Returns an error for a root that is no target.
    pub fn check(&self) -> Result<(), Error> {
        match self.roots.iter().find(|root| !is_target(root)) {
            None => Ok(()),
            Some(root) => {
                let shown: String = root.chars().take(80).collect();
                let problem = format!("`{}` is not a target", shown.escape_debug());
                Err(Error::new(ErrorKind::Root, problem, "write it as in `my_crate::jobs`"))
            }
        }
    }

    /// Checks whether [`configure`] can install the bridge, and changes nothing.
    ///
    /// # Errors
    ///
    /// Returns an error where the bridge is to be installed and another dispatcher is.
    ///
    /// ```
    /// obs_tracing::Config::new().check_dispatcher()?;
    /// # Ok::<(), obs_tracing::Error>(())
    /// ```
    pub fn check_dispatcher(&self) -> Result<(), Error> {
        let is_taken = self.enabled && self.install && others::has_other_dispatcher();
        if is_taken { Err(other_dispatcher()) } else { Ok(()) }
    }
}

/// Whether a text may be the target of a span: names with `::` or `.` between them.
fn is_target(text: &str) -> bool {
    let is_name =
        |name: &str| !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control());
    text.len() <= 256 && text.replace("::", ".").split('.').all(is_name)
}

/// Configures the bridge of this process. May be called again, with other settings.
///
/// # Errors
///
/// Returns an [`Error`] for a root that is no target, and where another dispatcher is installed. Nothing has changed then.
///
/// ```
/// obs_tracing::configure(&obs_tracing::Config::new())?;
/// # Ok::<(), obs_tracing::Error>(())
/// ```
pub fn configure(config: &Config) -> Result<(), Error> {
    config.check()?;
    config.check_dispatcher()?;
    if config.enabled && config.install {
        install()?;
    }
    join();
    roots::set(&config.roots);
    levels::turn(config.enabled);
    Ok(())
}

/// Joins the bridge with the log. It has an effect once.
fn join() {
    trace_ids::join();
    event::recognise_echoes(reaches_the_bridge);
    levels::follow();
}

/// Whether what this thread says through `tracing` comes to the bridge.
fn reaches_the_bridge() -> bool {
    dispatcher::get_default(|dispatch| {
        #[cfg(feature = "layer")]
        if dispatch.is::<crate::layer::Observer>() {
            return true;
        }
        dispatch.is::<Bridge>()
    })
}

fn install() -> Result<(), Error> {
    static INSTALLED: Mutex<bool> = Mutex::new(false);
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    if *installed {
        return Ok(());
    }
    if dispatcher::set_global_default(Dispatch::new(Bridge::new())).is_err() {
        // The bridge was asked about callsites when it was made, and is gone now.
        callsite::rebuild_interest_cache();
        return Err(other_dispatcher());
    }
    *installed = true;
    Ok(())
}

fn other_dispatcher() -> Error {
    Error::new(
        ErrorKind::OtherDispatcher,
        "`tracing::subscriber::set_global_default` has installed another dispatcher, as `tracing_subscriber::fmt::init` does",
        "leave it there with `install(false)`, turn the feature `layer` on, and add the layer to its stack: \
         `tracing_subscriber::registry().with(obs_tracing::layer()).with(tracing_subscriber::fmt::layer()).init()`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_is_a_target() {
        for (root, is_ok) in [
            ("my_crate", true),
            ("my_crate::jobs", true),
            ("my_crate.jobs", true),
            ("", false),
            ("my_crate::", false),
            ("a b", false),
            ("a\n", false),
            (&"x".repeat(257), false),
        ] {
            assert_eq!(Config::new().roots([root]).check().is_ok(), is_ok, "{root:?}");
        }
        let error = Config::new().roots(["ok", "\u{1b}[31m"]).check().unwrap_err();
        assert_eq!(error.problem(), "`\\u{1b}[31m` is not a target");
    }
}
