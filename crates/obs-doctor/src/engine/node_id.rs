//! The node's ID for the report's heading.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use crate::check::Context;

/// Maximum number of threads that ask for the node's ID, in all runs of a registry. More would mean that the bus blocks.
const MAX_ASKING: usize = 16;

/// Asks the bus for the node's ID on a thread of its own. A bus that blocks for ever holds [`MAX_ASKING`] threads at most.
pub(super) fn ask(cx: &Context, asking: &Arc<AtomicUsize>) -> Receiver<Option<String>> {
    let (sender, receiver) = channel();
    let (bus, asking) = (Arc::clone(&cx.bus), Asking::begin(asking));
    // The count includes this call, so that concurrent calls cannot all pass the bound.
    if asking.0.load(Ordering::Acquire) > MAX_ASKING {
        return receiver; // the channel is closed, so the heading names no node
    }
    let ask = move || {
        let _asking = asking;
        let _ = sender.send(bus.node_id());
    };
    // If no thread can be started, `ask` is dropped, which closes the channel.
    let _ = thread::Builder::new().name("doctor:node_id".to_owned()).spawn(ask);
    receiver
}

/// Counts one thread that asks, until it is dropped.
struct Asking(Arc<AtomicUsize>);

impl Asking {
    fn begin(count: &Arc<AtomicUsize>) -> Self {
        // Each ordering here is at least as strong as needed: the count guards no other memory.
        count.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(count))
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
