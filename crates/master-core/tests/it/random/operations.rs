//! Operations at random: by schedulers and operators, carried out by machines sooner or later, told of and acknowledged.

use std::time::Duration;

use base::Uuid;
use master_core::{AcceptOperation, FromAgent, OperatorCall, SchedulerCall, ToAgent};
use resources::{
    Details, Disk, Mode, Name, Operation, Persistence, Reservation, Resource, Resources, Role, Scalar, Value,
    Volume,
};
use testkit::master::{Applied, apply, apply_as, launch};

use super::world::{World, pid};

const ROLES: [&str; 3] = ["web", "web/a", "db"];

/// So much of something, or less.
fn some_of(world: &mut World, resource: &Resource) -> Resource {
    let Value::Scalar(amount) = resource.value else { return resource.clone() };
    let most = amount.to_f64() * 1.1;
    let part = Scalar::from_f64(most * f64::from(u32::try_from(world.below(10)).unwrap_or(0) + 1) / 10.0);
    resource.clone().with_value(Value::Scalar(part))
}

impl World {
    /// An operation on some of the resources, for a role; often a sensible one.
    fn random_operation(&mut self, on: &Resources, role: &Role) -> Option<Operation> {
        let on: Vec<Resource> = on.iter().cloned().collect();
        let disks: Vec<Resource> = on.iter().filter(|one| one.name == Name::Disk).cloned().collect();
        let disk = if self.below(3) > 0 { self.pick(&disks) } else { None };
        let one = disk.or_else(|| self.pick(&on))?;
        let plain = one.is_dynamically_reserved() && !one.is_persistent_volume();
        Some(if one.is_persistent_volume() {
            match self.below(7) {
                0..=2 => {
                    let disk = one.without_volume();
                    let free = on.iter().find(|other| other.is_subtractable(&disk));
                    let addition = some_of(self, free.unwrap_or(&disk));
                    Operation::GrowVolume { volume: one, addition }
                }
                3 | 4 => {
                    let Value::Scalar(subtract) = some_of(self, &one).value else { return None };
                    Operation::ShrinkVolume { volume: one, subtract }
                }
                _ => Operation::Destroy { volumes: vec![one] },
            }
        } else if plain && one.name == Name::Disk && self.below(3) > 0 {
            Operation::Create { volumes: vec![self.random_volume(&one)] }
        } else if plain {
            Operation::Unreserve { resources: vec![some_of(self, &one)] }
        } else {
            let part = some_of(self, &one);
            Operation::Reserve {
                source: Vec::new(),
                resources: vec![part.reserved_by(Reservation::dynamic(role.clone(), None))],
            }
        })
    }

    fn random_volume(&mut self, disk: &Resource) -> Resource {
        let part = some_of(self, disk);
        let id = format!("v{}", self.below(6));
        let volume = Disk {
            source: None,
            persistence: Some(Persistence { id: id.as_str().into(), principal: None }),
            volume: Some(Volume {
                container_path: "data".into(),
                host_path: None,
                mode: Mode::ReadWrite,
                body: base::Payload::default(),
            }),
        };
        let shared = self.below(3) == 0;
        let details = Details { disk: Some(volume), shared, ..part.details().clone() };
        part.with_details(details)
    }

    /// An ACCEPT with several operations, and tasks on what they make.
    fn accept_operations(&mut self) {
        let Some((scheduler, offer)) = self.pick_offer() else { return };
        let mut hoped = offer.resources.clone().unallocated();
        let mut operations: Vec<AcceptOperation> = Vec::new();
        for _ in 0..=self.below(4) {
            let Some(operation) = self.random_operation(&hoped, &offer.role) else { continue };
            // What comes of it is what the next ones are likely to work on.
            drop(hoped.apply(&operation));
            self.next += 1;
            let name = format!("op{}", self.next);
            operations.push(if self.below(2) == 0 { apply(operation) } else { apply_as(&name, operation) });
            if self.below(3) == 0 {
                let mut info = self.random_task(&scheduler, &offer);
                let all: Vec<Resource> = hoped.iter().cloned().collect();
                info.resources = self.pick(&all).into_iter().collect();
                info.resources.add(Resource::scalar("mem", Scalar::whole(32)));
                drop(hoped.subtract(&info.resources));
                operations.push(launch([info]));
            }
        }
        self.offers.remove(&offer.id);
        let refuse = Duration::from_secs(self.rng.below(10));
        let offer_ids = vec![offer.id.clone()];
        self.master.call(&scheduler, SchedulerCall::Accept { offer_ids, operations, refuse });
    }

    pub(super) fn operate(&mut self) {
        if self.below(4) > 0 {
            return self.accept_operations();
        }
        let agents = self.master.core.snapshot(self.master.now).agents;
        let Some(agent) = self.pick(&agents) else { return };
        let role = Role::from(ROLES[self.below(ROLES.len())]);
        let Some(operation) = self.random_operation(&agent.total, &role) else { return };
        let call = OperatorCall::ApplyOperation { agent_id: agent.id.clone(), operation, principal: None };
        // A refusal is as good as an acceptance here.
        drop(self.master.operator(call));
    }

    /// A machine reads a message about operations.
    pub(super) fn about_operations(&mut self, host: usize, message: ToAgent) {
        let machine = &mut self.machines[host];
        let told: Vec<FromAgent> = match (Applied::from_message(&message), message) {
            (Some(applied), _) => machine.apply(applied).into_iter().collect(),
            (None, ToAgent::ReconcileOperations(uuids)) => machine.reconcile(uuids),
            (None, ToAgent::AcknowledgeOperation { operation_uuid, .. }) => {
                machine.unacknowledged.remove(&operation_uuid);
                Vec::new()
            }
            (None, other) => panic!("{other:?} is not about operations"),
        };
        for message in told {
            self.master.from_agent(&pid(host), message);
        }
    }

    pub(super) fn tell_operations(&mut self, host: usize) {
        if let Some(message) = self.machines[host].update() {
            self.master.from_agent(&pid(host), message);
        }
    }

    pub(super) fn repeat_operation(&mut self) {
        let host = self.below(self.machines.len());
        let known: Vec<Uuid> = self.machines[host].unacknowledged.keys().copied().collect();
        let message = self.pick(&known).and_then(|uuid| self.machines[host].repeat(uuid));
        if let Some(message) = message {
            self.master.from_agent(&pid(host), message);
        }
    }

    pub(super) fn operation_call(&mut self) {
        let schedulers = self.schedulers.clone();
        let Some((scheduler, _)) = self.pick(&schedulers) else { return };
        let operations = self.machines.iter().flat_map(|machine| machine.unacknowledged.values());
        let own = operations.filter(|(applied, _)| applied.framework_id.as_ref() == Some(&scheduler.id));
        let own: Vec<_> = own.filter_map(|(applied, _)| applied.id.clone()).collect();
        let call = match (self.pick(&own), self.below(4)) {
            (_, 0) => SchedulerCall::ReconcileOperations(Vec::new()),
            (Some(id), 1) => SchedulerCall::ReconcileOperations(vec![(id, None)]),
            (Some(operation_id), _) => {
                let uuid = Uuid::from_bytes([1; 16]);
                SchedulerCall::AcknowledgeOperationStatus { operation_id, agent_id: None, uuid }
            }
            (None, _) => return,
        };
        self.master.call(&scheduler, call);
    }

    /// All that is on its way arrives, and all that machines repeat is told.
    pub(super) fn settle_operations(&mut self) {
        for _ in 0..3 {
            self.take_notice();
            self.deliver(false);
            for host in 0..self.machines.len() {
                let known: Vec<Uuid> = self.machines[host].unacknowledged.keys().copied().collect();
                for uuid in known {
                    if let Some(message) = self.machines[host].repeat(uuid) {
                        self.master.from_agent(&pid(host), message);
                    }
                }
            }
        }
    }
}
