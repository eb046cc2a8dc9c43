//! Long answers about everything: `/state`, `GET_STATE` and the like.
//!
//! They are put together from fragments that are kept until their entity changes ([`chunks`]), and made once for all who ask
//! at the same time ([`flight`]), so that polling a large cluster costs little more than the bytes that are sent. Nothing
//! here runs in the core's thread: it only hands out a snapshot.

mod chunks;
mod entities;
mod flight;
mod lists;
#[cfg(test)]
mod plain;
mod summary;
mod tally;
mod v0;
mod v1;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http_api::{Answer, ApiError, Encoding};
use master_core::Snapshot;

use crate::context::Identity;
use crate::listing::{ListedFramework, Part};
use crate::server::Master;
use flight::Flight;
use lists::Lists;
pub(crate) use v0::{agents_part, roles_part, tasks_part};

/// How long fragments are kept that nobody has asked for.
const KEPT: Duration = Duration::from_mins(2);

/// What can be asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Question {
    /// `/state`
    State,
    /// `/frameworks`
    Frameworks,
    /// `/slaves`
    Agents,
    /// `/state-summary`
    Summary,
    /// `/roles`
    Roles,
    /// `GET_STATE`
    GetState(Encoding),
    /// `GET_TASKS`
    GetTasks(Encoding),
    /// `GET_EXECUTORS`
    GetExecutors(Encoding),
    /// `GET_FRAMEWORKS`
    GetFrameworks(Encoding),
    /// `GET_AGENTS`
    GetAgents(Encoding),
    /// `GET_ROLES`
    GetRoles(Encoding),
    /// `GET_OPERATIONS`
    GetOperations(Encoding),
}

impl Question {
    const COUNT: usize = 19;

    fn index(self) -> usize {
        let of = |first: usize, encoding: Encoding| first + usize::from(encoding == Encoding::Protobuf);
        match self {
            Self::State => 0,
            Self::Frameworks => 1,
            Self::Agents => 2,
            Self::GetState(encoding) => of(3, encoding),
            Self::GetTasks(encoding) => of(5, encoding),
            Self::GetExecutors(encoding) => of(7, encoding),
            Self::GetFrameworks(encoding) => of(9, encoding),
            Self::GetAgents(encoding) => of(11, encoding),
            Self::GetRoles(encoding) => of(13, encoding),
            Self::GetOperations(encoding) => of(15, encoding),
            Self::Summary => 17,
            Self::Roles => 18,
        }
    }

    /// Its answer.
    fn answer(self, identity: &Identity, snapshot: &Snapshot, lists: &mut Lists) -> Answer {
        match self {
            Self::State => v0::state(identity, snapshot, lists),
            Self::Frameworks => v0::frameworks(snapshot, lists),
            Self::Agents => v0::agents(snapshot, lists),
            Self::GetState(encoding) => v1::state(encoding, snapshot, lists),
            Self::GetTasks(encoding) => v1::tasks(encoding, snapshot, lists),
            Self::GetExecutors(encoding) => v1::executors(encoding, snapshot, lists),
            Self::GetFrameworks(encoding) => v1::frameworks(encoding, snapshot, lists),
            Self::GetAgents(encoding) => v1::agents(encoding, snapshot, lists),
            Self::GetRoles(encoding) => v1::roles(encoding, identity, snapshot, lists),
            Self::GetOperations(encoding) => v1::operations(encoding, snapshot, lists),
            Self::Summary => summary::summary(identity, snapshot, lists),
            Self::Roles => v0::roles(identity, snapshot, lists),
        }
    }
}

/// Makes them.
#[derive(Clone)]
pub(crate) struct Answers {
    flights: [Arc<Flight<Result<Answer, ApiError>>>; Question::COUNT],
    kept: Arc<Mutex<Kept>>,
}

/// What is kept from one answer to the next.
#[derive(Default)]
struct Kept {
    lists: Lists,
    /// When it was asked for last; nothing while nothing is kept.
    asked: Option<Instant>,
}

impl Default for Answers {
    fn default() -> Self {
        Self { flights: std::array::from_fn(|_| Arc::default()), kept: Arc::default() }
    }
}

impl Answers {
    /// The answer to a question, as things are now or a little later.
    pub(crate) async fn get(&self, master: &Master, question: Question) -> Result<Answer, ApiError> {
        let flight = self.flights.get(question.index());
        let flight = flight.ok_or_else(|| ApiError::internal("a question without a place"))?;
        let make = || {
            let (master, answers) = (Arc::clone(master), self.clone());
            async move {
                let snapshot = master.snapshot().await?;
                let identity = master.identity.clone();
                let make = move || answers.make(|lists| question.answer(&identity, &snapshot, lists));
                master.blocking(make).await
            }
        };
        flight.join(make).await
    }

    /// The event with which a subscription to the operator API's events begins.
    pub(crate) fn subscribed(&self, snapshot: &Snapshot, encoding: Encoding, heartbeat: Duration) -> Answer {
        self.make(|lists| v1::subscribed(encoding, snapshot, heartbeat, lists))
    }

    /// How often somebody has got an answer that was made for another.
    pub(crate) fn shared(&self) -> u64 {
        self.flights.iter().map(|flight| flight.shared()).sum()
    }

    /// Some of the frameworks, as `/frameworks` shows them. This takes long where they have many tasks.
    pub(crate) fn frameworks_part(&self, snapshot: &Snapshot, part: &Part<ListedFramework<'_>>) -> Answer {
        self.make(|lists| v0::frameworks_part(snapshot, part, lists))
    }

    /// Makes an answer from what is kept, where a runtime is at hand.
    fn make(&self, make: impl FnOnce(&mut Lists) -> Answer) -> Answer {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.asked.replace(Instant::now()).is_none() {
            tokio::spawn(forget(Arc::clone(&self.kept)));
        }
        make(&mut kept.lists)
    }
}

/// Frees what is kept once nobody has asked for a while. There is one of these as long as something is kept.
async fn forget(kept: Arc<Mutex<Kept>>) {
    loop {
        tokio::time::sleep(KEPT).await;
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.asked.is_none_or(|asked| asked.elapsed() >= KEPT) {
            *kept = Kept::default();
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::http::HeaderMap;
    use axum::http::header::ETAG;
    use base::Rng;
    use http_api::Encoding::{Json, Protobuf};
    use master_core::{Framework, FromAgent, SchedulerCall, TaskState};
    use proto::Message as _;
    use proto::v1::master::{Event, Response, event};
    use serde_json::{Value, json};
    use testkit::master::{self, Scheduler, framework_info};

    use super::plain;
    use super::plain::get_state;
    use super::*;

    fn identity() -> Identity {
        let address = "127.0.0.1:5050".parse().unwrap();
        Identity {
            id: "master".to_owned(),
            upid: transport::Upid::new("master", address),
            hostname: "localhost".to_owned(),
            cluster: None,
            domain: None,
            start_time: base::Time::EPOCH,
            elected_time: Arc::default(),
            flags: Vec::new(),
            listed_roles: Vec::new(),
        }
    }

    fn shown(answer: &Answer) -> Value {
        serde_json::from_slice(&answer.to_vec()).unwrap()
    }

    fn message(answer: &Answer) -> Response {
        Response::decode(&answer.to_vec()[..]).unwrap()
    }

    /// Launches tasks on what is offered, and lets some begin to run or end.
    fn work(master: &mut master::Master, scheduler: &Scheduler, rng: &mut Rng, step: u8) {
        let framework = of(master, scheduler);
        for (index, offer) in framework.offers.values().enumerate() {
            let task = master::task(&format!("task-{step}-{index}"), &offer.agent_id, "cpus:0.01;mem:1");
            master.accept(scheduler, &offer.id, [master::launch([task])]);
        }
        for task in of(master, scheduler).tasks.values() {
            let state = match rng.below(10) {
                0 => TaskState::Running,
                1 => TaskState::Finished,
                _ => continue,
            };
            let agents = master.core.snapshot(master.now).agents;
            let agent = agents.iter().find(|agent| agent.id == task.agent_id).unwrap();
            let status = master::status(&scheduler.id, &task.agent_id, &task.task_id, state, step);
            let uuid = status.status.uuid.unwrap();
            master.from_agent(&agent.pid, FromAgent::StatusUpdate(status));
            let (agent_id, task_id) = (task.agent_id.clone(), task.task_id.clone());
            master.call(scheduler, SchedulerCall::Acknowledge { agent_id, task_id, uuid });
        }
        master.call(scheduler, SchedulerCall::Revive(Vec::new()));
    }

    fn of(master: &master::Master, scheduler: &Scheduler) -> Arc<Framework> {
        let frameworks = master.core.snapshot(master.now).frameworks;
        frameworks.into_iter().find(|framework| framework.id == scheduler.id).unwrap()
    }

    /// Agents that do not answer pings are lost, with what runs on them.
    fn lose_agents(master: &mut master::Master) {
        let options = master.core.options();
        let patience = options.agent_ping_timeout * (options.max_agent_ping_timeouts + 1);
        master.advance(patience);
        assert!(master.core.snapshot(master.now).agents.is_empty(), "they are lost");
    }

    #[test]
    fn what_a_summary_counts_follows_tasks_agents_and_frameworks() {
        let mut master = master::Master::default();
        let mut rng = Rng::new(7);
        let aware = |name: &str| {
            let mut info = framework_info(name);
            info.capabilities.partition_aware = true;
            info
        };
        let mut schedulers = ["a", "b", "c"].map(|name| master.subscribe(aware(name))).to_vec();
        let register = |master: &mut master::Master, numbers: std::ops::Range<u8>| {
            numbers.for_each(|n| drop(master.agent(&format!("host-{n}"), "cpus:4;mem:1000")));
        };
        register(&mut master, 0..8);
        let (identity, mut lists) = (identity(), Lists::default());
        let mut check = |master: &master::Master| {
            let snapshot = master.core.snapshot(master.now);
            let answer = Question::Summary.answer(&identity, &snapshot, &mut lists);
            let summary = shown(&answer);
            assert_eq!(summary, plain::summary(&identity, &snapshot));
            (summary, answer.respond(&HeaderMap::new()).headers()[ETAG].clone())
        };
        for step in 0..10 {
            master.advance(Duration::from_secs(1));
            for scheduler in &schedulers {
                work(&mut master, scheduler, &mut rng, step);
            }
            let before = check(&master);
            let again = check(&master);
            assert_eq!(again, before, "nothing has changed");
            match step {
                3 => master.call(&schedulers.remove(0), SchedulerCall::Teardown),
                5 => lose_agents(&mut master),
                6 => register(&mut master, 8..12),
                _ => continue,
            }
            assert_ne!(check(&master).1, again.1);
        }
        let (last, _) = check(&master);
        let unreachable = |each: &Value| each["TASK_UNREACHABLE"].as_u64().unwrap();
        assert!(last["frameworks"].as_array().unwrap().iter().map(unreachable).sum::<u64>() > 0, "{last}");
        for scheduler in schedulers {
            master.call(&scheduler, SchedulerCall::Teardown);
        }
        let (empty, _) = check(&master);
        assert!(empty["slaves"].as_array().unwrap().iter().all(|each| each["framework_ids"] == json!([])));
    }

    #[test]
    fn answers_from_what_is_kept_are_those_from_nothing() {
        let mut master = master::Master::default();
        let mut rng = Rng::new(5);
        let schedulers = ["a", "b", "c"].map(|name| master.framework(name));
        for n in 0..12 {
            master.agent(&format!("host-{n}"), "cpus:4;mem:1000;ports:[1-10]");
        }
        let (identity, mut lists) = (identity(), Lists::default());
        for step in 0..12 {
            master.advance(Duration::from_secs(1));
            for scheduler in &schedulers {
                work(&mut master, scheduler, &mut rng, step);
            }
            let snapshot = master.core.snapshot(master.now);
            let expected = get_state(&snapshot);
            let mut ask = |question: Question| question.answer(&identity, &snapshot, &mut lists);
            assert_eq!(shown(&ask(Question::Summary)), plain::summary(&identity, &snapshot));
            for question in [
                Question::State,
                Question::Frameworks,
                Question::Agents,
                Question::Summary,
                Question::Roles,
                Question::GetRoles(Json),
                Question::GetOperations(Json),
                Question::GetState(Json),
                Question::GetExecutors(Json),
            ] {
                let anew = question.answer(&identity, &snapshot, &mut Lists::default());
                let kept = ask(question);
                assert_eq!(shown(&kept), shown(&anew), "{question:?}");
                assert_eq!(kept.length(), u64::try_from(kept.to_vec().len()).unwrap());
            }
            assert_eq!(message(&ask(Question::GetState(Protobuf))).get_state.as_ref(), Some(&expected));
            assert_eq!(message(&ask(Question::GetTasks(Protobuf))).get_tasks, expected.get_tasks);
            assert_eq!(message(&ask(Question::GetAgents(Protobuf))).get_agents, expected.get_agents);
            assert_eq!(
                message(&ask(Question::GetFrameworks(Protobuf))).get_frameworks,
                expected.get_frameworks
            );
            assert_eq!(message(&ask(Question::GetExecutors(Protobuf))).get_executors, expected.get_executors);
            let event = v1::subscribed(Protobuf, &snapshot, Duration::from_secs(15), &mut lists);
            let event = Event::decode(&event.to_vec()[..]).unwrap();
            let subscribed = event.subscribed.as_ref().unwrap();
            assert_eq!(event.r#type(), event::Type::Subscribed);
            assert_eq!(subscribed.get_state.as_ref(), Some(&expected));
            assert_eq!(subscribed.heartbeat_interval_seconds, Some(15.0));
            let event = shown(&v1::subscribed(Json, &snapshot, Duration::from_secs(15), &mut lists));
            let mut ask = |question: Question| question.answer(&identity, &snapshot, &mut lists);
            let whole = shown(&ask(Question::GetState(Json)));
            assert_eq!(event["subscribed"]["get_state"], whole["get_state"]);
            assert_eq!(event["subscribed"]["heartbeat_interval_seconds"], 15.0);
            let tasks = expected.get_tasks.unwrap();
            for (name, list) in [("tasks", &tasks.tasks), ("completed_tasks", &tasks.completed_tasks)] {
                assert_eq!(whole["get_state"]["get_tasks"][name], serde_json::to_value(list).unwrap());
            }
            let state = shown(&ask(Question::State));
            let count = |list: &str| -> usize {
                let frameworks = state["frameworks"].as_array().unwrap().iter();
                frameworks.map(|framework| framework[list].as_array().unwrap().len()).sum()
            };
            assert_eq!(
                (count("tasks"), count("completed_tasks")),
                (tasks.tasks.len(), tasks.completed_tasks.len())
            );
        }
        assert!(!get_state(&master.core.snapshot(master.now)).get_tasks.unwrap().completed_tasks.is_empty());
    }
}
