//! Memory budget that the bodies of all calls and answers share.
//!
//! A limit for each body is not enough: a few hundred slow clients, each within its limit, would take more memory than
//! a small machine has.

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

/// Budget of all bodies together: 64 MiB, in units.
static BUDGET: Semaphore = Semaphore::const_new((64 << 20) / UNIT);
// Coarse, so that a body that arrives in small pieces does not ask for permits at each of them.
const UNIT: usize = 1 << 10;

/// Size up to which a body needs no reservation. Small calls are answered even when the budget is used up.
const SMALL: usize = 64 << 10;

/// Maximum time to wait for other bodies to release their share.
const PATIENCE: Duration = Duration::from_secs(2);

/// Share of the budget. Dropping it releases the share.
#[derive(Debug, Default)]
pub(crate) struct Reservation {
    taken: Option<SemaphorePermit<'static>>,
}

impl Reservation {
    /// Grows the reservation to the size of a body of `bytes`.
    pub(crate) async fn grow_to(&mut self, bytes: usize) -> Result<(), CallError> {
        let taken = self.taken.as_ref().map_or(0, SemaphorePermit::num_permits);
        // Grows only. A body never shrinks before it is dropped.
        let more = bytes.saturating_sub(SMALL).div_ceil(UNIT).saturating_sub(taken);
        if more == 0 {
            return Ok(());
        }
        let full =
            || Code::CAPACITY_EXCEEDED.because("too many large bodies are in progress: try again later");
        let more = u32::try_from(more).map_err(|_| full())?;
        let more =
            // Waiting, because most bodies are gone within a second. The second error cannot occur: the semaphore is
            // never closed.
            timeout(PATIENCE, BUDGET.acquire_many(more)).await.map_err(|_| full())?.map_err(|_| full())?;
        match &mut self.taken {
            Some(taken) => taken.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }

    /// Returns `response` with the reservation attached until its last byte is sent. The answer may hold data of the
    /// call.
    pub(crate) fn held_by(self, response: Response) -> Response {
        match self.taken {
            // Small answers keep their body type and cost nothing.
            None => response,
            Some(_) => response.map(|body| Body::new(Held { body, _reservation: self })),
        }
    }
}

/// Body with its reservation.
struct Held {
    body: Body,
    _reservation: Reservation,
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

    /// A single test, because the budget is one for the process.
    #[tokio::test]
    async fn large_bodies_share_the_budget_and_small_ones_need_none() {
        let free = || BUDGET.available_permits() * UNIT;
        let all = free();
        let mut large = Reservation::default();
        large.grow_to(SMALL).await.unwrap();
        assert_eq!(free(), all);
        for bytes in [SMALL + 1, SMALL + UNIT, all - UNIT] {
            large.grow_to(bytes).await.unwrap();
        }
        let mut second = Reservation::default();
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
