//! Ring of time slots.

use std::time::Duration;

/// Length of a slot.
pub(super) const SLOT: Duration = Duration::from_secs(15);
/// Number of slots in the window: five minutes.
pub(super) const COUNT: usize = 20;

/// Values of the last [`COUNT`] slots. A slot is numbered by its time since the start.
#[derive(Clone, Debug)]
pub(super) struct Slots<T>(Box<[(u64, T); COUNT]>);

impl<T: Default> Default for Slots<T> {
    fn default() -> Slots<T> {
        // No slot has this number, so that none is in the window.
        Slots(Box::new(std::array::from_fn(|_| (u64::MAX, T::default()))))
    }
}

impl<T: Default> Slots<T> {
    /// Returns the value of the slot `now`, which is new if the place has one of an earlier round.
    pub(super) fn at(&mut self, now: u64) -> &mut T {
        let place = &mut self.0[(now % COUNT as u64) as usize];
        if place.0 != now {
            *place = (now, T::default());
        }
        &mut place.1
    }

    /// Returns the values in the window that ends with the slot `now`.
    pub(super) fn within(&self, now: u64) -> impl Iterator<Item = &T> {
        // A thread may have read its clock just before the reader did, which makes it one slot younger.
        let in_window = move |number: u64| now.abs_diff(number) < COUNT as u64;
        self.0.iter().filter(move |(number, _)| in_window(*number)).map(|(_, value)| value)
    }

    pub(super) fn is_idle(&self, now: u64) -> bool {
        self.within(now).next().is_none()
    }
}
