//! fern with a closure that renders the line with serde_json. fern flushes its file after every line.

use std::path::Path;

use log::kv::{Error, Key, Value, VisitSource};
use serde_json::{Map, json};

use super::{Event, Peer, log_line};

pub(super) struct Fern;

impl Peer for Fern {
    fn start(folder: &Path) -> Self {
        let file = fern::log_file(folder.join("day.log")).expect("the folder is writable");
        fern::Dispatch::new()
            .level(log::LevelFilter::Info)
            .format(|out, message, record| {
                let mut line = Map::new();
                let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
                line.insert("ts".to_owned(), json!(now));
                line.insert("level".to_owned(), json!(record.level().as_str()));
                line.insert("logger".to_owned(), json!(record.target()));
                line.insert("msg".to_owned(), json!(message.to_string()));
                record.key_values().visit(&mut Fields(&mut line)).expect("all fields can be shown");
                out.finish(format_args!("{}", serde_json::Value::from(line)));
            })
            .chain(file)
            .apply()
            .expect("no other logger is installed");
        Fern
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

struct Fields<'a>(&'a mut Map<String, serde_json::Value>);

impl<'kvs> VisitSource<'kvs> for Fields<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
        self.0.insert(key.to_string(), json!(value));
        Ok(())
    }
}
