//! Families of any kind and any number of labels, as a registry and its page see them.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use metrics::Recorder;

use super::core::FamilyCore;
use super::lookup_cache::Cached;
use crate::desc::Desc;
use crate::error::Error;
use crate::exposition::format::Format;
use crate::exposition::kind::Kind;
use crate::snapshot::{FamilySnapshot, SampleValue};

/// Family that a page shows.
pub(crate) trait PageFamily: Send + Sync {
    /// Name of its samples.
    fn name(&self) -> &str;
    /// Writes it in a text format.
    fn encode(&self, format: Format, out: &mut String);
    /// Writes it in the protobuf format.
    fn encode_protobuf(&self, out: &mut Vec<u8>);
    /// Kind of its series.
    fn kind(&self) -> Kind;
    /// Returns its contents.
    fn snapshot(&self) -> FamilySnapshot;
}

/// Family that was declared in a registry.
pub(crate) trait AnyFamily: PageFamily {
    fn desc(&self) -> &Desc;
    /// Whether it has no samples.
    fn is_empty(&self) -> bool;

    /// Whether the family has no sample but 0. Reads the samples.
    fn is_zero(&self) -> bool {
        let is_zero = |value: &SampleValue| match value {
            SampleValue::Counter(value) | SampleValue::Gauge(value) => *value == 0.0,
            _ => false,
        };
        self.snapshot().series.iter().all(|series| is_zero(&series.value))
    }
    fn set_enabled(&self, enabled: bool);
    fn set_cap(&self, cap: usize);
    /// Number of look-ups that ended in an overflow series.
    fn overflowed(&self) -> u64;
    /// Number of observations of NaN.
    fn nan(&self) -> u64;
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

/// Families that third-party crates record through the `metrics` macros.
pub(crate) trait MacroFamilies: Send + Sync {
    /// Makes this the recorder of the process. A second call changes nothing.
    fn install(self: Arc<Self>) -> Result<(), Error>;
    /// Returns the recorder that the macros call.
    fn recorder(&self) -> &dyn Recorder;
    /// Returns the families recorded so far.
    fn families(&self) -> Vec<Arc<dyn PageFamily>>;
    /// Returns the look-ups that ended in an overflow series, by family.
    fn overflowed(&self) -> Vec<(String, u64)>;
    /// Returns the observations of NaN, by family.
    fn nan(&self) -> Vec<(String, u64)>;
    /// Returns the look-ups of refused names, by name.
    fn refused(&self) -> Vec<(String, u64)>;
}

impl<C: Cached> PageFamily for FamilyCore<C> {
    fn name(&self) -> &str {
        &self.desc.name
    }

    fn encode(&self, format: Format, out: &mut String) {
        Self::encode(self, format, out);
    }

    fn encode_protobuf(&self, out: &mut Vec<u8>) {
        Self::encode_protobuf(self, out);
    }

    fn kind(&self) -> Kind {
        self.desc.kind
    }

    fn snapshot(&self) -> FamilySnapshot {
        Self::snapshot(self)
    }
}

impl<C: Cached> AnyFamily for FamilyCore<C> {
    fn desc(&self) -> &Desc {
        &self.desc
    }

    fn is_empty(&self) -> bool {
        Self::is_empty(self)
    }

    fn set_enabled(&self, enabled: bool) {
        Self::set_enabled(self, enabled);
    }

    fn set_cap(&self, cap: usize) {
        Self::set_cap(self, cap);
    }

    fn overflowed(&self) -> u64 {
        // Relaxed: the number stands alone.
        self.overflowed.load(Ordering::Relaxed)
    }

    fn nan(&self) -> u64 {
        self.nan.load(Ordering::Relaxed)
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}
