//! The macros of the five levels: those of the `log` crate, with an `f32` that keeps its type.
//!
//! They take what the macros of `log` take and expand to [`log::log!`]. A field without a modifier is handed over as a
//! [`Field`](crate::json::float::Field), because a `log::kv::Value` that is made of an `f32` holds an `f64`.

/// Logs at level `error`; takes what `log::error!` takes.
///
/// ```
/// obs_log::error!(path = "/var/lib/hearthnet"; "cannot write");
/// ```
#[macro_export]
macro_rules! error {
    ($($arg:tt)+) => { $crate::__log!($crate::log::Level::Error; $($arg)+) };
}

/// Logs at level `warning`; takes what `log::warn!` takes.
///
/// ```
/// obs_log::warn!(peers = 0; "no peer answers");
/// ```
#[macro_export]
macro_rules! warn {
    ($($arg:tt)+) => { $crate::__log!($crate::log::Level::Warn; $($arg)+) };
}

/// Logs at level `info`; takes what `log::info!` takes.
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

/// Logs at level `debug`; takes what `log::debug!` takes.
///
/// ```
/// obs_log::debug!(attempt = 2; "trying again");
/// ```
#[macro_export]
macro_rules! debug {
    ($($arg:tt)+) => { $crate::__log!($crate::log::Level::Debug; $($arg)+) };
}

/// Logs at level `trace`; takes what `log::trace!` takes.
///
/// ```
/// obs_log::trace!(bytes = 512; "received");
/// ```
#[macro_export]
macro_rules! trace {
    ($($arg:tt)+) => { $crate::__log!($crate::log::Level::Trace; $($arg)+) };
}

/// `log::log!` with `level` in front of everything.
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
