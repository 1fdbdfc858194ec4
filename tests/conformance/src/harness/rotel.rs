//! Collector of the Python package `rotel`, and what it prints of the exports that it has decoded.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::case::{Outcome, failed};
use crate::harness::home::Home;
use crate::harness::oracle;
use crate::harness::{Lab, free_port, wait};

/// Collector that prints each span, data point and log record.
pub(crate) struct Rotel {
    child: Child,
    address: String,
    printed: Arc<Mutex<String>>,
}

/// Span as the collector shows it. IDs are hexadecimal.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Seen {
    pub(crate) trace_id: String,
    pub(crate) span_id: String,
    /// Empty for a root.
    pub(crate) parent_id: String,
    pub(crate) name: String,
    /// `SERVER`, `CLIENT`, `INTERNAL`.
    pub(crate) kind: String,
    /// `OK`, `ERROR`, or empty.
    pub(crate) status: String,
    /// The `service.instance.id` of the resource.
    pub(crate) instance: String,
}

/// Span, data point or log record as the collector prints it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Item {
    kind: Kind,
    /// Values by name. A data point has those of its metric too.
    values: BTreeMap<String, String>,
    /// Attributes with the type of each value, as in `Str(hearthnet)`.
    attributes: BTreeMap<String, String>,
    resource: BTreeMap<String, String>,
    /// Trace and span IDs of exemplars.
    exemplars: Vec<(String, String)>,
    /// Sum of the counts of an exponential histogram's buckets.
    in_buckets: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Span,
    Point,
    Record,
}

impl Seen {
    fn of(span: &Item) -> Seen {
        let value = |name: &str| span.value(name).to_owned();
        let instance = span.resource("service.instance.id");
        Seen {
            trace_id: value("Trace ID"),
            span_id: value("ID"),
            parent_id: value("Parent ID"),
            name: value("Name"),
            kind: span.value("Kind").trim_start_matches("SPAN_KIND_").to_owned(),
            status: span.value("Status code").trim_start_matches("STATUS_CODE_").to_owned(),
            instance: instance.trim_start_matches("Str(").trim_end_matches(')').to_owned(),
        }
    }
}

impl Item {
    /// Returns the value of this name, or nothing.
    pub(crate) fn value(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }

    pub(crate) fn number(&self, name: &str) -> f64 {
        self.value(name).parse().unwrap_or(f64::NAN)
    }

    pub(crate) fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }

    pub(crate) fn resource(&self, name: &str) -> &str {
        self.resource.get(name).map_or("", String::as_str)
    }

    pub(crate) fn exemplars(&self) -> &[(String, String)] {
        &self.exemplars
    }

    pub(crate) fn in_buckets(&self) -> u64 {
        self.in_buckets
    }
}

impl Rotel {
    /// Starts the collector in the folder of `home` and waits until it listens.
    pub(crate) fn start(lab: &Lab, home: &Home) -> Outcome<Self> {
        let program = oracle::rotel(lab)?;
        let (http, grpc) = (format!("127.0.0.1:{}", free_port()), format!("127.0.0.1:{}", free_port()));
        let mut command = Command::new(program);
        command.args(["start", "--exporter", "blackhole", "--debug-log-verbosity", "detailed"]);
        for signal in ["traces", "metrics", "logs"] {
            command.args(["--debug-log", signal]);
        }
        command
            .args(["--otlp-http-endpoint", &http, "--otlp-grpc-endpoint", &grpc])
            .arg("--pid-file")
            .arg(home.path().join("rotel.pid"))
            .arg("--log-file")
            .arg(home.path().join("rotel.log"));
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let printed = Arc::new(Mutex::new(String::new()));
        let (out, lines) = (child.stdout.take(), Arc::clone(&printed));
        std::thread::spawn(move || {
            for line in out.into_iter().flat_map(|out| BufReader::new(out).lines()).map_while(Result::ok) {
                let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
                lines.push_str(&line);
                lines.push('\n');
            }
        });
        let rotel = Self { child, address: format!("http://{http}"), printed };
        match wait::until(Duration::from_secs(10), || TcpStream::connect(&http).is_ok()) {
            true => Ok(rotel),
            false => Err(failed("rotel listens within 10 s", rotel.text())),
        }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Returns the collector's output so far.
    pub(crate) fn text(&self) -> String {
        self.printed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the spans that the collector has decoded so far.
    pub(crate) fn spans(&self) -> Vec<Seen> {
        self.items(Kind::Span).iter().map(Seen::of).collect()
    }

    /// Returns the data points that the collector has decoded so far.
    pub(crate) fn points(&self) -> Vec<Item> {
        self.items(Kind::Point)
    }

    /// Returns the log records that the collector has decoded so far.
    pub(crate) fn records(&self) -> Vec<Item> {
        self.items(Kind::Record)
    }

    fn items(&self, kind: Kind) -> Vec<Item> {
        let mut parser = Parser::default();
        self.text().lines().for_each(|line| parser.line(line.trim()));
        parser.items.retain(|item| item.kind == kind);
        parser.items
    }
}

impl Drop for Rotel {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Parser of the collector's output: blocks of lines `Name: value`, and lists of lines `-> name: value` below a heading.
#[derive(Default)]
struct Parser {
    resource: BTreeMap<String, String>,
    metric: BTreeMap<String, String>,
    list: List,
    items: Vec<Item>,
}

/// What the lines of a list describe.
#[derive(Clone, Copy, Default)]
enum List {
    #[default]
    Other,
    Resource,
    Metric,
    Item,
    Exemplar,
}

impl Parser {
    fn line(&mut self, line: &str) {
        if let Some(entry) = line.strip_prefix("-> ") {
            if let Some((name, value)) = entry.split_once(':') {
                self.entry(name.trim(), value.trim());
            }
            return;
        }
        if line.contains(" #") && self.heading(line) {
            return;
        }
        match line {
            "Resource attributes:" => self.list = List::Resource,
            "Descriptor:" => self.list = List::Metric,
            "Attributes:" | "Data point attributes:" => self.list = List::Item,
            "Exemplars:" | "Events:" | "Links:" => self.list = List::Other,
            _ => self.value(line),
        }
    }

    /// Begins what a line such as `Span #0` announces. Returns whether it is such a line.
    fn heading(&mut self, line: &str) -> bool {
        self.list = List::Other;
        let kind = match line.split(" #").next().unwrap_or_default() {
            "ResourceSpans" | "ResourceMetrics" | "ResourceLog" => {
                self.resource.clear();
                return true;
            }
            "Metric" => {
                self.metric.clear();
                return true;
            }
            "Exemplar" => {
                self.list = List::Exemplar;
                self.items.iter_mut().last().into_iter().for_each(|item| item.exemplars.push(<_>::default()));
                return true;
            }
            "Span" => Kind::Span,
            "LogRecord" => Kind::Record,
            points if points.ends_with("DataPoints") => Kind::Point,
            _ => return false,
        };
        let values = if kind == Kind::Point { self.metric.clone() } else { BTreeMap::new() };
        self.items.push(Item { kind, values, resource: self.resource.clone(), ..Item::default() });
        true
    }

    fn entry(&mut self, name: &str, value: &str) {
        let (name, value) = (name.to_owned(), value.to_owned());
        match (self.list, self.items.last_mut()) {
            (List::Resource, _) => drop(self.resource.insert(name, value)),
            (List::Metric, _) => drop(self.metric.insert(name, value)),
            (List::Item, Some(item)) => drop(item.attributes.insert(name, value)),
            (List::Exemplar, Some(item)) => match (name.as_str(), item.exemplars.last_mut()) {
                ("Trace ID", Some(exemplar)) => exemplar.0 = value,
                ("Span ID", Some(exemplar)) => exemplar.1 = value,
                _ => {}
            },
            _ => {}
        }
    }

    fn value(&mut self, line: &str) {
        let Some(item) = self.items.last_mut() else { return };
        if let Some((_, count)) = line.strip_prefix("Bucket ").and_then(|bucket| bucket.split_once("Count: "))
        {
            item.in_buckets += count.parse::<u64>().unwrap_or_default();
        } else if let Some((name, value)) = line.split_once(':') {
            item.values.entry(name.trim().to_owned()).or_insert_with(|| value.trim().to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_have_their_own_values_and_those_of_their_resource_and_metric() {
        let text = "
            ResourceMetrics #0
            Resource SchemaURL:
            Resource attributes:
                 -> service.name: Str(hearthnet)
            ScopeMetrics #0
            Metric #0
            Descriptor:
                 -> Name: h_seconds
                 -> DataType: ExponentialHistogram
            ExponentialHistogramDataPoints #0
            Data point attributes:
                 -> capability: Str(a: b)
            Count: 3
            Bucket [0, 0], Count: 1
            Bucket (1, 2], Count: 2
            Exemplars:
            Exemplar #0
                 -> Trace ID: 01
                 -> Span ID: 02
            ResourceLog #0
            LogRecord #0
            Timestamp: 7
            Body: Str(done)
            Attributes:
                 -> hearthnet.ms: Double(1.5)
            Trace ID       : 0a
        ";
        let mut parser = Parser::default();
        text.lines().for_each(|line| parser.line(line.trim()));
        let [point, record] = &parser.items[..] else { panic!("{:?}", parser.items) };
        assert_eq!((point.kind, record.kind), (Kind::Point, Kind::Record));
        assert_eq!((point.value("Name"), point.number("Count"), point.in_buckets()), ("h_seconds", 3.0, 3));
        assert_eq!(
            (point.attribute("capability"), point.resource("service.name")),
            ("Str(a: b)", "Str(hearthnet)")
        );
        assert_eq!(point.exemplars(), [("01".to_owned(), "02".to_owned())]);
        assert_eq!((record.value("Body"), record.value("Trace ID")), ("Str(done)", "0a"));
        assert_eq!((record.attribute("hearthnet.ms"), record.resource("service.name")), ("Double(1.5)", ""));
    }
}
