//! Reservations and volumes are made and given back.

use std::sync::Arc;
use std::time::Duration;

use master_core::{AcceptOperation, Offer, SchedulerCall};
use resources::{
    Details, Disk, Mode, Name, Operation, Persistence, Reservation, Resource, Role, Scalar, Value, Volume,
};

use super::launch::take_offer;
use crate::dice::Dice;
use crate::fabric::Fabric;
use crate::scheduler::Scheduler;

fn apply(scheduler: &mut Scheduler, fabric: &mut Fabric, offer: &Offer, operation: Option<Operation>) {
    let operations = operation.map(|operation| {
        let id = scheduler.rng.chance(2, 3).then(|| scheduler.name("op").as_str().into());
        if let Some(id) = &id {
            scheduler.operations.insert(Clone::clone(id), offer.agent_id.clone());
        }
        AcceptOperation::Apply { id, kind: operation.kind(), operation: Ok(operation) }
    });
    let refuse = Duration::from_secs(scheduler.rng.below(5));
    let operations = operations.into_iter().collect();
    let call = SchedulerCall::Accept { offer_ids: vec![offer.id.clone()], operations, refuse };
    scheduler.call(fabric, call);
}

fn some(scheduler: &mut Scheduler, offer: &Offer, which: impl Fn(&Resource) -> bool) -> Option<Resource> {
    let fitting: Vec<Resource> = offer.resources.iter().filter(|resource| which(resource)).cloned().collect();
    scheduler.rng.pick(&fitting).cloned()
}

/// Half of a scalar, at least one unit of it.
fn half(resource: &Resource) -> Option<Resource> {
    let Value::Scalar(amount) = &resource.value else { return None };
    let half = Scalar::from_thousandths(amount.thousandths() / 2);
    half.is_positive().then(|| resource.clone().with_value(Value::Scalar(half)))
}

fn dynamic(scheduler: &Scheduler, role: &Role) -> Reservation {
    Reservation::dynamic(role.clone(), scheduler.info.principal.as_deref().map(Arc::from))
}

/// Reserves half of something for its role, or gives a reservation back.
pub(super) fn reserve(scheduler: &mut Scheduler, fabric: &mut Fabric) {
    let Some(offer) = take_offer(scheduler) else { return };
    let gives_back = scheduler.rng.chance(1, 2);
    let operation = if gives_back {
        let plain =
            |resource: &Resource| resource.is_dynamically_reserved() && !resource.is_persistent_volume();
        some(scheduler, &offer, plain).map(|resource| Operation::Unreserve { resources: vec![resource] })
    } else {
        let free = |resource: &Resource| !resource.is_reserved() && resource.disk_source().is_none();
        let part = some(scheduler, &offer, free).and_then(|resource| half(&resource));
        part.filter(|_| !offer.role.is_star()).map(|part| {
            let reserved = part.reserved_by(dynamic(scheduler, &offer.role));
            Operation::Reserve { source: Vec::new(), resources: vec![reserved] }
        })
    };
    apply(scheduler, fabric, &offer, operation);
}

/// Makes a volume of reserved disk space, or destroys one.
pub(super) fn volumes(scheduler: &mut Scheduler, fabric: &mut Fabric) {
    let Some(offer) = take_offer(scheduler) else { return };
    let destroys = scheduler.rng.chance(1, 2);
    let operation = if destroys {
        let volume = some(scheduler, &offer, Resource::is_persistent_volume);
        volume.map(|volume| Operation::Destroy { volumes: vec![volume] })
    } else {
        let space = |resource: &Resource| {
            resource.name == Name::Disk
                && resource.is_dynamically_reserved()
                && !resource.is_persistent_volume()
        };
        let part = some(scheduler, &offer, space).and_then(|resource| half(&resource));
        part.map(|part| {
            let disk = Disk {
                source: None,
                persistence: Some(Persistence {
                    id: scheduler.name("volume").as_str().into(),
                    principal: scheduler.info.principal.as_deref().map(Arc::from),
                }),
                volume: Some(Volume {
                    container_path: "data".into(),
                    host_path: None,
                    mode: Mode::ReadWrite,
                    body: base::Payload::default(),
                }),
            };
            let details = Details { disk: Some(disk), ..part.details().clone() };
            Operation::Create { volumes: vec![part.with_details(details)] }
        })
    };
    apply(scheduler, fabric, &offer, operation);
}
