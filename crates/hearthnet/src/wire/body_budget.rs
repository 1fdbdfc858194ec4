//! Room for the bodies of calls and of answers: what all of them together may take of the memory.
//!
//! A limit for each is not enough: some hundred callers that each send what is allowed, and take their time, would be
//! more than a small machine has.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::BoxError;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::error::{CallError, Code};

/// All bodies together, in units.
static ROOM: Semaphore = Semaphore::const_new((64 << 20) / UNIT);
const UNIT: usize = 1 << 10;

/// A body as large as this needs no room, so that small calls are answered however full it is.
const SMALL: usize = 64 << 10;

/// How long a body waits for others to go.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a body has of the room, until this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Room {
    taken: Option<SemaphorePermit<'static>>,
}

impl Room {
    /// Takes as much as a body of `bytes` needs.
    pub(crate) async fn grow_to(&mut self, bytes: usize) -> Result<(), CallError> {
        let taken = self.taken.as_ref().map_or(0, SemaphorePermit::num_permits);
        let more = bytes.saturating_sub(SMALL).div_ceil(UNIT).saturating_sub(taken);
        if more == 0 {
            return Ok(());
        }
        let full = || Code::CAPACITY_EXCEEDED.because("this node has no room for another large body now");
        let more = u32::try_from(more).map_err(|_| full())?;
        let more =
            timeout(PATIENCE, ROOM.acquire_many(more)).await.map_err(|_| full())?.map_err(|_| full())?;
        match &mut self.taken {
            Some(taken) => taken.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }

    /// `response`, which has the room until its last byte is sent: what was in a call may be in its answer.
    pub(crate) fn held_by(self, response: Response) -> Response {
        match self.taken {
            None => response,
            Some(_) => response.map(|body| Body::new(Held { body, _room: self })),
        }
    }
}

/// A body and the room that it has.
struct Held {
    body: Body,
    _room: Room,
}

impl hyper::body::Body for Held {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.body).poll_frame(cx).map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use hyper::body::Body as _;

    use super::*;

    /// One test, as the room is one for the process.
    #[tokio::test]
    async fn r1_large_bodies_share_the_room_and_small_ones_need_none() {
        let free = || ROOM.available_permits() * UNIT;
        let all = free();
        let mut large = Room::default();
        large.grow_to(SMALL).await.unwrap();
        assert_eq!(free(), all);
        for bytes in [SMALL + 1, SMALL + UNIT, all - UNIT] {
            large.grow_to(bytes).await.unwrap();
        }
        let mut second = Room::default();
        assert_eq!(second.grow_to(1 << 20).await.unwrap_err().code, Code::CAPACITY_EXCEEDED);
        second.grow_to(SMALL).await.unwrap();

        let response = large.held_by(Response::new(Body::from("answer")));
        assert_eq!(response.body().size_hint().exact(), Some(6), "its length is known still");
        assert!(free() < all);
        response.into_body().collect().await.unwrap();
        assert_eq!(free(), all);
        second.grow_to(1 << 20).await.unwrap();
    }
}
