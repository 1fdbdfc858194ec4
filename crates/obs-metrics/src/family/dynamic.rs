//! A family of any kind, as a registry sees it.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::exposition::format::Format;
use crate::family::core::FamilyCore;
use crate::family::desc::Desc;
use crate::family::series::{Cell, Part};
use crate::registry::collector::Collector;

/// Of any number of labels, too.
pub(crate) trait AnyFamily: Send + Sync {
    fn desc(&self) -> &Desc;
    fn set_enabled(&self, enabled: bool);
    fn set_cap(&self, cap: usize);
    fn overflowed(&self) -> u64;
    fn nan(&self) -> u64;
    fn encode(&self, format: Format, out: &mut String);
    fn encode_protobuf(&self, out: &mut Vec<u8>);
    fn sum(&self, part: Part, labels: &[(&str, &str)]) -> Option<f64>;
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

impl<C: Cell> AnyFamily for FamilyCore<C> {
    fn desc(&self) -> &Desc {
        &self.desc
    }

    fn set_enabled(&self, enabled: bool) {
        Self::set_enabled(self, enabled);
    }

    fn set_cap(&self, cap: usize) {
        Self::set_cap(self, cap);
    }

    fn overflowed(&self) -> u64 {
        self.overflowed.load(Ordering::Relaxed)
    }

    fn nan(&self) -> u64 {
        self.nan.load(Ordering::Relaxed)
    }

    fn encode(&self, format: Format, out: &mut String) {
        Self::encode(self, format, out);
    }

    fn encode_protobuf(&self, out: &mut Vec<u8>) {
        Self::encode_protobuf(self, out);
    }

    fn sum(&self, part: Part, labels: &[(&str, &str)]) -> Option<f64> {
        Self::sum(self, part, labels)
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

impl AnyFamily for Collector {
    fn desc(&self) -> &Desc {
        &self.desc
    }

    fn set_enabled(&self, _enabled: bool) {}

    fn set_cap(&self, cap: usize) {
        Self::set_cap(self, cap);
    }

    fn overflowed(&self) -> u64 {
        self.overflowed.load(Ordering::Relaxed)
    }

    fn nan(&self) -> u64 {
        0
    }

    fn encode(&self, format: Format, out: &mut String) {
        Self::encode(self, format, out);
    }

    fn encode_protobuf(&self, out: &mut Vec<u8>) {
        Self::encode_protobuf(self, out);
    }

    fn sum(&self, part: Part, labels: &[(&str, &str)]) -> Option<f64> {
        (part == Part::Whole).then(|| Self::sum(self, labels)).flatten()
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}
