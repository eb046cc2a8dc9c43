//! How long schedulers, tasks and offers wait: what operators look at first when a cluster feels slow.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use base::{FrameworkId, TaskId, Time};
use http_api::Histogram;
use master_core::{Input, MasterCore, Observation, SchedulerCall, Task, TaskBody, TaskState};

/// So many tasks are timed at once; more begin untimed.
const MOST: usize = 1 << 16;

/// Measurements since the start.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    /// From the ACCEPT that launches a task until it runs.
    pub(crate) task_start: Histogram,
    /// From when an offer is made until it is accepted or declined.
    pub(crate) offer_answer: Histogram,
    /// How long the core is busy with what came in together: so long whoever asks it something waits.
    pub(crate) core_turn: Histogram,
}

/// Tasks that were launched and do not run yet.
#[derive(Debug, Default)]
pub(super) struct Starting(HashMap<FrameworkId, HashMap<TaskId, Instant>>, usize);

impl Starting {
    /// Takes note of what happened to a task.
    pub(super) fn observe(&mut self, waits: &Waits, observation: &Observation) {
        match observation {
            Observation::TaskAdded(task) => self.launched(task),
            Observation::TaskUpdated { framework_id, state, status } => {
                self.is(waits, framework_id, &status.task_id, *state);
            }
            Observation::FrameworkRemoved(framework) => {
                self.1 -= self.0.remove(&framework.id).map_or(0, |tasks| tasks.len());
            }
            _ => {}
        }
    }

    fn launched(&mut self, task: &Task) {
        // An agent that comes back brings tasks that somebody launched at some time.
        if self.1 >= MOST || !matches!(task.body, TaskBody::Info(_)) {
            return;
        }
        let tasks = self.0.entry(task.framework_id.clone()).or_default();
        if tasks.insert(task.task_id.clone(), Instant::now()).is_none() {
            self.1 += 1;
        }
    }

    fn is(&mut self, waits: &Waits, framework_id: &FrameworkId, task_id: &TaskId, state: TaskState) {
        if matches!(state, TaskState::Staging | TaskState::Starting) {
            return;
        }
        let Some(tasks) = self.0.get_mut(framework_id) else { return };
        let Some(launched) = tasks.remove(task_id) else { return };
        self.1 -= 1;
        if tasks.is_empty() {
            self.0.remove(framework_id);
        }
        if state == TaskState::Running {
            waits.task_start.observe(launched.elapsed());
        }
    }
}

impl Waits {
    /// A call is about to be made: what it answers offers with, and how old they are.
    pub(super) fn call(&self, core: &MasterCore, now: Time, input: &Input) {
        let Input::Call { framework_id, call, .. } = input else { return };
        let (SchedulerCall::Accept { offer_ids, .. } | SchedulerCall::Decline { offer_ids, .. }) = call
        else {
            return;
        };
        let Some(framework) = core.framework(framework_id) else { return };
        for offer in offer_ids.iter().filter_map(|id| framework.offers.get(id)) {
            self.offer_answer.observe(now.since(offer.made));
        }
    }

    /// Each with its name for Prometheus and what it is.
    pub(crate) fn named(&self) -> [(&'static str, &'static str, &Histogram); 3] {
        [
            (
                "meseta_master_task_start_seconds",
                "Time from the ACCEPT that launched a task until it ran.",
                &self.task_start,
            ),
            (
                "meseta_master_offer_answer_seconds",
                "Time from when an offer was made until it was accepted or declined.",
                &self.offer_answer,
            ),
            (
                "meseta_master_core_turn_seconds",
                "Time that the master's core was busy with what had come in together.",
                &self.core_turn,
            ),
        ]
    }

    pub(super) fn turn(&self, took: Duration) {
        self.core_turn.observe(took);
    }
}

#[cfg(test)]
mod tests {
    use testkit::master::{Master, framework_info, launch, status, task};

    use super::*;

    #[test]
    fn tasks_are_timed_from_their_launch_until_they_run() {
        let mut master = Master::default();
        let (agent, pid) = master.agent("h", "cpus:4;mem:4096");
        let scheduler = master.subscribe(framework_info("f"));
        let offer = master.offer(&scheduler);
        let (waits, mut starting) = (Waits::default(), Starting::default());
        let launched = ["a", "b", "c"].map(|id| task(id, &agent, "cpus:1;mem:32"));
        master.accept(&scheduler, &offer.id, [launch(launched)]);
        for (number, (id, state)) in
            [("a", TaskState::Starting), ("a", TaskState::Running), ("b", TaskState::Failed)]
                .iter()
                .enumerate()
        {
            for observation in master.observations.drain(..) {
                starting.observe(&waits, &observation);
            }
            let number = u8::try_from(number).unwrap();
            let update = status(&scheduler.id, &agent, &(*id).into(), *state, number);
            master.from_agent(&pid, master_core::FromAgent::StatusUpdate(update));
        }
        for observation in master.observations.drain(..) {
            starting.observe(&waits, &observation);
        }
        assert_eq!(waits.task_start.count(), 1, "one runs, one failed, one was not heard of");
        assert_eq!(starting.1, 1);
        master.call(&scheduler, SchedulerCall::Teardown);
        for observation in master.observations.drain(..) {
            starting.observe(&waits, &observation);
        }
        assert!(starting.0.is_empty() && starting.1 == 0);
    }

    #[test]
    fn offers_are_timed_until_they_are_answered() {
        let mut master = Master::default();
        master.agent("h", "cpus:4;mem:4096");
        let scheduler = master.subscribe(framework_info("f"));
        let offer = master.offer(&scheduler);
        let waits = Waits::default();
        let call = SchedulerCall::Decline {
            offer_ids: vec![offer.id.clone(), "gone".into()],
            refuse: Duration::from_secs(5),
        };
        let input = Input::Call { framework_id: scheduler.id.clone(), stream: scheduler.stream, call };
        waits.call(&master.core, master.now + Duration::from_secs(3), &input);
        assert_eq!(waits.offer_answer.count(), 1, "the other is not there");
    }
}
