//! Reading of `Accept-Encoding`.

/// Returns whether a client accepts `coding`: the header lists it, or lists `*` and not the coding itself, with a
/// weight above zero (RFC 9110, section 12.5.3).
pub(super) fn accepts_encoding(header: Option<&str>, coding: &str) -> bool {
    let mut wildcard = false;
    for item in header.unwrap_or_default().split(',') {
        let (name, weight) = item.split_once(';').unwrap_or((item, ""));
        let wanted = is_positive(weight);
        match name.trim() {
            name if name.eq_ignore_ascii_case(coding) => return wanted,
            "*" => wildcard = wanted,
            _ => {}
        }
    }
    wildcard
}

fn is_positive(weight: &str) -> bool {
    match weight.trim().split_once('=') {
        None => true,
        Some((_, q)) => q.trim().parse::<f32>().is_ok_and(|q| q > 0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_used_only_when_accepted() {
        for (header, wanted) in [
            (None, false),
            (Some(""), false),
            (Some("gzip"), true),
            (Some("GZIP;q=0.5, deflate"), true),
            (Some("gzip;q=0"), false),
            (Some("gzip; q=0.000, *"), false),
            (Some("*"), true),
            (Some("*;q=0"), false),
            (Some("br, identity"), false),
            (Some("gzip;q=nan"), false),
            (Some("xgzip"), false),
        ] {
            assert_eq!(accepts_encoding(header, "gzip"), wanted, "{header:?}");
        }
    }
}
