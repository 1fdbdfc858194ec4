//! The configuration file that a new node gets.

/// A configuration file with what matters, everything else as comments with its default.
pub(crate) fn config_text(name: &str, community_id: &str) -> String {
    let name = toml::Value::String(name.to_owned());
    format!(
        r#"# HearthNet node. Whatever is left out has the value that its comment shows, or none where that says "such as".

[identity]
display_name = {name}
# keys_dir = ""                          # empty: the keys folder of the platform

[community]
community_id = "{community_id}"
# state_dir = ""                         # empty: the communities folder of the platform

[transport]
host = "0.0.0.0"
port = 7080
# rate_limit_soft_rps = 10               # calls a second by one caller to one capability: counted and logged
# rate_limit_hard_rps = 100              # … refused with `rate_limited`; 0 is no limit
# call_timeout_seconds = 30              # how long a peer may take to begin its answer

[discovery]
# static_peers = []                      # nodes to know without discovery, such as "http://192.168.1.20:7080"
# mdns_enabled = true
# udp_enabled = true
# udp_multicast_group = "239.255.42.42"
# udp_port = 42424

# A language model for `llm.chat`, such as this: any server that speaks the OpenAI protocol.
# [[llm.backends]]
# name = "ollama"
# url = "http://127.0.0.1:11434"
# model = "qwen2.5:7b-instruct"
# api_key_env = "LLM_KEY"                # the environment variable with the key of a server that wants one
# timeout_seconds = 120                  # how long it may be silent

[emergency]
# Hosts that tell whether the internet is up; [] probes nothing.
# probe_targets = ["1.1.1.1", "8.8.8.8", "cloudflare.com", "quad9.net"]

[observability]
log_level = "info"                       # trace, debug, info, warning, error; also "info,hearthnet.node=debug"
# log_dir = ""                           # empty: the log folder of the platform
# log_console = false                    # lines on stderr too, for people
# log_max_bytes = 0                      # the most bytes of a file, from 1048576; 0 is no limit
# log_compress = false                   # finished days as .log.gz
# metrics_enabled = true
# otlp_endpoint = "http://127.0.0.1:4318" # an OpenTelemetry collector that gets the traces, such as this
# otlp_headers_env = "OTEL_EXPORTER_OTLP_HEADERS" # the environment variable with the headers that it wants, such as a key
# otlp_compression = "gzip"              # "none" for a collector that reads no gzip
# otlp_only_sampled = false              # whether traces that their caller did not sample stay on this node
# doctor_interval_seconds = 0            # how often the node asks its doctor, from 10; 0 is never
# doctor_remote = false                  # whether /doctor answers other machines too
# Addresses whose `Date` tells the doctor the time.
# doctor_clock_anchors = ["http://cp.cloudflare.com/generate_204", "http://www.google.com/generate_204", "http://connectivity-check.ubuntu.com/"]
"#
    )
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::Config;
    use crate::config::paths::Paths;
    use crate::wire::signing::identity::Identity;

    /// What can be set is in the file that a user edits, and each comment can be used as it stands.
    #[test]
    fn f4_the_configuration_that_init_writes_names_every_field() {
        let home = tempfile::tempdir().unwrap();
        let paths = Paths::under(home.path());
        let id = Identity::from_seed(&[7; 32]).node_id().to_owned();
        let uncommented: String = config_text("garage", &id)
            .lines()
            .map(|line| {
                line.strip_prefix("# ").filter(|rest| is_toml(rest)).unwrap_or(line).to_owned() + "\n"
            })
            .collect();
        let file = home.path().join("config.toml");
        fs::write(&file, &uncommented).unwrap();
        let config = Config::load(Some(&file), &paths).unwrap();
        assert_eq!(config.emergency.probe_targets, Config::default().emergency.probe_targets);
        assert_eq!(
            config.for_doctor(&paths).clock_anchors,
            obs_facade::doctor::Config::default().clock_anchors
        );

        for section in [
            "[identity]",
            "[community]",
            "[transport]",
            "[discovery]",
            "[[llm.backends]]",
            "[emergency]",
            "[observability]",
        ] {
            fs::write(&file, format!("{section}\nnot-a-field = 1")).unwrap();
            let refused = Config::load(Some(&file), &paths).unwrap_err().message().to_owned();
            let (_, allowed) = refused.split_once("expected").unwrap();
            for field in allowed.split('`').skip(1).step_by(2) {
                assert!(uncommented.contains(&format!("\n{field} = ")), "{section} {field}");
            }
        }
    }

    fn is_toml(text: &str) -> bool {
        text.contains(" = ") || text.starts_with("[[")
    }

    #[test]
    fn the_configuration_that_init_writes_is_read_back_with_any_name() {
        let home = tempfile::tempdir().unwrap();
        let paths = Paths::under(home.path());
        let id = Identity::from_seed(&[7; 32]).node_id().to_owned();
        for name in ["garage", "Ada's \"hearth\" # 1", "Küche \\ Keller"] {
            let file = home.path().join("config.toml");
            fs::write(&file, config_text(name, &id)).unwrap();
            let config = Config::load(Some(&file), &paths).unwrap();
            assert_eq!(config.identity.display_name, name);
            assert_eq!(config.community.community_id.as_deref(), Some(id.as_str()));
        }
    }
}
