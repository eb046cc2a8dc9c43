//! Reservations and volumes over a real master and agent.

mod cluster;

use cluster::{Cluster, within};
use proto::v1::offer::{Operation, operation};
use proto::v1::{Offer, OperationState, OperationStatus, Resource};
use sdk::build::{
    Framework, Task, create, destroy, grow, named, persistent_volume, reserve, reserved, scalar,
    scalar_total, shrink, unreserve,
};
use sdk::scheduler::{Calls, Event, Scheduler};

struct Session {
    scheduler: Scheduler,
    calls: Calls,
    /// Offers that were not used yet.
    offers: Vec<Offer>,
}

impl Session {
    fn start(cluster: &Cluster) -> Self {
        let framework = Framework::new("keeper").roles(["web"]).build();
        let scheduler = Scheduler::builder(framework).masters(cluster.masters()).start().unwrap();
        Self { calls: scheduler.calls(), scheduler, offers: Vec::new() }
    }

    /// The next event; what is offered is kept, whenever it comes.
    async fn next(&mut self) -> Event {
        let event = self.scheduler.next_event().await.unwrap();
        match &event {
            Event::Error(message) => panic!("{message}"),
            Event::CallFailed(failure) => panic!("{failure:?}"),
            Event::Offers(offers) => self.offers.extend(offers.iter().cloned()),
            Event::Rescind(id) => self.offers.retain(|offer| offer.id != *id),
            _ => {}
        }
        event
    }

    /// Waits until all that is offered, in as many offers as it may be, is as it has to be.
    async fn offered(&mut self, enough: impl Fn(&[Resource]) -> bool) {
        loop {
            let resources: Vec<_> = self.offers.iter().flat_map(|offer| offer.resources.clone()).collect();
            if enough(&resources) {
                return;
            }
            self.next().await;
        }
    }

    /// Uses all offers for some operations and waits for what becomes of each that has a name.
    async fn carry_out(&mut self, operations: Vec<Operation>) -> Vec<OperationStatus> {
        let awaited = operations.iter().filter(|operation| operation.id.is_some()).count();
        let ids = std::mem::take(&mut self.offers).into_iter().map(|offer| offer.id).collect();
        let filters = proto::v1::Filters { refuse_seconds: Some(0.0) };
        self.calls.accept(ids, operations, Some(filters)).await.unwrap();
        let mut statuses = Vec::new();
        while statuses.len() < awaited {
            if let Event::UpdateOperationStatus(status) = self.next().await {
                statuses.push(status);
            }
        }
        statuses
    }
}

fn is_finished(status: &OperationStatus) -> bool {
    status.state() == OperationState::OperationFinished
}

/// The sizes of what is reserved of the disk, the smallest first.
fn reserved_disk(resources: &[Resource]) -> Vec<f64> {
    let reserved = |resource: &&Resource| resource.name == "disk" && !resource.reservations.is_empty();
    let mut sizes: Vec<f64> = resources.iter().filter(reserved).map(size).collect();
    sizes.sort_by(f64::total_cmp);
    sizes
}

/// How much disk there is in all.
fn disk(resources: &[Resource]) -> f64 {
    scalar_total(resources, "disk")
}

fn size(resource: &Resource) -> f64 {
    resource.scalar.as_ref().unwrap().value
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_is_made_used_resized_and_undone() {
    let cluster = Cluster::start().await;
    within(Box::pin(async {
        let mut session = Session::start(&cluster);
        session.offered(|all| disk(all) == 1024.0).await;
        let space = reserved(scalar("disk", 512.0), "web");
        let volume = persistent_volume(space.clone(), "database", "data");
        let command = "echo kept > data/file && cat data/file";
        let task = Task::new("writer").command(command).cpus(0.1).mem(32.0).resource(volume.clone());
        let launch = operation::Launch { task_infos: vec![task.on(&session.offers[0])] };
        let operations = vec![
            named(reserve(vec![space]), "reserve"),
            named(create(vec![volume.clone()]), "create"),
            launch.into(),
        ];
        let statuses = session.carry_out(operations).await;
        assert!(statuses.iter().all(is_finished), "{statuses:?}");

        // What the task held comes back as a volume.
        session.offered(|all| reserved_disk(all) == [512.0] && disk(all) == 1024.0).await;
        let more = reserved(scalar("disk", 88.0), "web");
        let operations = vec![named(reserve(vec![more.clone()]), "more"), named(grow(volume, more), "grow")];
        let statuses = session.carry_out(operations).await;
        assert!(statuses.iter().all(is_finished), "{statuses:?}");
        // A resized volume cannot be used before it is offered again.
        let grown = persistent_volume(reserved(scalar("disk", 600.0), "web"), "database", "data");
        session.offered(|all| reserved_disk(all) == [600.0]).await;
        let statuses = session.carry_out(vec![named(shrink(grown, 500.0), "shrink")]).await;
        assert!(statuses.iter().all(is_finished), "{statuses:?}");

        session.offered(|all| reserved_disk(all) == [100.0, 500.0]).await;
        let left = persistent_volume(reserved(scalar("disk", 100.0), "web"), "database", "data");
        let operations = vec![
            named(destroy(vec![left]), "destroy"),
            named(unreserve(vec![reserved(scalar("disk", 600.0), "web")]), "unreserve"),
            named(unreserve(vec![reserved(scalar("disk", 1.0), "web")]), "too much"),
        ];
        let statuses = session.carry_out(operations).await;
        for status in &statuses {
            let wrong = status.operation_id.as_ref().unwrap().value == "too much";
            let expected =
                if wrong { OperationState::OperationError } else { OperationState::OperationFinished };
            assert_eq!(status.state(), expected, "{status:?}");
        }
        session.offered(|all| reserved_disk(all).is_empty() && disk(all) == 1024.0).await;
        session.scheduler.teardown().await.unwrap();
    }))
    .await;
    cluster.stop().await;
}
