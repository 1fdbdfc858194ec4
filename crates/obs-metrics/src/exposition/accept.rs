//! `Accept` headers: media types that a client accepts, and their quality (RFC 9110, section 12.5.1).

/// Media type of a format.
pub(crate) struct Media {
    pub(crate) kind: &'static str,
    pub(crate) subtype: &'static str,
    /// Parameters that distinguish the format, each with the values that match it.
    pub(crate) parameters: &'static [(&'static str, &'static [&'static str])],
    /// Whether a range that names the type must have all of these parameters to cover it.
    pub(crate) must_have_parameters: bool,
}

/// Media ranges of a header, without those that cannot be parsed.
pub(crate) struct Accept<'a>(Vec<Range<'a>>);

/// Quality that a header gives to a media type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quality {
    /// Thousandths; 0 means that the client does not accept the type.
    pub(crate) value: u16,
    /// Whether the header names the type, rather than a wildcard that covers it.
    pub(crate) is_named: bool,
}

impl<'a> Accept<'a> {
    pub(crate) fn parse(header: Option<&'a str>) -> Self {
        // A quoted parameter with a comma is split too. No format has one, so such a range matches none either way.
        Self(header.unwrap_or_default().split(',').filter_map(Range::parse).collect())
    }

    /// Returns the quality of the most specific range that covers the type.
    pub(crate) fn quality_of(&self, media: &Media) -> Quality {
        let covering = self.0.iter().filter_map(|range| Some((range.covers(media)?, range.quality)));
        // The highest quality wins among equally specific ranges.
        let (specific, value) = covering.max().unwrap_or((ANY, 0));
        Quality { value, is_named: specific >= NAMED }
    }
}

// Specificity of a range. The order of the numbers is the order of precedence.
const ANY: u8 = 0;
const ANY_SUBTYPE: u8 = 1;
const NAMED: u8 = 2;
const NAMED_WITH_PARAMETERS: u8 = 3;

struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
    quality: u16,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let mut range =
            Self { kind: kind.trim(), subtype: subtype.trim(), parameters: Vec::new(), quality: 1000 };
        for parameter in parts {
            let Some((name, value)) = parameter.split_once('=') else { continue };
            let (name, value) = (name.trim(), value.trim().trim_matches('"'));
            if name.eq_ignore_ascii_case("q") {
                range.quality = quality(value)?;
            } else {
                range.parameters.push((name, value));
            }
        }
        Some(range)
    }

    /// Returns the specificity of the range, or `None` if it does not cover the type.
    fn covers(&self, media: &Media) -> Option<u8> {
        if self.kind == "*" && self.subtype == "*" {
            return Some(ANY);
        }
        if !self.kind.eq_ignore_ascii_case(media.kind) {
            return None;
        }
        if self.subtype == "*" {
            return Some(ANY_SUBTYPE);
        }
        if !self.subtype.eq_ignore_ascii_case(media.subtype) {
            return None;
        }
        let mut specific = NAMED;
        for (name, fitting) in media.parameters {
            match self.parameter(name) {
                Some(value) if fitting.contains(&value) => specific = NAMED_WITH_PARAMETERS,
                None if !media.must_have_parameters => {}
                _ => return None,
            }
        }
        Some(specific)
    }

    /// Returns the last parameter with this name.
    fn parameter(&self, name: &str) -> Option<&'a str> {
        let found = self.parameters.iter().rev().find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| *value)
    }
}

/// Parses a quality into thousandths: 0 to 1 with at most three decimals. Any other text is an error.
fn quality(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if !matches!(whole, "0" | "1") || decimals.len() > 3 || !decimals.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let thousandths: u16 = format!("{decimals:0<3}").parse().ok()?;
    let quality = thousandths + if whole == "1" { 1000 } else { 0 };
    (quality <= 1000).then_some(quality)
}
