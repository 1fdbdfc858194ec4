//! The tick: what this node counted, and what it collects.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use obs_facade::metrics::Registry;
use tokio::time::sleep;

use super::collect::Collector;
use super::federation::Federation;
use super::meter::Meter;

/// Longest time after a tick until shares are asked for. The clocks of peers may be behind by so much.
const DELAY: Duration = Duration::from_secs(5);

/// Notes the share of this node at each tick, and collects those of its peers if that is its part. Ends at once if the node
/// takes no part.
pub(crate) async fn watch(federation: Arc<Federation>) {
    if !federation.is_enabled() {
        return;
    }
    let mut meter = Meter::new(Registry::global().clone(), federation.bus.capability_names().collect());
    let mut collector = match federation.collects() {
        true => Some(Collector::new(&federation).await),
        false => None,
    };
    let mut last = None;
    loop {
        let period = next_period(federation.interval()).await;
        let consented = federation.consented();
        let share = federation.machine.add_to(meter.share(&consented), &consented).await;
        let share = share.federated(federation.consented_for_others());
        // The first share is of a part of a period, and one after a pause of more than one.
        let is_whole = last.is_some_and(|last: u64| last.checked_add(1) == Some(period));
        last = Some(period);
        let own = (is_whole && federation.shares()).then_some(share);
        federation.set_own(own.clone().map(|own| (period, own)));
        if let Some(collector) = &mut collector {
            sleep(DELAY.min(federation.interval() / 4)).await;
            collector.collect(&federation, period, own).await;
        }
    }
}

/// Waits until the next period begins, and returns the number of the one that ends. All nodes number them by the time of day.
async fn next_period(interval: Duration) -> u64 {
    let seconds = interval.as_secs().max(1);
    let (period, rest) = rest_of_period(Utc::now().timestamp_millis(), seconds);
    sleep(rest).await;
    period
}

/// Returns the number of the period at `now_ms`, and the time to its end.
fn rest_of_period(now_ms: i64, seconds: u64) -> (u64, Duration) {
    let (now, length) = (u64::try_from(now_ms).unwrap_or(0), seconds * 1_000);
    (now / length, Duration::from_millis(length - now % length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_numbered_by_the_time_of_day() {
        assert_eq!(rest_of_period(0, 60), (0, Duration::from_secs(60)));
        assert_eq!(rest_of_period(119_999, 60), (1, Duration::from_millis(1)));
        assert_eq!(rest_of_period(120_000, 60), (2, Duration::from_secs(60)));
        assert_eq!(rest_of_period(-1, 1), (0, Duration::from_secs(1)));
    }
}
