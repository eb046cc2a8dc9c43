//! Events for schedulers: from what the core says to records of their streams. Encoded in the stream's task.

use std::sync::Arc;

use http_api::Encoding;
use master_core::{Offer, SchedulerEvent};
use proto::recordio;
use proto::v1::scheduler;
use proto::v1::scheduler::event::Type;

use crate::convert::{write_operation_status, write_status};
use crate::offers::{Reader, inverse_offer_to_proto, write_offer};
use crate::pb::Writer;

/// What events say of the master that sends them.
pub(crate) struct EventContext {
    /// Encoded `mesos.v1.MasterInfo`.
    pub(crate) master_info: Vec<u8>,
    /// How often a stream gets a heartbeat, in seconds.
    pub(crate) heartbeat_secs: f64,
}

/// How one stream is written.
#[derive(Clone, Copy)]
pub(super) struct Style {
    /// How its events are encoded.
    pub(super) encoding: Encoding,
    /// What its framework understands of offers.
    pub(super) reader: Reader,
}

/// Writes the events of one stream.
pub(super) struct EventWriter {
    style: Style,
    context: Arc<EventContext>,
    /// The record at hand; kept for its memory.
    record: Vec<u8>,
}

impl EventWriter {
    /// A writer for a stream of this style.
    pub(super) fn new(style: Style, context: Arc<EventContext>) -> Self {
        Self { style, context, record: Vec::new() }
    }

    /// Appends an event to a stream, framed.
    pub(super) fn append(&mut self, out: &mut Vec<u8>, event: &SchedulerEvent) {
        self.record.clear();
        write_event(&mut Writer::new(&mut self.record), self.style.reader, &self.context, event);
        append_record(out, self.style.encoding, &self.record);
    }

    /// From now on its framework understands this of offers.
    pub(super) fn reader_is(&mut self, reader: Reader) {
        self.style.reader = reader;
    }

    /// Appends a heartbeat to a stream, framed.
    pub(super) fn append_heartbeat(&mut self, out: &mut Vec<u8>) {
        self.record.clear();
        kind(&mut Writer::new(&mut self.record), Type::Heartbeat);
        append_record(out, self.style.encoding, &self.record);
    }
}

fn append_record(out: &mut Vec<u8>, encoding: Encoding, record: &[u8]) {
    match encoding {
        Encoding::Protobuf => recordio::encode(out, record),
        Encoding::Json => {
            let mut text = Vec::with_capacity(record.len() * 2 + 64);
            if let Err(error) = proto::json::transcode::<scheduler::Event>(record, &mut text) {
                base::never!(true, "an event cannot be written as JSON: {error}");
                return;
            }
            recordio::encode(out, &text);
        }
    }
}

fn kind(w: &mut Writer<'_>, kind: Type) {
    w.number(1, u64::try_from(i32::from(kind)).unwrap_or(0));
}

/// Writes an event; the numbers are its fields' in `mesos.v1.scheduler.Event`.
fn write_event(w: &mut Writer<'_>, reader: Reader, context: &EventContext, event: &SchedulerEvent) {
    match event {
        SchedulerEvent::Subscribed(framework_id) => {
            kind(w, Type::Subscribed);
            w.embed(2, |w| {
                w.id(1, framework_id.as_str()).double(2, context.heartbeat_secs);
                w.bytes(3, &context.master_info);
            });
        }
        SchedulerEvent::Offers(offers) => {
            kind(w, Type::Offers);
            w.embed(3, |w| write_offers(w, reader, offers));
        }
        SchedulerEvent::Rescind(offer_id) => {
            kind(w, Type::Rescind);
            w.embed(4, |w| {
                w.id(1, offer_id.as_str());
            });
        }
        SchedulerEvent::InverseOffers(offers) => {
            kind(w, Type::InverseOffers);
            w.embed(9, |w| {
                for offer in offers {
                    w.message(1, &inverse_offer_to_proto(offer));
                }
            });
        }
        SchedulerEvent::RescindInverse(offer_id) => {
            kind(w, Type::RescindInverseOffer);
            w.embed(10, |w| {
                w.id(1, offer_id.as_str());
            });
        }
        SchedulerEvent::Update(status) => {
            kind(w, Type::Update);
            w.embed(5, |w| {
                w.embed(1, |w| write_status(w, status));
            });
        }
        SchedulerEvent::UpdateOperationStatus(status) => {
            kind(w, Type::UpdateOperationStatus);
            w.embed(11, |w| {
                w.embed(1, |w| write_operation_status(w, status));
            });
        }
        SchedulerEvent::Message { agent_id, executor_id, data } => {
            kind(w, Type::Message);
            w.embed(6, |w| {
                w.id(1, agent_id.as_str()).id(2, executor_id.as_str()).bytes(3, data.as_bytes());
            });
        }
        SchedulerEvent::Failure { agent_id, executor_id, status } => {
            kind(w, Type::Failure);
            w.embed(7, |w| {
                w.id(1, agent_id.as_str());
                if let Some(executor_id) = executor_id {
                    w.id(2, executor_id.as_str());
                }
                if let Some(status) = status {
                    w.signed(3, *status);
                }
            });
        }
        SchedulerEvent::Error(message) => {
            kind(w, Type::Error);
            w.embed(8, |w| {
                w.text(1, message);
            });
        }
    }
}

fn write_offers(w: &mut Writer<'_>, reader: Reader, offers: &[Arc<Offer>]) {
    for offer in offers {
        w.embed(1, |w| write_offer(w, offer, reader));
    }
}
