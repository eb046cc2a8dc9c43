//! `posix/rlimits`: resource limits that a container asks for.

use super::{Plan, Subject};
use crate::linux::options::Isolator;
use crate::open_files;

pub(super) fn prepare(subject: &Subject<'_>, plan: &mut Plan) {
    // Ours was raised for ourselves; containers get the one that we were started with.
    plan.task.rlimits.extend(open_files::before());
    if subject.has(Isolator::PosixRlimits) {
        plan.task.rlimits.extend(&subject.spec.wishes.rlimits);
    }
}
