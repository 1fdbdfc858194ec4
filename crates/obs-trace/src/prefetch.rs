//! A hint to the processor that memory is needed soon.
//!
//! The hint is an instruction of one kind of processor, which the standard library has as an unsafe function.
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
