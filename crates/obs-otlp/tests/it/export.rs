//! An export of each signal: items of traces are offered, those of metrics and logs come from a feed.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use obs_otlp::{Config, Exporter, Feed, Item, Offer, Settled, Signal, Stats};

/// Interval of exports and of feeds.
const INTERVAL: Duration = Duration::from_millis(20);

/// Calls `test` for each signal, on threads of their own.
pub(crate) fn each_signal(test: impl Fn(Signal) + Sync) {
    std::thread::scope(|threads| {
        for signal in [Signal::Traces, Signal::Metrics, Signal::Logs] {
            let test = &test;
            std::thread::Builder::new()
                .name(format!("{signal:?}"))
                .spawn_scoped(threads, move || test(signal))
                .unwrap();
        }
    });
}

/// Returns a configuration with short delays.
pub(crate) fn config(signal: Signal, address: &str) -> Config {
    Config::new(signal, address)
        .interval(INTERVAL)
        .timeout(Duration::from_secs(1))
        .first_delay(Duration::from_millis(5))
}

/// Item of two units with a number.
pub(crate) struct Pair(usize);

impl Item for Pair {
    fn units(&self) -> usize {
        2
    }

    fn bytes(&self) -> usize {
        100
    }
}

pub(crate) struct Export {
    pub(crate) exporter: Exporter<Pair>,
    /// `None` where items are offered.
    source: Option<Arc<Source>>,
}

/// Items that a feed has, and those that it knows the end of.
#[derive(Default)]
struct Source {
    waiting: Mutex<Vec<Pair>>,
    settled: Mutex<Vec<Settled>>,
}

struct Fed(Arc<Source>);

impl Feed<Pair> for Fed {
    fn interval(&self) -> Duration {
        INTERVAL
    }

    fn fill(&mut self, offer: &mut Offer<'_, Pair>) {
        let pairs = std::mem::take(&mut *self.0.waiting.lock().unwrap());
        for pair in pairs {
            let _ = offer(pair);
        }
    }

    fn settled(&mut self, settled: Settled) {
        self.0.settled.lock().unwrap().push(settled);
    }
}

impl Export {
    pub(crate) fn to(signal: Signal, config: &Config) -> Export {
        let encode = |pairs: &[Pair]| pairs.iter().flat_map(|pair| [b'x', pair.0 as u8]).collect();
        let source = (signal != Signal::Traces).then(Arc::<Source>::default);
        let exporter = match &source {
            Some(source) => Exporter::start_with(config, encode, Fed(Arc::clone(source))),
            None => Exporter::start(config, encode),
        };
        Export { exporter: exporter.unwrap(), source }
    }

    /// Exports `n` items of two units each.
    pub(crate) fn items(&self, n: usize) {
        for pair in (0..n).map(Pair) {
            match &self.source {
                Some(source) => source.waiting.lock().unwrap().push(pair),
                None => self.exporter.offer(pair),
            }
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
        crate::collector::until(read, wanted)
    }

    /// Waits until a feed knows that `items` need not be sent again.
    #[track_caller]
    pub(crate) fn until_final(&self, items: usize) {
        let Some(source) = &self.source else { return };
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let settled = source.settled.lock().unwrap().clone();
            let known: usize =
                settled.iter().filter(|settled| settled.is_final).map(|settled| settled.items).sum();
            if known == items {
                return;
            }
            assert!(known < items && Instant::now() < end, "{settled:?}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

#[track_caller]
pub(crate) fn all_counted(stats: &Stats) {
    let waiting = (stats.waiting + stats.sending) as u64;
    assert_eq!(stats.offered, stats.exported + stats.failed + stats.dropped + waiting, "{stats:?}");
}
