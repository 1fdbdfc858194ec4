//! `clock_sanity`: the clock agrees with servers on the internet.

use std::time::{Duration, Instant, SystemTime};

use ureq::http::Uri;

use super::race::race;
use crate::check::Context;
use crate::config::CLOCK_ANCHORS;
use crate::machine::{HttpError, HttpRequest, HttpResponse, System};
use crate::report::{CheckResult, SkipReason};

const ANCHORS: usize = 3;
const QUORUM: usize = 2;
const ALLOWED_SECONDS: f64 = 60.0;
const PATIENCE: Duration = Duration::from_millis(1500);
const FIX: &str = "turn time synchronisation on (`timedatectl set-ntp true`), or set the clock";

/// Two anchors do not both say that the clock is more than 60 s off.
pub(super) fn sanity(cx: &Context) -> CheckResult {
    let anchors: Vec<String> = cx.config.clock_anchors.iter().take(ANCHORS).cloned().collect();
    if anchors.is_empty() {
        return CheckResult::skip(SkipReason::NotConfigured, "no clock anchors are configured");
    }
    let asked = anchors.len();
    let system = cx.system.clone();
    let answers = race(anchors.clone(), PATIENCE, move |url| ask(&system, &url), is_decided);
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

/// Whether two anchors say the same; the third need not be waited for.
fn is_decided(answers: &[(usize, Result<Skew, String>)]) -> bool {
    let skews: Vec<&Skew> = answers.iter().filter_map(|(_, answer)| answer.as_ref().ok()).collect();
    let well = skews.iter().filter(|skew| !skew.is_off()).count();
    well >= QUORUM || most_agreed(&skews).is_some_and(|(_, agree)| agree >= QUORUM)
}

/// How far the anchor's clock is ahead of ours, give or take `error`.
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

/// The anchor that finds our clock off and with which the most others agree, and how many do, itself counted. Two that
/// contradict each other prove nothing of it.
fn most_agreed<'a>(skews: &[&'a Skew]) -> Option<(&'a Skew, usize)> {
    let off = || skews.iter().filter(|skew| skew.is_off());
    let agree = |one: &Skew| off().filter(|two| (one.seconds - two.seconds).abs() < ALLOWED_SECONDS).count();
    off().map(|&one| (one, agree(one))).max_by_key(|&(_, agree)| agree)
}

fn ask(system: &System, url: &str) -> Result<Skew, String> {
    let (before, started) = (system.clock.now(), Instant::now());
    let response = system
        .http
        .send(&HttpRequest::head(url).timeout(PATIENCE))
        .map_err(|err: HttpError| err.to_string())?;
    let round_trip = started.elapsed();
    if is_of_a_portal(url, &response) {
        return Err("answered by the login page of a network".to_owned());
    }
    if response.get("age").is_some() {
        return Err("answered from a cache".to_owned());
    }
    let date = response.get("date").ok_or("answered without a date")?;
    let date = httpdate::parse_http_date(date).map_err(|_| "answered with a date that is none")?;
    // The header is cut to whole seconds and was written half-way between question and answer.
    let midpoint = before + round_trip / 2;
    let seconds = seconds_between(midpoint, date) + 0.5;
    Ok(Skew { seconds, error: 0.5 + round_trip.as_secs_f64() / 2.0 })
}

/// Whether somebody between answered in the anchor's place, such as a router without the internet, and without the time.
fn is_of_a_portal(url: &str, response: &HttpResponse) -> bool {
    const LOGIN_REQUIRED: u16 = 511;
    let elsewhere = || response.get("location").and_then(host).is_some_and(|to| Some(to) != host(url));
    match response.status {
        LOGIN_REQUIRED => true,
        204 => false,
        _ if CLOCK_ANCHORS.contains(&url) => true,
        300..=399 => elsewhere(),
        _ => false,
    }
}

/// Of an address with one; a path alone leads to the same.
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
        CheckResult::warn(format!("{detail}, says one anchor of {}", skews.len())).fix(FIX)
    }
}

fn off_by(skew: f64) -> String {
    let way = if skew > 0.0 { "slow" } else { "fast" };
    format!("{:.0} s {way}", skew.abs())
}
