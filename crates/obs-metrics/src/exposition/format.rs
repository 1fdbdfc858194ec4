//! Formats of the page: their content types, and the choice between them by an `Accept` header.

use super::accept::{Accept, Media};

/// Format of the page.
///
/// ```
/// use obs_metrics::Format;
///
/// let openmetrics = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
/// assert_eq!(Format::negotiate(Some(openmetrics)), Format::OpenMetrics);
///
/// let prometheus = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,\
///     application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
/// assert_eq!(Format::negotiate(Some(prometheus)), Format::Protobuf);
///
/// assert_eq!(Format::negotiate(Some("text/html,*/*;q=0.8")), Format::Text);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Format {
    /// Prometheus' text format, version 0.0.4.
    #[default]
    Text,
    /// OpenMetrics text format, version 1.0.0. It carries exemplars and ends in `# EOF`.
    OpenMetrics,
    /// Length-delimited messages `io.prometheus.client.MetricFamily`. They carry exemplars and the
    /// [native](crate::HistogramFamily::native) buckets of histograms. Prometheus asks for this format where native
    /// histograms are switched on.
    Protobuf,
    /// The text format, with `vmrange` buckets instead of declared ones for [native](crate::HistogramFamily::native)
    /// histograms. VictoriaMetrics reads them, and its `histogram_quantile` is then as exact as that of Prometheus. No `Accept`
    /// header names it, so a server offers it by other means, such as a query.
    VmRange,
}

const TEXT: Media = Media {
    kind: "text",
    subtype: "plain",
    parameters: &[("version", &["0.0.4"])],
    must_have_parameters: false,
};

const OPEN_METRICS: Media = Media {
    kind: "application",
    subtype: "openmetrics-text",
    parameters: &[("version", &["1.0.0", "1.0"])],
    must_have_parameters: false,
};

const PROTOBUF: Media = Media {
    kind: "application",
    subtype: "vnd.google.protobuf",
    parameters: &[("proto", &["io.prometheus.client.MetricFamily"]), ("encoding", &["delimited"])],
    // Without them the range may mean another message or encoding.
    must_have_parameters: true,
};

impl Format {
    /// Returns the value of the `Content-Type` header.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text | Self::VmRange => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            }
        }
    }

    /// Returns the format that an `Accept` header prefers. A server sends what [`expose`](crate::expose) returns for it.
    ///
    /// The most specific range that matches a format gives its quality, and the highest quality wins. On a tie,
    /// [`Protobuf`](Self::Protobuf) wins before [`OpenMetrics`](Self::OpenMetrics), and OpenMetrics before
    /// [`Text`](Self::Text), but only if the header names the format. Protobuf is never chosen without being named. A
    /// header that is absent, unreadable or accepts no format gets [`Text`](Self::Text), which every client reads. Join
    /// several `Accept` headers with commas first.
    #[must_use]
    pub fn negotiate(accept: Option<&str>) -> Self {
        let accept = Accept::parse(accept);
        let protobuf = accept.quality_of(&PROTOBUF);
        // Browsers accept `*/*` and read text, so protobuf must be named.
        let (text_format, text_quality) = preferred_text(&accept);
        if protobuf.is_named && protobuf.value > 0 && protobuf.value >= text_quality {
            Self::Protobuf
        } else {
            text_format
        }
    }
}

/// Returns the preferred text format and its quality.
fn preferred_text(accept: &Accept<'_>) -> (Format, u16) {
    let text = accept.quality_of(&TEXT);
    let open = accept.quality_of(&OPEN_METRICS);
    if open.value > text.value || (open.value == text.value && open.value > 0 && open.is_named) {
        (Format::OpenMetrics, open.value)
    } else {
        (Format::Text, text.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(accept: &str, expected: Format) {
        assert_eq!(Format::negotiate(Some(accept)), expected, "{accept}");
    }

    const PROTOBUF_RANGE: &str =
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";

    /// Prometheus 3 refuses a page whose format it did not ask for, so versions, q-values and `q=0` count.
    #[test]
    fn accept_headers_choose_between_the_text_formats() {
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

    #[test]
    fn protobuf_is_chosen_only_if_the_header_names_it() {
        use Format::{OpenMetrics, Protobuf, Text};
        check(PROTOBUF_RANGE, Protobuf);
        let quoted =
            PROTOBUF_RANGE.replace('=', "=\"").replace(';', "\";").replacen("protobuf\"", "protobuf", 1);
        check(&format!("{quoted}\""), Protobuf);
        check(
            &format!("{PROTOBUF_RANGE};escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.2"),
            Protobuf,
        );
        check(&format!("application/openmetrics-text;version=1.0.0,{PROTOBUF_RANGE}"), Protobuf);
        check(&format!("{PROTOBUF_RANGE};q=0.7,text/plain;version=0.0.4;q=0.3"), Protobuf);
        check(
            &format!("application/openmetrics-text;version=1.0.0;q=0.9,{PROTOBUF_RANGE};q=0.8"),
            OpenMetrics,
        );
        check(&format!("text/plain;q=0.5,{PROTOBUF_RANGE};q=0"), Text);
        check(&format!("{PROTOBUF_RANGE};q=0,*/*"), Text);
        check("application/vnd.google.protobuf", Text);
        check("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily", Text);
        check(&PROTOBUF_RANGE.replace("delimited", "text"), Text);
        check(&PROTOBUF_RANGE.replace("MetricFamily", "Another"), Text);
    }

    #[test]
    fn content_types_are_exact() {
        assert_eq!(Format::Text.content_type(), "text/plain; version=0.0.4; charset=utf-8");
        assert_eq!(
            Format::OpenMetrics.content_type(),
            "application/openmetrics-text; version=1.0.0; charset=utf-8"
        );
        assert_eq!(
            Format::Protobuf.content_type(),
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
        );
    }
}
