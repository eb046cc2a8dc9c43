//! Sums and differences of resources that are special: reserved, disks, volumes, shared, revocable, allocated.

use resources::{
    CheckpointError, Details, Disk, DiskKind, DiskSource, Label, Labels, Mode, Name, Persistence,
    Reservation, Resource, Resources, Role, Root, Scalar, Value, Volume,
};

fn res(text: &str) -> Resources {
    Resources::parse(text).unwrap()
}

fn cpus(amount: i64) -> Resource {
    Resource::scalar("cpus", Scalar::whole(amount))
}

fn disk(amount: i64) -> Resource {
    Resource::scalar("disk", Scalar::whole(amount))
}

fn sum(parts: impl IntoIterator<Item = Resource>) -> Resources {
    parts.into_iter().collect()
}

fn minus(a: &Resources, b: &Resources) -> Resources {
    let mut rest = a.clone();
    rest -= b;
    rest
}

fn plus(a: &Resources, b: &Resources) -> Resources {
    let mut all = a.clone();
    all += b;
    all
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    let label = |(key, value): &(&str, &str)| Label { key: (*key).into(), value: Some((*value).into()) };
    Labels(pairs.iter().map(label).collect())
}

fn labelled(labels: Option<Labels>) -> Resource {
    cpus(8).reserved_by(Reservation { labels, ..Reservation::dynamic(Role::from("web"), None) })
}

fn with_disk(resource: Resource, disk: Disk) -> Resource {
    let details = Details { disk: Some(disk), ..resource.details().clone() };
    resource.with_details(details)
}

fn source(kind: DiskKind, root: Option<&str>) -> DiskSource {
    let root = Some(Root(root.map(Into::into)));
    match kind {
        DiskKind::Path => DiskSource { path: root, ..DiskSource::new(kind) },
        DiskKind::Mount => DiskSource { mount: root, ..DiskSource::new(kind) },
        _ => DiskSource::new(kind),
    }
}

fn of_source(amount: i64, source: DiskSource) -> Resource {
    with_disk(disk(amount), Disk { source: Some(source), ..Disk::default() })
}

fn volume(amount: i64, id: &str, path: &str) -> Resource {
    let persistence = Some(Persistence { id: id.into(), principal: None });
    let body = base::Payload::default();
    let volume = Some(Volume { container_path: path.into(), host_path: None, mode: Mode::ReadWrite, body });
    let reserved = disk(amount).reserved_by(Reservation::fixed(Role::from("web")));
    with_disk(reserved, Disk { persistence, volume, source: None })
}

fn shared(volume: Resource) -> Resource {
    let details = Details { shared: true, ..volume.details().clone() };
    volume.with_details(details)
}

fn revocable(resource: Resource) -> Resource {
    let details = Details { revocable: true, ..resource.details().clone() };
    resource.with_details(details)
}

fn copies(resources: &Resources, of: &Resource) -> u32 {
    resources.iter_with_copies().find(|(resource, _)| *resource == of).map_or(0, |(_, copies)| copies)
}

#[test]
fn reservations_differ_by_role_kind_principal_and_labels() {
    let fixed = |role: &str| cpus(8).reserved_by(Reservation::fixed(Role::from(role)));
    let by = |principal: &str| {
        cpus(8).reserved_by(Reservation::dynamic(Role::from("web"), Some(principal.into())))
    };
    let ab = [("a", "1"), ("b", "2")];
    let unique = [
        cpus(8),
        fixed("web"),
        fixed("db"),
        by("me"),
        by("you"),
        labelled(None),
        labelled(Some(Labels::default())),
        labelled(Some(labels(&ab))),
        labelled(Some(labels(&ab[..1]))),
    ];
    for (i, a) in unique.iter().enumerate() {
        for (j, b) in unique.iter().enumerate() {
            assert_eq!(a == b, i == j, "{a} and {b}");
            assert_eq!(a.is_addable(b), i == j);
            assert_eq!(a.contains(b), i == j);
        }
    }
    assert_eq!(sum(unique.clone()).len(), unique.len());
    assert_eq!(labelled(Some(labels(&ab))), labelled(Some(labels(&[ab[1], ab[0]]))));
    let twice = sum([labelled(Some(labels(&ab))), labelled(Some(labels(&ab)))]);
    assert_eq!(twice, labelled(Some(labels(&ab))).with_value(Value::Scalar(Scalar::whole(16))).into());
}

#[test]
fn a_stack_of_reservations_is_compared_whole() {
    let dynamic = |role: &str| Reservation::dynamic(Role::from(role), None);
    let (a, ab) =
        (cpus(1).reserved_by(dynamic("a")), cpus(1).reserved_by(dynamic("a")).reserved_by(dynamic("a/b")));
    let direct = cpus(1).reserved_by(dynamic("a/b"));
    let all = sum([a.clone(), ab.clone(), direct.clone()]);
    assert_eq!(all.len(), 3);
    assert_eq!(all.reserved_for(&Role::from("a")), a.clone().into());
    assert_eq!(all.reserved_for(&Role::from("a/b")), sum([ab.clone(), direct]));
    assert_eq!(ab.without_last_reservation(), a);
    assert_eq!(all.to_unreserved(), cpus(3).into());
    assert_eq!(all.allocatable_to(&Role::from("a")), a.into());
    assert_eq!(all.allocatable_to(&Role::from("a/b/c")), all);
    assert!(all.allocatable_to(&Role::from("b")).is_empty());
}

#[test]
fn disks_that_can_be_split_and_such_that_cannot() {
    for kind in [DiskKind::Path, DiskKind::Mount, DiskKind::Block, DiskKind::Raw] {
        let splits = matches!(kind, DiskKind::Path | DiskKind::Raw);
        let part = |amount| of_source(amount, source(kind, Some("/d")));
        let all = sum([part(10), part(10)]);
        assert_eq!(all.len(), if splits { 1 } else { 2 }, "{kind:?}");
        assert_eq!(all.contains(&part(20).into()), splits);
        assert_eq!(part(10).contains(&part(5)), splits);
        assert!(part(10).contains(&part(10)));
        assert_eq!(minus(&part(10).into(), &part(4).into()), part(if splits { 6 } else { 10 }).into());
        assert!(minus(&part(10).into(), &part(10).into()).is_empty());
    }
    // Storage with an identity is had whole, whatever kind it is of; without one, only profiles tell it apart.
    let raw = |id: Option<&str>, profile: Option<&str>| {
        let (id, profile) = (id.map(Into::into), profile.map(Into::into));
        of_source(10, DiskSource { id, profile, ..source(DiskKind::Raw, None) })
    };
    assert_eq!(sum([raw(Some("1"), None), raw(Some("1"), None)]).len(), 2);
    assert_eq!(sum([raw(None, Some("fast")), raw(None, Some("fast"))]).len(), 1);
    assert_eq!(sum([raw(None, Some("fast")), raw(None, Some("slow"))]).len(), 2);
    let (here, there) = (source(DiskKind::Path, Some("/a")), source(DiskKind::Path, Some("/b")));
    assert_ne!(of_source(1, here.clone()), of_source(1, there));
    assert_ne!(of_source(1, here), of_source(1, source(DiskKind::Path, None)));
}

#[test]
fn volumes_are_told_apart_by_id_and_not_by_path() {
    assert_eq!(volume(10, "1", "a"), volume(10, "1", "b"));
    assert_ne!(volume(10, "1", "a"), volume(10, "2", "a"));
    let all = sum([volume(10, "1", "a"), volume(10, "2", "a")]);
    assert_eq!(all.len(), 2);
    assert!(all.contains(&volume(10, "2", "x").into()));
    assert!(!all.contains(&volume(5, "2", "a").into()));
    assert!(!all.contains(&sum([volume(10, "1", "a"), volume(10, "1", "b")])));
    assert_eq!(minus(&all, &volume(10, "1", "z").into()), volume(10, "2", "a").into());
    let mixed = sum([volume(10, "1", "a"), disk(5), cpus(1)]);
    assert_eq!(mixed.persistent_volumes(), volume(10, "1", "a").into());
    assert_eq!(volume(10, "1", "a").without_volume().to_string(), "disk(reservations: [(STATIC,web)]):10");
}

#[test]
fn copies_of_shared_volumes_are_counted() {
    let one = shared(volume(50, "1", "path"));
    let a = sum([cpus(1), one.clone()]);
    let b = sum([cpus(2), one.clone()]);
    let both = plus(&a, &b);
    assert_eq!((both.len(), both.disk(), copies(&both, &one)), (2, Some(Scalar::whole(50)), 2));
    assert_eq!(both.to_string(), "cpus:3; disk(reservations: [(STATIC,web)])[1:path]<SHARED>:50<2>");
    assert_eq!(copies(&minus(&both, &a), &one), 1);
    assert_eq!(copies(&minus(&minus(&both, &a), &a), &one), 0);
    assert!(both.contains(&sum([one.clone(), one.clone()])));
    assert!(!both.contains(&sum([one.clone(), one.clone(), one.clone()])));
    // What is there more often than it is taken stays.
    let (four, three) = (sum(vec![one.clone(); 4]), sum(vec![one.clone(); 3]));
    assert_eq!(minus(&four, &three), one.clone().into());
    assert!(minus(&three, &four).is_empty());
    assert_eq!(minus(&plus(&four, &three), &four), three);
}

#[test]
fn shared_and_not_shared_are_different() {
    let (ours, mine) = (shared(volume(100, "1", "p")), volume(100, "1", "p"));
    let (other, smaller) = (shared(volume(100, "2", "p")), shared(volume(50, "1", "p")));
    let all = sum([ours.clone(), ours.clone(), mine.clone()]);
    assert_eq!((all.len(), copies(&all, &ours), copies(&all, &mine)), (2, 2, 1));
    assert_eq!(minus(&mine.clone().into(), &ours.clone().into()), mine.clone().into());
    assert_eq!(minus(&ours.clone().into(), &other.into()), ours.clone().into());
    assert!(!Resources::from(ours.clone()).contains(&smaller.into()));
    assert_eq!((all.shared().len(), all.non_shared()), (1, mine.into()));
}

#[test]
fn revocable_resources_are_apart() {
    let (sure, loose) = (cpus(1), revocable(cpus(1)));
    let both = sum([sure.clone(), loose.clone(), loose.clone()]);
    assert_eq!((both.len(), both.cpus()), (2, Some(Scalar::whole(3))));
    assert_eq!(both.revocable(), revocable(cpus(2)).into());
    assert_eq!(both.non_revocable(), sure.clone().into());
    assert_eq!(minus(&both, &loose.clone().into()), sum([sure.clone(), loose.clone()]));
    assert!(!Resources::from(sure.clone()).contains(&loose.clone().into()));
    assert!(!Resources::from(loose).contains(&sure.into()));
}

#[test]
fn allocations_are_apart_too() {
    let to = |role: &str| cpus(2).allocated_to(Role::from(role));
    let all = sum([to("a"), to("b"), to("b"), cpus(1)]);
    assert_eq!(all.len(), 3);
    assert_eq!(all.allocations()[&Role::from("b")], cpus(4).allocated_to(Role::from("b")).into());
    assert!(!all.contains(&cpus(3).into()));
    assert_eq!(minus(&all, &to("a").into()), sum([to("b"), to("b"), cpus(1)]));
    assert_eq!(all.unallocated(), cpus(7).into());
}

#[test]
fn what_comes_from_a_provider_is_apart() {
    let from = |provider: Option<&str>| {
        disk(1).with_details(Details { provider: provider.map(Into::into), ..Details::default() })
    };
    let all = sum([from(None), from(Some("a")), from(Some("a")), from(Some("b"))]);
    assert_eq!((all.len(), all.disk()), (3, Some(Scalar::whole(4))));
    assert!(!all.contains(&sum([from(Some("b")), from(Some("b"))])));
    assert_eq!(minus(&all, &from(Some("a")).into()).len(), 3);
    let reserved = from(Some("a")).reserved_by(Reservation::dynamic(Role::from("web"), None));
    assert!(!reserved.needs_checkpoint());
}

#[test]
fn what_is_asked_for_and_is_not_there() {
    let plain = res("cpus:4;zones:{a,b};ports:[1-2]");
    assert_eq!((plain.mem(), plain.scalar(&Name::Ports), plain.ranges(&Name::Cpus)), (None, None, None));
    assert_eq!(plain.named(&Name::from("zones")).len(), 1);
    assert_ne!(plain, Resources::new());
    assert!(res("cpus:0;ports:[];zones:{}").is_empty());
}

#[test]
fn numbers_and_items_are_counted() {
    let all = res("cpus:1.5;ports:[1-3,7-7];zones:{a,b};cpus(web):2;ports(web):[10-19]");
    assert_eq!(all.counts().to_string(), "cpus:3.5; ports:14; zones:2");
    assert_eq!(all.quantities().to_string(), "cpus:3.5");
}

#[test]
fn what_an_agent_remembers_takes_the_place_of_what_it_was_made_of() {
    let dynamic =
        |resource: Resource, role: &str| resource.reserved_by(Reservation::dynamic(Role::from(role), None));
    let fixed = |resource: Resource, role: &str| resource.reserved_by(Reservation::fixed(Role::from(role)));
    let started =
        plus(&res("cpus:4;disk:100;cpus(web):2;ports:[1-9]"), &volume(30, "v", "p").without_volume().into());
    let remembered = sum([
        dynamic(cpus(3), "db"),
        dynamic(fixed(cpus(1), "web"), "web/a"),
        volume(30, "v", "p"),
        shared(with_disk(dynamic(disk(10), "db"), volume(1, "s", "p").details().disk.clone().unwrap())),
    ]);
    let total = started.with_checkpointed(&remembered).unwrap();
    assert_eq!(total.quantities(), started.quantities());
    assert_eq!(total.checkpointed(), remembered);
    assert_eq!(
        minus(&total, &remembered),
        plus(&res("cpus:1;disk:90;ports:[1-9]"), &fixed(cpus(1), "web").into())
    );
    // Once more, after a restart.
    assert_eq!(started.with_checkpointed(&total.checkpointed()).unwrap(), total);
}

#[test]
fn an_agent_that_was_started_with_less_is_told_so() {
    let remembered = cpus(3).reserved_by(Reservation::dynamic(Role::from("db"), None));
    assert_eq!(
        res("cpus:2;mem:1").with_checkpointed(&remembered.into()).unwrap_err().to_string(),
        "Incompatible agent resources: cpus:2; mem:1 does not contain cpus:3"
    );
    let plain = cpus(1);
    assert_eq!(
        res("cpus:2").with_checkpointed(&plain.clone().into()),
        Err(CheckpointError::Unexpected(Box::new(plain)))
    );
}
