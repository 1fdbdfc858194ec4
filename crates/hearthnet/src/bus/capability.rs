//! Interface between the bus and a capability.

use std::future::Future;
use std::pin::Pin;

use super::answer::Answer;
use crate::wire::arguments::Call;
use crate::wire::error::CallError;

/// Capability of this node. To cancel a call, the bus drops its future at an await point.
pub(crate) trait Capability: Send + Sync {
    fn call(&self, call: Call) -> Answering;
}

pub(crate) type Answering = Pin<Box<dyn Future<Output = Result<Answer, CallError>> + Send>>;
