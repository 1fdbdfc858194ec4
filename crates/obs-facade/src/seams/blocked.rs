//! Polls that hold their worker: a metric and a log line for each.

use std::sync::LazyLock;

use obs_log::{Logger, warn_limited};
use obs_metrics::{CounterFamily, Error, Registry};
use obs_trace::BlockedPoll;

use super::declared::missing;

/// The logger that obs-trace's own lines have.
static LOG: Logger = Logger::new("hearthnet.trace");

const HELP: &str =
    "Polls that held their worker for longer than `blocked_worker_ms`, by capability and span.";

/// Family of the global registry, recorded in the registry that a test has entered. `None` if another family has its name.
static FAMILY: LazyLock<Option<CounterFamily<2>>> = LazyLock::new(|| declare().inspect_err(missing).ok());

fn declare() -> Result<CounterFamily<2>, Error> {
    let labels = ["capability", "span"];
    let family = Registry::global().try_counter("hearthnet_blocked_polls_total", HELP, labels)?;
    // Names of spans are the program's own. Names of capabilities may come from a caller.
    family.try_untrusted(&["capability"])?;
    Ok(family)
}

/// Declares the metric, and has obs-trace tell of blocked polls.
pub(super) fn join() {
    LazyLock::force(&FAMILY);
    obs_trace::set_blocked_observer(note);
}

/// Gives these capabilities a value of the label `capability`, and no others.
pub(crate) fn offer(capabilities: &[&str]) {
    let Some(family) = &*FAMILY else { return };
    for result in [family.trust("capability", capabilities), family.trusted_only("capability")] {
        _ = result.inspect_err(missing);
    }
}

fn note(poll: &BlockedPoll<'_>) {
    let (capability, span) = (poll.capability(), poll.span());
    if let Some(family) = &*FAMILY {
        family.inc([capability, span]);
    }
    // Rounded to three decimals, as the durations of a trace are.
    let ms = (poll.held().as_micros() as f64) / 1e3;
    let key = format!("{span} of {capability}");
    warn_limited!(LOG, key, capability, span, blocked_ms = ms; "a poll blocked its worker");
}
