//! Traces of which a part failed, kept on every node that took part.
//!
//! A node keeps its failed traces beside the ring, but the other nodes of the same request answered well, and forget their
//! parts after the next ten thousand. Here they are told, without a request more for a call that went well.
//!
//! - **Up**: the request [layer](super::layer()) adds [`KEEP`] to the answer of a trace of which a part failed. The
//!   [client](super::client) looks for it in each answer, and marks the trace in which it asked. The next node up does the same,
//!   so the mark reaches the first node with the answer. A client that gets no answer at all marks its trace itself.
//! - **Down**: nodes that answered well before another part failed, or whose answer was lost, are told by a [`Courier`]: of each
//!   trace with a failed part, it sends the ID to the peers that the trace asked, apart from those whose answer had the mark. It
//!   sends many IDs in one request, and again until the peer has them. A node that gets one tells the peers that it asked itself.
//!
//! [`receive`] takes marks on the other side. A mark counts only for a trace that the marker asked for, as
//! [`Trace::set_origin`](crate::trace::Trace::set_origin) has noted once its name was proven. Marked traces never replace those
//! that failed here, and the peers share the room for them.
//!
//! The two layers need nothing else. A node that has peers gives a [`Carrier`] to a courier:
//!
//! ```
//! use std::convert::Infallible;
//!
//! use obs_facade::http::keep::{Carrier, Courier};
//! use obs_facade::trace::TraceId;
//!
//! struct ToPeers;
//!
//! impl Carrier for ToPeers {
//!     type Peer = u16;
//!     type Error = Infallible;
//!
//!     fn peer_at(&self, host: &str, port: u16) -> Option<u16> {
//!         // Other servers, such as a language model, are not told.
//!         (host == "192.0.2.7").then_some(port)
//!     }
//!
//!     async fn carry(&self, peer: u16, ids: &[TraceId]) -> Result<Vec<TraceId>, Infallible> {
//!         // A request to the peer, by which it knows this node for certain.
//! #       let _ = (peer, ids);
//!         Ok(Vec::new())
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! let courier = Courier::new(ToPeers).start();       // until it is dropped
//! # drop(courier);
//! # });
//! ```
//!
//! | family | counts |
//! |---|---|
//! | `hearthnet_trace_marks_total{direction, result}` | marks in answers (`answer`: `kept`, `known`), from callers (`received`: `kept`, `known`, `foreign`, `unknown`), and to peers (`sent`: `delivered`, `left`, `dropped`, `expired`) |
//! | `hearthnet_trace_mark_requests_total{result}` | requests of the courier: `ok`, `failed` |
//! | `hearthnet_trace_marks_waiting` | marks that wait for a peer |

mod answer;
mod carrier;
mod counts;
mod courier;
mod outbox;
mod receive;

pub use self::answer::{KEEP, STREAM_COMMENT, note_answer};
pub(in crate::http) use self::answer::{mark_response, mark_unanswered, note_response};
pub use self::carrier::Carrier;
pub use self::courier::{Courier, RunningCourier};
pub use self::receive::{MAX_IDS, receive};
