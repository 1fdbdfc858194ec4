//! Query of `/metrics`: the form of native histograms.

/// Returns whether native histograms are shown as `vmrange` buckets. Other parameters are the scraper's own, as Prometheus
/// and vmagent allow, and have no meaning here.
pub(super) fn wants_ranges(query: &str) -> Result<bool, &'static str> {
    let mut wanted = false;
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match (&*name, &*value) {
            ("histograms", "vmrange") => wanted = true,
            ("histograms", "declared") => wanted = false,
            ("histograms", _) => return Err("histograms: unknown form; use vmrange or declared\n"),
            _ => {}
        }
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_parameter_chooses_the_form() {
        for (query, wanted) in [
            ("", Ok(false)),
            ("histograms=vmrange", Ok(true)),
            ("a=b&histograms=vmrange&c", Ok(true)),
            ("histograms=vm%72ange", Ok(true)),
            ("histograms=declared", Ok(false)),
            ("histograms=vmrange&histograms=declared", Ok(false)),
            ("match[]=up&%00=%ff&&=", Ok(false)),
        ] {
            assert_eq!(wants_ranges(query), wanted, "{query}");
        }
        for query in ["histograms", "histograms=", "histograms=VMRANGE", "histograms=vmrange&histograms=x"] {
            assert!(wants_ranges(query).unwrap_err().contains("vmrange"), "{query}");
        }
    }
}
