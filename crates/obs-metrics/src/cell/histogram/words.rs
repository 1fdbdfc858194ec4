//! Atomic words on cache lines of their own.

use crossbeam_utils::CachePadded;

use crate::cell::sync::atomic::AtomicU64;

/// Words of a block: as many as fit into the 128 bytes of a [`CachePadded`] on x86-64 and AArch64.
const BLOCK: usize = 16;

/// Atomic words that share no cache line with other data.
#[derive(Debug)]
pub(super) struct Words {
    blocks: Box<[CachePadded<[AtomicU64; BLOCK]>]>,
    len: usize,
}

impl Words {
    pub(super) fn new(len: usize) -> Self {
        Self { blocks: (0..len.div_ceil(BLOCK)).map(|_| CachePadded::default()).collect(), len }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(super) fn at(&self, index: usize) -> &AtomicU64 {
        &self.blocks[index / BLOCK][index % BLOCK]
    }
}
