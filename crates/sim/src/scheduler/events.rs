//! What a scheduler does about each event.

use std::sync::Arc;
use std::time::Duration;

use master_core::{InverseOffer, SchedulerCall, SchedulerEvent, TaskStatus};

use super::Scheduler;
use crate::dice::Dice;
use crate::fabric::Fabric;
use crate::happening::Happening;
use crate::net::{LinkId, Packet};

impl Scheduler {
    /// Something arrived over a link.
    pub(crate) fn receive(&mut self, fabric: &mut Fabric, link: LinkId, packet: Packet) {
        if self.session.as_ref().is_none_or(|session| session.events != link) {
            return;
        }
        match packet {
            Packet::Event(event) => self.hear(fabric, event),
            Packet::End if self.ending => self.begin_anew(fabric),
            Packet::End => self.disconnect(fabric),
            _ => {}
        }
    }

    fn hear(&mut self, fabric: &mut Fabric, event: SchedulerEvent) {
        match event {
            SchedulerEvent::Subscribed(id) => {
                self.id = Some(id);
                self.ending = false;
                if let Some(session) = &mut self.session {
                    session.subscribed = true;
                }
                self.ask_about_all(fabric);
            }
            SchedulerEvent::Offers(offers) => {
                for offer in offers {
                    fabric.tell(Happening::Offered {
                        framework_id: offer.framework_id.clone(),
                        offer_id: offer.id.clone(),
                        wanted: self.wants(&offer),
                    });
                    self.offers.insert(offer.id.clone(), offer);
                }
            }
            SchedulerEvent::Rescind(id) => {
                self.offers.remove(&id);
            }
            SchedulerEvent::Update(status) => self.update(fabric, &status),
            SchedulerEvent::UpdateOperationStatus(status) => {
                let Some(operation_id) = status.operation_id.clone() else { return };
                if status.state.is_terminal() {
                    self.operations.remove(&operation_id);
                }
                if let Some(uuid) = status.uuid {
                    let agent_id = status.agent_id.clone();
                    let call = SchedulerCall::AcknowledgeOperationStatus { operation_id, agent_id, uuid };
                    self.call(fabric, call);
                }
            }
            SchedulerEvent::InverseOffers(offers) => self.asked_to_leave(fabric, &offers),
            SchedulerEvent::RescindInverse(_) => {}
            SchedulerEvent::Message { .. } | SchedulerEvent::Failure { .. } => {}
            SchedulerEvent::Error(message) => {
                fabric.show(self.node(), || format!("is told: {message}"));
                if message == "Framework has been removed" {
                    self.begin_anew(fabric);
                } else {
                    self.disconnect(fabric);
                }
            }
        }
    }

    /// It says that it will leave, or that it will not; or it does not answer.
    fn asked_to_leave(&mut self, fabric: &mut Fabric, offers: &[Arc<InverseOffer>]) {
        let offer_ids = offers.iter().map(|offer| offer.id.clone()).collect();
        let refuse = Duration::from_secs(self.rng.below(30));
        if self.rng.chance(2, 3) {
            let accepted = self.rng.chance(1, 2);
            self.call(fabric, SchedulerCall::AnswerInverseOffers { offer_ids, accepted, refuse });
        }
    }

    fn update(&mut self, fabric: &mut Fabric, status: &TaskStatus) {
        let Some(framework_id) = self.id.clone() else { return };
        let task_id = status.task_id.clone();
        fabric.tell(Happening::StatusSeen {
            framework_id: framework_id.clone(),
            task_id: task_id.clone(),
            uuid: status.uuid,
            state: status.state,
        });
        if let Some(task) = self.tasks.get_mut(&task_id) {
            let over = self.over.contains(&task_id);
            if !over || status.uuid.is_some() && status.state.is_terminal() {
                task.state = Some(status.state);
            }
        }
        let (Some(uuid), Some(agent_id)) = (status.uuid, status.agent_id.clone()) else { return };
        if status.state.is_terminal() {
            self.over.insert(task_id.clone());
        }
        if self.lazy && self.rng.chance(2, 3) {
            self.unsent.push((agent_id, task_id, uuid));
        } else {
            self.call(fabric, SchedulerCall::Acknowledge { agent_id, task_id, uuid });
        }
    }

    /// Acknowledges what it has put off.
    pub(crate) fn catch_up(&mut self, fabric: &mut Fabric) {
        for (agent_id, task_id, uuid) in std::mem::take(&mut self.unsent) {
            self.call(fabric, SchedulerCall::Acknowledge { agent_id, task_id, uuid });
        }
    }

    /// Asks about every task that it counts on.
    pub(crate) fn ask_about_all(&mut self, fabric: &mut Fabric) {
        let tasks: Vec<_> = self
            .tasks
            .iter()
            .filter(|(_, task)| !task.is_over())
            .map(|(id, task)| (id.clone(), Some(task.agent_id.clone())))
            .collect();
        if !tasks.is_empty() {
            self.call(fabric, SchedulerCall::Reconcile(tasks));
        }
    }
}
