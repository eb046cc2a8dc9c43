//! The frameworks of the scene: one that does what frameworks do, one that is away, one that holds its offers.

use std::collections::BTreeSet;
use std::time::Duration;

use sdk::build::{Framework, Task, uri};
use sdk::proto::v1::framework_info::capability::Type;
use sdk::proto::v1::{DurationInfo, FrameworkInfo, KillPolicy, Offer, TaskInfo, TaskState};
use sdk::scheduler::{Calls, Event};
use sdk::{Masters, Scheduler};
use tokio::task::JoinHandle;

use super::NAME;
use crate::support::PATIENCE;

/// An hour of absence costs nothing.
const AWAY: Duration = Duration::from_secs(3600);
/// Refused for as long as the scene lasts.
const REFUSED: Option<f64> = Some(1e6);
const LAST: &str = "exec sleep 1000";

async fn subscribed(framework: FrameworkInfo, master: &str) -> Scheduler {
    let masters = Masters::parse(master).unwrap();
    let mut scheduler = Scheduler::builder(framework).masters(masters).start().unwrap();
    while scheduler.calls().framework_id().is_none() {
        scheduler.next_event().await.unwrap();
    }
    scheduler
}

/// Waits for events until one of them is enough.
async fn until<T>(what: &str, looked: impl Future<Output = T>) -> T {
    let looked = tokio::time::timeout(PATIENCE, looked).await;
    looked.unwrap_or_else(|_| panic!("not in time: {what}"))
}

/// Something with tasks in two roles, that says yes when it is to leave an agent.
pub(super) struct Services(JoinHandle<()>);

impl Services {
    /// Runs tasks on each of the hosts, and answers events from then on.
    pub(super) async fn start(master: &str, hosts: &[&'static str], fetched: &str) -> Self {
        let mut framework = Framework::new("web services")
            .roles(["web/frontend", "web/backend"])
            .capability(Type::TaskKillingState)
            .failover_timeout(AWAY)
            .checkpoint(true)
            .build();
        framework.webui_url = Some("http://services.example.com/".to_owned());
        framework.hostname = Some("services.example.com".to_owned());
        let mut scheduler = subscribed(framework, master).await;
        let mut left: BTreeSet<&str> = hosts.iter().copied().collect();
        let mut awaited: BTreeSet<(&str, TaskState)> = AWAITED.into();
        until("the tasks of the web services", async {
            while !left.is_empty() || !awaited.is_empty() {
                match scheduler.next_event().await.unwrap() {
                    Event::Offers(offers) => {
                        for offer in offers {
                            let first = left.remove(offer.hostname.as_str());
                            let tasks = if first { tasks(&offer, fetched) } else { Vec::new() };
                            scheduler.calls().launch(&[offer], tasks, REFUSED).await.unwrap();
                        }
                    }
                    Event::Update(status) => {
                        let id = status.task_id.value.clone();
                        awaited.retain(|(task, state)| (*task, *state) != (&id, status.state()));
                        if id == "rollout" && status.state() == TaskState::TaskRunning {
                            scheduler.calls().kill(status.task_id, None, None).await.unwrap();
                        }
                    }
                    _ => {}
                }
            }
        })
        .await;
        Self(tokio::spawn(go_on(scheduler)))
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Declines what is offered, and says yes when it is to leave.
async fn go_on(mut scheduler: Scheduler) {
    while let Some(event) = scheduler.next_event().await {
        let calls: Calls = scheduler.calls();
        // Nobody waits for the answers: the scene does not end with a lost one.
        let _ = match event {
            Event::Offers(offers) => {
                calls.decline(offers.into_iter().map(|offer| offer.id).collect(), REFUSED).await
            }
            Event::InverseOffers(offers) => {
                let ids = offers.into_iter().map(|offer| offer.id).collect();
                calls.answer_inverse_offers(ids, true, REFUSED).await
            }
            _ => Ok(()),
        };
    }
}

/// What is to be seen of the tasks below before the scene goes on.
const AWAITED: [(&str, TaskState); 9] = [
    (COUNTER, TaskState::TaskRunning),
    ("migrate", TaskState::TaskFinished),
    ("crash", TaskState::TaskFailed),
    ("rollout", TaskState::TaskKilled),
    ("too-large", TaskState::TaskError),
    ("api.2", TaskState::TaskRunning),
    ("stubborn", TaskState::TaskRunning),
    ("cut-off", TaskState::TaskRunning),
    ("buried", TaskState::TaskRunning),
];
const COUNTER: &str = "frontend.1";

fn tasks(offer: &Offer, fetched: &str) -> Vec<TaskInfo> {
    let task = |id: &str, command: &str| Task::new(id).command(command).cpus(0.5).mem(256.0);
    let tasks = match offer.hostname.split('.').next().unwrap_or_default() {
        "web-1" => {
            let counting = format!("i=0; while :; do i=$((i+1)); echo \"line $i {NAME}\"; sleep 0.2; done");
            vec![
                task(COUNTER, &counting).name(NAME),
                task("image-resizer", LAST).uri(uri(fetched, false)),
                task("migrate", "exit 0"),
                task("crash", "echo 'cannot open the database' >&2; exit 3"),
                task("rollout", LAST),
                task("too-large", LAST).cpus(1000.0),
            ]
        }
        "web-2" => vec![task("api.2", LAST).cpus(2.0).mem(4096.0), task("search.2", LAST).mem(1536.0)],
        "batch-1" => vec![task("stubborn", "trap '' TERM; while :; do sleep 1; done")],
        "batch-2" => vec![task("reports.4", LAST).cpus(1.5)],
        "lost-1" => vec![task("cut-off", LAST)],
        _ => vec![task("buried", LAST)],
    };
    let mut tasks: Vec<TaskInfo> = tasks.into_iter().map(|task| task.on(offer)).collect();
    for task in &mut tasks {
        let grace_period = Some(DurationInfo { nanoseconds: 3_600_000_000_000 });
        task.kill_policy = (task.name == "stubborn").then_some(KillPolicy { grace_period });
    }
    tasks
}

/// An old framework: it knows nothing of agents that are cut off.
pub(super) struct Batch;

impl Batch {
    /// Runs a task on one host, and leaves without saying so.
    pub(super) async fn run_and_leave(master: &str, host: &str) {
        let mut framework = Framework::new("old batch").roles(["batch"]).failover_timeout(AWAY).build();
        framework.capabilities.retain(|each| each.r#type() != Type::PartitionAware);
        let mut scheduler = subscribed(framework, master).await;
        let mut launched = false;
        until(
            "the task of the old framework",
            Box::pin(async {
                loop {
                    match scheduler.next_event().await.unwrap() {
                        Event::Offers(offers) => {
                            for offer in offers {
                                let task = Task::new("nightly").command(LAST).cpus(1.0).mem(512.0);
                                let here = !launched && offer.hostname == host;
                                launched |= here;
                                let tasks = if here { vec![task.on(&offer)] } else { Vec::new() };
                                scheduler.calls().launch(&[offer], tasks, REFUSED).await.unwrap();
                            }
                        }
                        Event::Update(status) if status.state() == TaskState::TaskRunning => break,
                        _ => {}
                    }
                }
            }),
        )
        .await;
        scheduler.stop().await;
    }
}

/// Takes all that is offered and does nothing with it.
pub(super) struct Hoarder(JoinHandle<()>);

impl Hoarder {
    pub(super) async fn start(master: &str) -> Self {
        let framework = Framework::new("hoarder").roles(["analytics"]).build();
        let mut scheduler = subscribed(framework, master).await;
        Self(tokio::spawn(async move { while scheduler.next_event().await.is_some() {} }))
    }
}

impl Drop for Hoarder {
    fn drop(&mut self) {
        self.0.abort();
    }
}
