//! Models of the end of a lease beside other accesses to its gauge; see [`Removed`](super::removed::Removed).
//!
//! See [`cell::models`](crate::cell::models) for what loom does.

use std::sync::Arc;

use loom::thread;

use super::core::FamilyCore;
use super::handle::gauge::Gauge;
use crate::cell::gauge::GaugeCell;
use crate::cell::models::check;
use crate::desc::Desc;
use crate::exposition::kind::Kind;
use crate::snapshot::SampleValue;

type Core = Arc<FamilyCore<GaugeCell>>;

fn family() -> Core {
    FamilyCore::new(Desc::new(Kind::Gauge, "streams", "", &["peer"]).unwrap(), false, true, 4)
}

/// Looks the series up as a thread does that has not used it yet.
fn gauge(family: &Core) -> Gauge {
    Gauge(Some(family.find_or_admit_bounded(None, &["a"])))
}

/// Returns the value that the page shows.
fn shown(family: &Core) -> Option<f64> {
    let series = family.snapshot().series;
    assert!(series.len() <= 1, "the series is listed twice");
    series.first().map(|series| match series.value {
        SampleValue::Gauge(value) => value,
        ref other => panic!("{other:?}"),
    })
}

/// Ends a lease of a gauge while two other threads write 5 and do `beside`. The page must show the value afterwards. Each
/// of up to two leases that ends after the write takes one away.
fn end_lease_beside(write: fn(&Gauge), beside: fn(&Core)) {
    check(move || {
        let family = family();
        let held = gauge(&family);
        let lease = held.lease();
        let writer = thread::spawn({
            let held = held.clone();
            move || write(&held)
        });
        let other = thread::spawn({
            let family = family.clone();
            move || beside(&family)
        });
        drop(lease);
        writer.join().unwrap();
        other.join().unwrap();
        let value = shown(&family);
        assert!(matches!(value, Some(3.0 | 4.0 | 5.0)), "{value:?}");
        assert_eq!(value, Some(held.value()), "the page shows another series than the handle writes");
    });
}

#[test]
fn a_value_that_is_set_beside_the_end_of_a_lease_is_shown() {
    end_lease_beside(|gauge| gauge.set(5.0), |_| ());
}

#[test]
fn a_value_that_is_added_beside_the_end_of_a_lease_is_shown() {
    end_lease_beside(|gauge| gauge.add(5.0), |_| ());
}

#[test]
fn a_page_beside_the_end_of_a_lease_takes_no_value_away() {
    end_lease_beside(|gauge| gauge.set(5.0), |family| _ = shown(family));
}

#[test]
fn a_look_up_beside_the_end_of_a_lease_finds_the_series_of_the_handles() {
    end_lease_beside(|gauge| gauge.set(5.0), |family| drop(gauge(family)));
}

#[test]
fn a_lease_beside_the_end_of_another_takes_no_value_away() {
    end_lease_beside(|gauge| gauge.set(5.0), |family| drop(gauge(family).lease()));
}

/// The look-up may come between any two steps of the page, and must not add a second series.
#[test]
fn a_page_after_a_write_shows_it() {
    check(|| {
        let family = family();
        let held = gauge(&family);
        let lease = held.lease();
        let writer = thread::spawn({
            let family = family.clone();
            move || {
                held.set(5.0);
                shown(&family)
            }
        });
        drop(lease);
        drop(gauge(&family));
        let value = writer.join().unwrap();
        assert!(matches!(value, Some(4.0 | 5.0)), "{value:?}");
        assert!(shown(&family).is_some());
    });
}
