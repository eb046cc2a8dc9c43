//! What operations do to resources, and when they cannot be done.

use proptest::prelude::*;
use resources::{
    Conversion, ConversionError, Details, Disk, DiskKind, DiskSource, Mode, Name, Operation, OperationKind,
    Persistence, Reservation, Resource, Resources, Role, Root, Scalar, Volume,
};

fn res(text: &str) -> Resources {
    Resources::parse(text).unwrap()
}

fn dynamic(role: &str) -> Reservation {
    Reservation::dynamic(Role::from(role), None)
}

fn reserved(text: &str, roles: &[&str]) -> Vec<Resource> {
    let reserve = |r: &Resource| roles.iter().fold(r.clone(), |r, role| r.reserved_by(dynamic(role)));
    res(text).iter().map(reserve).collect()
}

fn disk_from(source: Option<DiskSource>, size: i64) -> Resource {
    let disk = source.map(|source| Disk { source: Some(source), ..Disk::default() });
    Resource::scalar("disk", Scalar::whole(size))
        .with_details(Details { disk, ..Details::default() })
        .reserved_by(dynamic("web"))
}

fn volume_on(space: &Resource, id: &str, shared: bool) -> Resource {
    let details = space.details().clone();
    let disk = Disk {
        persistence: Some(Persistence { id: id.into(), principal: None }),
        volume: Some(Volume {
            container_path: "data".into(),
            host_path: None,
            mode: Mode::ReadWrite,
            body: base::Payload::default(),
        }),
        source: details.disk.as_ref().and_then(|disk| disk.source.clone()),
    };
    space.clone().with_details(Details { disk: Some(disk), shared, ..details })
}

fn volume(id: &str, size: i64, shared: bool) -> Resource {
    volume_on(&disk_from(None, size), id, shared)
}

fn mount() -> DiskSource {
    DiskSource { mount: Some(Root(Some("/m".into()))), ..DiskSource::new(DiskKind::Mount) }
}

fn path() -> DiskSource {
    DiskSource { path: Some(Root(Some("/p".into()))), ..DiskSource::new(DiskKind::Path) }
}

/// Applies one operation after the other to `before`; what comes of all.
#[track_caller]
fn check(before: &Resources, operations: &[Operation], after: &Resources) {
    let mut now = before.clone();
    for operation in operations {
        now.apply(operation).unwrap();
    }
    assert_eq!(now, *after);
    assert_eq!(now.quantities(), before.quantities());
}

#[track_caller]
fn refused(before: &Resources, operation: &Operation) -> String {
    let mut now = before.clone();
    let error = now.apply(operation).unwrap_err().to_string();
    assert_eq!(now, *before);
    error
}

#[test]
fn reserve_and_unreserve() {
    let resources = reserved("cpus:1;mem:512", &["web"]);
    let reserve = Operation::Reserve { source: vec![], resources: resources.clone() };
    let mut expected = res("cpus:7;mem:3584;ports:[1-9]");
    expected.extend(resources.clone());
    let total = res("cpus:8;mem:4096;ports:[1-9]");
    check(&total, std::slice::from_ref(&reserve), &expected);
    let unreserve = Operation::Unreserve { resources };
    check(&total, &[reserve.clone(), unreserve.clone()], &total);
    assert_eq!(refused(&res("cpus:8;mem:100"), &reserve), "cpus:8; mem:100 does not contain cpus:1; mem:512");
    assert!(refused(&total, &unreserve).contains("does not contain cpus(reservations: [(DYNAMIC,web)]):1"));
}

#[test]
fn a_reservation_refines_one_at_a_time() {
    let (outer, inner) = (reserved("cpus:1", &["a"]), reserved("cpus:1", &["a", "a/b"]));
    let refine = Operation::Reserve { source: vec![], resources: inner.clone() };
    let total = res("cpus:2");
    assert!(refused(&total, &refine).ends_with("does not contain cpus(reservations: [(DYNAMIC,a)]):1"));
    let reserve = Operation::Reserve { source: vec![], resources: outer.clone() };
    let mut refined = res("cpus:1");
    refined.extend(inner.clone());
    check(&total, &[reserve.clone(), refine.clone()], &refined);
    let unrefine = Operation::Unreserve { resources: inner };
    let mut reserved = res("cpus:1");
    reserved.extend(outer);
    check(&total, &[reserve, refine, unrefine], &reserved);
}

#[test]
fn a_source_says_what_becomes_of_what() {
    let (from, to) = (reserved("cpus:1", &["a"]), reserved("cpus:1", &["b", "b/c"]));
    let move_it = Operation::Reserve { source: from.clone(), resources: to.clone() };
    check(&from.into_iter().collect(), &[move_it], &to.into_iter().collect());
}

#[test]
fn no_source_gets_or_loses_a_static_reservation() {
    let fixed = |text: &str| Resources::parse_for_role(text, &Role::from("web")).unwrap();
    let one = |resources: &Resources| resources.iter().cloned().collect::<Vec<_>>();
    let move_it = |from: &[Resource], to: &[Resource]| Operation::Reserve {
        source: from.to_vec(),
        resources: to.to_vec(),
    };
    let (started, dynamic_only) = (one(&fixed("cpus:1")), reserved("cpus:1", &["web"]));
    let refined = |role| vec![started[0].clone().reserved_by(dynamic(role))];
    for (from, to) in
        [(&started, &dynamic_only), (&dynamic_only, &refined("web/a")), (&refined("web/a"), &dynamic_only)]
    {
        assert_eq!(
            refused(&from.iter().cloned().collect(), &move_it(from, to)),
            "Source and target resources should have the same static reservation: operations cannot change those"
        );
    }
    // What is allowed is found again by an agent that restarts.
    let mut total = fixed("cpus:2");
    total.apply(&move_it(&started, &refined("web/a"))).unwrap();
    total.apply(&move_it(&refined("web/a"), &refined("web/b"))).unwrap();
    assert_eq!(fixed("cpus:2").with_checkpointed(&total.checkpointed()).unwrap(), total);
}

#[test]
fn volumes_are_created_and_destroyed() {
    for source in [None, Some(path()), Some(mount())] {
        let space = disk_from(source, 64);
        let total = Resources::from_iter([space.clone(), Resource::scalar("cpus", Scalar::whole(1))]);
        for shared in [false, true] {
            let volumes = vec![volume_on(&space, "id", shared)];
            let create = Operation::Create { volumes: volumes.clone() };
            let mut with_volume = res("cpus:1");
            with_volume.extend(volumes.clone());
            check(&total, std::slice::from_ref(&create), &with_volume);
            check(&total, &[create, Operation::Destroy { volumes: volumes.clone() }], &total);
            assert!(refused(&total, &Operation::Destroy { volumes }).contains(" does not contain disk("));
        }
    }
    let too_big = Operation::Create { volumes: vec![volume("id", 65, false)] };
    assert!(refused(&disk_from(None, 64).into(), &too_big).contains(" does not contain disk("));
    // A mount is had whole.
    let part = Operation::Create { volumes: vec![volume_on(&disk_from(Some(mount()), 32), "id", false)] };
    assert!(refused(&disk_from(Some(mount()), 64).into(), &part).contains(" does not contain disk("));
}

#[test]
fn a_shared_volume_is_destroyed_when_one_copy_is_left() {
    let shared = volume("id", 8, true);
    let destroy = Operation::Destroy { volumes: vec![shared.clone()] };
    let twice = Resources::from_iter([shared.clone(), shared.clone()]);
    assert_eq!(
        refused(&twice, &destroy),
        "Persistent volume disk(reservations: [(DYNAMIC,web)])[id:data]<SHARED>:8 cannot be removed due to \
         additional shared copies"
    );
    check(&shared.into(), &[destroy], &disk_from(None, 8).into());
}

#[test]
fn volumes_grow_and_shrink() {
    for source in [None, Some(path())] {
        let space = |size| disk_from(source.clone(), size);
        let of = |size| volume_on(&space(size), "id", false);
        let small = Resources::from_iter([of(10), space(6)]);
        let large = Resources::from_iter([of(14), space(2)]);
        let grow = Operation::GrowVolume { volume: of(10), addition: space(4) };
        let shrink = Operation::ShrinkVolume { volume: of(14), subtract: Scalar::whole(4) };
        check(&small, std::slice::from_ref(&grow), &large);
        check(&large, std::slice::from_ref(&shrink), &small);
        assert!(refused(&large, &grow).contains(" does not contain disk("));
        assert!(refused(&small, &shrink).contains(" does not contain disk("));
    }
    let ports = Resource::new(Name::Ports, res("ports:[1-2]").iter().next().unwrap().value.clone());
    let foreign = Operation::GrowVolume { volume: volume("id", 1, false), addition: ports };
    assert_eq!(foreign.conversions(), Err(ConversionError::IncompatibleAddition));
    let all = Operation::ShrinkVolume { volume: volume("id", 1, false), subtract: Scalar::whole(1) };
    assert_eq!(all.conversions(), Err(ConversionError::ShrunkToNothing));
}

#[test]
fn what_only_providers_do() {
    let source = disk_from(Some(DiskSource::new(DiskKind::Raw)), 1);
    let create = Operation::CreateDisk { source: source.clone(), target: DiskKind::Mount, profile: None };
    assert_eq!(create.conversions().unwrap_err().to_string(), "Operation not supported");
    assert_eq!(Operation::DestroyDisk { source }.conversions(), Err(ConversionError::NotSupported));
    let mut provided = volume("id", 2, false);
    provided.set_details(Details { provider: Some("p".into()), ..provided.details().clone() });
    let shrink = Operation::ShrinkVolume { volume: provided, subtract: Scalar::whole(1) };
    assert_eq!(
        shrink.conversions().unwrap_err().to_string(),
        "Operation not supported for resource provider"
    );
    assert_eq!(shrink.provider().map(AsRef::as_ref), Some("p"));
}

#[test]
fn several_operations_build_upon_each_other() {
    let total = res("disk:10;cpus:1");
    let reserve = Operation::Reserve { source: vec![], resources: reserved("disk:10", &["web"]) };
    let create = Operation::Create { volumes: vec![volume("a", 4, false), volume("b", 6, true)] };
    let mut expected = res("cpus:1");
    expected.extend([volume("a", 4, false), volume("b", 6, true)]);
    check(&total, &[reserve, create.clone()], &expected);
    assert_eq!(create.consumed().unwrap(), Resources::from(disk_from(None, 10)));
}

#[test]
fn nothing_changes_when_a_later_part_is_impossible() {
    let volumes = vec![volume("a", 4, false), volume("b", 7, false)];
    let total = Resources::from(disk_from(None, 10));
    assert!(refused(&total, &Operation::Create { volumes }).contains(" does not contain "));
    let nothing: [Conversion; 0] = [];
    let mut same = total.clone();
    same.convert(&nothing).unwrap();
    assert_eq!(same, total);
}

#[test]
fn allocation_is_put_in_where_it_is_missing_and_taken_off() {
    let given = Resource::scalar("cpus", Scalar::whole(1)).allocated_to(Role::from("x"));
    let bare = Resource::scalar("mem", Scalar::whole(1));
    let plain = Operation::Unreserve { resources: vec![given, bare] };
    let mut allocated = plain.clone();
    allocated.allocate(&Role::from("web"));
    let roles: Vec<_> = allocated.resources().map(|r| r.allocation.clone().unwrap()).collect();
    assert_eq!(roles, [Role::from("x"), Role::from("web")]);
    assert!(allocated.unallocated().resources().all(|r| r.allocation.is_none()));
    // The source of a reservation is offered to the same role as what comes of it.
    let mut reserve =
        Operation::Reserve { source: reserved("cpus:1", &["a"]), resources: reserved("cpus:1", &["b"]) };
    reserve.allocate(&Role::from("b"));
    let consumed = reserve.consumed().unwrap();
    assert!(consumed.iter().all(|r| r.allocation == Some(Role::from("b"))));
}

#[test]
fn kinds() {
    let names = OperationKind::ALL.map(OperationKind::as_str);
    assert_eq!(names[..5], ["RESERVE", "UNRESERVE", "CREATE", "DESTROY", "GROW_VOLUME"]);
}

proptest! {
    #[test]
    fn no_operation_changes_how_much_there_is(
        steps in prop::collection::vec((0_usize..6, 1_i64..20, prop::sample::select(vec!["a", "a/b"])), 0..40),
    ) {
        let mut total = res("cpus:8;disk:100");
        let quantities = total.quantities();
        let mut count = 0;
        for (kind, size, role) in steps {
            let space = Resource::scalar("disk", Scalar::whole(size)).reserved_by(dynamic(role));
            count += 1;
            let there = total.persistent_volumes().iter().next().cloned();
            let fresh = volume_on(&space, &count.to_string(), count % 2 == 0);
            let volume = there.unwrap_or_else(|| fresh.clone());
            let operation = match kind {
                0 => Operation::Reserve { source: vec![], resources: vec![space] },
                1 => Operation::Unreserve { resources: vec![space] },
                2 => Operation::Create { volumes: vec![fresh] },
                3 => Operation::Destroy { volumes: vec![volume] },
                4 => Operation::GrowVolume { volume, addition: space },
                _ => Operation::ShrinkVolume { volume, subtract: Scalar::whole(size) },
            };
            let before = total.clone();
            match total.apply(&operation) {
                Ok(()) => prop_assert!(total.contains(&converted(&operation))),
                Err(_) => prop_assert_eq!(&total, &before),
            }
            prop_assert_eq!(total.quantities(), quantities.clone());
        }
    }
}

fn converted(operation: &Operation) -> Resources {
    let mut all = Resources::new();
    for conversion in operation.conversions().unwrap() {
        all += conversion.converted();
    }
    all
}
