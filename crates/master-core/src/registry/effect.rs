//! What follows when the registry holds a change.

use base::{AgentId, Time};
use resources::Role;

use super::gc;
use crate::core::MasterCore;
use crate::output::Output;
use crate::quota::QuotaChange;
use crate::types::{DrainConfig, OperatorError, Pid, RegisterAgent, RequestId, ReregisterAgent, WindowParts};
use crate::{agents, maintenance, operator, quota};

/// What follows when the registry holds a change.
#[derive(Debug)]
pub(crate) enum Effect {
    /// A new agent is admitted.
    Admit {
        /// Where it is.
        from: Pid,
        /// Its id.
        id: AgentId,
        /// What it says.
        message: Box<RegisterAgent>,
    },
    /// An agent that came back is admitted.
    Readmit {
        /// Where it is.
        from: Pid,
        /// What it says.
        message: Box<ReregisterAgent>,
    },
    /// An agent that does not answer is taken out.
    Unreachable {
        /// Which.
        id: AgentId,
        /// When that was decided.
        since: Time,
        /// Why, for schedulers.
        message: String,
    },
    /// An agent is taken out because an operator declared it gone.
    Gone {
        /// Which.
        id: AgentId,
        /// When that was decided.
        since: Time,
        /// Who waits for an answer.
        request: Option<RequestId>,
    },
    /// An agent that left is taken out.
    Remove(AgentId),
    /// An agent is drained.
    Drain {
        /// Which.
        id: AgentId,
        /// How.
        config: DrainConfig,
        /// Who waits for an answer.
        request: RequestId,
    },
    /// An agent has been drained.
    Drained(AgentId),
    /// An agent is offered no more.
    Deactivate(AgentId, RequestId),
    /// An agent is offered again.
    Reactivate(AgentId, RequestId),
    /// Quotas change.
    Quota(QuotaChange, RequestId),
    /// Weights change.
    Weights(Vec<(Role, f64)>, Option<RequestId>),
    /// The maintenance schedule changes, or machines go down or come up.
    Maintenance(WindowParts, RequestId),
    /// Agents are taken out because their machine is down.
    MachineDown(Vec<AgentId>),
    /// Agents that were unreachable or gone for long are forgotten.
    Forget(Vec<AgentId>),
}

impl Effect {
    /// Lets it happen.
    pub(super) fn take(self, core: &mut MasterCore, now: Time, out: &mut Vec<Output>) {
        match self {
            Self::Admit { from, id, message } => agents::admitted(core, now, from, id, message, out),
            Self::Readmit { from, message } => agents::readmitted(core, now, from, message, out),
            Self::Unreachable { id, since, message } => {
                agents::marked_unreachable(core, &id, since, &message, out);
            }
            Self::Gone { id, since, request } => {
                agents::marked_gone(core, now, &id, since, out);
                reply(request, Ok(()), out);
            }
            Self::Remove(id) => agents::unregistered(core, now, &id, out),
            Self::Drain { id, config, request } => {
                agents::draining(core, now, &id, config, out);
                reply(Some(request), Ok(()), out);
            }
            Self::Drained(id) => agents::drained(core, now, &id),
            Self::Deactivate(id, request) => {
                agents::deactivated(core, now, &id, out);
                reply(Some(request), Ok(()), out);
            }
            Self::Reactivate(id, request) => reply(Some(request), agents::reactivated(core, now, &id), out),
            Self::Quota(change, request) => {
                quota::changed(core, change, out);
                reply(Some(request), Ok(()), out);
            }
            Self::Weights(weights, request) => {
                operator::weights_changed(core, &weights, out);
                reply(request, Ok(()), out);
            }
            Self::Maintenance(windows, request) => {
                maintenance::changed(core, windows, out);
                reply(Some(request), Ok(()), out);
            }
            Self::MachineDown(agents) => {
                for id in agents {
                    agents::machine_down(core, now, &id, out);
                }
            }
            Self::Forget(agents) => gc::forgotten(core, agents),
        }
    }
}

fn reply(request: Option<RequestId>, result: Result<(), OperatorError>, out: &mut Vec<Output>) {
    if let Some(request) = request {
        out.push(Output::Reply { request, result });
    }
}
