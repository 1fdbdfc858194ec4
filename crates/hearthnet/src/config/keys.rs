//! Keys of the file: those of this version, those of later versions, and mistyped ones.

use std::borrow::Cow;

use obs_facade::ObservabilityConfig;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Config;
use super::federated::{ConsentSection, FederatedSection, PublishSection};
use super::fields;
use super::mistake::{Mistake, shown};
use super::sections::{
    BackendSection, BusSection, CommunitySection, DiscoverySection, EmergencySection, IdentitySection,
    LlmSection, TransportSection,
};
use crate::nearest::nearest;

/// Keys that later versions add to sections of this version.
const LATER_KEYS: [(&str, &[&str]); 6] = [
    ("identity", &["auto_generate"]),
    ("transport", &["tls_cert", "tls_key"]),
    ("discovery", &["relay_urls"]),
    ("bus", &["prefer_local", "local_load_threshold"]),
    (
        "observability.federated",
        &[
            "aggregator_failover_seconds",
            "member_detail_retention_hours",
            "publish_to_external",
            "otlp_endpoint",
            "otlp_token_env",
            "trackio_community_space",
        ],
    ),
    ("observability.federated.consent", &["banding"]),
];

/// Sections that later versions and other modules add, with their keys where these are known. A section without keys may
/// hold anything.
const LATER_SECTIONS: [(&str, &[&str]); 6] = [
    ("embedding", &[]),
    ("rag", &[]),
    ("file", &[]),
    ("market", &[]),
    ("chat", &[]),
    ("ui", &["host", "port", "launch_browser"]),
];

/// Returns the sections of this version with their keys. `llm.backends` stands for each of its entries.
fn sections() -> [(&'static str, &'static [&'static str]); 13] {
    [
        ("identity", fields::of::<IdentitySection>()),
        ("community", fields::of::<CommunitySection>()),
        ("transport", fields::of::<TransportSection>()),
        ("discovery", fields::of::<DiscoverySection>()),
        ("bus", fields::of::<BusSection>()),
        ("llm", fields::of::<LlmSection>()),
        ("llm.backends", fields::of::<BackendSection>()),
        ("emergency", fields::of::<EmergencySection>()),
        ("observability", fields::of::<ObservabilityConfig>()),
        ("observability.federated", fields::of::<FederatedSection>()),
        ("observability.federated.consent", fields::of::<ConsentSection>()),
        ("observability.federated.consent.publish_to_community", fields::of::<PublishSection>()),
        ("observability.federated.consent.publish_to_federated", fields::of::<PublishSection>()),
    ]
}

/// Keys that this version does not read: mistakes, and keys of later versions.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    pub(super) mistakes: Vec<Mistake>,
    /// Sections and keys of later versions.
    pub(super) unused: Vec<String>,
}

/// Removes the keys that this version does not read from `document`, and returns what they are.
pub(super) fn sort(document: &mut DeTable<'_>, text: &str) -> Sorted {
    let mut sorter = Sorter { text, sorted: Sorted::default() };
    sorter.root(document);
    sorter.sorted.unused.sort();
    sorter.sorted
}

struct Sorter<'a> {
    text: &'a str,
    sorted: Sorted,
}

impl Sorter<'_> {
    fn root(&mut self, document: &mut DeTable<'_>) {
        let known = fields::of::<Config>();
        for (key, mut value) in std::mem::take(document) {
            let name: &str = key.get_ref();
            if later_section(name).is_some() {
                self.unused(name, &value);
            } else if !known.contains(&name) {
                self.unknown_section(&key, &value);
            } else if self.section(name, key.span().start, &mut value) {
                document.insert(key, value);
            }
        }
    }

    /// Sorts the keys of a section of this version. Returns whether it can be read.
    fn section(&mut self, name: &str, at: usize, value: &mut Spanned<DeValue<'_>>) -> bool {
        let DeValue::Table(table) = value.get_mut() else {
            self.mistake(
                at,
                name,
                "it is a section and not a value",
                format!("write a line `[{name}]`, and its keys below"),
            );
            return false;
        };
        self.keys(name, name, table);
        if name == "llm" {
            self.backends(table);
        }
        true
    }

    fn backends(&mut self, llm: &mut DeTable<'_>) {
        const NAME: &str = "llm.backends";
        let Some(value) = llm.get_mut("backends") else { return };
        let at = value.span().start;
        let DeValue::Array(backends) = value.get_mut() else {
            let advice = "write `[[llm.backends]]`, with two brackets on each side";
            self.mistake(at, NAME, "it is a list of servers", advice);
            llm.remove("backends");
            return;
        };
        for (index, backend) in backends.iter_mut().enumerate() {
            if let DeValue::Table(table) = backend.get_mut() {
                self.keys(NAME, &format!("{NAME}[{index}]"), table);
            }
        }
    }

    /// Sorts the keys of a table. `path` is its name with the index.
    fn keys(&mut self, section: &str, path: &str, table: &mut DeTable<'_>) {
        let known = keys_of(section);
        for (key, mut value) in std::mem::take(table) {
            let name: &str = key.get_ref();
            let field = format!("{path}.{name}");
            if is_below_observability(&field) {
                if self.section(&field, key.span().start, &mut value) {
                    table.insert(key, value);
                }
            } else if later_section(&field).is_some() || later_keys(section).contains(&name) {
                self.unused(&field, &value);
            } else if known.contains(&name) {
                table.insert(key, value);
            } else {
                let hint = nearest_key(name, section).or_else(|| misplaced(name, section));
                let advice = with_hint(hint, &format!("expected one of {}", listed(known)));
                self.mistake(key.span().start, path, format!("unknown key `{}`", shown(name)), advice);
            }
        }
    }

    /// Notes a section or key of a later version. In a section whose keys are known, a mistyped one is a mistake.
    fn unused(&mut self, name: &str, value: &Spanned<DeValue<'_>>) {
        self.mistyped_below(name, value);
        self.sorted.unused.push(name.to_owned());
    }

    fn mistyped_below(&mut self, name: &str, value: &Spanned<DeValue<'_>>) {
        let (Some(known), DeValue::Table(table)) = (later_section(name), value.get_ref()) else { return };
        for (key, value) in table {
            let word: &str = key.get_ref();
            match nearest(word, known.iter().copied()) {
                Some(meant) if meant == word => self.mistyped_below(&format!("{name}.{word}"), value),
                Some(meant) => {
                    let advice = format!("did you mean `{meant}`? expected one of {}", listed(known));
                    self.mistake(key.span().start, name, format!("unknown key `{}`", shown(word)), advice);
                }
                // A key that is like none of the known ones may be one of a version after those.
                None => {}
            }
        }
    }

    fn unknown_section(&mut self, key: &Spanned<Cow<'_, str>>, value: &Spanned<DeValue<'_>>) {
        let name: &str = key.get_ref();
        let known = fields::of::<Config>();
        let all = known.iter().copied().chain(LATER_SECTIONS.iter().map(|(name, _)| *name));
        let what = match value.get_ref() {
            DeValue::Table(_) | DeValue::Array(_) => "section",
            _ => "key",
        };
        let hint = match what {
            "key" => misplaced(name, ""),
            _ => nearest(name, all).map(|meant| format!("did you mean `{meant}`?")),
        };
        let advice = with_hint(hint, &format!("expected one of {}", listed(known)));
        let field = shown(name);
        self.mistake(key.span().start, &field, format!("unknown {what} `{field}`"), advice);
    }

    fn mistake(&mut self, at: usize, field: &str, problem: impl Into<String>, advice: impl Into<String>) {
        self.sorted.mistakes.push(Mistake::at((self.text, at), field, problem, advice));
    }
}

fn with_hint(hint: Option<String>, expected: &str) -> String {
    hint.map_or_else(|| expected.to_owned(), |hint| format!("{hint} {expected}"))
}

/// Returns advice on a key that another section has.
fn misplaced(key: &str, section: &str) -> Option<String> {
    let owners: Vec<_> = sections()
        .into_iter()
        .filter(|(name, keys)| *name != section && keys.contains(&key))
        .map(|(name, _)| match name {
            "llm.backends" => "`[[llm.backends]]`".to_owned(),
            name => format!("`[{name}]`"),
        })
        .collect();
    (!owners.is_empty()).then(|| format!("move it to {};", owners.join(" or ")))
}

fn nearest_key(key: &str, section: &str) -> Option<String> {
    let all = keys_of(section).iter().chain(later_keys(section)).copied();
    nearest(key, all).map(|meant| format!("did you mean `{meant}`?"))
}

fn keys_of(section: &str) -> &'static [&'static str] {
    sections().into_iter().find(|(name, _)| *name == section).map_or(&[], |(_, keys)| keys)
}

/// Returns whether a key of `[observability]`, or of a section below it, is a section of its own.
fn is_below_observability(field: &str) -> bool {
    field.starts_with("observability.") && !keys_of(field).is_empty()
}

fn later_keys(section: &str) -> &'static [&'static str] {
    LATER_KEYS.into_iter().find(|(name, _)| *name == section).map_or(&[], |(_, keys)| keys)
}

fn later_section(name: &str) -> Option<&'static [&'static str]> {
    LATER_SECTIONS.into_iter().find(|(known, _)| *known == name).map(|(_, keys)| keys)
}

fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(text: &str) -> Sorted {
        sort(DeTable::parse(text).unwrap().get_mut(), text)
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let found = sorted(text).mistakes;
        let [mistake] = &found[..] else { panic!("one mistake: {found:?}") };
        let mistake = mistake.to_string();
        assert!(mistake.starts_with(expected), "{mistake}");
    }

    #[test]
    fn all_that_later_versions_define_is_accepted_and_named() {
        let text = r#"
            [identity]
            auto_generate = true
            [transport]
            port = 7080
            tls_cert = "cert.pem"
            tls_key = "key.pem"
            [discovery]
            relay_urls = []
            [bus]
            prefer_local = true
            local_load_threshold = 0.8
            [embedding]
            anything = 1
            [rag]
            [file]
            [market]
            [chat]
            [ui]
            host = "127.0.0.1"
            port = 7860
            launch_browser = false
            a_key_of_a_version_after_those = 1
            [observability.federated]
            enabled = true
            metrics_tick_seconds = 60
            aggregator_failover_seconds = 60
            member_detail_retention_hours = 24
            aggregation_min_nodes = 3
            aggregator = ""
            publish_to_external = false
            otlp_endpoint = "http://127.0.0.1:4318"
            otlp_token_env = "TOKEN"
            trackio_community_space = "space"
            [observability.federated.consent.publish_to_community]
            metrics = ["cpu_pct"]
            [observability.federated.consent.publish_to_federated]
            metrics = []
            [observability.federated.consent.banding]
            cpu_pct = [0, 5, 10]
        "#;
        let Sorted { mistakes, unused } = sorted(text);
        assert_eq!(mistakes, []);
        let expected = [
            "bus.local_load_threshold",
            "bus.prefer_local",
            "chat",
            "discovery.relay_urls",
            "embedding",
            "file",
            "identity.auto_generate",
            "market",
            "observability.federated.aggregator_failover_seconds",
            "observability.federated.consent.banding",
            "observability.federated.member_detail_retention_hours",
            "observability.federated.otlp_endpoint",
            "observability.federated.otlp_token_env",
            "observability.federated.publish_to_external",
            "observability.federated.trackio_community_space",
            "rag",
            "transport.tls_cert",
            "transport.tls_key",
            "ui",
        ];
        assert_eq!(unused, expected);
    }

    #[test]
    fn a_mistyped_key_or_section_has_a_suggestion() {
        check(
            "[transport]\nprot = 1",
            "2:1: transport: unknown key `prot`; did you mean `port`? expected one of `host`,",
        );
        check(
            "[transport]\ntls_crt = \"x\"",
            "2:1: transport: unknown key `tls_crt`; did you mean `tls_cert`?",
        );
        check(
            "[observability]\nloglevel = \"x\"",
            "2:1: observability: unknown key `loglevel`; did you mean `log_level`?",
        );
        check(
            "[transprot]\nport = 1",
            "1:2: transprot: unknown section `transprot`; did you mean `transport`?",
        );
        check("[rga]", "1:2: rga: unknown section `rga`; did you mean `rag`? expected one of `identity`,");
        check("[ui]\nprot = 1", "2:1: ui: unknown key `prot`; did you mean `port`?");
        check(
            "[bus]\nprefer_locl = true",
            "2:1: bus: unknown key `prefer_locl`; did you mean `prefer_local`?",
        );
        check(
            "[observability.federated]\nenabeld = true",
            "2:1: observability.federated: unknown key `enabeld`; did you mean `enabled`?",
        );
        check(
            "[observability.federated.consent.publish_to_comunity]",
            "1:34: observability.federated.consent: unknown key `publish_to_comunity`; did you mean `publish_to_community`?",
        );
        check(
            "[[llm.backends]]\nname = \"a\"\nulr = \"b\"",
            "3:1: llm.backends[0]: unknown key `ulr`; did you mean `url`?",
        );
        check("[quantum]", "1:2: quantum: unknown section `quantum`; expected one of `identity`,");
    }

    #[test]
    fn a_key_in_the_wrong_place_is_sent_to_its_section() {
        check("port = 1", "1:1: port: unknown key `port`; move it to `[transport]`;");
        check(
            "[identity]\nlog_level = \"x\"",
            "2:1: identity: unknown key `log_level`; move it to `[observability]`;",
        );
        check("[llm]\nmodel = \"x\"", "2:1: llm: unknown key `model`; move it to `[[llm.backends]]`;");
        check(
            "transport = 7080",
            "1:1: transport: it is a section and not a value; write a line `[transport]`",
        );
        check(
            "[llm.backends]\nname = \"x\"",
            "1:1: llm.backends: it is a list of servers; write `[[llm.backends]]`",
        );
    }
}
