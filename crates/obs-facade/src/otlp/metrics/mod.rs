//! Export of the families of the global registry.

mod points;
mod series;
mod spans;

use std::time::{Duration, SystemTime};

use obs_metrics::Registry;
use obs_otlp::{Envelope, Exporter, Feed, Item, Offer, Settled};

use self::points::Collection;
use self::series::Series;
use self::spans::RootSpans;
use super::scope::scope;
use crate::config::OtlpTemporality;

/// Settings of the export of metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) target: obs_otlp::Config,
    pub(crate) interval: Duration,
    pub(crate) temporality: OtlpTemporality,
}

/// Family of a collection, encoded.
pub(super) struct Encoded {
    metric: Vec<u8>,
    points: usize,
}

impl Item for Encoded {
    fn units(&self) -> usize {
        self.points
    }

    fn bytes(&self) -> usize {
        self.metric.len()
    }
}

/// Starts the export.
pub(super) fn start(settings: &Settings) -> Result<Exporter<Encoded>, obs_otlp::Error> {
    let envelope = scope(&settings.target);
    let encode = move |families: &[Encoded]| {
        let units: Vec<u8> = families.iter().flat_map(|family| &family.metric).copied().collect();
        envelope.request(units)
    };
    let feed = Collector {
        interval: settings.interval,
        is_delta: settings.temporality == OtlpTemporality::Delta,
        series: Series::since(Registry::global().started_at()),
    };
    Exporter::start_with(&settings.target, encode, feed)
}

/// Reads the registry when it is time to export.
struct Collector {
    interval: Duration,
    is_delta: bool,
    series: Series,
}

impl Feed<Encoded> for Collector {
    fn interval(&self) -> Duration {
        self.interval
    }

    fn fill(&mut self, offer: &mut Offer<'_, Encoded>) {
        let families = Registry::global().snapshot(|_, _| true);
        let now = SystemTime::now();
        let spans = RootSpans::default();
        let mut collection = Collection::new(&mut self.series, &spans, self.is_delta, now);
        for family in families {
            let Some((metric, points)) = collection.metric(family) else { continue };
            let mut encoded = Vec::new();
            Envelope::push_unit(&metric, &mut encoded);
            if offer(Encoded { metric: encoded, points }).is_break() {
                break;
            }
        }
        self.series.end_collection(now);
    }

    fn settled(&mut self, _: Settled) {}
}
