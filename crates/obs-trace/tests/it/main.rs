//! Tests of the public API.

#[cfg(feature = "rt")]
mod blocked;
mod bounds;
#[cfg(feature = "otlp")]
mod collector;
mod context;
mod ends;
mod fates;
mod late;
mod manual;
mod marks;
#[cfg(feature = "otlp")]
mod otlp;
mod pitfalls;
mod propagation;
mod races;
mod records;
mod restored;
mod reuse;
#[cfg(feature = "rt")]
mod tasks;

/// Yields to the runtime `n` times.
async fn yields(n: usize) {
    for _ in 0..n {
        tokio::task::yield_now().await;
    }
}

/// Runs a future on both kinds of runtime.
fn on_both_runtimes<F: Future<Output = ()>>(f: impl Fn() -> F) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(f());
    let many = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    many.block_on(f());
}
