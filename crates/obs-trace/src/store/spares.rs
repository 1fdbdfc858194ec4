//! Records that the ring has evicted, for the next traces of the same shard.

use std::sync::Arc;

use crate::TraceRecord;

/// Records whose memory is free, at most [`MAX`].
#[derive(Default)]
pub(super) struct Spares(Vec<Arc<TraceRecord>>);

/// A thread rarely has more traces that run at once.
const MAX: usize = 8;

/// Maximum memory of a spare record in bytes: few fields or spans beside the record itself. All spares of a store take less than
/// 256 KiB.
const MAX_BYTES: usize = 2 << 10;

impl Spares {
    pub(super) fn take(&mut self) -> Option<Arc<TraceRecord>> {
        self.0.pop()
    }

    /// Keeps a record. Returns one that is too much, too large, or read by somebody, to be dropped where the shard is not locked.
    pub(super) fn put(&mut self, mut record: Arc<TraceRecord>) -> Option<Arc<TraceRecord>> {
        if self.0.len() == MAX || record.bytes() > MAX_BYTES {
            return Some(record);
        }
        let Some(unshared) = Arc::get_mut(&mut record) else { return Some(record) };
        unshared.prefetch_fields();
        self.0.push(record);
        None
    }
}
