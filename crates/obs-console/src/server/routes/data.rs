//! Routes that answer with data of the source.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;

use super::queries::{self, Id};
use crate::refused::Refused;
use crate::server::console::Console;

type Answer = Result<Response, Refused>;
type Shared = State<Arc<Console>>;

pub(super) async fn overview(State(console): Shared, request: Request) -> Answer {
    let request = request.into_parts().0;
    let window = queries::window(&request.uri)?;
    console.answer(&console.calls, &request, move |source| source.overview(&window)).await
}

pub(super) async fn series(State(console): Shared, request: Request) -> Answer {
    let request = request.into_parts().0;
    let query = queries::series(&request.uri)?;
    console.answer(&console.calls, &request, move |source| source.series(&query)).await
}

pub(super) async fn traces(State(console): Shared, request: Request) -> Answer {
    let request = request.into_parts().0;
    let query = queries::traces(&request.uri)?;
    console.answer(&console.calls, &request, move |source| source.traces(&query)).await
}

pub(super) async fn trace(State(console): Shared, Id(id): Id, request: Request) -> Answer {
    let request = request.into_parts().0;
    let peers = queries::peers(&request.uri)?;
    let work = if peers { &console.slow_calls } else { &console.calls };
    console.answer(work, &request, move |source| source.trace(&id, peers)).await
}

pub(super) async fn logs(State(console): Shared, request: Request) -> Answer {
    let request = request.into_parts().0;
    let query = queries::logs(&request.uri)?;
    console.answer(&console.calls, &request, move |source| source.logs(&query)).await
}

pub(super) async fn metrics(State(console): Shared, request: Request) -> Answer {
    let request = request.into_parts().0;
    queries::none(&request.uri)?;
    console.answer(&console.calls, &request, |source| source.families()).await
}

pub(super) async fn doctor(State(console): Shared, request: Request) -> Answer {
    let request = request.into_parts().0;
    queries::none(&request.uri)?;
    console.answer(&console.calls, &request, |source| source.doctor(false)).await
}

pub(super) async fn problems(State(console): Shared, request: Request) -> Answer {
    let request = request.into_parts().0;
    queries::none(&request.uri)?;
    console.answer(&console.calls, &request, |source| source.problems()).await
}

pub(super) async fn peers(State(console): Shared, request: Request) -> Answer {
    let request = request.into_parts().0;
    queries::none(&request.uri)?;
    console.answer(&console.calls, &request, |source| source.peers()).await
}
