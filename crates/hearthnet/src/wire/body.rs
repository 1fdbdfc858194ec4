//! Reading of the body of a call, at most 1 MiB and in bounded time.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use tokio::time::timeout;

use super::body_budget::Reservation;
use super::error::{CallError, Code};

// A long conversation has a few hundred kilobytes.
const MAX_BODY_BYTES: usize = 1 << 20;

/// Maximum number of bytes that are read and thrown away beyond the limit. A client that sends everything before it
/// reads gets the answer then, instead of a broken connection.
const MAX_WASTE_BYTES: usize = 16 << 20;

/// Maximum time for the whole body.
const PATIENCE: Duration = Duration::from_secs(30);

/// Reads the whole body. `reservation` holds its share of the budget.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: Body,
    reservation: &mut Reservation,
) -> Result<Bytes, CallError> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|n| n.to_str().ok()?.parse::<usize>().ok());
    // A client that sends `Expect: 100-continue` is refused before it sends the body.
    if announced.is_some_and(|n| n > MAX_BODY_BYTES) && headers.contains_key(header::EXPECT) {
        return Err(too_large());
    }
    timeout(PATIENCE, collect(body, reservation))
        .await
        .unwrap_or_else(|_| Err(Code::TIMEOUT.because("the body of the call did not arrive in time")))
}

/// Maximum time for the rest of a body whose call is refused already.
const PATIENCE_WITH_REFUSED: Duration = Duration::from_secs(2);

/// Reads and throws away the body of a call that is refused in any case, so that a client that is still sending gets
/// the answer.
pub(crate) async fn discard(body: Body) {
    let _ = timeout(PATIENCE_WITH_REFUSED, Limited::new(body, MAX_BODY_BYTES).collect()).await;
}

async fn collect(mut body: Body, reservation: &mut Reservation) -> Result<Bytes, CallError> {
    let (mut whole, mut size, mut refused) = (Vec::new(), 0, None);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Code::BAD_REQUEST.because("the body of the call ended early"))?;
        // Trailers.
        let Ok(data) = frame.into_data() else { continue };
        size += data.len();
        if size > MAX_WASTE_BYTES {
            break;
        }
        if refused.is_none() && size <= MAX_BODY_BYTES {
            refused = reservation.grow_to(size).await.err();
        }
        if refused.is_some() || size > MAX_BODY_BYTES {
            // Releases memory and budget at once, although the rest is still read.
            (whole, *reservation) = (Vec::new(), Reservation::default());
        } else {
            whole.extend_from_slice(&data);
        }
    }
    match refused {
        _ if size > MAX_BODY_BYTES => Err(too_large()),
        Some(refused) => Err(refused),
        None => Ok(whole.into()),
    }
}

fn too_large() -> CallError {
    Code::BAD_REQUEST
        .because(format!("the body of a call is at most {MAX_BODY_BYTES} bytes"))
        .with_status(StatusCode::PAYLOAD_TOO_LARGE)
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse as _;

    use super::*;

    async fn status(size: usize) -> Result<usize, StatusCode> {
        let read = read(&HeaderMap::new(), Body::from(vec![b' '; size]), &mut Reservation::default()).await;
        read.map(|body| body.len()).map_err(|error| error.into_response().status())
    }

    #[tokio::test]
    async fn a_body_of_more_than_1_mib_is_refused() {
        assert_eq!(status(MAX_BODY_BYTES).await, Ok(MAX_BODY_BYTES));
        assert_eq!(status(MAX_BODY_BYTES + 1).await, Err(StatusCode::PAYLOAD_TOO_LARGE));
        assert_eq!(status(MAX_WASTE_BYTES + 1).await, Err(StatusCode::PAYLOAD_TOO_LARGE));
    }
}
