//! What operators have asked for and has not been answered. An answer may come long after others have asked for the contrary, and
//! for the same once more: what it says holds of what was asked for then.

use master_core::OperatorCall;

/// Calls that are to take something away, until it is given back.
#[derive(Debug)]
pub(super) struct Orders<T>(Vec<(OperatorCall, Vec<T>)>);

impl<T> Default for Orders<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: PartialEq> Orders<T> {
    /// It is asked that these go.
    pub(super) fn ask(&mut self, call: &OperatorCall, things: Vec<T>) {
        self.0.push((call.clone(), things));
    }

    /// It is asked that these come back: of what was asked for before, nothing is said of them any more.
    pub(super) fn ask_back(&mut self, things: &[T]) {
        for (_, asked) in &mut self.0 {
            asked.retain(|thing| !things.contains(thing));
        }
    }

    /// The call is granted; which of the things are away from now on. Of two calls that are alike the first is.
    pub(super) fn grant(&mut self, call: &OperatorCall) -> Vec<T> {
        match self.0.iter().position(|(asked, _)| asked == call) {
            Some(at) => self.0.remove(at).1,
            None => Vec::new(),
        }
    }
}
