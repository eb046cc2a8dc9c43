//! `namespaces/pid` and `namespaces/ipc`: seeing nobody else's processes and shared memory.

use init::{Mount, Step};

use super::{Plan, Subject};
use crate::isolation::Ipc;
use crate::launcher::LaunchError;
use crate::linux::options::Isolator;

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
        if subject.options.forbid_sharing_pids && !subject.nested() {
            return Err(refuse("sharing the agent's pid namespace is not allowed"));
        }
        return Ok(());
    }
    plan.new_pids = true;
    plan.mounts.push(Step::Mount(Mount { kind: "proc".into(), target: "/proc".into(), ..Mount::default() }));
    Ok(())
}

fn prepare_ipc(subject: &Subject<'_>, plan: &mut Plan) -> Result<(), LaunchError> {
    let wishes = &subject.spec.wishes;
    if wishes.shm_size.is_some() && wishes.ipc != Ipc::Private {
        return Err(refuse("a size of /dev/shm goes with the IPC mode PRIVATE only"));
    }
    match wishes.ipc {
        Ipc::Unset => plan.namespaces.ipc = true,
        Ipc::ShareParent if subject.options.forbid_sharing_ipc && !subject.nested() => {
            return Err(refuse("sharing the agent's IPC namespace is not allowed"));
        }
        Ipc::ShareParent => {}
        Ipc::Private => {
            plan.namespaces.ipc = true;
            let size = wishes.shm_size.or(subject.options.shm_size);
            let size = size.map_or_else(String::new, |size| format!(",size={size}"));
            plan.mounts.push(Step::Mount(Mount {
                kind: "tmpfs".into(),
                target: "/dev/shm".into(),
                options: format!("mode=1777{size}"),
                trusted: false,
            }));
        }
    }
    Ok(())
}

fn refuse(reason: &str) -> LaunchError {
    LaunchError::Wish(reason.to_owned())
}
