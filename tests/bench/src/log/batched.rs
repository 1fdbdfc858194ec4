//! Limit: a batch behind a mutex. The thread that fills it writes it.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;

use super::{Event, Peer, log_line, tight};

const BATCH: usize = 64 << 10;

pub(super) struct Batched(Mutex<(File, Vec<u8>)>);

impl Peer for Batched {
    fn start(folder: &Path) -> Self {
        tight::set_level();
        let file = File::create(folder.join("day.log")).expect("the folder is writable");
        Batched(Mutex::new((file, Vec::with_capacity(BATCH + 4096))))
    }

    fn log(&self, event: &Event) {
        tight::with_line(event, |line| {
            let (file, batch) = &mut *self.0.lock().expect("nobody panics");
            batch.extend_from_slice(line);
            if batch.len() >= BATCH {
                write(file, batch);
            }
        });
    }

    fn log_disabled(&self, event: &Event) {
        log_line::log_disabled(event);
    }

    fn flush(&self) {
        let (file, batch) = &mut *self.0.lock().expect("nobody panics");
        write(file, batch);
    }

    fn finish(self) {
        self.flush();
    }
}

fn write(file: &mut File, batch: &mut Vec<u8>) {
    file.write_all(batch).expect("the disk has room");
    batch.clear();
}
