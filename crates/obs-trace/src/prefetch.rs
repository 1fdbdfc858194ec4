//! A hint to the processor that memory is needed soon.
//!
//! The hint is an instruction of one kind of processor, which the standard library has as an unsafe function. Invariant: it
//! is given addresses of a value that is borrowed. The run with AddressSanitizer covers it.
#![allow(unsafe_code)]

/// Asks for the memory of a value itself, without what it points to.
#[inline]
pub(crate) fn prefetch<T: ?Sized>(value: &T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

        /// Bytes of a cache line.
        const LINE: usize = 64;
        let begin = std::ptr::from_ref(value).cast::<i8>();
        for offset in (0..size_of_val(value)).step_by(LINE) {
            // SAFETY: the instruction changes caches alone, and takes any address.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(begin.wrapping_add(offset)) };
        }
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = value;
}

#[cfg(all(test, not(obs_loom)))]
mod tests {
    use super::*;

    #[test]
    fn values_of_every_size_can_be_asked_for() {
        prefetch(&());
        prefetch("");
        for length in [1, 63, 64, 65, 1_000] {
            prefetch(vec![7_u8; length].as_slice());
        }
    }
}
