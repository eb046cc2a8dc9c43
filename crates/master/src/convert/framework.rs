//! Descriptions of frameworks.

use std::collections::BTreeSet;
use std::time::Duration;

use master_core::{FrameworkCapabilities, FrameworkInfo};
use proto::v1;
use proto::v1::framework_info::capability::Type;
use resources::Role;

use super::payload;

/// What a framework says of itself. Its id is left out.
pub(crate) fn framework_info(mut info: v1::FrameworkInfo) -> FrameworkInfo {
    info.id = None;
    let capabilities = capabilities(&info);
    let roles: BTreeSet<Role> = if capabilities.multi_role {
        info.roles.iter().map(|role| role.as_str().into()).collect()
    } else {
        BTreeSet::from([info.role().into()])
    };
    FrameworkInfo {
        name: info.name.clone(),
        user: info.user.clone(),
        principal: info.principal.clone(),
        roles,
        capabilities,
        // What is out of range was refused before; a framework recovered from an agent keeps nothing senseless.
        failover_timeout: Duration::try_from_secs_f64(info.failover_timeout()).unwrap_or_default(),
        checkpoint: info.checkpoint(),
        min_allocatable: wire::min_allocatable(&info),
        body: payload(&info),
        kept: false,
    }
}

fn capabilities(info: &v1::FrameworkInfo) -> FrameworkCapabilities {
    let mut known = FrameworkCapabilities::default();
    for capability in &info.capabilities {
        match capability.r#type() {
            Type::Unknown => {}
            Type::RevocableResources => known.revocable_resources = true,
            Type::TaskKillingState => known.task_killing_state = true,
            Type::GpuResources => known.gpu_resources = true,
            Type::SharedResources => known.shared_resources = true,
            Type::PartitionAware => known.partition_aware = true,
            Type::MultiRole => known.multi_role = true,
            Type::ReservationRefinement => known.reservation_refinement = true,
            Type::RegionAware => known.region_aware = true,
        }
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_those_of_the_capability() {
        let mut info = v1::FrameworkInfo { user: "u".into(), name: "n".into(), ..Default::default() };
        info.id = Some("f".into());
        let one = framework_info(info.clone());
        assert_eq!(one.roles.iter().map(AsRef::as_ref).collect::<Vec<&str>>(), ["*"]);
        assert_eq!(proto::decode::<v1::FrameworkInfo>(one.body.as_bytes()).unwrap().id, None);
        info.capabilities.push(v1::framework_info::Capability { r#type: Some(Type::MultiRole.into()) });
        info.roles = vec!["b".into(), "a".into()];
        let several = framework_info(info);
        assert_eq!(several.roles.iter().map(AsRef::as_ref).collect::<Vec<&str>>(), ["a", "b"]);
    }
}
