//! Macros of the five levels: those of the `log` crate, with more types of fields.
//!
//! They accept the arguments of `log`'s macros and expand to [`log::log!`]. A field without a modifier is passed by
//! [`FieldValue`](crate::FieldValue), because `log` does not know the unit of a `Duration` nor that a number was an `f32`.

/// Logs at level `error`, with the arguments of `log::error!`.
///
/// A logger comes first, then fields, then the message. Each of the two may be missing. Before a message without fields `,`
/// and `;` are the same.
///
/// ```
/// use obs_log::Logger;
///
/// static LOG: Logger = Logger::new(module_path!());
///
/// let path = "/var/lib/hearthnet";
/// # let capture = obs_log::Capture::new();
/// # let _scope = capture.enter();
/// obs_log::error!(logger: LOG, path, free = 0; "cannot write");
/// obs_log::error!(logger: LOG, "cannot write to {path}");                 // without fields
/// obs_log::error!(path; "cannot write");                                  // under the name of the module
/// obs_log::error!("cannot write to {path}");
/// # assert_eq!(capture.lines().len(), 4);
/// ```
#[macro_export]
macro_rules! error {
    ($($arg:tt)+) => { $crate::__log!($crate::log::Level::Error; $($arg)+) };
}

/// Logs at level `warning`, with the arguments of `log::warn!`. See [`error!`](crate::error) for the forms.
///
/// ```
/// obs_log::warn!(peers = 0; "no peer answers");
/// ```
#[macro_export]
macro_rules! warn {
    ($($arg:tt)+) => { $crate::__log!($crate::log::Level::Warn; $($arg)+) };
}

/// Logs at level `info`, with the arguments of `log::info!`. See [`error!`](crate::error) for the forms.
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

/// Logs at level `debug`, with the arguments of `log::debug!`. See [`error!`](crate::error) for the forms.
///
/// ```
/// obs_log::debug!(attempt = 2; "trying again");
/// ```
#[macro_export]
macro_rules! debug {
    ($($arg:tt)+) => { $crate::__log!($crate::log::Level::Debug; $($arg)+) };
}

/// Logs at level `trace`, with the arguments of `log::trace!`. See [`error!`](crate::error) for the forms.
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
    ($level:expr; logger: $logger:expr; $($arg:tt)+) => {
        $crate::log::log!(logger: $logger, $level, $($arg)+)
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
        $crate::FieldValue::field(&$value)
    };
    ($key:tt :err = $value:expr) => {
        $crate::__log_error!($value)
    };
    ($key:tt :$capture:tt = $value:expr) => {
        $value
    };
    ($key:ident) => {
        $crate::FieldValue::field(&$key)
    };
    ($key:ident :err) => {
        $crate::__log_error!($key)
    };
    ($key:ident :$capture:tt) => {
        $key
    };
}

/// The place of an error, of which `log::log!` takes a reference.
#[doc(hidden)]
#[macro_export]
macro_rules! __log_error {
    ($value:expr) => {
        *match &$value {
            value => {
                #[allow(unused_imports, reason = "an error needs one of them")]
                use $crate::__private::{
                    ErrorFieldBox as _, ErrorFieldBoxRef as _, ErrorFieldOwned as _, ErrorFieldRef as _,
                };
                #[allow(unused_imports, reason = "an error needs one of them")]
                use $crate::ErrorFieldArgument as _;
                (&&&&&$crate::__private::Probe(value)).error()
            }
        }
    };
}
