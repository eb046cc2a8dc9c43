//! `namespaces/pid` and `namespaces/ipc`: seeing nobody else's processes and shared memory.

use init::{Bind, Mount, Source, Step};

use super::{Plan, Subject};
use crate::isolation::{Ipc, Wishes};
use crate::launcher::LaunchError;
use crate::linux::options::{Isolator, LinuxOptions};

pub(super) fn prepare(subject: &Subject<'_>, plan: &mut Plan) -> Result<(), LaunchError> {
    if subject.has(Isolator::NamespacesPid) {
        prepare_pids(subject, plan)?;
    }
    if subject.has(Isolator::NamespacesIpc) {
        prepare_ipc(subject, plan)?;
    }
    Ok(())
}

fn prepare_pids(subject: &Subject<'_>, plan: &mut Plan) -> Result<(), LaunchError> {
    if subject.spec.wishes.shares_pids {
        return match subject.around {
            None => may_share_pids(subject.options),
            // What is around it shares them, too, and was allowed to.
            Some(around) if around.shares_pids => Ok(()),
            Some(_) => {
                plan.joins_pids = true;
                own_proc(plan);
                Ok(())
            }
        };
    }
    plan.new_pids = true;
    own_proc(plan);
    Ok(())
}

fn own_proc(plan: &mut Plan) {
    plan.mounts.push(Step::Mount(Mount { kind: "proc".into(), target: "/proc".into(), ..Mount::default() }));
}

fn may_share_pids(options: &LinuxOptions) -> Result<(), LaunchError> {
    if options.forbid_sharing_pids {
        return Err(refuse("Sharing agent pid namespace with top-level container is not allowed"));
    }
    Ok(())
}

fn check_ipc(wishes: &Wishes, options: &LinuxOptions, nested: bool) -> Result<(), LaunchError> {
    if wishes.shm_size.is_some() && wishes.ipc != Ipc::Private {
        return Err(refuse("Only support specifying the size of /dev/shm when the IPC mode is `PRIVATE`"));
    }
    if wishes.ipc == Ipc::ShareParent && options.forbid_sharing_ipc && !nested {
        return Err(refuse("Sharing agent IPC namespace with top-level container is not allowed"));
    }
    Ok(())
}

/// Whether a group may have what it asks for.
pub(in crate::linux) fn check_group(wishes: &Wishes, options: &LinuxOptions) -> Result<(), LaunchError> {
    if options.isolation.has(Isolator::NamespacesPid) && wishes.shares_pids {
        may_share_pids(options)?;
    }
    if options.isolation.has(Isolator::NamespacesIpc) {
        check_ipc(wishes, options, false)?;
    }
    Ok(())
}

fn prepare_ipc(subject: &Subject<'_>, plan: &mut Plan) -> Result<(), LaunchError> {
    let wishes = &subject.spec.wishes;
    check_ipc(wishes, subject.options, subject.around.is_some())?;
    match (wishes.ipc, subject.around) {
        (Ipc::Unset, None) => plan.namespaces.ipc = true,
        (Ipc::ShareParent, None) => {}
        // The machine's `/dev/shm` where nothing is said, whatever that of the group is.
        (Ipc::Unset, Some(around)) => plan.enters.extend(around.ipc.clone().map(Step::EnterFile)),
        (Ipc::ShareParent, Some(around)) => {
            plan.enters.extend(around.ipc.clone().map(Step::EnterFile));
            plan.binds.extend(around.shm.clone().map(|shm| {
                let (source, target) = (Source::Host(shm), Source::Host("/dev/shm".into()));
                Step::Bind(Bind { source, target, read_only: false })
            }));
        }
        (Ipc::Private, _) => {
            plan.namespaces.ipc = true;
            plan.mounts.push(Step::Mount(Mount {
                kind: "tmpfs".into(),
                target: "/dev/shm".into(),
                options: shm_options(wishes.shm_size.or(subject.options.shm_size)),
                trusted: false,
            }));
        }
    }
    Ok(())
}

/// How a `/dev/shm` is mounted.
pub(in crate::linux) fn shm_options(size: Option<u64>) -> String {
    size.map_or_else(|| "mode=1777".to_owned(), |size| format!("mode=1777,size={size}"))
}

fn refuse(reason: &str) -> LaunchError {
    LaunchError::Wish(reason.to_owned())
}
