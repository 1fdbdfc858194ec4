//! Selection of capabilities by name.

/// Glob if it has `*` or `?`, else a part of the name. Case does not matter.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Pattern {
    text: String,
}

impl From<&str> for Pattern {
    fn from(text: &str) -> Pattern {
        Pattern { text: text.to_lowercase() }
    }
}

impl Pattern {
    pub(in crate::cli) fn text(&self) -> &str {
        &self.text
    }

    pub(in crate::cli) fn matches(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        match self.text.contains(['*', '?']) {
            true => is_match(self.text.as_bytes(), name.as_bytes()),
            false => name.contains(&self.text),
        }
    }
}

/// Returns whether the glob matches the whole of `name`.
fn is_match(glob: &[u8], name: &[u8]) -> bool {
    let (mut g, mut n) = (0, 0);
    // Place after the last `*`, and the first character of the name that it does not take.
    let mut retry = None;
    while n < name.len() {
        match glob.get(g) {
            Some(b'*') => {
                g += 1;
                retry = Some((g, n));
            }
            Some(letter) if *letter == b'?' || *letter == name[n] => (g, n) = (g + 1, n + 1),
            _ => match retry {
                // The last `*` takes one more. Earlier ones never need to: this keeps the time quadratic at most.
                Some((star, taken)) => {
                    (g, n) = (star, taken + 1);
                    retry = Some((star, taken + 1));
                }
                None => return false,
            },
        }
    }
    glob[g..].iter().all(|letter| *letter == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_glob_or_a_part_of_the_name() {
        for (pattern, name, expected) in [
            ("llm", "llm.chat", true),
            ("CHAT", "llm.chat", true),
            ("rag", "llm.chat", false),
            ("", "llm.chat", true),
            ("llm.*", "llm.chat", true),
            ("*chat", "llm.chat", true),
            ("*", "llm.chat", true),
            ("l*c*t", "llm.chat", true),
            ("llm.cha?", "llm.chat", true),
            ("llm", "x.llm.y", true),
            ("llm*", "x.llm.y", false),
            ("chat*", "llm.chat", false),
            ("?", "llm.chat", false),
            ("*a*a*a", "aaaa", true),
            ("*b", "aaaa", false),
            ("?", "", false),
        ] {
            assert_eq!(Pattern::from(pattern).matches(name), expected, "{pattern:?} {name:?}");
        }
        assert!(!Pattern::from("*a*a*a*a*a*a*a*a*b").matches(&"a".repeat(10_000)));
    }
}
