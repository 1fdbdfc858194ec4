//! An export to a scripted collector.

use std::time::Duration;

use obs_trace::otlp::{Config, Exporter, Stats};
use obs_trace::{Store, new_trace};

#[path = "../../../../tests/support/collector.rs"]
mod scripted;

pub(crate) use scripted::{Collector, ONE_REJECTED, TAKEN, status};

/// Returns a configuration with short delays.
pub(crate) fn config(address: &str) -> Config {
    Config::new(address)
        .interval(Duration::from_millis(20))
        .timeout(Duration::from_secs(1))
        .first_delay(Duration::from_millis(5))
}

pub(crate) struct Export {
    pub(crate) store: Store,
    pub(crate) exporter: Exporter,
}

impl Export {
    pub(crate) fn to(config: &Config) -> Export {
        let store = Store::default();
        let exporter = Exporter::start(&store, config).unwrap();
        Export { store, exporter }
    }

    /// Ends `n` traces of two exported spans each.
    pub(crate) fn traces(&self, n: usize) {
        let _scope = self.store.enter();
        for _ in 0..n {
            new_trace("llm.chat").run(|| obs_trace::in_span("forward", || ()));
        }
    }

    /// Waits until the statistics satisfy `wanted`.
    #[track_caller]
    pub(crate) fn until(&self, wanted: impl Fn(&Stats) -> bool) -> Stats {
        let read = || {
            let stats = self.exporter.stats();
            all_counted(&stats);
            stats
        };
        scripted::until(read, wanted)
    }
}

#[track_caller]
pub(crate) fn all_counted(stats: &Stats) {
    let waiting = (stats.waiting + stats.sending) as u64;
    assert_eq!(stats.offered, stats.exported + stats.failed + stats.dropped + waiting, "{stats:?}");
}
