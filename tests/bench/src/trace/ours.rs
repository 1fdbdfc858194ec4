//! obs-trace with its default store. A trace is in the ring once it has ended.

use std::hint::black_box;

use obs_trace::{TraceId, new_trace, span};

use super::Peer;
use super::ids::{Ids, time_over};
use super::measure::time;

pub(super) struct Ours;

impl Peer for Ours {
    fn start() -> Self {
        Ours
    }

    fn trace(&self, spans: usize) {
        new_trace("root").run(|| {
            for _ in 0..spans {
                let _span = span("step").enter();
            }
        });
    }

    fn settle(&self) {
        assert!(!obs_trace::get_recent(1).is_empty(), "the ring is empty");
    }

    fn kept(&self) -> u64 {
        obs_trace::stats().completed
    }

    fn last(&self) -> Vec<String> {
        let recent = obs_trace::get_recent(1);
        let steps = recent[0].spans().into_iter().map(|span| span.name().to_string());
        steps.chain([recent[0].capability().to_owned()]).collect()
    }

    fn without_trace() -> Option<f64> {
        Some(time(1_000_000, || drop(span("step").enter())))
    }

    fn ids() -> Option<Ids> {
        Some(Ids {
            make: |calls| time(calls, || _ = black_box(TraceId::generate())),
            format: |calls| {
                let ids: [TraceId; 16] = std::array::from_fn(|_| TraceId::generate());
                time_over(&ids, calls, |id| id.to_text())
            },
            parse: |calls| {
                let texts: [String; 16] = std::array::from_fn(|_| TraceId::generate().to_string());
                time_over(&texts, calls, |text| text.parse::<TraceId>().is_ok())
            },
        })
    }
}
