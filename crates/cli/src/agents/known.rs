//! Agents that are meant by an id or a host, also those that are not registered: that do not answer, have not come back since
//! the master began to lead, or are gone.

use anyhow::{Result, bail};
use proto::v1::AgentId;
use proto::v1::master::response::get_agents::Agent;
use sdk::Operator;
use sdk::operator::form_escape;

use crate::cluster::{agent_id, agent_names, is_whole_agent_id, meant};
use crate::inspect::agents::{Answer, Listed, state_of};

/// An agent, with what is known of it.
pub(super) enum Known {
    /// It is registered.
    Registered(Box<Agent>),
    /// It is not, and little is known.
    Lost(Box<Listed>),
}

impl Known {
    fn id(&self) -> &str {
        match self {
            Self::Registered(agent) => agent_id(agent),
            Self::Lost(agent) => &agent.id,
        }
    }

    fn state(&self) -> &'static str {
        match self {
            Self::Registered(agent) => state_of(agent),
            Self::Lost(agent) => agent.state(),
        }
    }

    fn names(&self) -> Vec<String> {
        match self {
            Self::Registered(agent) => agent_names(agent),
            Self::Lost(agent) => vec![agent.hostname.clone()],
        }
    }
}

/// The agent that is meant. Where a host has a registered one and others that are lost, the registered one is.
pub(super) async fn find(operator: &Operator, wanted: &str) -> Result<Known> {
    let mut known = registered(operator, wanted).await?;
    if known.is_empty() {
        known = lost(operator, wanted, "recovered,unreachable,gone").await?;
    }
    only(known, wanted)
}

/// The id of the agent that is to be gone. That cannot be taken back: where a host has several, registered or not, it has to be
/// said which.
pub(super) async fn id_of_one_that_is_left(operator: &Operator, wanted: &str) -> Result<AgentId> {
    if is_whole_agent_id(wanted) {
        return Ok(wanted.into());
    }
    let mut known = registered(operator, wanted).await?;
    known.extend(lost(operator, wanted, "recovered,unreachable").await?);
    Ok(only(known, wanted)?.id().into())
}

async fn registered(operator: &Operator, wanted: &str) -> Result<Vec<Known>> {
    let agents = operator.agents().await?.agents;
    Ok(those(agents.into_iter().map(|agent| Known::Registered(Box::new(agent))).collect(), wanted))
}

async fn lost(operator: &Operator, wanted: &str, states: &str) -> Result<Vec<Known>> {
    let search = form_escape(wanted);
    let path = format!("/state-summary/agents?limit=1000&state={states}&search={search}");
    match operator.get_as::<Answer>(&path).await {
        Ok(answer) => {
            Ok(those(answer.slaves.into_iter().map(|agent| Known::Lost(Box::new(agent))).collect(), wanted))
        }
        // Only Meseta's masters tell of them.
        Err(error) if error.status().is_some_and(|status| status.as_u16() == 404) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

/// Those that may be meant.
fn those(known: Vec<Known>, wanted: &str) -> Vec<Known> {
    let ids = meant(known.iter().map(|agent| (agent.id().to_owned(), agent.names())), wanted);
    known.into_iter().filter(|agent| ids.iter().any(|id| id == agent.id())).collect()
}

fn only(mut known: Vec<Known>, wanted: &str) -> Result<Known> {
    if known.len() > 1 {
        let mut each: Vec<String> =
            known.iter().take(8).map(|agent| format!("{} ({})", agent.id(), agent.state())).collect();
        if known.len() > each.len() {
            each.push("...".to_owned());
        }
        bail!("`{wanted}` may be any of {} agents: {}; give the whole id", known.len(), each.join(", "));
    }
    match known.pop() {
        Some(agent) => Ok(agent),
        None => bail!(
            "no agent has the id or the name `{wanted}`; `meseta agent list` lists them, with \
             `--state unreachable,gone` also those that are lost"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(id: &str, hostname: &str, state: &str) -> Known {
        let (id, hostname, told_state) = (id.to_owned(), hostname.to_owned(), state.to_owned());
        Known::Lost(Box::new(Listed { id, hostname, told_state, ..Listed::default() }))
    }

    #[test]
    fn where_a_host_has_several_it_is_told_which_in_which_state() {
        let known = || {
            vec![agent("m-S0", "a", "unreachable"), agent("m-S1", "a", "gone"), agent("m-S2", "b", "gone")]
        };
        let found = |wanted: &str| only(those(known(), wanted), wanted).map(|agent| agent.id().to_owned());
        assert_eq!((found("b").unwrap(), found("S0").unwrap()), ("m-S2".to_owned(), "m-S0".to_owned()));
        assert_eq!(
            found("a").unwrap_err().to_string(),
            "`a` may be any of 2 agents: m-S0 (unreachable), m-S1 (gone); give the whole id"
        );
        let error = found("c").unwrap_err().to_string();
        assert!(
            error.starts_with("no agent has the id or the name `c`; `meseta agent list` lists them"),
            "{error}"
        );
    }
}
