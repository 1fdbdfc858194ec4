//! Macros of the five levels: those of the `log` crate, with an `f32` that keeps its type.
//!
//! They accept the arguments of `log`'s macros and expand to [`log::log!`]. A field without a modifier is passed as a
//! [`Field`](crate::json::float::Field), because a `log::kv::Value` of an `f32` holds an `f64`.

/// Logs at level `error`, with the arguments of `log::error!`.
///
/// ```
/// obs_log::error!(path = "/var/lib/hearthnet"; "cannot write");
/// ```
#[macro_export]
macro_rules! error {
    ($($arg:tt)+) => { $crate::__log!($crate::log::Level::Error; $($arg)+) };
}

/// Logs at level `warning`, with the arguments of `log::warn!`.
///
/// ```
/// obs_log::warn!(peers = 0; "no peer answers");
/// ```
#[macro_export]
macro_rules! warn {
    ($($arg:tt)+) => { $crate::__log!($crate::log::Level::Warn; $($arg)+) };
}

/// Logs at level `info`, with the arguments of `log::info!`.
///
/// ```
/// # let capture = obs_log::Capture::new();
/// # let _scope = capture.enter();
/// obs_log::info!(load = 0.1_f32; "measured");
/// assert!(capture.text()[0].ends_with(r#","load":0.1}"#));
/// ```
#[macro_export]
macro_rules! info {
    ($($arg:tt)+) => { $crate::__log!($crate::log::Level::Info; $($arg)+) };
}

/// Logs at level `debug`, with the arguments of `log::debug!`.
///
/// ```
/// obs_log::debug!(attempt = 2; "trying again");
/// ```
#[macro_export]
macro_rules! debug {
    ($($arg:tt)+) => { $crate::__log!($crate::log::Level::Debug; $($arg)+) };
}

/// Logs at level `trace`, with the arguments of `log::trace!`.
///
/// ```
/// obs_log::trace!(bytes = 512; "received");
/// ```
#[macro_export]
macro_rules! trace {
    ($($arg:tt)+) => { $crate::__log!($crate::log::Level::Trace; $($arg)+) };
}

/// Calls `log::log!` with the level behind `logger:` and `target:`.
#[doc(hidden)]
#[macro_export]
macro_rules! __log {
    ($level:expr; logger: $logger:expr, target: $target:expr, $($arg:tt)+) => {
        $crate::__log_fields!($level, [logger: $logger, target: $target,] $($arg)+)
    };
    ($level:expr; logger: $logger:expr, $($arg:tt)+) => {
        $crate::__log_fields!($level, [logger: $logger,] $($arg)+)
    };
    ($level:expr; target: $target:expr, $($arg:tt)+) => {
        $crate::__log_fields!($level, [target: $target,] $($arg)+)
    };
    ($level:expr; $($arg:tt)+) => { $crate::__log_fields!($level, [] $($arg)+) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __log_fields {
    ($level:expr, [$($head:tt)*] $($key:tt $(:$capture:tt)? $(= $value:expr)?),+; $($arg:tt)+) => {
        $crate::log::log!(
            $($head)*
            $level,
            $($key $(:$capture)? = $crate::__log_field!($key $(:$capture)? $(= $value)?)),+;
            $($arg)+
        )
    };
    ($level:expr, [$($head:tt)*] $($arg:tt)+) => { $crate::log::log!($($head)* $level, $($arg)+) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __log_field {
    ($key:tt = $value:expr) => {
        $crate::__private::Field(&$value)
    };
    ($key:tt :$capture:tt = $value:expr) => {
        $value
    };
    ($key:ident) => {
        $crate::__private::Field(&$key)
    };
    ($key:ident :$capture:tt) => {
        $key
    };
}
