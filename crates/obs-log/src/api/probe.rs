//! Choice among the conversions of a value by its type.

/// Wrapper that tells an error from a pointer to one and from other types. Method lookup removes references from the receiver
/// one by one, so it prefers the trait whose receiver has most of them.
#[derive(Debug)]
#[doc(hidden)]
pub struct Probe<'a, T: ?Sized>(pub &'a T);
