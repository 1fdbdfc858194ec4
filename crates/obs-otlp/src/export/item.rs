//! Items of the queue.

/// Item that an exporter sends, such as a trace.
///
/// ```
/// use obs_otlp::Item;
///
/// struct Point(Vec<u8>);
///
/// impl Item for Point {
///     fn bytes(&self) -> usize {
///         self.0.len()
///     }
/// }
///
/// assert_eq!(Point(vec![0; 7]).units(), 1);
/// ```
pub trait Item: Send + 'static {
    /// Minimum of [`bytes`](Item::bytes). With less room than this, the queue refuses items without its lock.
    const MIN_BYTES: usize = 1;

    /// Number of units, as a collector counts them. A trace has one for each span.
    fn units(&self) -> usize {
        1
    }

    /// Bytes of memory that the item takes.
    fn bytes(&self) -> usize;
}
