//! Return addresses of the calling functions, without their symbols.
//!
//! A walk of the stack takes microseconds, the look-up of its symbols milliseconds. The standard library does not give out the
//! addresses of its own backtrace, so the stack is walked here.
//!
//! Unsafe are the calls of the unwinder and of `dl_iterate_phdr`, which pass a pointer back to a function of this file.
//! Invariants:
//! - the pointer is that of a local of the caller, which nothing else touches during the call;
//! - neither function unwinds: both only push to a vector.
#![allow(unsafe_code)]

use std::fmt;

/// Maximum number of addresses that are kept. A deeper stack is a recursion, whose later frames tell nothing new.
const MAX_FRAMES: usize = 256;

/// Addresses from the innermost frame outwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frames(Vec<usize>);

impl Frames {
    /// Returns the stack of this thread.
    pub(crate) fn current() -> Frames {
        let mut frames = Vec::with_capacity(64);
        unwind::walk(&mut frames);
        Frames(frames)
    }

    /// Whether all frames of the stack are there.
    pub(crate) fn is_whole(&self) -> bool {
        (1..MAX_FRAMES).contains(&self.0.len())
    }
}

#[cfg(not(any(miri, target_arch = "arm")))]
mod unwind {
    use std::ffi::{c_int, c_void};

    use super::MAX_FRAMES;

    /// `_URC_NO_REASON`: go on.
    const GO_ON: c_int = 0;
    /// `_URC_END_OF_STACK`: stop.
    const STOP: c_int = 5;

    // The unwinder of the platform, which the standard library links already.
    unsafe extern "C" {
        fn _Unwind_Backtrace(
            visit: unsafe extern "C" fn(context: *mut c_void, data: *mut c_void) -> c_int,
            data: *mut c_void,
        ) -> c_int;
        fn _Unwind_GetIP(context: *mut c_void) -> usize;
    }

    /// Adds the addresses of the stack to `frames`.
    pub(super) fn walk(frames: &mut Vec<usize>) {
        // SAFETY: `note` gets `frames`, which lives during the call and is used by nothing else.
        unsafe { _Unwind_Backtrace(note, std::ptr::from_mut(frames).cast()) };
    }

    unsafe extern "C" fn note(context: *mut c_void, data: *mut c_void) -> c_int {
        // SAFETY: `data` is the vector of `walk`.
        let frames = unsafe { &mut *data.cast::<Vec<usize>>() };
        // SAFETY: the unwinder passes a valid context.
        frames.push(unsafe { _Unwind_GetIP(context) });
        if frames.len() < MAX_FRAMES { GO_ON } else { STOP }
    }
}

/// Stands for the unwinder that Miri lacks and that has another interface on 32-bit ARM. A draft has no addresses there.
#[cfg(any(miri, target_arch = "arm"))]
mod unwind {
    pub(super) fn walk(_: &mut Vec<usize>) {}
}

/// Formats one row a frame: the loaded file and the offset in it, as `addr2line` takes them.
impl fmt::Display for Frames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let loaded = loaded();
        for (number, address) in self.0.iter().enumerate() {
            write!(f, "\n{number:>4}: ")?;
            match loaded.iter().find(|file| (file.start..file.end).contains(address)) {
                Some(file) => write!(f, "{}+{:#x}", file.name, address - file.base)?,
                None => write!(f, "{address:#x}")?,
            }
        }
        Ok(())
    }
}

/// Loaded part of a program or library.
struct Loaded {
    name: String,
    base: usize,
    start: usize,
    end: usize,
}

#[cfg(all(target_os = "linux", not(miri)))]
fn loaded() -> Vec<Loaded> {
    let mut loaded = Vec::new();
    // SAFETY: `note_loaded` gets `loaded`, which lives during the call and is used by nothing else.
    unsafe { libc::dl_iterate_phdr(Some(note_loaded), (&raw mut loaded).cast()) };
    loaded
}

#[cfg(not(all(target_os = "linux", not(miri))))]
fn loaded() -> Vec<Loaded> {
    Vec::new()
}

#[cfg(all(target_os = "linux", not(miri)))]
unsafe extern "C" fn note_loaded(
    info: *mut libc::dl_phdr_info,
    _: usize,
    data: *mut std::ffi::c_void,
) -> std::ffi::c_int {
    use std::ffi::CStr;
    // SAFETY: `data` is the vector of `loaded`, `info` is valid during the call.
    let (loaded, info) = unsafe { (&mut *data.cast::<Vec<Loaded>>(), &*info) };
    if info.dlpi_phdr.is_null() || info.dlpi_name.is_null() {
        return 0;
    }
    // SAFETY: the text belongs to the linker and ends with a zero.
    let path = unsafe { CStr::from_ptr(info.dlpi_name) }.to_string_lossy();
    let name = path.rsplit('/').next().unwrap_or_default();
    // The program itself has no name here.
    let name = if name.is_empty() { "program" } else { name };
    let base = info.dlpi_addr as usize;
    // SAFETY: the table belongs to the linker and has this length.
    let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
    let code =
        headers.iter().filter(|header| header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_X != 0);
    loaded.extend(code.map(|header| {
        let start = base.wrapping_add(header.p_vaddr as usize);
        Loaded { name: name.to_owned(), base, start, end: start.wrapping_add(header.p_memsz as usize) }
    }));
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg_attr(any(miri, target_arch = "arm"), ignore = "the stack cannot be walked there")]
    #[test]
    fn the_stack_of_this_thread_ends_and_names_its_files() {
        let frames = Frames::current();
        assert!(frames.is_whole());
        let text = frames.to_string();
        assert_eq!(text.lines().count(), frames.0.len() + 1, "{text}");
        if cfg!(target_os = "linux") {
            assert!(text.contains("program+0x"), "{text}");
        }
    }

    #[cfg_attr(any(miri, target_arch = "arm"), ignore = "the stack cannot be walked there")]
    #[test]
    fn the_same_way_has_the_same_addresses() {
        let both: Vec<_> = (0..std::hint::black_box(2)).map(|_| Frames::current()).collect();
        assert_eq!(both[0], both[1]);
        assert_ne!(both[0], Frames::current());
    }

    #[cfg_attr(any(miri, target_arch = "arm"), ignore = "the stack cannot be walked there")]
    #[test]
    fn a_deep_stack_is_cut() {
        fn deeper(left: usize) -> Frames {
            if left == 0 { Frames::current() } else { std::hint::black_box(deeper(left - 1)) }
        }
        assert!(!deeper(2 * MAX_FRAMES).is_whole());
    }
}
