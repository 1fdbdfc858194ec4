//! flexi_logger with its JSON format into a buffered file that is flushed once a second.

use std::path::Path;

use flexi_logger::{FileSpec, Logger, LoggerHandle, WriteMode, json_format};

use super::{Event, Peer, log_line};

pub(super) struct FlexiLogger(LoggerHandle);

impl Peer for FlexiLogger {
    fn start(folder: &Path) -> Self {
        let handle = Logger::try_with_str("info")
            .and_then(|logger| {
                logger
                    .log_to_file(FileSpec::default().directory(folder))
                    .format_for_files(json_format)
                    .write_mode(WriteMode::BufferAndFlush)
                    .start()
            })
            .expect("the folder is writable");
        FlexiLogger(handle)
    }

    fn log(&self, event: &Event) {
        log_line::log(event);
    }

    fn log_disabled(&self, event: &Event) {
        log_line::log_disabled(event);
    }

    fn flush(&self) {
        self.0.flush();
    }

    fn finish(self) {
        self.flush();
    }
}
