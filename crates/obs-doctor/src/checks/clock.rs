//! `clock_sanity`: the clock agrees with servers on the internet.

use std::time::{Duration, Instant, SystemTime};

use ureq::http::Uri;

use super::race::race;
use crate::check::Context;
use crate::config::CLOCK_ANCHORS;
use crate::machine::{HttpError, HttpRequest, HttpResponse, Machine};
use crate::report::{CheckResult, SkipReason};

/// Number of anchors that are asked.
const ANCHORS: usize = 3;
/// Number of anchors that have to agree: one alone may be wrong itself.
const QUORUM: usize = 2;
/// Allowed difference. Signed calls are accepted within minutes, and certificates need about the right day.
const ALLOWED_SECONDS: f64 = 60.0;
/// Time for all answers, below the deadline of a check (2 s).
const PATIENCE: Duration = Duration::from_millis(1500);
const FIX: &str = "turn time synchronisation on (`timedatectl set-ntp true`), or set the clock";

/// Checks that no two anchors agree that the clock is more than 60 s off.
pub(super) fn sanity(cx: &Context) -> CheckResult {
    let anchors: Vec<String> = cx.config.clock_anchors.iter().take(ANCHORS).cloned().collect();
    if anchors.is_empty() {
        return CheckResult::skip(SkipReason::NotConfigured, "no clock anchors are configured");
    }
    let asked = anchors.len();
    let machine = cx.machine.clone();
    // All at once: one anchor that does not answer must not use up the deadline.
    let answers = race(anchors.clone(), PATIENCE, move |url| ask(&machine, &url), is_decided);
    let mut result =
        judge(asked, &answers.iter().filter_map(|(_, answer)| answer.as_ref().ok()).collect::<Vec<_>>());
    for (at, answer) in &answers {
        let said = answer
            .as_ref()
            .map_or_else(Clone::clone, |skew| format!("{:+.1} s ± {:.1} s", skew.seconds, skew.error));
        result = result.evidence(&anchors[*at], said);
    }
    result
}

/// Returns whether two anchors agree, so that the third one need not be waited for.
fn is_decided(answers: &[(usize, Result<Skew, String>)]) -> bool {
    let skews: Vec<&Skew> = answers.iter().filter_map(|(_, answer)| answer.as_ref().ok()).collect();
    let well = skews.iter().filter(|skew| !skew.is_off()).count();
    well >= QUORUM || most_agreed(&skews).is_some_and(|(_, agree)| agree >= QUORUM)
}

/// Seconds that the anchor's clock is ahead of ours, with the maximum error.
#[derive(Debug, Clone, Copy)]
struct Skew {
    seconds: f64,
    error: f64,
}

impl Skew {
    fn is_off(&self) -> bool {
        self.seconds.abs() - self.error > ALLOWED_SECONDS
    }
}

/// Returns the anchor that finds our clock off and with which most anchors agree, and their number, itself included. Two
/// anchors that contradict each other prove nothing about our clock.
fn most_agreed<'a>(skews: &[&'a Skew]) -> Option<(&'a Skew, usize)> {
    let off = || skews.iter().filter(|skew| skew.is_off());
    let agree = |one: &Skew| off().filter(|two| (one.seconds - two.seconds).abs() < ALLOWED_SECONDS).count();
    off().map(|&one| (one, agree(one))).max_by_key(|&(_, agree)| agree)
}

fn ask(machine: &Machine, url: &str) -> Result<Skew, String> {
    let (before, started) = (machine.clock.now(), Instant::now());
    let response = machine
        .http
        .send(&HttpRequest::head(url).timeout(PATIENCE))
        .map_err(|err: HttpError| err.to_string())?;
    let round_trip = started.elapsed();
    if is_from_captive_portal(url, &response) {
        return Err("answered by a network's login page".to_owned());
    }
    if response.get("age").is_some() {
        return Err("answered from a cache".to_owned());
    }
    let date = response.get("date").ok_or("answered without a date")?;
    let date = httpdate::parse_http_date(date).map_err(|_| "answered with a malformed date")?;
    // The header is truncated to whole seconds, so the mean error is half a second. It was written between request and
    // response, so the midpoint is the best estimate.
    let midpoint = before + round_trip / 2;
    let seconds = seconds_between(midpoint, date) + 0.5;
    Ok(Skew { seconds, error: 0.5 + round_trip.as_secs_f64() / 2.0 })
}

/// Returns whether a captive portal answered instead of the anchor, such as a router without an internet connection. Its
/// `Date` may be wrong.
fn is_from_captive_portal(url: &str, response: &HttpResponse) -> bool {
    // RFC 6585: the status of a captive portal.
    const LOGIN_REQUIRED: u16 = 511;
    let elsewhere = || response.get("location").and_then(host).is_some_and(|to| Some(to) != host(url));
    match response.status {
        LOGIN_REQUIRED => true,
        204 => false,
        _ if CLOCK_ANCHORS.contains(&url) => true,
        // An anchor of the configuration may redirect to https on its own host.
        300..=399 => elsewhere(),
        _ => false,
    }
}

/// Returns the host of a URL; `None` for a bare path, which stays on the same host.
fn host(url: &str) -> Option<String> {
    url.parse::<Uri>().ok()?.host().map(str::to_ascii_lowercase)
}

fn seconds_between(from: SystemTime, to: SystemTime) -> f64 {
    match to.duration_since(from) {
        Ok(ahead) => ahead.as_secs_f64(),
        Err(behind) => -behind.duration().as_secs_f64(),
    }
}

fn judge(asked: usize, skews: &[&Skew]) -> CheckResult {
    let Some(first) = skews.first() else {
        return CheckResult::skip(SkipReason::Unreachable, "no clock anchor could be reached");
    };
    let Some((off, agree)) = most_agreed(skews) else {
        let (many, seconds) = (skews.len(), first.seconds);
        return CheckResult::pass(format!("{many} of {asked} anchors agree, {seconds:+.1} s"));
    };
    let detail = format!("this clock is {}", off_by(off.seconds));
    let well = skews.iter().filter(|skew| !skew.is_off()).count();
    if agree >= QUORUM.min(asked) {
        CheckResult::fail(detail).fix(FIX)
    } else if well >= QUORUM {
        CheckResult::pass(format!("{well} of {} anchors agree", skews.len()))
    } else {
        CheckResult::warn(format!("{detail} according to one of {} anchors", skews.len())).fix(FIX)
    }
}

fn off_by(skew: f64) -> String {
    let way = if skew > 0.0 { "slow" } else { "fast" };
    format!("{:.0} s {way}", skew.abs())
}
