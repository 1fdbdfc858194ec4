//! logforth: a JSON file behind its asynchronous appender, whose queue is unbounded.

use std::path::Path;

use logforth::append::asynchronous::AsyncBuilder;
use logforth::append::file::FileBuilder;
use logforth::layout::JsonLayout;

use super::{Event, Peer, log_line};

pub(super) struct Logforth;

impl Peer for Logforth {
    fn start(folder: &Path) -> Self {
        let file =
            FileBuilder::new(folder, "day").filename_suffix("log").layout(JsonLayout::default()).build();
        let file = file.expect("the folder is writable");
        let append = AsyncBuilder::new("logforth").append(file).build();
        logforth::starter_log::builder().dispatch(|dispatch| dispatch.append(append)).apply();
        log::set_max_level(log::LevelFilter::Info);
        Logforth
    }

    fn log(&self, event: &Event) {
        log_line::log(event);
    }

    fn log_disabled(&self, event: &Event) {
        log_line::log_disabled(event);
    }

    fn flush(&self) {
        log::logger().flush();
    }

    fn finish(self) {
        self.flush();
    }
}
