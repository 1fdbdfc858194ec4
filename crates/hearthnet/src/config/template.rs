//! Configuration file of a new node.

/// Returns a file with the required fields. All other fields are comments that show their defaults.
pub(crate) fn config_text(name: &str, community_id: &str, port: u16) -> String {
    // Quotes and backslashes in the name need escapes.
    let name = toml::Value::String(name.to_owned());
    format!(
        r#"# Configuration of a HearthNet node. A comment shows the default of its field. "Example" marks a field without a default.

[identity]
display_name = {name}
# keys_dir = ""                          # empty: the default folder for keys

[community]
community_id = "{community_id}"
# state_dir = ""                         # empty: the default folder for communities

[transport]
host = "0.0.0.0"
port = {port}
# rate_limit_soft_rps = 10               # calls a second of one caller to one capability; more are counted and logged
# rate_limit_hard_rps = 100              # calls a second of one caller to one capability; more are refused; 0 is no limit
# call_timeout_seconds = 30              # maximum time until a peer begins to answer

[discovery]
# static_peers = []                      # addresses of known nodes; example: ["http://192.168.1.20:7080"]
# mdns_enabled = true
# udp_enabled = true
# udp_multicast_group = "239.255.42.42"
# udp_port = 42424

[bus]
# Built-in capabilities that this node answers itself. It forwards calls of all others to a peer that offers them.
# offer = ["experimental.echo", "experimental.node.status", "llm.chat"]

# Example: language model for `llm.chat`, on any server that speaks the OpenAI protocol.
# [[llm.backends]]
# name = "ollama"
# url = "http://127.0.0.1:11434"
# model = "qwen2.5:7b-instruct"
# api_key_env = "LLM_KEY"                # environment variable with the key of the server
# timeout_seconds = 120                  # maximum silence of the server

[emergency]
# Hosts whose reachability shows whether the internet is up. [] probes none.
# probe_targets = ["1.1.1.1", "8.8.8.8", "cloudflare.com", "quad9.net"]

[observability]
log_level = "info"                       # trace, debug, info, warning or error; for one logger: "info,hearthnet.node=debug"
# log_dir = ""                           # empty: the default folder for the log
# log_console = false                    # log on stderr too: "text" (or true) for people, "json" for journald and `docker logs`
# log_max_bytes = 0                      # maximum size of a log file, as "100MB" or in bytes, at least 1MiB; 0 is no limit
# log_compress = false                   # compress finished days to .log.gz
# log_latest = false                     # true keeps latest.log, a link to the file of today, for `tail -F`
# log_group = ""                         # group that may read new files of the log; example: "adm"
# metrics_enabled = true
# tracing = true                         # lines and spans of libraries that use the crate `tracing`
# tracing_roots = []                     # targets whose spans begin a trace of their own; example: ["my_crate::jobs"]
# blocked_worker_ms = 10                 # longest time for which a task may hold its thread, or "off"; longer ones are logged and counted
# history = true                         # keep the metrics of each minute on disk, for `hearthnet history`
# history_days = 14                      # days that are kept, 1 to 366
# history_max_bytes = "64MiB"            # maximum size, at least 1MiB; the oldest minutes make room for new ones
# trace_history = true                   # keep the last traces on disk, so that they are there after a restart
# trace_history_max_bytes = "32MiB"      # size of their file, 1MiB to 1GiB; the oldest traces make room for new ones
# problems_hook = []                     # command that is run at a new problem; example: ["/usr/bin/notify-send", "HearthNet"]
# problems_webhook = "http://127.0.0.1:9000/hook" # example: address that gets new problems as JSON
# console = "local"                      # page at /console: "local" for this machine, "lan" for others with its token, or "off"
# otlp_endpoint = "http://127.0.0.1:4318" # example: OpenTelemetry collector that receives the traces, and metrics and lines if these are on
# otlp_headers_env = "OTEL_EXPORTER_OTLP_HEADERS" # example: environment variable with headers, such as a key
# otlp_compression = "gzip"              # "none" for a collector that cannot decompress
# otlp_only_sampled = false              # true: export only traces that their caller sampled
# otlp_traces = true                     # false: export no traces
# otlp_metrics = false                   # true: export metrics too
# otlp_metrics_interval_seconds = 60     # time between two exports of metrics, 1 to 3600; unset: OTEL_METRIC_EXPORT_INTERVAL, or 60
# otlp_temporality = "cumulative"        # "delta": what came since the last export; unset: OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE
# otlp_logs = false                      # true: export the lines of the log too
# doctor_interval_seconds = 300          # example: interval between runs of all checks, at least 10; 0 is never; unset: every 5 minutes, without those that send packets to other machines
# doctor_remote = false                  # true: answer /doctor to other machines too
# Servers whose `Date` header gives the doctor the time.
# doctor_clock_anchors = ["http://cp.cloudflare.com/generate_204", "http://www.google.com/generate_204", "http://connectivity-check.ubuntu.com/"]

# Metrics of the community, without those of any node: docs/operating.md has what is protected.
[observability.federated]
# enabled = false
# aggregator = ""                        # ID of the node that collects and may ask this one; empty: this node collects
# consent.publish_to_community.metrics = [] # what this node shares; example: ["capability_calls_per_min", "error_rate_per_min", "p95_latency_ms_by_cap", "cpu_pct"]
# consent.publish_to_federated.metrics = [] # those of it whose figures may leave the community
# aggregation_min_nodes = 3              # least number of nodes behind a figure, 3 to 64
# metrics_tick_seconds = 60              # time between two figures, 1 to 3600, the same on all nodes; a short one tells more of single calls
"#
    )
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::paths::Paths;
    use crate::config::{BUILT_IN, Config};
    use crate::wire::signing::identity::Identity;

    /// The file names every field, and each comment is valid TOML.
    #[test]
    fn the_template_names_every_field() {
        let home = tempfile::tempdir().unwrap();
        let paths = Paths::under(home.path());
        let id = Identity::from_seed(&[7; 32]).node_id().to_owned();
        let uncommented: String = config_text("garage", &id, 7080)
            .lines()
            .map(|line| {
                line.strip_prefix("# ").filter(|rest| is_toml(rest)).unwrap_or(line).to_owned() + "\n"
            })
            .collect();
        let file = home.path().join("config.toml");
        fs::write(&file, &uncommented).unwrap();
        let config = Config::load(Some(&file), &paths).unwrap();
        assert_eq!(config.bus.offer.as_deref().unwrap(), BUILT_IN);
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
            "[[llm.backends]]\nname = \"a\"\nurl = \"http://a\"",
            "[emergency]",
            "[observability]",
            "[observability.federated]",
        ] {
            fs::write(&file, format!("{section}\nnot-a-field = 1")).unwrap();
            let refused = Config::load(Some(&file), &paths).unwrap_err().message().to_owned();
            let (_, allowed) = refused.split_once("expected one of").unwrap();
            for field in allowed.split('`').skip(1).step_by(2) {
                // A section below is written as the path of its key.
                let is_named =
                    [" = ", "."].iter().any(|after| uncommented.contains(&format!("\n{field}{after}")));
                assert!(is_named, "{section} {field}");
            }
        }
    }

    fn is_toml(text: &str) -> bool {
        text.contains(" = ") || text.starts_with("[[")
    }

    #[test]
    fn the_template_is_read_back_with_any_name() {
        let home = tempfile::tempdir().unwrap();
        let paths = Paths::under(home.path());
        let id = Identity::from_seed(&[7; 32]).node_id().to_owned();
        for name in ["garage", "Ada's \"hearth\" # 1", "Küche \\ Keller"] {
            let file = home.path().join("config.toml");
            fs::write(&file, config_text(name, &id, 7081)).unwrap();
            let config = Config::load(Some(&file), &paths).unwrap();
            assert_eq!((config.identity.display_name.as_str(), config.transport.port), (name, 7081));
            assert_eq!(config.community.community_id.as_deref(), Some(id.as_str()));
        }
    }
}
