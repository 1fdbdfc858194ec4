//! Simulated nodes: a registry each, the calls that they answer, and the exact quantile of the durations of all.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use obs_metrics::{Format, Registry, standard};

/// Capabilities of each node, with the median of their durations in seconds.
const CAPABILITIES: [(&str, f64); 4] =
    [("chat.send", 0.004), ("rag.query", 0.035), ("file.get", 0.012), ("llm.chat", 0.9)];

/// Calls of a node before the first scrape. The rarest bucket of a page is filled then.
const FIRST_CALLS: usize = 200;

pub(crate) struct Fleet {
    registries: Vec<Registry>,
    /// Durations of all calls of all nodes, in seconds.
    durations: Mutex<Vec<f32>>,
    is_quiet: AtomicBool,
}

impl Fleet {
    pub(crate) fn new(nodes: usize) -> Self {
        let registries: Vec<Registry> = (0..nodes).map(|_| Registry::new()).collect();
        let fleet = Self { registries, durations: Mutex::new(Vec::new()), is_quiet: AtomicBool::new(false) };
        for (node, registry) in fleet.registries.iter().enumerate() {
            standard::declare_in(registry);
            fleet.call(node, FIRST_CALLS);
            let _scope = registry.enter();
            standard::nodes_online().set(["home"], 7.0);
            standard::event_log_size().set(["home"], 40_000.0);
            standard::emergency_mode().set(["normal"], 1.0);
        }
        fleet
    }

    pub(crate) fn nodes(&self) -> usize {
        self.registries.len()
    }

    /// Answers calls on a node. Nodes differ in speed, and a hundredth of the calls fails.
    fn call(&self, node: usize, calls: usize) {
        let _scope = self.registries[node].enter();
        let speed = 0.5 + (node % 17) as f64 / 8.0;
        let mut durations = Vec::with_capacity(calls);
        for _ in 0..calls {
            let (capability, median) = CAPABILITIES[fastrand::usize(..CAPABILITIES.len())];
            // The sum of twelve numbers is close to a normal distribution, and its exponential is skewed as durations are.
            let normal = (0..12).map(|_| fastrand::f64()).sum::<f64>() - 6.0;
            let seconds = speed * median * (0.8 * normal).exp();
            let result = if fastrand::u8(..) < 3 { "timeout" } else { "ok" };
            standard::requests_total().inc([capability, result]);
            standard::observe_request_duration(capability, Duration::from_secs_f64(seconds));
            durations.push(seconds as f32);
        }
        self.durations.lock().expect("no thread panics under the lock").extend(durations);
    }

    /// Answers a call a second on each node until it is made quiet.
    pub(crate) fn work(&self) {
        while !self.is_quiet.load(Ordering::Relaxed) {
            let begun = std::time::Instant::now();
            (0..self.nodes()).for_each(|node| self.call(node, 1));
            std::thread::sleep(Duration::from_secs(1).saturating_sub(begun.elapsed()));
        }
    }

    /// Ends the calls, so that all pages stay as they are.
    pub(crate) fn quiet(&self) {
        self.is_quiet.store(true, Ordering::Relaxed);
    }

    pub(crate) fn page(&self, node: usize) -> Vec<u8> {
        self.registries[node].expose(Format::VmRange)
    }

    /// Returns the quantile of all durations of the fleet so far, in seconds, and the number of them.
    pub(crate) fn exact(&self, q: f64) -> (f64, usize) {
        let mut durations = self.durations.lock().expect("no thread panics under the lock").clone();
        let at = ((durations.len() - 1) as f64 * q) as usize;
        let (_, value, _) = durations.select_nth_unstable_by(at, f32::total_cmp);
        (f64::from(*value), durations.len())
    }
}
