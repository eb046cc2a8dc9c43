//! A small cluster: machines with agents, schedulers, and what they do at random.
//!
//! It keeps an account of its own, from what schedulers and agents see alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::machine::Machine;
use base::{FrameworkId, OfferId, Rng, TaskId, Uuid};
use master_core::{
    AcceptOperation, DrainConfig, FrameworkInfo, FromAgent, Input, Offer, OperatorCall, Pid, RegisterAgent,
    ReregisterAgent, SchedulerCall, SchedulerEvent, TaskInfo, TaskState, ToAgent,
};
use resources::Resources;
use testkit::master::{
    Master, Scheduler, executor, framework_info, launch, register, resources, status, task,
    task_with_executor,
};

pub(super) const HOSTS: [(&str, &str); 3] = [
    ("h1", "cpus:4;mem:4096;disk:1000;ports:[31000-31009]"),
    ("h2", "cpus:2;mem:1024;disk:200"),
    ("h3", "cpus:8;mem:512;disk:100"),
];

pub(super) struct World {
    pub(super) master: Master,
    pub(super) rng: Rng,
    pub(super) machines: Vec<Machine>,
    pub(super) schedulers: Vec<(Scheduler, FrameworkInfo)>,
    /// Offers that stand, as their schedulers believe.
    pub(super) offers: BTreeMap<OfferId, Arc<Offer>>,
    infos: BTreeMap<FrameworkId, Arc<FrameworkInfo>>,
    pub(super) next: u64,
    /// Whether machines are maintained; how many were taken down, and how many inverse offers answered.
    pub(super) maintained: bool,
    pub(super) taken_down: usize,
    pub(super) answered: usize,
}

pub(super) fn pid(host: usize) -> Pid {
    format!("slave(1)@{}:5051", HOSTS[host].0).into()
}

/// What a machine is started with.
pub(super) fn started_with(host: usize) -> Resources {
    resources(HOSTS[host].1)
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            master: Master::default(),
            rng: Rng::new(seed),
            machines: (0..HOSTS.len()).map(|host| Machine::new(&started_with(host))).collect(),
            schedulers: Vec::new(),
            offers: BTreeMap::new(),
            infos: BTreeMap::new(),
            next: 0,
            maintained: false,
            taken_down: 0,
            answered: 0,
        }
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.rng.below(bound as u64)).unwrap_or(0)
    }

    pub(super) fn pick<T: Clone>(&mut self, items: &[T]) -> Option<T> {
        (!items.is_empty()).then(|| items[self.below(items.len())].clone())
    }

    pub(super) fn step(&mut self) {
        match self.below(26) {
            0 => self.subscribe(),
            1 => self.resubscribe(),
            2 => self.register(),
            3 => self.reregister(),
            4 => self.disconnect(),
            5..=9 => self.accept(),
            10 => self.decline(),
            11..=13 => self.update(),
            14 => self.acknowledge(),
            15 => self.scheduler_call(),
            16 => self.operator(),
            17 => self.executor_exits(),
            20..=23 => self.operate(),
            24 => self.repeat_operation(),
            25 => self.operation_call(),
            18 => {
                let millis = self.rng.below(20_000);
                self.pong();
                self.master.advance(Duration::from_millis(millis));
            }
            _ => {
                let seconds = if self.below(8) == 0 { 80 } else { 1 };
                self.master.advance(Duration::from_secs(seconds));
            }
        }
        if self.maintained {
            self.maintain();
        }
        if self.below(3) > 0 {
            self.master.settle();
        }
        self.take_notice();
        self.deliver(true);
        self.check();
    }

    fn subscribe(&mut self) {
        if self.schedulers.len() >= 4 {
            return;
        }
        let mut info = framework_info("f");
        info.checkpoint = self.below(2) == 0;
        info.capabilities.partition_aware = self.below(2) == 0;
        info.capabilities.shared_resources = self.below(2) == 0;
        info.roles = [["*", "web", "web/a"][self.below(3)].into()].into();
        let scheduler = self.master.subscribe(info.clone());
        self.infos.insert(scheduler.id.clone(), Arc::new(info.clone()));
        self.schedulers.push((scheduler, info));
    }

    fn scheduler(&mut self) -> Option<(Scheduler, FrameworkInfo)> {
        let schedulers = self.schedulers.clone();
        self.pick(&schedulers)
    }

    fn resubscribe(&mut self) {
        let Some((scheduler, info)) = self.scheduler() else { return };
        if self.below(2) == 0 {
            self.master.input(Input::SchedulerGone(scheduler.connection));
            self.forget_offers_of(&scheduler.id);
            return;
        }
        self.forget_offers_of(&scheduler.id);
        let back = self.master.subscribe_as(Some(&scheduler.id), info.clone());
        self.schedulers.retain(|(known, _)| known.id != scheduler.id);
        if !self.master.is_closed(&back) {
            self.schedulers.push((back, info));
        }
    }

    fn forget_offers_of(&mut self, id: &FrameworkId) {
        self.offers.retain(|_, offer| offer.framework_id != *id);
    }

    /// A machine starts an agent that remembers nothing.
    fn register(&mut self) {
        let host = self.below(HOSTS.len());
        if self.machines[host].id.is_some() && self.below(4) > 0 {
            return;
        }
        if self.machines[host].id.is_some() {
            self.master.input(Input::AgentDisconnected(pid(host)));
        }
        self.machines[host] = Machine::new(&started_with(host));
        let message = self.registration(host);
        self.master.from_agent(&pid(host), FromAgent::Register(Box::new(message)));
    }

    /// An agent that remembers comes back; some tasks were lost on the way.
    fn reregister(&mut self) {
        let host = self.below(HOSTS.len());
        if self.below(4) == 0
            && let Some(lost) = self.machines[host].tasks.keys().next().cloned()
        {
            self.machines[host].tasks.remove(&lost);
        }
        // Either it was restarted, or it only believes that the master is another one.
        if self.below(2) == 0 {
            self.machines[host].restart();
        }
        if let Some(message) = self.reregistration(host) {
            self.master.from_agent(&pid(host), FromAgent::Reregister(Box::new(message)));
        }
    }

    fn registration(&self, host: usize) -> RegisterAgent {
        let (name, total) = HOSTS[host];
        let machine = &self.machines[host];
        RegisterAgent {
            total: machine.total.clone(),
            resource_version: Some(machine.version()),
            ..register(name, total)
        }
    }

    pub(super) fn reregistration(&self, host: usize) -> Option<ReregisterAgent> {
        let agent_id = self.machines[host].id.clone()?;
        let machine = &self.machines[host];
        Some(ReregisterAgent {
            agent: self.registration(host),
            agent_id,
            frameworks: self.infos.iter().map(|(id, info)| (id.clone(), Arc::clone(info))).collect(),
            executors: machine
                .executors
                .iter()
                .flat_map(|(id, executors)| executors.iter().map(|e| (id.clone(), Arc::clone(e))))
                .collect(),
            tasks: machine.tasks.values().cloned().map(Arc::new).collect(),
            completed_frameworks: Vec::new(),
        })
    }

    fn disconnect(&mut self) {
        let host = self.below(HOSTS.len());
        self.master.input(Input::AgentDisconnected(pid(host)));
        // Tasks of frameworks without checkpoints do not outlive it.
        let infos = self.infos.clone();
        let keeps = |id: &FrameworkId| infos.get(id).is_some_and(|info| info.checkpoint);
        self.machines[host].tasks.retain(|(id, _), _| keeps(id));
        self.machines[host].executors.retain(|id, _| keeps(id));
        // What was on its way is lost with the connection.
        self.machines[host].inbox.clear();
    }

    fn pong(&mut self) {
        for host in 0..HOSTS.len() {
            if self.below(4) > 0 {
                self.master.from_agent(&pid(host), FromAgent::Pong);
            }
        }
    }

    /// The scheduler to which an offer was made, and the offer.
    pub(super) fn pick_offer(&mut self) -> Option<(Scheduler, Arc<Offer>)> {
        let offers: Vec<Arc<Offer>> = self.offers.values().cloned().collect();
        let offer = self.pick(&offers)?;
        let owner = self.schedulers.iter().find(|(scheduler, _)| scheduler.id == offer.framework_id)?;
        Some((owner.0.clone(), offer))
    }

    fn accept(&mut self) {
        let offers: Vec<Arc<Offer>> = self.offers.values().cloned().collect();
        let (Some(offer), Some((_, stranger_info))) = (self.pick(&offers), self.scheduler()) else { return };
        let owner = self.schedulers.iter().find(|(scheduler, _)| scheduler.id == offer.framework_id).cloned();
        let Some((scheduler, _)) = owner else { return };
        let count = 1 + self.below(3);
        let tasks: Vec<TaskInfo> = (0..count).map(|_| self.random_task(&scheduler, &offer)).collect();
        let operation = if self.below(5) == 0 {
            AcceptOperation::LaunchGroup {
                executor: Arc::new(executor("pod", &scheduler.id, "cpus:0.1;mem:32")),
                tasks: tasks.into_iter().map(|t| Arc::new(TaskInfo { executor: None, ..t })).collect(),
                refused: None,
            }
        } else {
            launch(tasks)
        };
        let refuse = Duration::from_secs(self.rng.below(30));
        // Sometimes the offer is accepted over a stream that is not the framework's.
        if self.below(20) == 0 && stranger_info.checkpoint {
            let wrong = Scheduler { stream: Uuid::from_bytes([0; 16]), ..scheduler.clone() };
            self.master.accept(&wrong, &offer.id, []);
            return;
        }
        self.offers.remove(&offer.id);
        let call =
            SchedulerCall::Accept { offer_ids: vec![offer.id.clone()], operations: vec![operation], refuse };
        self.master.call(&scheduler, call);
    }

    pub(super) fn random_task(&mut self, scheduler: &Scheduler, offer: &Offer) -> TaskInfo {
        self.next += 1;
        let fresh = format!("t{}", self.next);
        let id = if self.below(10) == 0 { "t1".to_owned() } else { fresh };
        let takes = ["cpus:0.5;mem:64", "cpus:1;mem:32;ports:[31000-31001]", "mem:128", "cpus:3;mem:32"];
        let takes = takes[self.below(takes.len())];
        if self.below(4) == 0 {
            let e = executor("e", &scheduler.id, "cpus:0.2;mem:32");
            return task_with_executor(&id, &offer.agent_id, takes, e);
        }
        task(&id, &offer.agent_id, takes)
    }

    fn decline(&mut self) {
        let offers: Vec<Arc<Offer>> = self.offers.values().cloned().collect();
        let Some(offer) = self.pick(&offers) else { return };
        let owner = self.schedulers.iter().find(|(scheduler, _)| scheduler.id == offer.framework_id).cloned();
        let Some((scheduler, _)) = owner else { return };
        self.offers.remove(&offer.id);
        let refuse = Duration::from_secs(self.rng.below(10));
        self.master.call(&scheduler, SchedulerCall::Decline { offer_ids: vec![offer.id.clone()], refuse });
    }

    /// A task of a machine comes to another state.
    fn update(&mut self) {
        let host = self.below(HOSTS.len());
        let Some(agent_id) = self.machines[host].id.clone() else { return };
        let keys: Vec<_> = self.machines[host].tasks.keys().cloned().collect();
        let Some(key) = self.pick(&keys) else { return };
        let Some(task) = self.machines[host].tasks.get_mut(&key) else { return };
        if !task.state.is_terminal() {
            let states = [TaskState::Running, TaskState::Finished, TaskState::Failed, TaskState::Killed];
            task.state = states[usize::try_from(self.rng.below(4)).unwrap_or(0)];
        }
        let state = task.state;
        let mark = u8::try_from(self.rng.below(3)).unwrap_or(0);
        let update = status(&key.0, &agent_id, &key.1, state, mark);
        self.master.from_agent(&pid(host), FromAgent::StatusUpdate(update));
    }

    fn acknowledge(&mut self) {
        let host = self.below(HOSTS.len());
        let Some(agent_id) = self.machines[host].id.clone() else { return };
        let keys: Vec<_> = self.machines[host].tasks.keys().cloned().collect();
        let Some((framework, task_id)) = self.pick(&keys) else { return };
        let owner = self.schedulers.iter().find(|(scheduler, _)| scheduler.id == framework).cloned();
        let Some((scheduler, _)) = owner else { return };
        let uuid = Uuid::from_bytes([u8::try_from(self.rng.below(3)).unwrap_or(0); 16]);
        self.master.call(&scheduler, SchedulerCall::Acknowledge { agent_id, task_id, uuid });
    }

    fn scheduler_call(&mut self) {
        let Some((scheduler, _)) = self.scheduler() else { return };
        let task_id: TaskId = format!("t{}", self.rng.below(self.next + 1)).into();
        let call = match self.below(6) {
            0 => SchedulerCall::Revive(Vec::new()),
            1 => SchedulerCall::Suppress(Vec::new()),
            2 => SchedulerCall::Reconcile(Vec::new()),
            3 => SchedulerCall::Reconcile(vec![(task_id, None)]),
            4 => SchedulerCall::Kill { task_id, agent_id: None, kill_policy: None },
            _ if self.below(4) == 0 => SchedulerCall::Teardown,
            _ => SchedulerCall::Request,
        };
        let ends = call == SchedulerCall::Teardown;
        self.master.call(&scheduler, call);
        if ends && self.master.is_closed(&scheduler) {
            self.forget_offers_of(&scheduler.id);
            self.schedulers.retain(|(known, _)| known.id != scheduler.id);
        }
    }

    fn operator(&mut self) {
        let host = self.below(HOSTS.len());
        let Some(id) = self.machines[host].id.clone() else { return };
        let mark_gone = self.below(4) == 0;
        let call = match self.below(8) {
            0 => OperatorCall::MarkAgentGone(id),
            1 => OperatorCall::DrainAgent {
                agent_id: id,
                config: DrainConfig { max_grace_period: None, mark_gone },
            },
            2 => OperatorCall::DeactivateAgent(id),
            3 => OperatorCall::RemoveQuota("web".into()),
            4 => OperatorCall::UpdateWeights(vec![("web".into(), 3.0)]),
            _ => OperatorCall::ReactivateAgent(id),
        };
        // A refusal is as good as an acceptance here.
        drop(self.master.operator(call));
    }

    fn executor_exits(&mut self) {
        let host = self.below(HOSTS.len());
        let Some(agent_id) = self.machines[host].id.clone() else { return };
        let frameworks: Vec<_> = self.machines[host].executors.keys().cloned().collect();
        let Some(framework_id) = self.pick(&frameworks) else { return };
        let Some(executors) = self.machines[host].executors.remove(&framework_id) else { return };
        for executor in executors {
            let message = FromAgent::ExitedExecutor {
                agent_id: agent_id.clone(),
                framework_id: framework_id.clone(),
                executor_id: executor.executor_id.clone(),
                status: 0,
            };
            self.master.from_agent(&pid(host), message);
        }
    }

    /// Schedulers and agents read what came for them.
    pub(super) fn take_notice(&mut self) {
        for (scheduler, _) in self.schedulers.clone() {
            for event in self.master.events_of(&scheduler) {
                match event {
                    SchedulerEvent::Offers(offers) => {
                        for offer in offers {
                            assert_eq!(offer.framework_id, scheduler.id);
                            assert!(
                                self.offers.insert(offer.id.clone(), offer).is_none(),
                                "an id used twice"
                            );
                        }
                    }
                    SchedulerEvent::Rescind(id) => {
                        self.offers.remove(&id);
                    }
                    _ => {}
                }
            }
            if self.master.is_closed(&scheduler) || !self.master.directory.contains_key(&scheduler.id) {
                self.forget_offers_of(&scheduler.id);
                self.schedulers.retain(|(known, _)| known.connection != scheduler.connection);
            }
        }
        for host in 0..HOSTS.len() {
            if !self.master.linked.contains(&pid(host)) {
                self.machines[host].inbox.clear(); // with the connection that brought it
            }
            let messages = self.master.messages_to(&pid(host));
            self.machines[host].inbox.extend(messages);
        }
    }

    /// Machines handle what has arrived; some operations are on their way for longer if `late`.
    pub(super) fn deliver(&mut self, late: bool) {
        for host in 0..HOSTS.len() {
            loop {
                let waits = late && self.below(3) > 0;
                let Some(message) = self.machines[host].next_message(|| waits) else { break };
                self.agent_reads(host, message);
            }
        }
    }

    fn agent_reads(&mut self, host: usize, message: ToAgent) {
        let machine = &mut self.machines[host];
        match message {
            ToAgent::Registered(id) => {
                machine.id = Some(id);
                self.tell_operations(host);
            }
            ToAgent::ApplyOperation { .. }
            | ToAgent::ReconcileOperations(_)
            | ToAgent::AcknowledgeOperation { .. } => self.about_operations(host, message),
            ToAgent::RunTask { framework, task, resource_version, .. }
                if resource_version != Some(machine.version()) || !machine.knows(&task.resources) =>
            {
                self.drop_tasks(host, &framework.id, &[task]);
            }
            ToAgent::RunTaskGroup { framework, tasks, resource_version, .. }
                if resource_version != Some(machine.version())
                    || !tasks.iter().all(|task| machine.knows(&task.resources)) =>
            {
                self.drop_tasks(host, &framework.id, &tasks);
            }
            ToAgent::RunTask { framework, task, launch_executor, .. } => {
                let executor = task.executor.clone();
                machine.launch(&framework.id, &task, executor.filter(|_| launch_executor));
            }
            ToAgent::RunTaskGroup { framework, executor, tasks, launch_executor, .. } => {
                let mut executor = Some(executor).filter(|_| launch_executor);
                for task in &tasks {
                    machine.launch(&framework.id, task, executor.take());
                }
            }
            ToAgent::Acknowledge { framework_id, task_id, .. } => {
                let key = (framework_id, task_id);
                if machine.tasks.get(&key).is_some_and(|task| task.state.is_terminal()) {
                    machine.tasks.remove(&key);
                }
            }
            ToAgent::KillTask { framework_id, task_id, .. } => {
                // It ends at once and its end is told when its turn comes; a double of another agent's just ends.
                if let Some(task) = machine.tasks.get_mut(&(framework_id, task_id)) {
                    task.state = TaskState::Killed;
                }
            }
            ToAgent::ShutdownFramework(id) => {
                machine.tasks.retain(|(framework, _), _| *framework != id);
                machine.executors.remove(&id);
            }
            ToAgent::Reregistered { agent_id, reconciliations } => {
                for (framework, missing) in reconciliations {
                    for task in missing {
                        let key = (framework.id.clone(), task.task_id.clone());
                        if self.machines[host].tasks.contains_key(&key) {
                            continue;
                        }
                        let update = status(&framework.id, &agent_id, &task.task_id, TaskState::Lost, 9);
                        self.master.from_agent(&pid(host), FromAgent::StatusUpdate(update));
                    }
                }
                self.tell_operations(host);
            }
            ToAgent::Shutdown(_) => *machine = Machine::new(&started_with(host)),
            _ => {}
        }
    }

    /// Tasks that were meant for what the agent had before its restart, or for what it never came to have.
    fn drop_tasks(&mut self, host: usize, framework: &FrameworkId, tasks: &[Arc<TaskInfo>]) {
        let Some(agent_id) = self.machines[host].id.clone() else { return };
        for task in tasks {
            let update = status(framework, &agent_id, &task.task_id, TaskState::Lost, 9);
            self.master.from_agent(&pid(host), FromAgent::StatusUpdate(update));
        }
    }

    /// What schedulers hold as offers and what machines run fits into the machines.
    fn check(&self) {
        for (host, machine) in self.machines.iter().enumerate() {
            // As soon as nothing is on its way there: tasks may be about to be killed.
            let Some(id) = machine.id.as_ref().filter(|_| machine.inbox.is_empty()) else { continue };
            let mut sum = Resources::new();
            for offer in self.offers.values().filter(|offer| offer.agent_id == *id) {
                sum += &offer.resources;
            }
            for task in machine.tasks.values().filter(|task| !task.state.is_terminal()) {
                sum += &task.resources;
            }
            sum.unallocate();
            let total = started_with(host);
            // However many have a shared volume, there is one disk under it.
            let plain: Resources =
                sum.iter().map(|resource| resource.to_unreserved().without_volume()).collect();
            assert!(total.contains(&plain), "{id} has {total} but {sum} is handed out");
        }
    }
}
