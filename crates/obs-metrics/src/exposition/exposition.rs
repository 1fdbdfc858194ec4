//! Every form that the page can be had in: the text formats, and protobuf, which carries native histograms (M5).

use crate::exposition::accept::{Accept, Media};
use crate::exposition::format::Format;

/// A form of the page, for a server that lets its clients choose.
///
/// ```
/// use obs_metrics::{Exposition, Format};
///
/// let prometheus = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,\
///     application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
/// assert_eq!(Exposition::negotiate(Some(prometheus)), Exposition::Protobuf);
/// assert_eq!(Exposition::negotiate(Some("text/html,*/*;q=0.8")), Exposition::Text(Format::Text));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Exposition {
    /// One of the text formats.
    Text(Format),
    /// Families as delimited messages `io.prometheus.client.MetricFamily`, with exemplars, and with the
    /// [native](crate::HistogramFamily::native) buckets of histograms. Prometheus asks for it where native histograms are
    /// switched on.
    Protobuf,
}

const PROTOBUF: Media = Media {
    kind: "application",
    subtype: "vnd.google.protobuf",
    parameters: &[("proto", &["io.prometheus.client.MetricFamily"]), ("encoding", &["delimited"])],
    must_have_parameters: true,
};

impl Exposition {
    /// The exact value of the `Content-Type` header.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text(format) => format.content_type(),
            Self::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            }
        }
    }

    /// The form that an `Accept` header prefers: protobuf where the header asks for it by name and likes no text format
    /// better, else what [`Format::negotiate`] says.
    #[must_use]
    pub fn negotiate(accept: Option<&str>) -> Self {
        let accept = Accept::parse(accept);
        let protobuf = accept.quality_of(&PROTOBUF);
        let (format, text) = Format::preferred(&accept);
        if protobuf.is_named && protobuf.value > 0 && protobuf.value >= text {
            Self::Protobuf
        } else {
            Self::Text(format)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(accept: &str, expected: Exposition) {
        assert_eq!(Exposition::negotiate(Some(accept)), expected, "{accept}");
    }

    const ASKED: &str =
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";

    /// Only who can read protobuf gets it.
    #[test]
    fn pain_11_protobuf_is_for_who_asks_for_it() {
        use Exposition::{Protobuf, Text};
        let plain = Text(Format::Text);
        let open = Text(Format::OpenMetrics);
        assert_eq!(Exposition::negotiate(None), plain);
        check("*/*", plain);
        check("application/*", open);
        check(ASKED, Protobuf);
        check(&ASKED.replace('=', "=\"").replace(';', "\";").replacen("protobuf\"", "protobuf", 1), Protobuf);
        check(&format!("{ASKED};escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.2"), Protobuf);
        check(&format!("application/openmetrics-text;version=1.0.0,{ASKED}"), Protobuf);
        check(&format!("application/openmetrics-text;version=1.0.0;q=0.9,{ASKED};q=0.8"), open);
        check(&format!("text/plain;q=0.5,{ASKED};q=0"), plain);
        check(&format!("{ASKED};q=0,*/*"), plain);
        check("application/vnd.google.protobuf", plain);
        check("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily", plain);
        check(&ASKED.replace("delimited", "text"), plain);
        check(&ASKED.replace("MetricFamily", "Another"), plain);
    }

    #[test]
    fn content_types_are_exact() {
        assert_eq!(
            Exposition::Protobuf.content_type(),
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
        );
        assert_eq!(Exposition::Text(Format::Text).content_type(), Format::Text.content_type());
    }
}
