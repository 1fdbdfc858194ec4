//! The body of a call: at most 1 MiB, in bounded time.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use tokio::time::timeout;

use super::body_budget::Room;
use super::error::{CallError, Code};

const MAX_BODY_BYTES: usize = 1 << 20;

/// How much more is read and thrown away, so that a caller who sends first and listens later gets the answer
/// instead of a broken connection.
const MAX_WASTE_BYTES: usize = 16 << 20;

/// How long a caller may take to send its body.
const PATIENCE: Duration = Duration::from_secs(30);

/// Reads the whole body, which has `room` as long as that is kept.
pub(crate) async fn read(headers: &HeaderMap, body: Body, room: &mut Room) -> Result<Bytes, CallError> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|n| n.to_str().ok()?.parse::<usize>().ok());
    // A caller that asks first (`Expect: 100-continue`) is told before it sends anything.
    if announced.is_some_and(|n| n > MAX_BODY_BYTES) && headers.contains_key(header::EXPECT) {
        return Err(too_large());
    }
    timeout(PATIENCE, collect(body, room))
        .await
        .unwrap_or_else(|_| Err(Code::TIMEOUT.because("the body of the call did not arrive in time")))
}

/// How long a caller that is refused already may go on sending.
const PATIENCE_WITH_REFUSED: Duration = Duration::from_secs(2);

/// Reads and throws away the body of a call that is refused whatever is in it, so that its caller, still
/// sending, gets the answer.
pub(crate) async fn discard(body: Body) {
    let _ = timeout(PATIENCE_WITH_REFUSED, Limited::new(body, MAX_BODY_BYTES).collect()).await;
}

async fn collect(mut body: Body, room: &mut Room) -> Result<Bytes, CallError> {
    let (mut whole, mut size, mut refused) = (Vec::new(), 0, None);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Code::BAD_REQUEST.because("the body of the call broke off"))?;
        let Ok(data) = frame.into_data() else { continue };
        size += data.len();
        if size > MAX_WASTE_BYTES {
            break;
        }
        if refused.is_none() && size <= MAX_BODY_BYTES {
            refused = room.grow_to(size).await.err();
        }
        if refused.is_some() || size > MAX_BODY_BYTES {
            (whole, *room) = (Vec::new(), Room::default());
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
        let read = read(&HeaderMap::new(), Body::from(vec![b' '; size]), &mut Room::default()).await;
        read.map(|body| body.len()).map_err(|error| error.into_response().status())
    }

    #[tokio::test]
    async fn a_body_may_be_1_mib_and_not_a_byte_more() {
        assert_eq!(status(MAX_BODY_BYTES).await, Ok(MAX_BODY_BYTES));
        assert_eq!(status(MAX_BODY_BYTES + 1).await, Err(StatusCode::PAYLOAD_TOO_LARGE));
        assert_eq!(status(MAX_WASTE_BYTES + 1).await, Err(StatusCode::PAYLOAD_TOO_LARGE));
    }
}
