//! Samples: families, labels, histograms, and the `metrics` macros of other crates.
//!
//! # A family of one's own
//!
//! A family is declared once, in a `static`. Its type has its kind and its number of labels. A handle of a series that is
//! recorded often is kept:
//!
//! ```
//! use std::sync::LazyLock;
//! use obs_facade::metrics::{self, CounterFamily, HistogramFamily, buckets};
//!
//! static QUERIES: LazyLock<CounterFamily<2>> =
//!     LazyLock::new(|| metrics::counter("rag_queries_total", "RAG queries answered.", ["corpus", "result"]));
//! static SECONDS: LazyLock<HistogramFamily<1>> = LazyLock::new(|| {
//!     metrics::histogram("rag_query_seconds", "Duration of a query.", ["corpus"], &buckets::DURATION).native()
//! });
//!
//! let hits = QUERIES.with(["docs", "ok"]); // a handle
//! hits.inc();
//! SECONDS.with(["docs"]).observe(0.012);
//! ```
//!
//! The buckets have names: [`buckets`](crate::metrics::buckets) has lists for durations, sizes, counts and ratios.
//!
//! Names follow Prometheus: `_total` for a counter, the unit at the end, base units (seconds, bytes). A mistake in a
//! declaration is logged once, and the family then does nothing. Its `try_` form returns the error instead.
//!
//! # Labels
//!
//! A label takes a value from a known set: a result, a kind, the name of a capability that is [offered](crate::offer). Text
//! that a caller chooses does not belong there. Where it cannot be avoided, the family is bounded: it has at most as many
//! series as the configuration allows, and further values read `__overflow__`. Totals stay exact.
//!
//! # Values that end
//!
//! A gauge that counts what is open gets a lease: `gauge.lease()` adds one now and takes it back when it is dropped, also in
//! a panic and a cancellation.
//!
//! # The `metrics` macros
//!
//! Samples that other crates record through [`metrics`](https://docs.rs/metrics) macros are on the same page after
//! [`configure`](crate::configure). A name that is already declared is refused and reported. A module may use these macros
//! too. Where it imports `obs_facade::metrics`, that name hides the crate, and the macro is `::metrics::counter!`. A family of
//! one's own costs less to record, is bounded, and cannot be misspelt at its second use.
//!
//! # The page
//!
//! The page of a node always has the families of HearthNet, which begin with `hearthnet_`. A program that is no node leaves them
//! out with [`standard_families(false)`](crate::ObservabilityConfig::standard_families), apart from counters of losses that are
//! not 0.
//!
//! A node serves `/metrics`. A program with another server sends what [`expose`](crate::metrics::expose) returns:
//!
//! ```
//! use obs_facade::metrics::{Format, expose};
//!
//! let accept = Some("text/plain");                          // the request's header
//! let format = Format::negotiate(accept);
//! let (content_type, body) = (format.content_type(), expose(format));
//! # assert!(content_type.starts_with("text/plain") && !body.is_empty());
//! ```
