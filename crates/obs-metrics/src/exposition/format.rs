//! The text formats, their content types, and the choice between them by an `Accept` header (M5).

use crate::exposition::accept::{Accept, Media};

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

/// A text format of the page.
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
        Self::preferred(&Accept::parse(accept)).0
    }

    /// The better of the two, and its quality.
    pub(crate) fn preferred(accept: &Accept<'_>) -> (Self, u16) {
        let text = accept.quality_of(&TEXT);
        let open = accept.quality_of(&OPEN_METRICS);
        if open.value > text.value || (open.value == text.value && open.value > 0 && open.is_named) {
            (Self::OpenMetrics, open.value)
        } else {
            (Self::Text, text.value)
        }
    }
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
