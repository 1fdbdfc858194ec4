//! Capability that a call names.

use std::str::FromStr;

use crate::wire;
use crate::wire::manifest::is_capability;

/// Name and version of a capability, written `NAME[@VERSION]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) name: String,
    pub(super) version: String,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Target, String> {
        let (name, version) = text.split_once('@').unwrap_or((text, wire::VERSION));
        if !is_capability(name) {
            return Err("the name of a capability has 1 to 128 ASCII letters, digits, `.`, `_` and `-`; \
                        `hearthnet caps` lists the names"
                .to_owned());
        }
        let is_part =
            |part: &str| (1..=9).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        // One dot at least: `2` would be ambiguous once 2.1 exists.
        if version.split('.').count() != 2 || !version.split('.').all(is_part) {
            return Err("a version is two numbers, such as `llm.chat@1.0`".to_owned());
        }
        Ok(Target { name: name.to_owned(), version: version.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_name_and_perhaps_a_version() {
        let target = |text: &str| text.parse::<Target>().map(|target| (target.name, target.version));
        assert_eq!(target("llm.chat"), Ok(("llm.chat".to_owned(), "1.0".to_owned())));
        assert_eq!(target("llm.chat@2.10"), Ok(("llm.chat".to_owned(), "2.10".to_owned())));
        for bad in
            ["", "@1.0", "a b", "a\n", "ü", "llm.chat@", "llm.chat@2", "llm.chat@1.x", "llm.chat@1.0.0"]
        {
            assert!(target(bad).is_err(), "{bad:?}");
        }
    }
}
