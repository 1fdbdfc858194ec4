//! tracing-subscriber's JSON into a file behind a mutex and a `BufWriter`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Mutex;

use super::{Event, Peer, tracing_line};

pub(super) struct TracingJson(&'static Mutex<BufWriter<File>>);

impl Peer for TracingJson {
    fn start(folder: &Path) -> Self {
        let file = File::create(folder.join("day.log")).expect("the folder is writable");
        let file: &'static _ = Box::leak(Box::new(Mutex::new(BufWriter::new(file))));
        tracing_subscriber::fmt().json().with_writer(move || Shared(file)).init();
        TracingJson(file)
    }

    fn log(&self, event: &Event) {
        tracing_line::log(event);
    }

    #[inline(always)]
    fn log_disabled(&self, event: &Event) {
        tracing_line::log_disabled(event);
    }

    fn flush(&self) {
        self.0.lock().expect("nobody panics").flush().expect("the disk has room");
    }

    fn finish(self) {
        self.flush();
    }
}

struct Shared(&'static Mutex<BufWriter<File>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody panics").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.lock().expect("nobody panics").flush()
    }
}
