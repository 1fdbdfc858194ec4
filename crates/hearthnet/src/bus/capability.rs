//! What a node offers: something with a name that answers calls.

use std::future::Future;
use std::pin::Pin;

use super::answer::Answer;
use crate::wire::arguments::Call;
use crate::wire::error::CallError;

/// A local capability. A call may be dropped at any await, which is how it is cancelled.
pub(crate) trait Capability: Send + Sync {
    fn call(&self, call: Call) -> Answering;
}

pub(crate) type Answering = Pin<Box<dyn Future<Output = Result<Answer, CallError>> + Send>>;
