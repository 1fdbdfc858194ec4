//! Captured samples.

use obs_metrics::{ErrorKind, Registry};

/// Captured samples; see [`Capture::metrics`](crate::testing::Capture::metrics).
///
/// ```
/// use obs_facade::metrics;
///
/// let obs = obs_facade::testing::Capture::new();
/// obs.run(|| metrics::standard::blob_storage_bytes().with([]).set(7.0));
/// assert_eq!(obs.metrics().value("hearthnet_blob_storage_bytes", []), 7.0);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Metrics<'a>(pub(super) &'a Registry);

impl Metrics<'_> {
    /// Returns the sum of the samples with this name that have all of these labels; 0 if none of them was recorded.
    ///
    /// The name is that of the sample on the page: a counter ends in `_total`, and a histogram has `_count`, `_sum` and
    /// `_bucket`. Families of this crate count as declared once a declaration has run in this process; that of a `LazyLock`
    /// runs with its first use. Families of the `metrics` macros count as declared once the capture has a sample.
    ///
    /// ```should_panic
    /// let obs = obs_facade::testing::Capture::new();
    /// // no family `hearthnet_request_total`; did you mean `hearthnet_requests_total`?
    /// obs.metrics().value("hearthnet_request_total", []);
    /// ```
    ///
    /// # Panics
    ///
    /// If no family has samples of this name, or it has no label of one of these names. The message has the nearest name.
    #[must_use]
    #[track_caller]
    pub fn value<const N: usize>(&self, name: &str, labels: [(&str, &str); N]) -> f64 {
        match obs_metrics::testing::sum(self.0, name, &labels) {
            Ok(sum) => sum,
            Err(error) if error.kind() == ErrorKind::UnknownFamily => {
                panic!("no family `{}`; {}", error.field(), error.advice())
            }
            Err(error) => panic!("{error}"),
        }
    }
}
