//! `never!`: what cannot happen is said, logged, counted and survived; a debug build stops on it.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

/// On all threads.
static FOUND: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static BROKEN: Cell<Broken> = const { Cell::new(Broken { count: 0, file: "", line: 0 }) };
}

/// What [`never!`](crate::never) has found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Broken {
    /// How many assumptions were broken.
    pub count: u64,
    /// In which file the last of them is.
    pub file: &'static str,
    /// On which line.
    pub line: u32,
}

/// What was found broken on this thread. A core runs on one thread: whoever drives it sees by this that one
/// of its steps has come upon something that cannot be, also where that is survived.
#[must_use]
pub fn broken_assumptions() -> Broken {
    BROKEN.get()
}

/// How many assumptions this process has found broken so far, on all its threads; for its metrics.
#[must_use]
pub fn broken_assumptions_in_all() -> u64 {
    FOUND.load(Ordering::Relaxed)
}

/// Counts one; for [`never!`](crate::never).
#[doc(hidden)]
pub fn __note_broken_assumption(file: &'static str, line: u32) {
    BROKEN.set(Broken { count: BROKEN.get().count + 1, file, line });
    FOUND.fetch_add(1, Ordering::Relaxed);
}

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
            $crate::__note_broken_assumption(file!(), line!());
            if cfg!(debug_assertions) {
                panic!($($message)+);
            }
            $crate::__tracing::error!("broken assumption at {}:{}: {}", file!(), line!(), format!($($message)+));
        }
        broken
    }};
    ($condition:expr) => { $crate::never!($condition, "{}", stringify!($condition)) };
}

#[cfg(test)]
mod tests {
    use super::{broken_assumptions, broken_assumptions_in_all};

    #[test]
    fn a_broken_assumption_is_counted_where_it_is() {
        let (before, in_all) = (broken_assumptions(), broken_assumptions_in_all());
        assert!(!never!(1 > 2, "one is larger"));
        assert_eq!(broken_assumptions(), before);
        let found = std::panic::catch_unwind(|| never!(2 > 1, "two is larger"));
        assert_eq!(found.is_err(), cfg!(debug_assertions), "a debug build stops");
        let after = broken_assumptions();
        assert_eq!((after.count, after.file), (before.count + 1, file!()));
        assert!(broken_assumptions_in_all() > in_all);
    }
}
