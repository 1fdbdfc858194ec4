//! A parser of metrics pages that is stricter than those of Prometheus.
//!
//! It also refuses a repeated series, a split family, buckets that are not cumulative or do not end in `+Inf` = count, and
//! a repeated label.

use std::collections::{BTreeMap, BTreeSet};

/// A sample: its name, labels and value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Series {
    pub(crate) name: String,
    /// Sorted by name.
    pub(crate) labels: Labels,
    pub(crate) value: f64,
}

/// Names and values of labels.
pub(crate) type Labels = Vec<(String, String)>;

/// Family with its samples, in the order of the page.
#[derive(Clone, Debug)]
pub(crate) struct Family {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) help: Option<String>,
    pub(crate) samples: Vec<Series>,
    /// Text of each exemplar, with its sample.
    pub(crate) exemplars: Vec<(String, String)>,
}

/// A well-formed page.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) families: Vec<Family>,
}

/// Text format of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Prometheus text 0.0.4.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Series {
    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Returns the name and all labels but one.
    fn without(&self, label: &str) -> Labels {
        self.labels.iter().filter(|(name, _)| name != label).cloned().collect()
    }

    /// Writes the sample as on a page, without its value.
    pub(crate) fn key(&self) -> String {
        format!("{}{:?}", self.name, self.labels)
    }
}

impl Page {
    /// Reads a page.
    ///
    /// # Errors
    /// The first fault, with its line.
    pub(crate) fn parse(text: &str, format: Format) -> Result<Self, String> {
        let mut reader = Reader { format, families: Vec::new(), ended: false };
        for (number, line) in (1..).zip(text.split_inclusive('\n')) {
            let fault = |what: String| format!("line {number}: {what}: {}", line.trim_end());
            let bare =
                line.strip_suffix('\n').ok_or_else(|| fault("the last line has no line feed".into()))?;
            reader.line(bare).map_err(fault)?;
        }
        if format == Format::OpenMetrics && !reader.ended {
            return Err("the page does not end in # EOF".into());
        }
        let page = Self { families: reader.families };
        page.check()?;
        Ok(page)
    }

    pub(crate) fn family(&self, name: &str) -> Option<&Family> {
        self.families.iter().find(|family| family.name == name)
    }

    /// Returns all samples of the page.
    pub(crate) fn series(&self) -> impl Iterator<Item = &Series> {
        self.families.iter().flat_map(|family| &family.samples)
    }

    /// Adds up all samples of this name whose labels include these.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let matches = |series: &&Series| {
            series.name == name && labels.iter().all(|(label, value)| series.label(label) == Some(value))
        };
        self.series().filter(matches).map(|series| series.value).sum()
    }

    fn check(&self) -> Result<(), String> {
        let mut names = BTreeSet::new();
        let mut keys = BTreeSet::new();
        for family in &self.families {
            if !names.insert(&family.name) {
                return Err(format!("the family {} stands in two places", family.name));
            }
            for series in &family.samples {
                if !keys.insert(series.key()) {
                    return Err(format!("the series {} stands twice", series.key()));
                }
            }
            match family.kind.as_str() {
                "histogram" => family.check_buckets()?,
                "summary" => family.check_quantiles()?,
                "counter" => family.check_counter()?,
                _ => {}
            }
        }
        Ok(())
    }
}

impl Family {
    fn check_counter(&self) -> Result<(), String> {
        match self.samples.iter().find(|series| series.value.is_nan() || series.value < 0.0) {
            Some(series) => Err(format!("the counter {} is {}", series.key(), series.value)),
            None => Ok(()),
        }
    }

    fn check_quantiles(&self) -> Result<(), String> {
        for series in self.samples.iter().filter(|series| series.name == self.name) {
            let quantile = series.label("quantile").and_then(|text| text.parse::<f64>().ok());
            if !quantile.is_some_and(|quantile| (0.0..=1.0).contains(&quantile)) {
                return Err(format!("{} has no quantile between 0 and 1", series.key()));
            }
        }
        Ok(())
    }

    /// Checks that buckets rise, are cumulative and end in `+Inf` = `_count`, and that there is a `_sum`.
    fn check_buckets(&self) -> Result<(), String> {
        let mut last: BTreeMap<Labels, (f64, f64)> = BTreeMap::new();
        for series in self.samples.iter().filter(|series| series.name == format!("{}_bucket", self.name)) {
            let key = series.key();
            let bound = series.label("le").and_then(|le| le.parse::<f64>().ok());
            let bound = bound.filter(|bound| !bound.is_nan()).ok_or_else(|| format!("{key} has no bound"))?;
            if let Some((before, count)) = last.insert(series.without("le"), (bound, series.value)) {
                if before >= bound {
                    return Err(format!("{key} stands after a bucket of {before}"));
                }
                if count > series.value {
                    return Err(format!("{key} counts fewer than the bucket before it"));
                }
            }
        }
        for part in ["_count", "_sum"] {
            let parts = self.samples.iter().filter(|series| series.name == format!("{}{part}", self.name));
            let labels: BTreeSet<_> = parts.map(|series| series.labels.clone()).collect();
            if labels != last.keys().cloned().collect() {
                return Err(format!("{} has not one {part} for each set of buckets", self.name));
            }
        }
        for count in self.samples.iter().filter(|series| series.name == format!("{}_count", self.name)) {
            if last.get(&count.labels) != Some(&(f64::INFINITY, count.value)) {
                return Err(format!("the last bucket of {} is not +Inf = {}", count.key(), count.value));
            }
        }
        Ok(())
    }
}

struct Reader {
    format: Format,
    families: Vec<Family>,
    ended: bool,
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<(), String> {
        if self.ended {
            return Err("something stands after # EOF".into());
        }
        if let Some(comment) = line.strip_prefix('#') {
            return self.comment(comment.strip_prefix(' ').unwrap_or(comment));
        }
        if line.is_empty() {
            return if self.format == Format::Text { Ok(()) } else { Err("an empty line".into()) };
        }
        self.sample(line)
    }

    fn comment(&mut self, comment: &str) -> Result<(), String> {
        let mut words = comment.splitn(3, ' ');
        match (words.next(), words.next(), words.next()) {
            (Some("EOF"), None, None) if self.format == Format::OpenMetrics => self.ended = true,
            (Some("HELP"), Some(name), help) => {
                let help = unescaped(help.unwrap_or_default(), self.format == Format::OpenMetrics)?;
                let family = self.announced(name)?;
                if family.help.replace(help).is_some() {
                    return Err("a second HELP".into());
                }
            }
            (Some("TYPE"), Some(name), Some(kind)) => {
                let known = match self.format {
                    Format::Text => ["counter", "gauge", "histogram", "summary", "untyped"].as_slice(),
                    Format::OpenMetrics => &[
                        "counter",
                        "gauge",
                        "histogram",
                        "summary",
                        "unknown",
                        "info",
                        "stateset",
                        "gaugehistogram",
                    ],
                };
                if !known.contains(&kind) {
                    return Err("an unknown type".into());
                }
                let family = self.announced(name)?;
                if !std::mem::replace(&mut family.kind, kind.to_owned()).is_empty() {
                    return Err("a second TYPE".into());
                }
            }
            (Some("UNIT"), Some(name), Some(unit)) if self.format == Format::OpenMetrics => {
                if !name.ends_with(&format!("_{unit}")) {
                    return Err("a unit that the name does not end in".into());
                }
                self.announced(name)?;
            }
            _ if self.format == Format::OpenMetrics => return Err("a comment".into()),
            _ => {}
        }
        Ok(())
    }

    /// Returns the family of a HELP, TYPE or UNIT line: the last family while it has no samples, or a new one.
    fn announced(&mut self, name: &str) -> Result<&mut Family, String> {
        if !is_name(name, ":") {
            return Err("an ill-formed name".into());
        }
        if self.families.last().is_none_or(|last| last.name != name) {
            self.families.push(Family {
                name: name.to_owned(),
                kind: String::new(),
                help: None,
                samples: Vec::new(),
                exemplars: Vec::new(),
            });
        }
        let family = self.families.last_mut().ok_or("no family")?;
        if family.samples.is_empty() {
            Ok(family)
        } else {
            Err("it stands after samples of its family".into())
        }
    }

    fn sample(&mut self, line: &str) -> Result<(), String> {
        let end = line.find(['{', ' ']).ok_or("a sample has a value")?;
        let (name, rest) = line.split_at(end);
        if !is_name(name, ":") {
            return Err("an ill-formed name".into());
        }
        let (labels, rest) = match rest.strip_prefix('{') {
            Some(rest) => labels(rest)?,
            None => (Vec::new(), rest),
        };
        let rest = rest.strip_prefix(' ').ok_or("a value stands after a blank")?;
        let (value, exemplar) = match rest.split_once(" # ") {
            Some((value, exemplar)) if self.format == Format::OpenMetrics => (value, Some(exemplar)),
            _ => (rest, None),
        };
        let value = number(value.split(' ').next().unwrap_or_default())?;
        let series = Series { name: name.to_owned(), labels, value };

        let format = self.format;
        let family = self.families.last_mut().ok_or("a sample of no family")?;
        if !belongs(&series, family, format) {
            return Err(format!("no sample of the family {} ({})", family.name, family.kind));
        }
        if let Some(exemplar) = exemplar {
            let may = series.name.ends_with("_bucket") || series.name.ends_with("_total");
            if !may {
                return Err("an exemplar on what is neither a bucket nor a counter".into());
            }
            let set = exemplar.strip_prefix('{').ok_or("an exemplar has labels")?;
            let (set, rest) = self::labels(set)?;
            if set.iter().map(|(name, value)| name.chars().count() + value.chars().count()).sum::<usize>()
                > 128
            {
                return Err("an exemplar of more than 128 characters".into());
            }
            number(rest.trim_start().split(' ').next().unwrap_or_default())?;
            family.exemplars.push((series.key(), exemplar.to_owned()));
        }
        family.samples.push(series);
        Ok(())
    }
}

/// Tells whether a family may contain a sample, by its name and labels.
fn belongs(series: &Series, family: &Family, format: Format) -> bool {
    let Some(suffix) = series.name.strip_prefix(&family.name) else { return false };
    let has = |label: &str| series.label(label).is_some();
    match (family.kind.as_str(), suffix) {
        ("histogram", "_bucket") => has("le"),
        ("histogram" | "summary", "_count" | "_sum") => !has("le") && !has("quantile"),
        ("summary", "") => has("quantile"),
        ("counter", "_total") => format == Format::OpenMetrics,
        ("counter", "") => format == Format::Text,
        ("counter" | "histogram" | "summary", "_created") => format == Format::OpenMetrics,
        ("gauge" | "untyped" | "unknown", "") => true,
        ("info", "_info") => format == Format::OpenMetrics,
        _ => false,
    }
}

/// Reads `name="value",…}` and returns the rest of the line.
fn labels(text: &str) -> Result<(Labels, &str), String> {
    let mut labels = BTreeMap::new();
    let mut rest = text;
    loop {
        if let Some(after) = rest.strip_prefix('}') {
            return Ok((labels.into_iter().collect(), after));
        }
        let (name, after) = rest.split_once("=\"").ok_or("a label has a value")?;
        if !is_name(name, "") || name.starts_with("__") {
            return Err(format!("an ill-formed label name {name:?}"));
        }
        let end = closing_quote(after).ok_or("a label value ends in a quote")?;
        let value = unescaped(&after[..end], true)?;
        if labels.insert(name.to_owned(), value).is_some() {
            return Err(format!("the label {name} stands twice"));
        }
        rest = &after[end + 1..];
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None if rest.starts_with('}') => {}
            None => return Err("labels are parted by commas".into()),
        }
    }
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

fn unescaped(text: &str, quotes: bool) -> Result<String, String> {
    let mut plain = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            plain.push(character);
            continue;
        }
        match characters.next() {
            Some('n') => plain.push('\n'),
            Some('\\') => plain.push('\\'),
            Some('"') if quotes => plain.push('"'),
            other => return Err(format!("an unknown escape {other:?}")),
        }
    }
    Ok(plain)
}

fn number(text: &str) -> Result<f64, String> {
    match text {
        "+Inf" => Ok(f64::INFINITY),
        "-Inf" => Ok(f64::NEG_INFINITY),
        "NaN" => Ok(f64::NAN),
        _ => text.parse().map_err(|_| format!("{text:?} is no number")),
    }
}

fn is_name(text: &str, besides: &str) -> bool {
    let may = |character: char| {
        character.is_ascii_alphanumeric() || character == '_' || besides.contains(character)
    };
    !text.is_empty() && !text.starts_with(|first: char| first.is_ascii_digit()) && text.chars().all(may)
}

#[cfg(test)]
mod tests {
    use super::{Format, Page};

    const HISTOGRAM: &str = "\
# HELP h_seconds Time.
# TYPE h_seconds histogram
h_seconds_bucket{c=\"a\",le=\"0.1\"} 1
h_seconds_bucket{c=\"a\",le=\"+Inf\"} 2
h_seconds_sum{c=\"a\"} 0.5
h_seconds_count{c=\"a\"} 2
";

    fn text(page: &str) -> Result<Page, String> {
        Page::parse(page, Format::Text)
    }

    #[test]
    fn a_good_page_is_read() {
        let page = text(&format!("# TYPE c_total counter\nc_total{{l=\"a\\\"\\\\\\n\"}} 3\n{HISTOGRAM}"))
            .expect("good");
        assert_eq!(page.families.len(), 2);
        assert_eq!(page.sum("c_total", &[("l", "a\"\\\n")]), 3.0);
        assert_eq!(page.family("h_seconds").and_then(|family| family.help.as_deref()), Some("Time."));
    }

    #[test]
    fn what_others_let_pass_is_refused() {
        let refused = |page: &str, why: &str| {
            let fault = text(page).expect_err(page);
            assert!(fault.contains(why), "{fault}");
        };
        refused("# TYPE a gauge\na 1\na 1\n", "twice");
        refused("# TYPE a gauge\na{l=\"1\",l=\"1\"} 1\n", "twice");
        refused("# TYPE a gauge\na 1\n# TYPE b gauge\nb 1\n# TYPE a gauge\n", "two places");
        refused("# TYPE a gauge\nb 1\n", "no sample of the family");
        refused("# TYPE a gauge\na 1\n# HELP a Late.\n", "after samples");
        refused("# TYPE a gauge\na 1", "line feed");
        refused("# TYPE a counter\na -1\n", "counter");
        refused("# TYPE a gauge\na{l=\"\\x\"} 1\n", "escape");
        refused(&HISTOGRAM.replace("le=\"0.1\"} 1", "le=\"0.1\"} 3"), "fewer");
        refused(&HISTOGRAM.replace("_count{c=\"a\"} 2", "_count{c=\"a\"} 3"), "+Inf");
        refused(&HISTOGRAM.replace("h_seconds_sum{c=\"a\"} 0.5\n", ""), "_sum");
        refused(&HISTOGRAM.replace("h_seconds_bucket{c=\"a\",le=\"+Inf\"} 2\n", ""), "+Inf");
    }

    #[test]
    fn open_metrics_has_its_own_rules() {
        let good = "# TYPE c counter\n# HELP c Calls.\nc_total 3 # {trace_id=\"01\"} 1 1.5\n# EOF\n";
        let page = Page::parse(good, Format::OpenMetrics).expect("good");
        assert_eq!(page.families[0].exemplars.len(), 1);
        for bad in [
            good.replace("# EOF\n", ""),
            good.replace("c_total", "c"),
            format!("{good}\n"),
            good.replace("# EOF", "\n# EOF"),
            good.replace("counter", "gauge").replace("c_total", "c"),
        ] {
            assert!(Page::parse(&bad, Format::OpenMetrics).is_err(), "{bad}");
        }
    }
}
