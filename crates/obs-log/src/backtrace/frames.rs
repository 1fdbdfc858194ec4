//! Return addresses of the calling functions, without their symbols.
//!
//! A walk of the stack takes microseconds, the look-up of its symbols milliseconds. The standard library does not give out the
//! addresses of its own backtrace, so the stack is walked here.
//!
//! Unsafe are the walk without a lock, and `dl_iterate_phdr`, which passes a pointer back to a function of this file.
//! Invariants:
//! - the pointer is that of a local of the caller, which nothing else touches during the call;
//! - the function does not unwind: it only pushes to a vector.
#![allow(unsafe_code)]

use std::fmt;

use crate::json::text::display::bounded_text;

/// Maximum number of addresses that are kept. A deeper stack is a recursion, whose later frames tell nothing new.
const MAX_FRAMES: usize = 256;

/// Addresses from the innermost frame outwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frames(Vec<usize>);

impl Frames {
    /// Returns the stack of this thread, from the function whose frame has the address `local` outwards. With 0, from here
    /// outwards.
    pub(crate) fn current(local: usize) -> Frames {
        let mut walked = Walked { frames: Vec::with_capacity(64), local, inner: 0, is_outside: false };
        walk(&mut walked);
        walked.frames()
    }

    /// Looks the symbols up and formats a row for each function and one for its place in the source, as the standard
    /// library does. At most `most` bytes. Takes milliseconds, and a hundred the first time in a process.
    pub(crate) fn with_symbols(&self, most: usize) -> String {
        bounded_text(&Symbols(self), most)
    }

    /// Whether all frames of the stack are there.
    pub(crate) fn is_whole(&self) -> bool {
        (1..MAX_FRAMES).contains(&self.0.len())
    }
}

/// Frames of a walk from the innermost one outwards.
struct Walked {
    frames: Vec<usize>,
    /// Address in the innermost frame to keep.
    local: usize,
    /// Number of the frames before that one.
    inner: usize,
    /// Whether the walk has left that frame.
    is_outside: bool,
}

impl Walked {
    /// Notes a frame, and returns whether the walk goes on.
    fn note(&mut self, frame: &backtrace::Frame) -> bool {
        // A frame takes the addresses from its stack pointer up to that of its caller.
        if frame.sp().addr() <= self.local {
            self.inner = self.frames.len();
        } else {
            self.is_outside = true;
        }
        self.frames.push(frame.ip() as usize);
        self.frames.len() < MAX_FRAMES
    }

    fn frames(mut self) -> Frames {
        // An address that is not on this stack is in none of its frames. They are all kept then.
        if self.is_outside {
            self.frames.drain(..self.inner);
        }
        Frames(self.frames)
    }
}

/// Walks this thread's stack.
///
/// `backtrace::trace` and the standard library take a lock that is held while symbols are looked up. A caller would wait for
/// the writer, so the stack is walked without it.
#[cfg(unix)]
fn walk(walked: &mut Walked) {
    // SAFETY: the lock protects the debug library of Windows. The unwinders of Unix may run on several threads at once.
    unsafe { backtrace::trace_unsynchronized(|frame| walked.note(frame)) };
}

#[cfg(not(unix))]
fn walk(walked: &mut Walked) {
    backtrace::trace(|frame| walked.note(frame));
}

/// Text of frames with their symbols.
struct Symbols<'a>(&'a Frames);

impl fmt::Display for Symbols<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, address) in self.0.0.iter().enumerate() {
            let mut shown = Ok(());
            let mut is_first = true;
            // An address has several symbols if functions are inlined there.
            backtrace::resolve(std::ptr::without_provenance_mut(*address), |symbol| {
                if number == 0 && is_first && is_of_macro(symbol) {
                    return;
                }
                shown = shown.and_then(|()| write_symbol(f, number, is_first, symbol));
                is_first = false;
            });
            shown?;
            if is_first {
                writeln!(f, "{number:>4}: {address:#x}")?;
            }
        }
        Ok(())
    }
}

/// Whether a function is one that the macros call, which the compiler may have inlined into their caller. Its name may lack the
/// path, so the file tells it.
fn is_of_macro(symbol: &backtrace::Symbol) -> bool {
    let file = symbol.filename();
    file.is_some_and(|file| {
        file.ends_with("src/__private_api.rs") || file.ends_with("obs-log/src/api/exception.rs")
    })
}

fn write_symbol(
    f: &mut fmt::Formatter<'_>,
    number: usize,
    is_first: bool,
    symbol: &backtrace::Symbol,
) -> fmt::Result {
    if is_first {
        write!(f, "{number:>4}: ")?;
    } else {
        f.write_str("      ")?;
    }
    match symbol.name() {
        // Without the hash at its end, as the standard library shows it.
        Some(name) => writeln!(f, "{name:#}")?,
        None => writeln!(f, "<unknown>")?,
    }
    if let (Some(file), Some(line)) = (symbol.filename(), symbol.lineno()) {
        write!(f, "             at {}:{line}", file.display())?;
        if let Some(column) = symbol.colno() {
            write!(f, ":{column}")?;
        }
        writeln!(f)?;
    }
    Ok(())
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

    #[cfg_attr(miri, ignore = "Miri has no unwinder of the platform")]
    #[test]
    fn the_stack_of_this_thread_ends_and_names_its_files() {
        let frames = Frames::current(0);
        assert!(frames.is_whole());
        let text = frames.to_string();
        assert_eq!(text.lines().count(), frames.0.len() + 1, "{text}");
        if cfg!(target_os = "linux") {
            assert!(text.contains("program+0x"), "{text}");
        }
    }

    #[cfg_attr(miri, ignore = "Miri has no unwinder of the platform")]
    #[test]
    fn the_same_way_has_the_same_addresses() {
        let both: Vec<_> = (0..std::hint::black_box(2)).map(|_| Frames::current(0)).collect();
        assert_eq!(both[0], both[1]);
        assert_ne!(both[0], Frames::current(0));
    }

    #[cfg_attr(miri, ignore = "Miri has no unwinder of the platform")]
    #[test]
    fn a_stack_begins_at_the_frame_of_a_local_variable() {
        #[inline(never)]
        fn deeper(left: usize, local: usize) -> Frames {
            if left == 0 { Frames::current(local) } else { std::hint::black_box(deeper(left - 1, local)) }
        }
        let local = std::hint::black_box(0_u8);
        let address = (&raw const local).addr();
        let (deep, shallow) = (deeper(20, address), deeper(1, address));
        assert_eq!(deep.0.len(), shallow.0.len());
        let text = deep.with_symbols(64 << 10);
        assert!(!text.contains("deeper") && text.contains("a_stack_begins_at"), "{text}");
        for elsewhere in [1, usize::MAX] {
            assert!(deeper(20, elsewhere).0.len() > deep.0.len() + 20, "{elsewhere}");
        }
    }

    #[cfg_attr(miri, ignore = "Miri has no unwinder of the platform")]
    #[test]
    fn a_deep_stack_is_cut() {
        fn deeper(left: usize) -> Frames {
            if left == 0 { Frames::current(0) } else { std::hint::black_box(deeper(left - 1)) }
        }
        assert!(!deeper(2 * MAX_FRAMES).is_whole());
    }
}
