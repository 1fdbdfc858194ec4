//! Limit: the line is rendered and thrown away.

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};

use super::{Event, Peer, log_line, tight};

pub(super) struct Rendered(PathBuf);

impl Peer for Rendered {
    const WRITES: bool = false;

    fn start(folder: &Path) -> Self {
        tight::set_level();
        Rendered(folder.join("last.log"))
    }

    fn log(&self, event: &Event) {
        tight::with_line(event, |line| {
            black_box(line);
        });
    }

    fn log_disabled(&self, event: &Event) {
        log_line::log_disabled(event);
    }

    /// Writes the last line, so that it can be read back.
    fn finish(self) {
        fs::write(self.0, tight::last()).expect("the folder is writable");
    }
}
