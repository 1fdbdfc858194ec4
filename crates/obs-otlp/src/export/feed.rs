//! Source of items that is asked when it is time to send.

use std::ops::ControlFlow;
use std::time::Duration;

/// Source of the items of an exporter, called on the exporter's thread when nothing waits to be sent.
///
/// While a collector is down it is not called, so that nothing collects in memory: metrics are read again later, and lines
/// stay in their files.
///
/// ```
/// use std::time::Duration;
/// use obs_otlp::{Feed, Offer, Settled};
///
/// struct Numbers(u8);
///
/// impl Feed<Vec<u8>> for Numbers {
///     fn interval(&self) -> Duration {
///         Duration::from_secs(60)
///     }
///
///     fn fill(&mut self, offer: &mut Offer<'_, Vec<u8>>) {
///         self.0 += 1;
///         let _ = offer(vec![self.0]);
///     }
///
///     fn settled(&mut self, _: Settled) {}
/// }
/// ```
pub trait Feed<T>: Send {
    /// Returns the time between two calls of [`fill`](Feed::fill). A flush and the end call it too.
    fn interval(&self) -> Duration;

    /// Offers the items that there are. A full batch is sent within the call of `offer`; the rest is sent after the call.
    ///
    /// `offer` returns `Break` when the export ends; no further item is sent then. It returns `Continue(true)` when all
    /// items so far have been dealt with.
    fn fill(&mut self, offer: &mut Offer<'_, T>);

    /// Learns that the first items which were offered and not settled yet have been dealt with.
    fn settled(&mut self, settled: Settled);
}

/// Function that takes an item of a [`Feed`].
///
/// ```
/// use std::ops::ControlFlow;
/// use obs_otlp::Offer;
///
/// let mut taken = Vec::new();
/// let offer: &mut Offer<'_, u8> = &mut |item| {
///     taken.push(item);
///     ControlFlow::Continue(false)
/// };
/// assert!(offer(7).is_continue());
/// assert_eq!(taken, [7]);
/// ```
pub type Offer<'a, T> = dyn FnMut(T) -> ControlFlow<(), bool> + 'a;

/// Outcome of the items of a request.
///
/// ```
/// assert!(obs_otlp::Settled { items: 3, is_final: true }.is_final);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Number of items.
    pub items: usize,
    /// Whether they need not be sent again: the collector has accepted them, or will never. `false` if the export ended first.
    pub is_final: bool,
}
