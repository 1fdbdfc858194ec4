//! `llm_backend_reachable`: a language model answers.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::Value;

use super::race::race;
use crate::check::Context;
use crate::config::LlmBackend;
use crate::machine::{Http, HttpError, HttpRequest, HttpResponse, is_local_host};
use crate::report::{CheckResult, SkipReason};

/// So many are asked: each takes two threads.
const MAX_BACKENDS: usize = 16;
const PATIENCE: Duration = Duration::from_millis(1500);
const TIMEOUT: Duration = Duration::from_millis(1400);
const FIX_START: &str = "start the backend, or correct `url` in `[[llm.backends]]`";
const FIX_URL: &str = "correct `url` in `[[llm.backends]]`, to an address such as http://127.0.0.1:11434";
const FIX_SILENT: &str =
    "see what the backend is doing (loading a large model takes a while), and restart it if it hangs";
const FIX_BASE: &str = "set `url` in `[[llm.backends]]` to the base address of Ollama or an OpenAI interface";
const FIX_KEY: &str =
    "set the environment variable that `api_key_env` of `[[llm.backends]]` names to the backend's key";

/// At least one configured backend lists its models.
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
    let http = std::sync::Arc::clone(&cx.system.http);
    let numbered = backends.iter().enumerate();
    let questions: Vec<(usize, HttpRequest)> =
        numbered.flat_map(|(at, backend)| requests(backend).map(|request| (at, request))).collect();
    let ask = move |(at, request): (usize, HttpRequest)| (at, ask(http.as_ref(), &request));
    let enough =
        |answers: &[(usize, (usize, Answer))]| answers.iter().any(|(_, (_, answer))| answer.is_models());
    let answers = race(questions, PATIENCE, ask, enough);
    judge(&backends, answers.into_iter().map(|(_, answer)| answer).collect())
}

fn requests(backend: &LlmBackend) -> [HttpRequest; 2] {
    let key = backend.api_key_env.as_ref().and_then(|variable| std::env::var(variable).ok());
    // Straight to the address, as the node itself asks.
    urls(&backend.url).map(|url| HttpRequest::get(url).direct().timeout(TIMEOUT).bearer(key.clone()))
}

/// Ollama's own list and the one of OpenAI's interface; the base address may end in `/v1`.
fn urls(base: &str) -> [String; 2] {
    let base = base.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    let root = base.strip_suffix("/v1").unwrap_or(base);
    [format!("{root}/api/tags"), format!("{root}/v1/models")]
}

/// What came back from one address; ordered by how much it tells.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Answer {
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

impl Answer {
    fn is_models(&self) -> bool {
        matches!(self, Self::Models(_))
    }
}

fn ask(http: &dyn Http, request: &HttpRequest) -> Answer {
    match http.send(request) {
        Ok(response) => read(&response),
        Err(HttpError::NoTls) => Answer::NoTls,
        Err(HttpError::Timeout) => Answer::Silent,
        // The internet is down, which a node has to live with.
        Err(err @ (HttpError::NoRoute | HttpError::NoNameServer | HttpError::Unreached))
            if !is_near(&request.url) =>
        {
            Answer::NoInternet(err.to_string())
        }
        Err(err @ (HttpError::BadUrl(_) | HttpError::NameNotFound)) => Answer::BadUrl(err.to_string()),
        Err(err @ HttpError::Protocol(_)) => Answer::NotAModelServer(err.to_string()),
        Err(err) => Answer::Unreachable(err.to_string()),
    }
}

fn read(response: &HttpResponse) -> Answer {
    match response.status {
        200 => match models(&response.body) {
            Some(models) => Answer::Models(models),
            None => Answer::NotAModelServer("it answers, but not with a list of models".to_owned()),
        },
        401 | 403 => Answer::Denied(response.status),
        300..=399 => Answer::NotAModelServer("it sends us elsewhere".to_owned()),
        500.. => Answer::ServerError(response.status),
        status => Answer::NotAModelServer(format!("it answers HTTP {status}")),
    }
}

/// The number of models in `{"models": […]}` or `{"data": […]}`.
fn models(body: &[u8]) -> Option<usize> {
    let list: Value = serde_json::from_slice(body).ok()?;
    // An Ollama without models says null.
    let is_empty_ollama = list.get("models").is_some_and(Value::is_null);
    let models = list.get("models").or_else(|| list.get("data")).and_then(Value::as_array);
    models.map(Vec::len).or(is_empty_ollama.then_some(0))
}

fn judge(backends: &[LlmBackend], answers: Vec<(usize, Answer)>) -> CheckResult {
    let best: Vec<Answer> = (0..backends.len())
        .map(|at| {
            answers
                .iter()
                .filter(|(of, _)| *of == at)
                .map(|(_, answer)| answer.clone())
                .max()
                .unwrap_or(Answer::Silent)
        })
        .collect();
    let winner =
        (0..backends.len()).max_by(|&a, &b| best[a].cmp(&best[b]).then(b.cmp(&a))).unwrap_or_default();
    let mut result = explain(&backends[winner], &best[winner], backends.len());
    // Once one has answered, the others were not waited for.
    if !best[winner].is_models() {
        for (backend, answer) in backends.iter().zip(&best) {
            result = result.evidence(&backend.name, describe(answer));
        }
    }
    result.evidence("address", &backends[winner].url)
}

fn explain(backend: &LlmBackend, answer: &Answer, backends: usize) -> CheckResult {
    let detail = format!("{}: {}", backend.name, describe(answer));
    match answer {
        Answer::Models(0) => {
            CheckResult::warn(detail).fix("load a model into it (Ollama: `ollama pull llama3.2`)")
        }
        Answer::Models(_) => CheckResult::pass(detail),
        Answer::Denied(_) => CheckResult::warn(detail).fix(FIX_KEY),
        Answer::NoTls => CheckResult::skip(SkipReason::Unsupported, detail),
        Answer::NoInternet(_) => CheckResult::skip(SkipReason::Unreachable, detail),
        Answer::ServerError(_) => CheckResult::fail(detail).fix("look at the backend's own log"),
        Answer::NotAModelServer(_) => CheckResult::fail(detail).fix(FIX_BASE),
        Answer::Silent => CheckResult::fail(detail).fix(FIX_SILENT),
        Answer::BadUrl(_) => CheckResult::fail(detail).fix(FIX_URL),
        Answer::Unreachable(_) if backends > 1 => {
            CheckResult::fail(format!("none of {backends} backends answers; {detail}")).fix(FIX_START)
        }
        Answer::Unreachable(_) => CheckResult::fail(detail).fix(FIX_START),
    }
}

fn describe(answer: &Answer) -> String {
    match answer {
        Answer::BadUrl(why)
        | Answer::NoInternet(why)
        | Answer::Unreachable(why)
        | Answer::NotAModelServer(why) => why.clone(),
        Answer::Silent => HttpError::Timeout.to_string(),
        Answer::NoTls => HttpError::NoTls.to_string(),
        Answer::ServerError(status) => format!("it answers HTTP {status}"),
        Answer::Denied(status) => format!("it answers, but refuses our key (HTTP {status})"),
        Answer::Models(0) => "it answers, and has no model".to_owned(),
        Answer::Models(1) => "1 model".to_owned(),
        Answer::Models(n) => format!("{n} models"),
    }
}

/// Whether `url` can be reached without the internet: this machine or the local network.
fn is_near(url: &str) -> bool {
    let Some(host) = url.parse::<ureq::http::Uri>().ok().and_then(|uri| uri.host().map(str::to_owned)) else {
        return true; // not an address at all: that has to be told
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
