//! Parts of a sample line of the recorder's page: its number and its labels.

use super::text::Line;

impl Line {
    pub(super) fn number(&self) -> f64 {
        self.value.parse().unwrap_or(f64::NAN)
    }

    /// Returns the value of the last label, if it is this one.
    pub(super) fn bound(&self, label: &str) -> Option<f64> {
        let (name, value) = labels(&self.labels).pop()?;
        if name == label { value.parse().ok() } else { None }
    }
}

/// Splits `a="x",b="y"` into names and unescaped values.
pub(super) fn labels(text: &str) -> Vec<(String, String)> {
    let mut labels = Vec::new();
    let mut rest = text;
    while let Some((name, quoted)) = rest.split_once("=\"") {
        let mut value = String::new();
        let mut chars = quoted.chars();
        while let Some(c) = chars.next() {
            match c {
                '"' => break,
                '\\' => match chars.next() {
                    Some('n') => value.push('\n'),
                    other => value.extend(other),
                },
                c => value.push(c),
            }
        }
        labels.push((name.trim_start_matches(',').to_owned(), value));
        rest = chars.as_str();
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_with_any_values_are_split() {
        let found = labels(r#"a="x",b="",c="q\"=\"\\n\n,\\",le="+Inf""#);
        let found: Vec<(&str, &str)> = found.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(found, [("a", "x"), ("b", ""), ("c", "q\"=\"\\n\n,\\"), ("le", "+Inf")]);
        assert!(labels("").is_empty());
    }
}
