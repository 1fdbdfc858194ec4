//! `llm_backend_reachable`: a language model answers.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::Value;

use super::race::race;
use crate::check::Context;
use crate::config::LlmBackend;
use crate::machine::{Http, HttpError, HttpRequest, HttpResponse, is_local_host};
use crate::report::{CheckResult, SkipReason};

/// Maximum number of backends that are asked. Each takes two threads.
const MAX_BACKENDS: usize = 16;
/// Time for all answers, below the deadline of a check (2 s).
const PATIENCE: Duration = Duration::from_millis(1500);
/// Time for one answer, a little less, so that a timeout is reported as one.
const TIMEOUT: Duration = Duration::from_millis(1400);
// Remedies, one for each finding.
const FIX_START: &str = "start the backend, or correct `url` in `[[llm.backends]]`";
const FIX_URL: &str = "correct `url` in `[[llm.backends]]`, to an address such as http://127.0.0.1:11434";
const FIX_SILENT: &str = "check whether the backend is loading a large model, and restart it if it hangs";
const FIX_BASE: &str = "set `url` in `[[llm.backends]]` to the base address of Ollama or an OpenAI interface";
const FIX_KEY: &str =
    "set the environment variable named by `api_key_env` in `[[llm.backends]]` to the backend's key";

/// Checks that at least one configured backend lists its models.
pub(super) fn reachable(cx: &Context) -> CheckResult {
    if cx.config.llm_backends.is_empty() {
        return CheckResult::skip(SkipReason::NotConfigured, "no `[[llm.backends]]` is configured");
    }
    let usable = |backend: &&LlmBackend| !cx.config.offline || is_near(&backend.url);
    let backends: Vec<LlmBackend> =
        cx.config.llm_backends.iter().filter(usable).take(MAX_BACKENDS).cloned().collect();
    if backends.is_empty() {
        return CheckResult::skip(SkipReason::Offline, "offline, and every backend is on the internet");
    }
    let http = std::sync::Arc::clone(&cx.machine.http);
    let numbered = backends.iter().enumerate();
    let questions: Vec<(usize, HttpRequest)> =
        numbered.flat_map(|(at, backend)| requests(backend).map(|request| (at, request))).collect();
    let ask = move |(at, request): (usize, HttpRequest)| (at, ask(http.as_ref(), &request));
    // The first list of models decides; the other backends need not be waited for.
    let enough =
        |answers: &[(usize, (usize, Finding))]| answers.iter().any(|(_, (_, answer))| answer.is_models());
    let answers = race(questions, PATIENCE, ask, enough);
    judge(&backends, answers.into_iter().map(|(_, answer)| answer).collect())
}

fn requests(backend: &LlmBackend) -> [HttpRequest; 2] {
    let key = backend.api_key_env.as_ref().and_then(|variable| std::env::var(variable).ok());
    // Without a proxy, as the node itself connects.
    urls(&backend.url).map(|url| HttpRequest::get(url).direct().timeout(TIMEOUT).bearer(key.clone()))
}

/// Returns the addresses of Ollama's model list and of the OpenAI API's. The base address may end in `/v1`.
fn urls(base: &str) -> [String; 2] {
    let base = base.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    // `/v1` belongs to the OpenAI API; Ollama's own list is beside it.
    let root = base.strip_suffix("/v1").unwrap_or(base);
    [format!("{root}/api/tags"), format!("{root}/v1/models")]
}

/// Finding about one address, in the order of significance: for each backend the greatest one is reported.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Finding {
    Filtered(String),
    NoInternet(String),
    BadUrl(String),
    Unreachable(String),
    Silent,
    NoTls,
    NotAModelServer(String),
    ServerError(u16),
    Denied(u16),
    Models(usize),
}

impl Finding {
    fn is_models(&self) -> bool {
        matches!(self, Self::Models(_))
    }
}

fn ask(http: &dyn Http, request: &HttpRequest) -> Finding {
    match http.send(request) {
        Ok(response) => read(&response),
        Err(HttpError::NoTls) => Finding::NoTls,
        Err(err @ HttpError::Filtered(_)) => Finding::Filtered(err.to_string()),
        Err(HttpError::Timeout) => Finding::Silent,
        // The internet is down, which is not a fault of the node.
        Err(err @ (HttpError::NoRoute | HttpError::NoNameServer | HttpError::Unreached))
            if !is_near(&request.url) =>
        {
            Finding::NoInternet(err.to_string())
        }
        Err(err @ (HttpError::BadUrl(_) | HttpError::NameNotFound)) => Finding::BadUrl(err.to_string()),
        Err(err @ HttpError::Protocol(_)) => Finding::NotAModelServer(err.to_string()),
        Err(err) => Finding::Unreachable(err.to_string()),
    }
}

fn read(response: &HttpResponse) -> Finding {
    match response.status {
        200 => match models(&response.body) {
            Some(models) => Finding::Models(models),
            None => Finding::NotAModelServer("the answer is not a list of models".to_owned()),
        },
        401 | 403 => Finding::Denied(response.status),
        300..=399 => Finding::NotAModelServer("it redirects to another address".to_owned()),
        500.. => Finding::ServerError(response.status),
        status => Finding::NotAModelServer(format!("it answers HTTP {status}")),
    }
}

/// Returns the number of models in `{"models": […]}` or `{"data": […]}`.
fn models(body: &[u8]) -> Option<usize> {
    let list: Value = serde_json::from_slice(body).ok()?;
    // Ollama sends null when it has no model.
    let is_empty_ollama = list.get("models").is_some_and(Value::is_null);
    let models = list.get("models").or_else(|| list.get("data")).and_then(Value::as_array);
    models.map(Vec::len).or(is_empty_ollama.then_some(0))
}

fn judge(backends: &[LlmBackend], answers: Vec<(usize, Finding)>) -> CheckResult {
    let best: Vec<Finding> = (0..backends.len())
        .map(|at| {
            answers
                .iter()
                .filter(|(of, _)| *of == at)
                .map(|(_, answer)| answer.clone())
                .max()
                .unwrap_or(Finding::Silent)
        })
        .collect();
    let winner =
        (0..backends.len()).max_by(|&a, &b| best[a].cmp(&best[b]).then(b.cmp(&a))).unwrap_or_default();
    let mut result = explain(&backends[winner], &best[winner], backends.len());
    // After the first list of models the other backends were not waited for, so there is nothing to say about them.
    if !best[winner].is_models() {
        for (backend, answer) in backends.iter().zip(&best) {
            result = result.evidence(&backend.name, describe(answer));
        }
    }
    result.evidence("address", &backends[winner].url)
}

fn explain(backend: &LlmBackend, answer: &Finding, backends: usize) -> CheckResult {
    let detail = format!("{}: {}", backend.name, describe(answer));
    match answer {
        Finding::Models(0) => {
            CheckResult::warn(detail).fix("install a model (Ollama: `ollama pull llama3.2`)")
        }
        Finding::Models(_) => CheckResult::pass(detail),
        Finding::Denied(_) => CheckResult::warn(detail).fix(FIX_KEY),
        Finding::NoTls | Finding::Filtered(_) => CheckResult::skip(SkipReason::Unsupported, detail),
        Finding::NoInternet(_) => CheckResult::skip(SkipReason::Unreachable, detail),
        Finding::ServerError(_) => CheckResult::fail(detail).fix("read the log of the backend"),
        Finding::NotAModelServer(_) => CheckResult::fail(detail).fix(FIX_BASE),
        Finding::Silent => CheckResult::fail(detail).fix(FIX_SILENT),
        Finding::BadUrl(_) => CheckResult::fail(detail).fix(FIX_URL),
        Finding::Unreachable(_) if backends > 1 => {
            CheckResult::fail(format!("none of {backends} backends answers; {detail}")).fix(FIX_START)
        }
        Finding::Unreachable(_) => CheckResult::fail(detail).fix(FIX_START),
    }
}

fn describe(answer: &Finding) -> String {
    match answer {
        Finding::BadUrl(why)
        | Finding::Filtered(why)
        | Finding::NoInternet(why)
        | Finding::Unreachable(why)
        | Finding::NotAModelServer(why) => why.clone(),
        Finding::Silent => HttpError::Timeout.to_string(),
        Finding::NoTls => HttpError::NoTls.to_string(),
        Finding::ServerError(status) => format!("it answers HTTP {status}"),
        Finding::Denied(status) => format!("it refuses the API key (HTTP {status})"),
        Finding::Models(0) => "it has no model".to_owned(),
        Finding::Models(1) => "1 model".to_owned(),
        Finding::Models(n) => format!("{n} models"),
    }
}

/// Returns whether `url` is reached without the internet: on this machine or in the local network.
fn is_near(url: &str) -> bool {
    let Some(host) = url.parse::<ureq::http::Uri>().ok().and_then(|uri| uri.host().map(str::to_owned)) else {
        return true; // a malformed address, which the request reports
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    match bare.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => ip.is_private() || ip.is_link_local() || is_local_host(&host),
        Ok(IpAddr::V6(ip)) => ip.is_unique_local() || ip.is_unicast_link_local() || is_local_host(&host),
        Err(_) => {
            let suffixes = [".local", ".lan", ".internal", ".home.arpa", ".localhost"];
            !bare.contains('.') || suffixes.iter().any(|suffix| bare.ends_with(suffix))
        }
    }
}
