//! Suggestions for mistyped names.

/// Returns the known name that `word` was most likely meant to be: the nearest one, if a few slips of the hand turn it into
/// `word`. A swap of two neighbouring letters is one slip. Case does not matter.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // The comparison takes the product of both lengths, and a word may come from a file or the network.
    const MAX_CHARS: usize = 64;
    let length = word.chars().count();
    if length > MAX_CHARS {
        return None;
    }
    // In a short word, more slips leave nothing of it.
    let slips = match length {
        ..=2 => 0,
        3..=4 => 1,
        5..=8 => 2,
        _ => 3,
    };
    let word = word.to_lowercase();
    let distances = known.into_iter().map(|name| (strsim::osa_distance(&word, &name.to_lowercase()), name));
    distances
        .filter(|(distance, _)| *distance <= slips)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Returns `; did you mean ...?` for the nearest of the known names, and nothing if none is near.
pub(crate) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, known).map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_forgiven_and_another_word_is_not() {
        let known = ["host", "port", "transport", "log_level", "rate_limit_soft_rps", "rate_limit_hard_rps"];
        for (word, meant) in [
            ("prot", Some("port")),
            ("hst", Some("host")),
            ("Port", Some("port")),
            ("transprot", Some("transport")),
            ("loglevel", Some("log_level")),
            ("log-level", Some("log_level")),
            ("rate_limit_sfot_rps", Some("rate_limit_soft_rps")),
            ("theme", None),
            ("po", None),
            ("", None),
            ("transportation_of_goods", None),
        ] {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
        assert_eq!(did_you_mean("prot", known), "; did you mean `port`?");
        assert_eq!(did_you_mean("theme", known), "");
        assert_eq!(nearest(&"a".repeat(1_000_000), ["a"]), None);
    }
}
