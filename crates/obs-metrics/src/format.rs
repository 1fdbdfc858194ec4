//! The two text formats, their content types, and the choice between them by an `Accept` header (M5).

/// A format of the page.
///
/// ```
/// use obs_metrics::Format;
///
/// let format = Format::negotiate(Some("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"));
/// assert_eq!(format, Format::OpenMetrics);
/// assert_eq!(format.content_type(), "application/openmetrics-text; version=1.0.0; charset=utf-8");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Format {
    /// The Prometheus text format, version 0.0.4.
    #[default]
    Text,
    /// OpenMetrics, version 1.0.0: with exemplars, ends in `# EOF`.
    OpenMetrics,
}

impl Format {
    /// The exact value of the `Content-Type` header.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// The format that an `Accept` header prefers. The most specific range that matches a format gives its quality, the
    /// higher quality wins, and OpenMetrics wins a tie only where the header asks for it by name. A header that is absent,
    /// unreadable or accepts neither gets [`Format::Text`], which every client reads. Several `Accept` headers are joined
    /// by commas beforehand.
    #[must_use]
    pub fn negotiate(accept: Option<&str>) -> Self {
        let ranges: Vec<Range<'_>> = accept.unwrap_or_default().split(',').filter_map(Range::parse).collect();
        let (text, _) = best(&ranges, "text", "plain", &["0.0.4"]);
        let (open, specific) = best(&ranges, "application", "openmetrics-text", &["1.0.0", "1.0"]);
        if open > text || (open == text && open > 0 && specific) { Self::OpenMetrics } else { Self::Text }
    }
}

/// Quality in thousandths of the most specific range that covers the type, and whether that range names it.
fn best(ranges: &[Range<'_>], kind: &str, subtype: &str, versions: &[&str]) -> (u16, bool) {
    let covering =
        ranges.iter().filter_map(|range| Some((range.covers(kind, subtype, versions)?, range.quality)));
    covering.max().map_or((0, false), |(specific, quality)| (quality, specific >= NAMED))
}

const ANY: u8 = 0;
const ANY_SUBTYPE: u8 = 1;
const NAMED: u8 = 2;
const NAMED_WITH_VERSION: u8 = 3;

struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    version: Option<&'a str>,
    quality: u16,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let mut range = Self { kind: kind.trim(), subtype: subtype.trim(), version: None, quality: 1000 };
        for parameter in parts {
            let Some((name, value)) = parameter.split_once('=') else { continue };
            let value = value.trim().trim_matches('"');
            match name.trim() {
                name if name.eq_ignore_ascii_case("q") => range.quality = quality(value)?,
                name if name.eq_ignore_ascii_case("version") => range.version = Some(value),
                _ => {}
            }
        }
        Some(range)
    }

    fn covers(&self, kind: &str, subtype: &str, versions: &[&str]) -> Option<u8> {
        if self.kind == "*" && self.subtype == "*" {
            return Some(ANY);
        }
        if !self.kind.eq_ignore_ascii_case(kind) {
            return None;
        }
        match self.version {
            _ if self.subtype == "*" => Some(ANY_SUBTYPE),
            _ if !self.subtype.eq_ignore_ascii_case(subtype) => None,
            None => Some(NAMED),
            Some(version) => versions.contains(&version).then_some(NAMED_WITH_VERSION),
        }
    }
}

/// `0`, `1`, or either with up to three decimals, in thousandths; anything else makes its range unreadable.
fn quality(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if !matches!(whole, "0" | "1") || decimals.len() > 3 || !decimals.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let thousandths: u16 = format!("{decimals:0<3}").parse().ok()?;
    let quality = thousandths + if whole == "1" { 1000 } else { 0 };
    (quality <= 1000).then_some(quality)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(accept: &str, expected: Format) {
        assert_eq!(Format::negotiate(Some(accept)), expected, "{accept}");
    }

    /// Exact versions, q-values and q=0; Prometheus 3 is strict about what it gets.
    #[test]
    fn pain_11_accept_is_weighed_by_its_letter() {
        use Format::{OpenMetrics, Text};
        assert_eq!(Format::negotiate(None), Text);
        check("", Text);
        check("*/*", Text);
        check("text/plain", Text);
        check("application/openmetrics-text", OpenMetrics);
        check(
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
            OpenMetrics,
        );
        check(
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,text/plain;version=0.0.4;q=0.3",
            Text,
        );
        check("application/openmetrics-text; version=0.0.1, text/plain; q=0.1", Text);
        check("application/openmetrics-text;q=0.1,text/plain;q=0.9", Text);
        check("application/openmetrics-text;q=0,*/*", Text);
        check("text/plain;q=0,*/*;q=0.5", OpenMetrics);
        check("text/plain;q=0,application/openmetrics-text;q=0.001", OpenMetrics);
        check("application/openmetrics-text,text/plain", OpenMetrics);
        check("APPLICATION/OpenMetrics-Text; Version=\"1.0.0\"; Q=0.3", OpenMetrics);
        check("application/openmetrics-text;q=nan", Text);
        check("application/openmetrics-text;q=1.5,text/plain;q=0.1", Text);
        check("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Text);
        check("application/*", OpenMetrics);
        check(",;/,;;q=,*", Text);
    }
}
