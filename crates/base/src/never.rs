//! `never!`: what cannot happen is said, logged and survived; a debug build stops on it.

/// Asserts that `condition` is false, and returns it. A test build panics; a release build logs the message and goes
/// on, so that one broken assumption does not take a cluster down.
///
/// ```
/// # let (total, allocated) = (2, 1);
/// if base::never!(allocated > total, "allocated {allocated} of {total}") {
///     return; // a safe way out
/// }
/// ```
#[macro_export]
macro_rules! never {
    ($condition:expr, $($message:tt)+) => {{
        let broken = $condition;
        if broken {
            if cfg!(debug_assertions) {
                panic!($($message)+);
            }
            $crate::__tracing::error!("broken assumption at {}:{}: {}", file!(), line!(), format!($($message)+));
        }
        broken
    }};
    ($condition:expr) => { $crate::never!($condition, "{}", stringify!($condition)) };
}
