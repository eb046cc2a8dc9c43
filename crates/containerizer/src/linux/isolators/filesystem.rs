//! `filesystem/linux`: mounts of one's own.

use super::{Plan, Subject};
use crate::linux::options::Isolator;

pub(super) fn prepare(subject: &Subject<'_>, plan: &mut Plan) {
    plan.namespaces.mount = subject.has(Isolator::FilesystemLinux);
}
