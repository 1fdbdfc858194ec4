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
    /// Returns the stack of this thread.
    pub(crate) fn current() -> Frames {
        let mut frames = Vec::with_capacity(64);
        walk(&mut frames);
        Frames(frames)
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

/// Adds the addresses of this thread's stack to `frames`.
///
/// `backtrace::trace` and the standard library take a lock that is held while symbols are looked up. A caller would wait for
/// the writer, so the stack is walked without it.
#[cfg(unix)]
fn walk(frames: &mut Vec<usize>) {
    let note = |frame: &backtrace::Frame| {
        frames.push(frame.ip() as usize);
        frames.len() < MAX_FRAMES
    };
    // SAFETY: the lock protects the debug library of Windows. The unwinders of Unix may run on several threads at once.
    unsafe { backtrace::trace_unsynchronized(note) };
}

#[cfg(not(unix))]
fn walk(frames: &mut Vec<usize>) {
    backtrace::trace(|frame| {
        frames.push(frame.ip() as usize);
        frames.len() < MAX_FRAMES
    });
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
        let frames = Frames::current();
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
        let both: Vec<_> = (0..std::hint::black_box(2)).map(|_| Frames::current()).collect();
        assert_eq!(both[0], both[1]);
        assert_ne!(both[0], Frames::current());
    }

    #[cfg_attr(miri, ignore = "Miri has no unwinder of the platform")]
    #[test]
    fn a_deep_stack_is_cut() {
        fn deeper(left: usize) -> Frames {
            if left == 0 { Frames::current() } else { std::hint::black_box(deeper(left - 1)) }
        }
        assert!(!deeper(2 * MAX_FRAMES).is_whole());
    }
}
