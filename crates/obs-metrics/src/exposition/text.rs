//! Text formats: names, labels and numbers. Most is shared by both formats; a [`Format`] parameter marks the differences.

use std::fmt::Write;
use std::time::UNIX_EPOCH;

use super::exemplar::Exemplar;
use super::format::Format;
use super::kind::{Kind, base_name};

/// Writes the `# HELP` and `# TYPE` lines. OpenMetrics names a counter without its `_total`.
pub(crate) fn push_header(out: &mut String, kind: Kind, name: &str, help: &str, format: Format) {
    let name = if format == Format::OpenMetrics { base_name(kind, name) } else { name };
    for part in ["# HELP ", name, " "] {
        out.push_str(part);
    }
    push_escaped(out, help, format == Format::OpenMetrics);
    for part in ["\n# TYPE ", name, " ", kind.as_str(), "\n"] {
        out.push_str(part);
    }
}

/// Writes `name{a="x",b="y"} `: all of a line before its value.
pub(crate) fn push_scalar_prefix<L: AsRef<str>, V: AsRef<str>>(
    out: &mut String,
    name: &str,
    labels: &[L],
    values: &[V],
) {
    out.push_str(name);
    if !labels.is_empty() {
        out.push('{');
        push_labels(out, labels, values);
        out.push('}');
    }
    out.push(' ');
}

/// Writes `a="x",b="y"`.
pub(crate) fn push_labels<L: AsRef<str>, V: AsRef<str>>(out: &mut String, labels: &[L], values: &[V]) {
    for (index, (label, value)) in labels.iter().zip(values).enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(label.as_ref());
        out.push_str("=\"");
        push_escaped(out, value.as_ref(), true);
        out.push('"');
    }
}

/// Writes `name_suffix{labels,extra} `, where `extra` is an encoded pair such as `le="0.1"`.
pub(crate) fn push_sample_name(out: &mut String, name: &str, suffix: &str, labels: &str, extra: &str) {
    out.push_str(name);
    out.push_str(suffix);
    if !labels.is_empty() || !extra.is_empty() {
        out.push('{');
        out.push_str(labels);
        if !labels.is_empty() && !extra.is_empty() {
            out.push(',');
        }
        out.push_str(extra);
        out.push('}');
    }
    out.push(' ');
}

/// Returns whether the format allows this sum. OpenMetrics treats a sum as a counter, and its parsers refuse a whole page
/// for one that is negative or NaN.
pub(crate) fn may_show_sum(format: Format, sum: f64) -> bool {
    format != Format::OpenMetrics || sum >= 0.0
}

pub(crate) fn push_sum(out: &mut String, name: &str, labels: &str, sum: f64) {
    push_sample_name(out, name, "_sum", labels, "");
    push_f64(out, sum);
    out.push('\n');
}

pub(crate) fn push_count(out: &mut String, name: &str, labels: &str, count: u64) {
    push_sample_name(out, name, "_count", labels, "");
    push_u64(out, count);
    out.push('\n');
}

/// Writes ` # {trace_id="…"} value seconds`.
pub(crate) fn push_exemplar(out: &mut String, exemplar: &Exemplar) {
    out.push_str(" # {trace_id=\"");
    out.push_str(exemplar.trace_id());
    out.push_str("\"} ");
    push_f64(out, exemplar.value);
    // The time is optional. A clock before 1970 is wrong, and its time would be refused.
    if let Ok(since) = exemplar.at.duration_since(UNIX_EPOCH) {
        _ = write!(out, " {}.{:03}", since.as_secs(), since.subsec_millis());
    }
}

/// Escapes backslash, line feed and, if `quotes` is set, the double quote. Nothing else changes, so different texts stay
/// different. Only the help of the text format keeps its quotes.
pub(crate) fn push_escaped(out: &mut String, text: &str, quotes: bool) {
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|b| b == b'\\' || b == b'\n' || (quotes && b == b'"')) {
        out.push_str(&rest[..at]);
        out.push_str(match rest.as_bytes()[at] {
            b'\\' => "\\\\",
            b'\n' => "\\n",
            _ => "\\\"",
        });
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
}

#[inline]
pub(crate) fn push_u64(out: &mut String, value: u64) {
    out.push_str(itoa::Buffer::new().format(value));
}

/// Writes the shortest text that parses to the same number.
pub(crate) fn push_f64(out: &mut String, value: f64) {
    // 2^53: whole numbers below it are exact in an `f64`, so formatting them as integers loses nothing and is faster.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.is_nan() {
        out.push_str("NaN");
    } else if value.is_infinite() {
        out.push_str(if value > 0.0 { "+Inf" } else { "-Inf" });
    } else if value.fract() == 0.0 && value.abs() < EXACT && !(value == 0.0 && value.is_sign_negative()) {
        out.push_str(itoa::Buffer::new().format(value as i64));
    } else if (1e-5..1e17).contains(&value.abs()) {
        // Outside this range a plain decimal would have up to 300 zeros.
        _ = write!(out, "{value}");
    } else {
        _ = write!(out, "{value:e}");
    }
}

/// Returns the encoded pair `vmrange="lower...upper"`. Four digits are exact enough, and the same bound has the same text in
/// both buckets that it divides.
pub(crate) fn vmrange(lower: f64, upper: f64) -> String {
    let bound = |bound: f64| if bound.is_finite() { format!("{bound:.3e}") } else { float_label(bound) };
    format!("vmrange=\"{}...{}\"", bound(lower), bound(upper))
}

/// Returns a bound or quantile as a label value, in the form that OpenMetrics prescribes: Go's `%g`, with `.0` on whole
/// numbers. Prometheus 3 converts the text format's labels to the same form.
pub(crate) fn float_label(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "+Inf".into() } else { "-Inf".into() };
    }
    if value == 0.0 || (1e-4..1e6).contains(&value.abs()) {
        return format!("{value:?}");
    }
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    format!("{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_parse_back() {
        let shown = |value: f64| {
            let mut out = String::new();
            push_f64(&mut out, value);
            out
        };
        assert_eq!(shown(f64::NAN), "NaN");
        assert_eq!(shown(f64::NEG_INFINITY), "-Inf");
        assert_eq!(shown(3.0), "3");
        assert_eq!(shown(-0.25), "-0.25");
        for value in [0.1, -0.0, 1e300, 1e-300, f64::MAX, f64::MIN_POSITIVE, 9_007_199_254_740_993.0, 123.456]
        {
            assert_eq!(shown(value).parse::<f64>().unwrap().to_bits(), value.to_bits(), "{}", shown(value));
            assert!(shown(value).len() < 30);
        }
    }

    #[test]
    fn bounds_have_the_form_of_openmetrics() {
        for (value, text) in [
            (1.0, "1.0"),
            (0.005, "0.005"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (100_000.0, "100000.0"),
            (1e6, "1e+06"),
            (1.5e7, "1.5e+07"),
            (1e100, "1e+100"),
            (0.0, "0.0"),
            (f64::INFINITY, "+Inf"),
        ] {
            assert_eq!(float_label(value), text);
        }
    }

    #[test]
    fn texts_that_differ_in_escaped_characters_stay_different() {
        let shown = |text: &str| {
            let mut out = String::new();
            push_escaped(&mut out, text, true);
            out
        };
        let texts = ["\\", "\\\\", "\"", "\\\"", "\n", "\\n", "\\\n", "\\\\n", ""];
        let mut seen: Vec<String> = texts.iter().map(|text| shown(text)).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), texts.len());
    }
}
