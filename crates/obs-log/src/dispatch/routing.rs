//! Routing: the most verbose level of each logger name, and the sinks of its lines.
//!
//! fern judges a name by its levels. It splits names on `::` only, so it gets them in that form. It is asked once for each
//! name that a thread uses. The thread remembers the answer until the routing changes.

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::config::levels::Levels;
use crate::dispatch::sinks::Sinks;
use crate::json::cache::names::{NameCache, NameSlot};

/// Levels and sinks in force.
#[derive(Debug)]
pub(crate) struct Routing {
    /// Number of the routing, which is never 0.
    pub(crate) number: u64,
    router: Router,
    pub(crate) most_verbose: LevelFilter,
    pub(crate) sinks: Sinks,
}

struct Router(Box<dyn Log>);

impl std::fmt::Debug for Router {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Router")
    }
}

impl Routing {
    pub(crate) fn new(number: u64, levels: &Levels, sinks: Sinks) -> Routing {
        Routing { number, router: Router::new(levels), most_verbose: levels.most_verbose(), sinks }
    }

    /// Whether a line of this level may be logged under the name in this slot.
    #[inline]
    pub(crate) fn allows(&self, level: Level, names: &mut NameCache, slot: NameSlot) -> bool {
        level <= names.level(slot, self.number, |name, path| self.router.level(name, path))
    }
}

impl Router {
    fn new(levels: &Levels) -> Router {
        let mut dispatch = fern::Dispatch::new().level(levels.default);
        for (name, level) in &levels.directives {
            dispatch = dispatch.level_for(name.clone(), *level);
        }
        let (_, router) = dispatch.chain(Box::new(Accepting) as Box<dyn Log>).into_log();
        Router(router)
    }

    /// Returns the most verbose level of this name. `path` is a buffer for the name in fern's form.
    fn level(&self, name: &str, path: &mut String) -> LevelFilter {
        let level = self.configured_level(name, path);
        if RAW.contains(&name) { level.min(LevelFilter::Debug) } else { level }
    }

    fn configured_level(&self, name: &str, path: &mut String) -> LevelFilter {
        path.clear();
        for (at, part) in name.split('.').enumerate() {
            path.push_str(if at == 0 { "" } else { "::" });
            path.push_str(part);
        }
        let allows = |level: &Level| self.0.enabled(&Metadata::builder().level(*level).target(path).build());
        let levels = [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error];
        levels.iter().find(|level| allows(level)).map_or(LevelFilter::Off, Level::to_level_filter)
    }
}

/// Loggers that show requests byte by byte at `trace`, a few bytes a line. No redaction finds a key in that, so these lines are
/// never written.
const RAW: [&str; 1] = ["ureq_proto.util"];

/// Output of fern that accepts everything, so that fern's answer depends on the levels alone.
struct Accepting;

impl Log for Accepting {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, _: &Record<'_>) {}

    fn flush(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logger_of_raw_requests_never_has_its_lines_at_trace() {
        let level = |text: &str, name: &str| {
            Router::new(&Levels::parse(text).unwrap()).level(name, &mut String::new())
        };
        assert_eq!(level("trace", "ureq_proto.client"), LevelFilter::Trace);
        assert_eq!(level("trace", "ureq_proto.util"), LevelFilter::Debug);
        assert_eq!(level("info,ureq_proto.util=trace", "ureq_proto.util"), LevelFilter::Debug);
        assert_eq!(level("info", "ureq_proto.util"), LevelFilter::Info);
    }
}
