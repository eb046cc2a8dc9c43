//! What operators change, a method for each call. All are answered when the master has taken the change upon itself: what
//! is kept in the registry is there by then; what an agent has to do, it may still be about to.

use std::time::Duration;

use proto::v1::maintenance::{ClusterStatus, Schedule};
use proto::v1::master::{Call, call, call::Type, response};
use proto::v1::quota::{QuotaConfig, QuotaStatus};
use proto::v1::{AgentId, FrameworkId, MachineId, Resource, WeightInfo, value};
use proto::well_known;

use super::{Operator, OperatorError};

type Changed = Result<(), OperatorError>;

/// Methods that fill one part of a call and send it.
macro_rules! changes {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),+) $kind:ident $field:ident $part:expr;)+) => {
        impl Operator {$(
            $(#[$doc])*
            ///
            /// # Errors
            /// When no leader answers, or it refuses.
            pub async fn $name(&self, $($argument: $type),+) -> Changed {
                let kind = Some(Type::$kind.into());
                let call = Call { r#type: kind, $field: Some($part), ..Call::default() };
                self.call(&call).await.map(drop)
            }
        )+}
    };
}

changes! {
    /// Offers nothing of an agent any more.
    deactivate_agent(agent_id: AgentId) DeactivateAgent deactivate_agent call::DeactivateAgent { agent_id };
    /// Takes a deactivation or a draining back.
    reactivate_agent(agent_id: AgentId) ReactivateAgent reactivate_agent call::ReactivateAgent { agent_id };
    /// Says that an agent will never come back. This cannot be taken back.
    mark_agent_gone(agent_id: AgentId) MarkAgentGone mark_agent_gone call::MarkAgentGone { agent_id };
    /// Kills the tasks of an agent and offers nothing of it any more; afterwards, if asked for, it is gone for good. Tasks
    /// have `grace` to end, if that is less than what they ask for.
    drain_agent(agent_id: AgentId, grace: Option<Duration>, mark_gone: bool) DrainAgent drain_agent
        call::DrainAgent { agent_id, max_grace_period: grace.map(duration), mark_gone: Some(mark_gone) };
    /// Ends a framework with all its tasks.
    teardown(framework_id: FrameworkId) Teardown teardown call::Teardown { framework_id };
    /// Replaces the quotas of these roles; one without guarantees and limits is removed.
    update_quota(quota_configs: Vec<QuotaConfig>, force: bool) UpdateQuota update_quota
        call::UpdateQuota { force: Some(force), quota_configs };
    /// Sets weights of roles.
    update_weights(weight_infos: Vec<WeightInfo>) UpdateWeights update_weights
        call::UpdateWeights { weight_infos };
    /// Replaces the maintenance schedule.
    update_maintenance_schedule(schedule: Schedule) UpdateMaintenanceSchedule update_maintenance_schedule
        call::UpdateMaintenanceSchedule { schedule };
    /// Takes machines down: their agents are told to shut down, and are not let in.
    start_maintenance(machines: Vec<MachineId>) StartMaintenance start_maintenance
        call::StartMaintenance { machines };
    /// Lets machines come back.
    stop_maintenance(machines: Vec<MachineId>) StopMaintenance stop_maintenance
        call::StopMaintenance { machines };
    /// Reserves; the resources are as they are to be.
    reserve_resources(agent_id: AgentId, resources: Vec<Resource>) ReserveResources reserve_resources
        call::ReserveResources { agent_id, resources, source: Vec::new() };
    /// Takes the last reservation off; the resources are as they are.
    unreserve_resources(agent_id: AgentId, resources: Vec<Resource>) UnreserveResources unreserve_resources
        call::UnreserveResources { agent_id, resources };
    /// Makes persistent volumes of reserved disk space.
    create_volumes(agent_id: AgentId, volumes: Vec<Resource>) CreateVolumes create_volumes
        call::CreateVolumes { agent_id, volumes };
    /// Deletes persistent volumes with all that is in them.
    destroy_volumes(agent_id: AgentId, volumes: Vec<Resource>) DestroyVolumes destroy_volumes
        call::DestroyVolumes { agent_id, volumes };
    /// Makes a persistent volume larger by `addition`, which is disk space reserved alike.
    grow_volume(agent_id: AgentId, volume: Resource, addition: Resource) GrowVolume grow_volume
        call::GrowVolume { agent_id: Some(agent_id), volume, addition };
    /// Makes a persistent volume smaller by so many megabytes.
    shrink_volume(agent_id: AgentId, volume: Resource, megabytes: f64) ShrinkVolume shrink_volume
        call::ShrinkVolume { agent_id: Some(agent_id), volume, subtract: value::Scalar { value: megabytes } };
}

impl Operator {
    /// The quotas that were set.
    ///
    /// # Errors
    /// When no leader answers, or it refuses.
    pub async fn quotas(&self) -> Result<QuotaStatus, OperatorError> {
        Ok(self.ask(Type::GetQuota).await?.get_quota.unwrap_or_default().status)
    }

    /// The weights that were set.
    ///
    /// # Errors
    /// When no leader answers, or it refuses.
    pub async fn weights(&self) -> Result<Vec<WeightInfo>, OperatorError> {
        Ok(self.ask(Type::GetWeights).await?.get_weights.unwrap_or_default().weight_infos)
    }

    /// When which machines are to be maintained.
    ///
    /// # Errors
    /// When no leader answers, or it refuses.
    pub async fn maintenance_schedule(&self) -> Result<Schedule, OperatorError> {
        let answer = self.ask(Type::GetMaintenanceSchedule).await?;
        Ok(answer.get_maintenance_schedule.unwrap_or_default().schedule)
    }

    /// Which machines are about to be maintained or are down, and what frameworks have said.
    ///
    /// # Errors
    /// When no leader answers, or it refuses.
    pub async fn maintenance_status(&self) -> Result<ClusterStatus, OperatorError> {
        let answer = self.ask(Type::GetMaintenanceStatus).await?;
        Ok(answer.get_maintenance_status.unwrap_or_default().status)
    }

    /// Who leads, and since when.
    ///
    /// # Errors
    /// When no leader answers, or it refuses.
    pub async fn master(&self) -> Result<response::GetMaster, OperatorError> {
        Ok(self.ask(Type::GetMaster).await?.get_master.unwrap_or_default())
    }
}

/// One that is too long for the message is as good as endless.
fn duration(of: Duration) -> well_known::Duration {
    let seconds = i64::try_from(of.as_secs()).unwrap_or(i64::MAX);
    let nanos = i32::try_from(of.subsec_nanos()).unwrap_or(0);
    well_known::Duration { seconds: Some(seconds), nanos: Some(nanos) }
}
