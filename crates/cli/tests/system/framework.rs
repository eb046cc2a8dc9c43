//! A framework of the project's own kit: an instance of it is a thread on a host, which finds the leader by the URL.

use std::collections::BTreeMap;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sdk::build::Framework as Info;
use sdk::proto::v1::{Offer, TaskId};
use sdk::scheduler::{Calls, Event};
use sdk::{Masters, Scheduler};
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval};

use crate::book::{SharedBook, TASKS};
use crate::cluster::{AGENTS, Cluster};
use crate::evidence::Evidence;

/// How often the framework asks about tasks of which it has not heard the end.
const DOUBT: Duration = Duration::from_secs(2);

/// How long an offer that is of no use is not made again.
const REFUSAL: f64 = 0.5;

/// One instance of the framework. Dropped, it is gone at once, without a word to anybody.
#[derive(Debug)]
pub(crate) struct Instance {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Option<String>>>,
}

impl Instance {
    /// Starts on one of the cluster's desks; it is the framework that is in the book, or a new one.
    pub(crate) fn start(cluster: &Cluster, desk: usize, book: &SharedBook, evidence: &Evidence) -> Self {
        let (stop, stopped) = oneshot::channel();
        let (masters, book, evidence) = (cluster.masters(), book.clone(), evidence.clone());
        let host = &cluster.desks[desk];
        let thread = std::thread::scope(|scope| {
            // A thread that is on the host starts the one that stays.
            let starting = scope.spawn(|| {
                host.enter();
                std::thread::spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                    runtime.expect("a runtime").block_on(run(masters, book, evidence, stopped))
                })
            });
            starting.join().expect("no panic")
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }

    /// Waits for an instance that the master sends away; what it was told.
    pub(crate) async fn sent_away(mut self, cluster: &Cluster) -> String {
        let thread = self.thread.take().expect("it runs");
        cluster
            .eventually("the old instance is sent away", async || thread.is_finished().then_some(()))
            .await;
        thread.join().expect("no panic").expect("it has not stopped by itself")
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !std::thread::panicking()
        {
            panic!("an instance of the framework has panicked");
        }
    }
}

/// Until it is stopped, or sent away with a message.
async fn run(
    masters: Masters,
    book: SharedBook,
    evidence: Evidence,
    mut stopped: oneshot::Receiver<()>,
) -> Option<String> {
    let mut info = Info::new("system").failover_timeout(Duration::from_secs(3600)).checkpoint(true);
    if let Some(id) = book.open().framework_id.clone() {
        info = info.id(id);
    }
    let builder = Scheduler::builder(info.build()).masters(masters).max_backoff(Duration::from_secs(1));
    // A master that has said nothing for 15 seconds is left.
    let mut scheduler = builder.missed_heartbeats(1).start().expect("a scheduler");
    let calls = scheduler.calls();
    let mut doubt = interval(DOUBT);
    doubt.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = &mut stopped => return None,
            _ = doubt.tick() => ask(&book, &calls).await,
            event = scheduler.next_event() => match event.expect("an error is the last event") {
                Event::Error(message) => return Some(message),
                event => take(event, &book, &evidence, &calls).await,
            }
        }
    }
}

async fn take(event: Event, book: &SharedBook, evidence: &Evidence, calls: &Calls) {
    match event {
        Event::Subscribed(subscribed) => {
            {
                let mut book = book.open();
                book.framework_id = Some(subscribed.framework_id);
                book.leader = subscribed.master_info.map(|info| info.id);
                book.subscriptions += 1;
                book.offered = None;
            }
            ask(book, calls).await;
        }
        Event::Disconnected { reason } => {
            eprintln!("the framework is disconnected: {reason}");
            book.open().leader = None;
        }
        Event::Offers(offers) => {
            book.open().offered.get_or_insert_with(Instant::now);
            for offer in offers {
                use_offer(offer, book, evidence, calls).await;
            }
        }
        Event::Update(status) => book.open().note(&status),
        Event::CallFailed(failure) => eprintln!("a call has failed: {failure:?}"),
        _ => {}
    }
}

/// Launches what is to be launched: of the long tasks an equal share on each agent.
async fn use_offer(offer: Offer, book: &SharedBook, evidence: &Evidence, calls: &Calls) {
    let mut tasks = Vec::new();
    {
        let mut book = book.open();
        while tasks.len() < TASKS / AGENTS
            && let Some(id) = book.next(&offer.agent_id)
        {
            tasks.push(evidence.task(&id, &offer));
        }
    }
    // A call that comes to nothing because the master is gone leaves tasks in doubt, about which the next one is asked.
    let sent = if tasks.is_empty() {
        calls.decline(vec![offer.id], Some(REFUSAL)).await
    } else {
        calls.launch(&[offer], tasks, None).await
    };
    if let Err(error) = sent {
        eprintln!("not sent: {error}");
    }
}

/// Asks about all tasks that are not known to run or to have ended.
async fn ask(book: &SharedBook, calls: &Calls) {
    let open: BTreeMap<_, _> = book.open().open_tasks().into_iter().collect();
    if open.is_empty() || calls.framework_id().is_none() {
        return;
    }
    let open = open.into_iter().map(|(id, agent)| (TaskId { value: id }, Some(agent))).collect();
    if let Err(error) = calls.reconcile(open).await {
        eprintln!("not asked: {error}");
    }
}
