//! A framework of the project's own kit, which finds the leader by the URL. It keeps nothing to itself: what it launches is
//! written down before, and what it hears is written down before it is acknowledged, so that it can be killed at any moment.

use std::path::PathBuf;
use std::time::Duration;

use sdk::build::Framework as Info;
use sdk::proto::v1::{AgentId, Offer, TaskId, TaskStatus};
use sdk::scheduler::{Calls, Event};
use sdk::{Masters, Scheduler};
use tokio::time::{MissedTickBehavior, interval};

use crate::evidence::Evidence;
use crate::line::{Line, Word};

/// The body of an instance's process, as a test of this binary that others start.
pub(crate) const PROCESS: &str = "framework::process";

/// Variables of such a process: where the masters are found, and where tasks leave what they did.
pub(crate) const MASTERS: &str = "TEST_MASTERS";
pub(crate) const EVIDENCE: &str = "TEST_EVIDENCE";

/// How often the framework asks about tasks of which it has not heard the end.
const DOUBT: Duration = Duration::from_secs(2);

/// How long an offer that is of no use is not made again.
const REFUSAL: f64 = 0.5;

#[test]
#[ignore = "it is a process of other tests"]
fn process() {
    let variable = |name: &str| std::env::var(name).expect("started by a test");
    let masters = Masters::parse(&variable(MASTERS)).expect("a URL");
    let evidence = Evidence::at(PathBuf::from(variable(EVIDENCE)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(run(masters, Line::of_this_process(), evidence));
}

/// Until it is sent away.
async fn run(masters: Masters, mut line: Line, evidence: Evidence) {
    let mut info = Info::new("system").failover_timeout(Duration::from_secs(3600)).checkpoint(true);
    if let Some(id) = line.say::<Option<String>>(&Word::Begin) {
        info = info.id(id);
    }
    let builder = Scheduler::builder(info.build()).masters(masters).max_backoff(Duration::from_secs(1));
    // A master that has said nothing for 15 seconds is left.
    let builder = builder.missed_heartbeats(1).acknowledge(false);
    let mut scheduler = builder.start().expect("a scheduler");
    let calls = scheduler.calls();
    let mut doubt = interval(DOUBT);
    doubt.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = doubt.tick() => ask(&mut line, &calls).await,
            event = scheduler.next_event() => match event.expect("an error is the last event") {
                Event::Error(message) => return line.end(&Word::SentAway { message }),
                event => take(event, &mut line, &evidence, &calls).await,
            }
        }
    }
}

async fn take(event: Event, line: &mut Line, evidence: &Evidence, calls: &Calls) {
    match event {
        Event::Subscribed(subscribed) => {
            let leader = subscribed.master_info.map(|info| info.id);
            line.say::<()>(&Word::Subscribed { framework: subscribed.framework_id.value, leader });
            ask(line, calls).await;
        }
        Event::Disconnected { reason } => {
            eprintln!("the framework is disconnected: {reason}");
            line.say::<()>(&Word::Disconnected);
        }
        Event::Offers(offers) => {
            line.say::<()>(&Word::Offered);
            for offer in offers {
                use_offer(offer, line, evidence, calls).await;
            }
        }
        Event::Update(status) => note(&status, line, calls).await,
        Event::CallFailed(failure) => eprintln!("a call has failed: {failure:?}"),
        _ => {}
    }
}

/// What cannot be written down is not acknowledged: the instance that has the framework now is told again.
async fn note(status: &TaskStatus, line: &mut Line, calls: &Calls) {
    if line.say(&Word::Told(status.into()))
        && let Err(error) = calls.acknowledge(status).await
    {
        eprintln!("not acknowledged: {error}");
    }
}

/// Launches what is to be launched.
async fn use_offer(offer: Offer, line: &mut Line, evidence: &Evidence, calls: &Calls) {
    let ids: Vec<String> = line.say(&Word::Next { agent: offer.agent_id.value.clone() });
    let tasks: Vec<_> = ids.iter().map(|id| evidence.task(id, &offer)).collect();
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
async fn ask(line: &mut Line, calls: &Calls) {
    let open: Vec<(String, String)> = line.say(&Word::Open);
    if open.is_empty() || calls.framework_id().is_none() {
        return;
    }
    let asked = |(task, agent)| (TaskId { value: task }, Some(AgentId { value: agent }));
    if let Err(error) = calls.reconcile(open.into_iter().map(asked).collect()).await {
        eprintln!("not asked: {error}");
    }
}
