//! SUBSCRIBE: the stream of a scheduler's events.

use std::sync::Arc;

use axum::response::Response;
use base::FrameworkId;
use http_api::{ApiError, Encoding, EventStream, HangUp};
use master_core::{ConnectionId, Input, SchedulerEvent};
use proto::v1;
use proto::v1::framework_info::capability::Type as Capability;
use proto::v1::scheduler::Call;
use tokio::sync::mpsc;

use super::events::{EventWriter, Style};
use crate::convert;
use crate::engine::{Backlog, CoreHandle, EventSender, StreamEvent, Work};
use crate::offers::Reader;
use crate::server::Master;
use crate::status::gone;

/// Opens a stream. What is wrong with the subscription itself is told by an event, and ends the stream.
pub(super) async fn subscribe(
    master: &Master,
    call: Call,
    accept: Encoding,
    hang_up: HangUp,
) -> Result<Response, ApiError> {
    let Some(subscribe) = call.subscribe else {
        return Err(ApiError::bad_request("Expecting 'subscribe' to be present"));
    };
    let info = subscribe.framework_info;
    let connection = master.core.new_connection();
    let stream = master.new_uuid();
    let (queue, received) = mpsc::channel(master.options.event_queue);
    let backlog = Arc::new(Backlog::new(master.options.event_queue_bytes));
    let has = |capability| info.capabilities.iter().any(|each| each.r#type() == capability);
    let reader = Reader::new(has(Capability::ReservationRefinement), has(Capability::MultiRole));
    let style = Style { encoding: accept, reader };
    let response = |goodbye: Option<Goodbye>| {
        let backlog = Arc::clone(&backlog);
        let mut writer = EventWriter::new(style, Arc::clone(&master.events));
        let directory = Arc::clone(&master.directory);
        let mut whose = None;
        let encode = move |event: StreamEvent, out: &mut Vec<u8>| {
            // Kept as long as the stream.
            let _ = &goodbye;
            match event {
                StreamEvent::Event(event) => {
                    backlog.taken(&event);
                    writer.append(out, &event);
                    if let SchedulerEvent::Subscribed(id) = &event {
                        directory.count_heartbeat(id);
                        writer.append_heartbeat(out);
                        whose = Some(id.clone());
                    }
                }
                StreamEvent::Heartbeat => {
                    if let Some(id) = &whose {
                        directory.count_heartbeat(id);
                    }
                    writer.append_heartbeat(out);
                }
                StreamEvent::Reads(reader) => writer.reader_is(reader),
            }
        };
        EventStream::new(received, encode).into_response(accept, Some(&stream.to_string()))
    };
    let checked = wire::validate_framework_info(&info).map_err(|error| error.to_string());
    if let Err(reason) = checked.and_then(|()| admit(&info, &master.options.roles)) {
        tracing::info!("refused the subscription of framework '{}': {reason}", info.name);
        // Cannot fail: the channel is new and empty.
        let _ = queue.try_send(StreamEvent::Event(SchedulerEvent::Error(reason)));
        return Ok(response(None));
    }
    tokio::spawn(heartbeats(queue.downgrade(), master.options.http_heartbeat_interval));
    let offer_constraints = convert::offer_constraints(
        &info,
        subscribe.offer_constraints.as_ref(),
        master.options.regex_limits(),
    );
    let work = Work::Subscribe {
        connection,
        events: EventSender { queue, backlog: Arc::clone(&backlog), hang_up },
        stream,
        framework_id: former_id(&info),
        info: Arc::new(convert::framework_info(info)),
        suppressed_roles: subscribe.suppressed_roles.into_iter().map(Into::into).collect(),
        offer_constraints,
    };
    master.core.send(work).await.map_err(gone)?;
    Ok(response(Some(Goodbye { core: master.core.clone(), connection })))
}

/// Whether the master was started with a list of roles that has all the framework's.
pub(super) fn admit(info: &v1::FrameworkInfo, listed: &[String]) -> Result<(), String> {
    let foreign: Vec<&str> =
        wire::framework_roles(info).filter(|role| !listed.iter().any(|listed| listed == role)).collect();
    if listed.is_empty() || foreign.is_empty() {
        return Ok(());
    }
    Err(format!("Roles {{ {} }} are not among those of the master's --roles", foreign.join(", ")))
}

/// Who the scheduler was before; an empty id is none.
fn former_id(info: &v1::FrameworkInfo) -> Option<FrameworkId> {
    info.id.as_ref().map(|id| id.value.as_str()).filter(|id| !id.is_empty()).map(Into::into)
}

/// Says at regular intervals that the connection stands, until the stream is over. The first heartbeat, which comes at once
/// behind SUBSCRIBED, is not one of these.
async fn heartbeats(events: mpsc::WeakSender<StreamEvent>, interval: std::time::Duration) {
    loop {
        tokio::time::sleep(interval).await;
        let Some(events) = events.upgrade() else { return };
        // A stream that is full needs no sign of life; one that nobody reads any more needs none ever again.
        if let Err(mpsc::error::TrySendError::Closed(_)) = events.try_send(StreamEvent::Heartbeat) {
            return;
        }
    }
}

/// Tells the core when the stream is dropped: the client has gone away, or the stream was ended here.
struct Goodbye {
    core: CoreHandle,
    connection: ConnectionId,
}

impl Drop for Goodbye {
    fn drop(&mut self) {
        let (core, connection) = (self.core.clone(), self.connection);
        // Without a runtime the server is gone as well, and with it the core.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { core.input(Input::SchedulerGone(connection)).await });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn heartbeats_end_with_the_reader_although_the_sender_is_kept() {
        let (events, mut read) = mpsc::channel(1);
        let beating = tokio::spawn(heartbeats(events.downgrade(), Duration::from_millis(1)));
        assert!(matches!(read.recv().await, Some(StreamEvent::Heartbeat)));
        drop(read);
        tokio::time::timeout(Duration::from_secs(10), beating).await.unwrap().unwrap();
        drop(events);
    }
}
