//! The cluster that a command talks to: its masters, and how tasks and agents in it are found.

use anyhow::{Context, Result, bail};
use clap::Args;
use proto::v1::master::response::get_agents::Agent;
use proto::v1::{AgentId, FrameworkInfo, Task, TaskState, master};
use sdk::{Address, Masters, Operator};

/// Where the master is when nothing else is said: on this machine.
pub(crate) const DEFAULT_MASTER: &str = "127.0.0.1:5050";

/// The option of every command that talks to a cluster.
#[derive(Args, Clone, Debug)]
pub(crate) struct Connection {
    /// Where the master is: HOST:PORT, several of them separated by commas, or zk://... or etcd://...
    #[arg(long, env = "MESETA_MASTER", default_value = DEFAULT_MASTER, value_name = "HOST:PORT")]
    #[arg(value_parser = parse_masters)]
    pub(crate) master: Masters,
}

fn parse_masters(text: &str) -> Result<Masters, String> {
    Masters::parse(text).map_err(|error| error.to_string())
}

impl Connection {
    pub(crate) fn operator(&self) -> Operator {
        Operator::new(self.master.clone())
    }
}

/// The name of a state without its prefix: `RUNNING`.
pub(crate) fn state_name(state: TaskState) -> &'static str {
    let name = state.as_str_name();
    name.strip_prefix("TASK_").unwrap_or(name)
}

/// Whether a task in this state will never run again.
pub(crate) fn is_terminal(state: TaskState) -> bool {
    use TaskState as S;
    match state {
        S::TaskStaging
        | S::TaskStarting
        | S::TaskRunning
        | S::TaskKilling
        | S::TaskUnreachable
        | S::TaskUnknown => false,
        S::TaskFinished
        | S::TaskFailed
        | S::TaskKilled
        | S::TaskError
        | S::TaskLost
        | S::TaskDropped
        | S::TaskGone
        | S::TaskGoneByOperator => true,
    }
}

/// All tasks that the master remembers, running ones first.
pub(crate) fn all_tasks(tasks: master::response::GetTasks) -> Vec<Task> {
    let groups = [
        tasks.tasks,
        tasks.pending_tasks,
        tasks.unreachable_tasks,
        tasks.completed_tasks,
        tasks.orphan_tasks,
    ];
    groups.into_iter().flatten().collect()
}

/// The agent that is meant: the one with this id, else the only one of this host or `host:port`, or with an id that ends
/// so (`S0`).
pub(crate) async fn find_agent(operator: &Operator, wanted: &str) -> Result<Agent> {
    let mut agents = operator.agents().await?.agents;
    let known = agents.iter().map(|agent| (agent_id(agent).to_owned(), agent_names(agent)));
    let id = pick("agent", "meseta agent list", known, wanted)?;
    let place = agents.iter().position(|agent| agent_id(agent) == id);
    Ok(agents.swap_remove(place.with_context(|| format!("agent {id} is not there (any more)"))?))
}

/// The id of an agent as a master knows it.
pub(crate) fn agent_id(agent: &Agent) -> &str {
    agent.agent_info.id.as_ref().map_or("", |id| &id.value)
}

/// What else people call an agent.
pub(crate) fn agent_names(agent: &Agent) -> Vec<String> {
    let host = agent.agent_info.hostname.clone();
    let pid = agent.pid.as_deref().and_then(Address::from_pid);
    let mut names = vec![host.clone()];
    if let Some(address) = pid {
        names.extend([address.to_string(), format!("{host}:{}", address.port)]);
    }
    names
}

/// The id that an operator's call is to name: a whole id is taken as it is.
pub(crate) async fn agent_id_for(operator: &Operator, wanted: &str) -> Result<AgentId> {
    if is_whole_agent_id(wanted) {
        return Ok(wanted.into());
    }
    Ok(agent_id(&find_agent(operator, wanted).await?).into())
}

/// Whether this is an agent's id from its beginning to its end.
pub(crate) fn is_whole_agent_id(text: &str) -> bool {
    text.rsplit_once("-S").is_some_and(|(master, number)| {
        !master.is_empty() && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// The id of a framework of a list.
pub(crate) fn framework_id(info: &FrameworkInfo) -> &str {
    info.id.as_ref().map_or("", |id| &id.value)
}

/// The id that is meant among those that are known: the very same, else the only one that has this name or ends with it,
/// behind a dash. `list` is the command that shows them all.
pub(crate) fn pick(
    kind: &str,
    list: &str,
    known: impl IntoIterator<Item = (String, Vec<String>)>,
    wanted: &str,
) -> Result<String> {
    let meant = meant(known, wanted);
    match &meant[..] {
        [id] => Ok(id.clone()),
        [] => bail!("no {kind} has the id or the name `{wanted}`; `{list}` lists them"),
        [first, second] => bail!("`{wanted}` may be {first} or {second}; give the whole id"),
        [first, .., last] => {
            bail!("`{wanted}` may be any of {} {kind}s, {first} to {last}; give the whole id", meant.len())
        }
    }
}

/// Those that may be meant: the one with this very id, or all that have this name or end with it.
pub(crate) fn meant(known: impl IntoIterator<Item = (String, Vec<String>)>, wanted: &str) -> Vec<String> {
    let ending = format!("-{wanted}");
    let mut meant = Vec::new();
    for (id, names) in known {
        if id == wanted {
            return vec![id];
        }
        if names.iter().any(|name| name == wanted) || id.ends_with(&ending) {
            meant.push(id);
        }
    }
    meant
}

/// Where the agent listens.
pub(crate) async fn agent_address(operator: &Operator, id: &AgentId) -> Result<Address> {
    let agents = operator.agents().await?.agents;
    let agent = agents.into_iter().find(|agent| agent.agent_info.id.as_ref() == Some(id));
    agent
        .and_then(|agent| Address::from_pid(agent.pid.as_deref().unwrap_or_default()))
        .with_context(|| format!("agent {} is not there (any more)", id.value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_picked_by_their_ends_and_by_names() {
        let known = || {
            [("m-S0", "a"), ("m-S1", "b"), ("m-S2", "b"), ("m-S10", "b")]
                .map(|(id, name)| (id.to_owned(), vec![name.to_owned()]))
        };
        let picked =
            |wanted: &str| pick("agent", "meseta agent list", known(), wanted).map_err(|e| e.to_string());
        assert_eq!(
            (picked("m-S1"), picked("S0"), picked("a")),
            (Ok("m-S1".into()), Ok("m-S0".into()), Ok("m-S0".into()))
        );
        assert_eq!(picked("b").unwrap_err(), "`b` may be any of 3 agents, m-S1 to m-S10; give the whole id");
        assert_eq!(
            picked("0").unwrap_err(),
            "no agent has the id or the name `0`; `meseta agent list` lists them"
        );
    }
}
