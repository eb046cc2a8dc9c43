//! SUBSCRIBE of the operator API: the state, and every change from then on.

use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use http_api::{ApiError, Encoding, EventStream, HangUp};
use master_core::{Framework, Observation};
use proto::recordio;
use proto::v1::master::Event;
use proto::v1::master::event::{self, Type};
use proto::v1::master::response::get_frameworks;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc::error::SendTimeoutError;
use tokio::sync::{mpsc, watch};

use crate::convert::{status_to_proto, task_to_proto};
use crate::server::Master;
use crate::status::gone;
use crate::view::executor::Executors;
use crate::view::{agent, framework};
use crate::watch::{CHANGES, Watch};

/// How many events wait in the connection, beside those that wait where all watchers share them.
const WAITING: usize = 64;

/// Opens a stream.
pub(super) async fn subscribe(
    master: &Master,
    accept: Encoding,
    hang_up: HangUp,
) -> Result<Response, ApiError> {
    let Some((snapshot, watch)) = master.core.watch().await.map_err(gone)? else {
        return Err(ApiError::unavailable(
            "Nobody may subscribe here: --max_operator_event_stream_subscribers is 0",
        ));
    };
    let interval = master.options.http_heartbeat_interval;
    let answers = master.answers.clone();
    let subscribed = master.blocking(move || answers.subscribed(&snapshot, accept, interval)).await?;
    let (events, received) = mpsc::channel::<Box<Event>>(WAITING);
    let encode = move |event: Box<Event>, out: &mut Vec<u8>| {
        let record = match accept {
            Encoding::Json => proto::json::to_vec(&*event),
            Encoding::Protobuf => proto::encode(&*event),
        };
        recordio::encode(out, &record);
    };
    let (stream, left) = EventStream::new(received, encode).beginning_with(&subscribed);
    let (watchers, patience) = (Arc::clone(&master.watchers), master.options.watcher_patience);
    let times = Times { interval, patience };
    tokio::spawn(async move {
        let Err(cut) = serve(left, watch, times, events).await else { return };
        // The end alone would not be seen: nobody asks for more of the stream while what was sent is not read.
        match cut {
            Cut::TooSlow(why) => {
                watchers.gave_up();
                tracing::warn!("disconnecting a watching operator: it reads too slowly, {why}");
                hang_up.now();
            }
            Cut::Displaced { mid_event: true } => {
                tracing::info!("disconnecting a watching operator that has not read its first event: {MANY}");
                hang_up.now();
            }
            Cut::Displaced { mid_event: false } => {
                tracing::info!("ending the stream of a watching operator: {MANY}");
                hang_up.soon();
            }
        }
    });
    Ok(stream.into_response(accept, None))
}

/// How often a heartbeat comes, and how long a connection may take nothing while as many events wait in it as can.
#[derive(Clone, Copy)]
struct Times {
    interval: Duration,
    patience: Duration,
}

/// Why a client that is there is served no longer.
#[derive(Debug)]
enum Cut {
    /// This shows that it reads too slowly.
    TooSlow(String),
    /// It has to make room for another one, before all of its first event is read or later.
    Displaced { mid_event: bool },
}

/// Said of those who make room.
const MANY: &str = "too many watch, and it has longest";

/// Serves a client until it is gone, or too slow.
async fn serve(
    left: watch::Receiver<u64>,
    mut watch: Watch,
    times: Times,
    events: mpsc::Sender<Box<Event>>,
) -> Result<(), Cut> {
    match first_taken(left, &mut watch, times.patience).await? {
        true => forward(watch, times, events).await,
        false => Ok(()),
    }
}

/// Waits until the first event, which can be as large as the whole state, is taken; false if the client went away before that.
/// Changes wait meanwhile, as many as may.
async fn first_taken(
    mut left: watch::Receiver<u64>,
    watch: &mut Watch,
    patience: Duration,
) -> Result<bool, Cut> {
    while *left.borrow_and_update() > 0 {
        let changed = tokio::select! {
            changed = tokio::time::timeout(patience, left.changed()) => changed,
            _ = &mut watch.displaced => return Err(Cut::Displaced { mid_event: true }),
        };
        match changed {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Ok(*left.borrow() == 0),
            Err(_) => {
                return Err(Cut::TooSlow(format!("it has read nothing of the first event for {patience:?}")));
            }
        }
        if watch.changes.len() > CHANGES {
            return Err(Cut::TooSlow(format!(
                "more than {CHANGES} changes came while it read the first event"
            )));
        }
    }
    Ok(true)
}

/// Turns changes into events until the client is gone, or too slow.
async fn forward(
    mut watch: Watch,
    Times { interval, patience }: Times,
    events: mpsc::Sender<Box<Event>>,
) -> Result<(), Cut> {
    let mut heartbeat = tokio::time::interval(interval);
    loop {
        let event = tokio::select! {
            () = events.closed() => return Ok(()),
            _ = heartbeat.tick() => Some(Event { r#type: Some(Type::Heartbeat.into()), ..Default::default() }),
            _ = &mut watch.displaced => return Err(Cut::Displaced { mid_event: false }),
            observed = watch.changes.recv() => match observed {
                Ok(observation) => event_of(&observation),
                Err(RecvError::Lagged(missed)) => return Err(Cut::TooSlow(format!("{missed} changes passed it by"))),
                Err(RecvError::Closed) => return Ok(()),
            },
        };
        let Some(event) = event else { continue };
        let sent = tokio::select! {
            sent = events.send_timeout(Box::new(event), patience) => sent,
            _ = &mut watch.displaced => return Err(Cut::Displaced { mid_event: false }),
        };
        match sent {
            Ok(()) => {}
            Err(SendTimeoutError::Closed(_)) => return Ok(()),
            Err(SendTimeoutError::Timeout(_)) => {
                return Err(Cut::TooSlow(format!("it has read nothing for {patience:?}")));
            }
        }
    }
}

/// The event of a change; `None` for what operators do not see.
fn event_of(observation: &Arc<Observation>) -> Option<Event> {
    let event = |kind: Type, fill: Event| Some(Event { r#type: Some(kind.into()), ..fill });
    match &**observation {
        Observation::TaskAdded(task) => {
            let task_added = Some(event::TaskAdded { task: task_to_proto(task) });
            event(Type::TaskAdded, Event { task_added, ..Default::default() })
        }
        Observation::TaskUpdated { framework_id, state, status } => {
            let task_updated = Some(event::TaskUpdated {
                framework_id: framework_id.as_str().into(),
                status: status_to_proto(status),
                state: state.number(),
            });
            event(Type::TaskUpdated, Event { task_updated, ..Default::default() })
        }
        Observation::FrameworkAdded(added) => {
            let framework_added = Some(event::FrameworkAdded { framework: shown(added) });
            event(Type::FrameworkAdded, Event { framework_added, ..Default::default() })
        }
        // That its scheduler is away changes nothing of what the framework says of itself: Mesos tells when it is back.
        Observation::FrameworkUpdated(away) if !away.connected() => None,
        Observation::FrameworkUpdated(updated) => {
            let framework_updated = Some(event::FrameworkUpdated { framework: shown(updated) });
            event(Type::FrameworkUpdated, Event { framework_updated, ..Default::default() })
        }
        Observation::FrameworkRemoved(removed) => {
            let framework_removed =
                Some(event::FrameworkRemoved { framework_info: framework::info(removed) });
            event(Type::FrameworkRemoved, Event { framework_removed, ..Default::default() })
        }
        Observation::AgentAdded(added) => {
            let agent_added = Some(event::AgentAdded { agent: agent::to_proto(added, &[]) });
            event(Type::AgentAdded, Event { agent_added, ..Default::default() })
        }
        Observation::AgentRemoved { id: agent_id, .. } => {
            let agent_removed = Some(event::AgentRemoved { agent_id: agent_id.as_str().into() });
            event(Type::AgentRemoved, Event { agent_removed, ..Default::default() })
        }
        Observation::OperationRefused { .. } | Observation::Dropped { .. } => None,
    }
}

/// A framework as events tell of it: in Mesos one that is connected has ended at the beginning of time. Of what it takes its
/// tasks are told: its executors are not at hand.
fn shown(framework: &Framework) -> get_frameworks::Framework {
    let used = framework::used(framework, &Executors::default());
    let mut shown = framework::to_proto(framework, &used);
    shown.unregistered_time.get_or_insert_default();
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::Watchers;

    #[tokio::test(start_paused = true)]
    async fn who_reads_nothing_is_given_up_and_who_reads_slowly_is_not() {
        let watchers = Watchers::new(2);
        let times = Times { interval: Duration::from_secs(15), patience: Duration::from_secs(60) };
        let watching = || {
            let (events, received) = mpsc::channel(4);
            let watch = watchers.watch().unwrap();
            (tokio::spawn(forward(watch, times, events)), received)
        };
        let ((deaf, _held), (slow, mut received)) = (watching(), watching());
        for _ in 0..20 {
            tokio::time::sleep(times.patience - times.interval).await;
            received.recv().await.unwrap();
        }
        assert!(deaf.is_finished() && !slow.is_finished());
        assert_eq!(watchers.count(), 1);
        drop(received);
        assert!(deaf.await.unwrap().is_err());
        assert!(slow.await.unwrap().is_ok(), "it went away by itself");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_reads_nothing_of_the_state_is_given_up_although_nothing_happens() {
        let watchers = Watchers::new(4);
        let patience = Duration::from_secs(60);
        let reading = || {
            let (read, left) = watch::channel(3_u64);
            let mut watching = watchers.watch().unwrap();
            (read, tokio::spawn(async move { first_taken(left, &mut watching, patience).await }))
        };
        let ((deaf, deaf_one), (slow, slow_one), (gone, gone_one)) = (reading(), reading(), reading());
        drop(gone);
        assert!(!gone_one.await.unwrap().unwrap_or(true), "it went away");
        for left in [2, 1] {
            tokio::time::sleep(patience - Duration::from_secs(1)).await;
            slow.send_replace(left);
        }
        assert!(deaf_one.is_finished() && !slow_one.is_finished());
        assert!(deaf_one.await.unwrap().is_err());
        slow.send_replace(0);
        drop(slow);
        assert!(slow_one.await.unwrap().unwrap_or(false), "it has read all");
        // Who takes so long that more has changed than can wait.
        let (late, late_one) = reading();
        tokio::task::yield_now().await;
        let change = || Observation::AgentRemoved { id: "a".into(), hostname: "h".to_owned() };
        (0..=CHANGES).for_each(|_| watchers.tell(change()));
        late.send_replace(2);
        assert!(late_one.await.unwrap().is_err());
        drop(deaf);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_reads_nothing_any_more_makes_room_at_once() {
        let watchers = Watchers::new(1);
        let times = Times { interval: Duration::from_secs(1), patience: Duration::from_secs(60) };
        let (events, held) = mpsc::channel(1);
        let deaf = tokio::spawn(forward(watchers.watch().unwrap(), times, events));
        tokio::time::sleep(2 * times.interval).await;
        assert!(held.capacity() == 0 && !deaf.is_finished(), "it waits for room");
        let begun = tokio::time::Instant::now();
        let _next = watchers.watch().unwrap();
        assert!(matches!(deaf.await.unwrap(), Err(Cut::Displaced { mid_event: false })));
        assert_eq!(begun.elapsed(), Duration::ZERO, "its patience is not waited for");
        assert_eq!((watchers.count(), watchers.given_up()), (1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_has_not_read_its_state_makes_room_at_once() {
        let watchers = Watchers::new(1);
        let (_read, left) = watch::channel(3_u64);
        let mut watching = watchers.watch().unwrap();
        let deaf =
            tokio::spawn(async move { first_taken(left, &mut watching, Duration::from_secs(60)).await });
        tokio::task::yield_now().await;
        assert!(!deaf.is_finished());
        let begun = tokio::time::Instant::now();
        let _next = watchers.watch().unwrap();
        assert!(matches!(deaf.await.unwrap(), Err(Cut::Displaced { mid_event: true })));
        assert_eq!(begun.elapsed(), Duration::ZERO, "its patience is not waited for");
        assert_eq!((watchers.count(), watchers.given_up()), (1, 0));
    }
}
