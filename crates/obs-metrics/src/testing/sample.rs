//! Samples of a page in the text format.

/// Returns the labels and the value of a line, if it is a sample with this name.
pub(super) fn sample<'a>(line: &'a str, name: &str) -> Option<(Vec<(&'a str, String)>, f64)> {
    let rest = line.strip_prefix(name)?;
    let (labels, value) = match rest.strip_prefix('{') {
        Some(rest) => split_labels(rest)?,
        None => (Vec::new(), rest),
    };
    // A longer name continues with another character than a space or a brace.
    Some((labels, value.strip_prefix(' ')?.parse().ok()?))
}

pub(super) fn has_label(own: &[(&str, String)], (name, value): &(&str, &str)) -> bool {
    own.iter().any(|(label, held)| label == name && held == value)
}

/// Splits `a="x",b="y"} 1` into its labels, with their values unescaped, and the rest after the brace.
fn split_labels(mut rest: &str) -> Option<(Vec<(&str, String)>, &str)> {
    let mut labels = Vec::new();
    loop {
        let (name, quoted) = rest.split_once("=\"")?;
        let (value, after) = unquote(quoted)?;
        labels.push((name, value));
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None => return Some((labels, after.strip_prefix('}')?)),
        }
    }
}

/// Unescapes a value up to its closing quote. Returns it and the rest after the quote.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next()? {
            '"' => return Some((value, chars.as_str())),
            '\\' => match chars.next()? {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
}
