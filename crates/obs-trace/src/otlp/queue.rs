//! Traces on their way from the store to the exporter.

use std::sync::Arc;

use obs_otlp::Item;

use super::config::Config;
use super::encode;
use crate::record::RootSpan;
use crate::store::{Count, Export};
use crate::{Error, TraceRecord};

/// Trace in the queue of the export.
pub(super) struct Waiting {
    pub(super) record: Arc<TraceRecord>,
    /// Name and fields of the root span. `None` if none were set.
    pub(super) root: Option<Box<RootSpan>>,
}

impl Item for Waiting {
    const MIN_BYTES: usize = size_of::<TraceRecord>();

    /// Number of spans that a trace is exported as. The trace itself is one.
    fn units(&self) -> usize {
        1 + self.record.span_count()
    }

    fn bytes(&self) -> usize {
        self.record.bytes() + self.root.as_ref().map_or(0, |root| root.bytes())
    }
}

/// Entrance of the export: the queue of the exporter, and the rule of what is exported.
pub(super) struct Queue {
    pub(super) exporter: obs_otlp::Exporter<Waiting>,
    only_sampled: bool,
    pub(super) unsampled: Count,
}

impl Queue {
    pub(super) fn start(config: &Config) -> Result<Queue, Error> {
        let exporter = obs_otlp::Exporter::start(&config.target, encode::encoder(&config.target))?;
        Ok(Queue { exporter, only_sampled: config.only_sampled, unsampled: Count::default() })
    }
}

impl Export for Queue {
    /// Puts a trace in. Counts it as dropped if there is no room, and as unsampled if it must not be exported.
    fn offer(&self, record: &Arc<TraceRecord>, root: Option<Box<RootSpan>>) {
        if self.only_sampled && record.is_unsampled() {
            return self.unsampled.add(1);
        }
        self.exporter.offer(Waiting { record: Arc::clone(record), root });
    }

    fn only_sampled(&self) -> bool {
        self.only_sampled
    }
}
