//! Shared volumes: several may use them at once, and they are offered while they are used.

use allocator::{Capabilities, Offerable};
use resources::{Resource, Resources, Role};

use crate::cluster::{Cluster, ag, fw, res, reserved, volume};

const SHARING: Capabilities = Capabilities {
    multi_role: false,
    shared_resources: true,
    gpu_resources: false,
    region_aware: false,
    revocable_resources: false,
    reservation_refinement: false,
};

fn one(resource: Resource) -> Resources {
    [resource].into_iter().collect()
}

/// An operation on what was offered, and the offer as it is then.
fn apply(cluster: &mut Cluster, offer: &mut Offerable, from: &Resources, to: &Resources) {
    let role = offer.role.clone();
    cluster.convert(offer.framework.as_str(), offer.agent.as_str(), role.as_str(), from, to);
    offer.resources.subtract(&from.clone().allocated_to(&role)).expect("it was offered");
    offer.resources += to.clone().allocated_to(&role);
}

/// Uses `part` of an offer and withdraws the rest.
fn launch(cluster: &mut Cluster, offer: &mut Offerable, part: &Resources) {
    let part = part.clone().allocated_to(&offer.role);
    cluster.allocator.transition_to_allocated(&offer.framework, &offer.agent, &part);
    cluster.allocator.check();
    offer.resources.subtract(&part).expect("it was offered");
    cluster.recover(offer);
}

#[test]
fn they_count_once_for_each_who_uses_them_until_the_last_use_ends() {
    let disk = one(volume(100, "r", "1", true));
    let mut cluster = Cluster::new();
    let mut total = res("cpus:100;mem:100;disk(r):900");
    total += &disk;
    cluster.agent_with("S", total);
    let role = Role::from("r");
    let uses = |cluster: &mut Cluster, id: &str, resources: &Resources| {
        cluster.allocator.add_used(&fw(id), &ag("S"), &resources.clone().allocated_to(&role));
        cluster.allocator.check();
    };
    uses(&mut cluster, "a", &res("cpus:5;mem:5"));
    uses(&mut cluster, "a", &disk);
    uses(&mut cluster, "b", &res("cpus:6;mem:6"));
    cluster.framework("a", &["r"]);
    cluster.framework("b", &["r"]);
    let first = |cluster: &mut Cluster| {
        let offer = cluster.offer();
        cluster.recover(&offer);
        offer.framework
    };
    assert_eq!(first(&mut cluster), fw("b"));
    // More copies for the same framework are no more.
    let share = cluster.share("r");
    uses(&mut cluster, "a", &disk);
    uses(&mut cluster, "a", &disk);
    assert_eq!(cluster.share("r"), share);
    let ended = |cluster: &mut Cluster| {
        cluster.allocator.recover(&fw("a"), &ag("S"), &disk.clone().allocated_to(&role));
        cluster.allocator.check();
    };
    ended(&mut cluster);
    ended(&mut cluster);
    assert_eq!(first(&mut cluster), fw("b"));
    ended(&mut cluster);
    assert_eq!(first(&mut cluster), fw("a"));
}

#[test]
fn one_that_two_frameworks_of_a_role_use_counts_for_both_and_once_for_the_role() {
    let disk = one(volume(100, "r", "1", true));
    let mut cluster = Cluster::new();
    let mut total = res("cpus:100;mem:100;disk(r):100");
    total += &disk;
    cluster.agent_with("S", total);
    for id in ["a", "b"] {
        cluster.framework(id, &["r"]);
        cluster.allocator.add_used(&fw(id), &ag("S"), &disk.clone().allocated_to(&Role::from("r")));
        cluster.allocator.check();
    }
    assert_eq!(cluster.share("r"), Some(0.5));
}

#[test]
fn an_agent_that_goes_takes_its_shared_volumes_along() {
    let disk = one(volume(100, "r", "1", true));
    let mut cluster = Cluster::new();
    let mut total = res("cpus:100;mem:100");
    total += &disk;
    cluster.agent_with("S", total);
    cluster.agent("T", "cpus:100;mem:100;disk:100");
    for (id, role) in [("a", "r"), ("b", "r"), ("c", "r/s"), ("a", "r"), ("a", "r/s")] {
        cluster.allocator.add_used(&fw(id), &ag("S"), &disk.clone().allocated_to(&Role::from(role)));
        cluster.allocator.check();
    }
    cluster.capable("b", "r", SHARING);
    cluster.offers();
    cluster.allocator.remove_agent(&ag("S"));
    cluster.allocator.check();
    assert_eq!(cluster.allocator.cluster_used(), res("cpus:100;mem:100;disk:100").quantities());
}

#[test]
fn one_can_be_made_and_destroyed() {
    let mut cluster = Cluster::new();
    cluster.capable("A", "a", SHARING);
    cluster.agent("S", "cpus:100;mem:100;disk(a):100");
    let mut offer = cluster.offer();
    let (free, made) = (res("disk(a):5"), one(volume(5, "a", "1", true)));
    apply(&mut cluster, &mut offer, &free, &made);
    cluster.recover(&offer);
    let mut again = cluster.offer();
    assert_eq!(again, offer);
    apply(&mut cluster, &mut again, &made, &free);
    cluster.recover(&again);
    assert_eq!(cluster.offer().resources.unallocated(), res("cpus:100;mem:100;disk(a):100"));
}

#[test]
fn one_is_offered_again_while_it_is_used() {
    for with_quota in [false, true] {
        let mut cluster = Cluster::new();
        cluster.capable("A", "a", SHARING);
        cluster.capable("B", "a", SHARING);
        if with_quota {
            cluster.quota("a", "cpus:8;mem:2048;disk:4096", "cpus:8;mem:2048;disk:4096");
        }
        cluster.agent("S", "cpus:4;mem:1024;disk(a):2048");
        let mut offer = cluster.offer();
        assert_eq!(offer.framework, fw("A"));
        let made = one(volume(5, "a", "1", true));
        apply(&mut cluster, &mut offer, &res("disk(a):5"), &made);
        let mut task = res("cpus:1;mem:5");
        task += &made;
        launch(&mut cluster, &mut offer, &task);
        let mut wanted = res("cpus:3;mem:1019;disk(a):2043");
        wanted += &made;
        let of_b = cluster.offer();
        assert_eq!((of_b.framework.clone(), of_b.resources.clone().unallocated()), (fw("B"), wanted));
        // Both use it: it is not free to be destroyed, but is still offered with whatever is.
        let mut of_b = of_b;
        let mut task = res("cpus:1;mem:5");
        task += &made;
        launch(&mut cluster, &mut of_b, &task);
        assert!(cluster.offer().resources.iter().any(Resource::is_shared));
    }
}

#[test]
fn one_that_is_made_is_news_to_those_who_refused_the_rest() {
    let mut cluster = Cluster::new();
    cluster.capable("A", "a", SHARING);
    cluster.capable("B", "a", SHARING);
    cluster.agent("S", "cpus:4;mem:1024;disk(a):100");
    let mut offer = cluster.offer();
    assert_eq!(offer.framework, fw("A"));
    launch(&mut cluster, &mut offer, &res("cpus:1;disk(a):100"));
    let of_b = cluster.offer();
    assert_eq!(of_b.framework, fw("B"));
    cluster.decline(&of_b, 3600);
    let of_a = cluster.offer();
    cluster.decline(&of_a, 3600);
    assert_eq!(cluster.offers(), []);
    // What A uses becomes a shared volume: now there is more than what both of them refused.
    cluster.convert("A", "S", "a", &res("disk(a):100"), &one(volume(100, "a", "1", true)));
    assert!(cluster.offer().resources.iter().any(Resource::is_shared));
}

#[test]
fn one_by_itself_is_too_little_to_be_offered() {
    let mut cluster = Cluster::new();
    cluster.capable("A", "a", SHARING);
    cluster.capable("B", "a", SHARING);
    let mut total = res("cpus:4;mem:1024");
    total.add(volume(5, "a", "1", true));
    cluster.agent_with("S", total);
    cluster.offer();
    assert_eq!(cluster.offers(), []);
    assert_eq!(cluster.allocator.allocate_all(cluster.now), []);
}

#[test]
fn one_counts_once_for_the_quota_however_often_it_is_offered() {
    let mut cluster = Cluster::new();
    cluster.quota("q", "cpus:3;mem:2048;disk:100", "cpus:3;mem:2048;disk:100");
    cluster.agent_with("S1", reserved("cpus:2;mem:1024;disk:50", &["q"]));
    cluster.capable("Q", "q", SHARING);
    let mut offer = cluster.offer();
    let made = reserved_volume();
    apply(&mut cluster, &mut offer, &reserved("disk:50", &["q"]), &made);
    // Half of the CPUs and memory and the volume are used; the volume is offered again with the rest.
    let mut task = reserved("cpus:1;mem:512", &["q"]);
    task += &made;
    launch(&mut cluster, &mut offer, &task);
    let mut wanted = reserved("cpus:1;mem:512", &["q"]);
    wanted += &made;
    assert_eq!(cluster.offer().resources.unallocated(), wanted);
    cluster.agent("S2", "cpus:1;mem:1024;disk:50");
    let here = |offers: Vec<Offerable>, id: &str| {
        let mut found = offers.into_iter().filter(|o| o.agent == ag(id));
        found.next().map(|o| o.resources.unallocated())
    };
    assert_eq!(here(cluster.offers(), "S2"), Some(res("cpus:1;mem:1024;disk:50")));
    cluster.agent("S3", "cpus:0.5;mem:512;disk:50");
    assert_eq!(here(cluster.offers(), "S3"), None);
}

/// A shared volume of 50 MB, dynamically reserved for q.
fn reserved_volume() -> Resources {
    let plain = reserved("disk:50", &["q"]);
    let volume = volume(50, "q", "1", true);
    plain.map(|disk| {
        let mut details = volume.details().clone();
        details.reservations = disk.reservations().to_vec();
        disk.clone().with_details(details)
    })
}
