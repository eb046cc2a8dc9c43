//! Which operations are refused, and in which words.

use std::collections::{BTreeMap, BTreeSet};

use base::FrameworkId;
use resources::{
    Details, Disk, DiskKind, DiskSource, Mode, OnAgent, Operation, Persistence, Requester, Reservation,
    Resource, Resources, Role, Scalar, Volume,
};

/// Everything that the rules look at, with defaults under which an operation is good.
struct Case {
    framework: FrameworkId,
    roles: BTreeSet<Role>,
    shared_resources: bool,
    by_operator: bool,
    principal: Option<&'static str>,
    total: Resources,
    used: BTreeMap<FrameworkId, Resources>,
    capable: bool,
}

impl Case {
    fn new() -> Self {
        Self {
            framework: FrameworkId::from("f"),
            roles: roles(&["web", "web/a", "db"]),
            shared_resources: true,
            by_operator: false,
            principal: None,
            total: Resources::new(),
            used: BTreeMap::new(),
            capable: true,
        }
    }

    fn operator() -> Self {
        Self { by_operator: true, ..Self::new() }
    }

    #[track_caller]
    fn check(&self, operation: &Operation, expected: &str) {
        let requester = match self.by_operator {
            true => Requester::Operator { principal: self.principal },
            false => Requester::Framework {
                id: &self.framework,
                principal: self.principal,
                roles: &self.roles,
                shared_resources: self.shared_resources,
            },
        };
        let agent = OnAgent {
            total: &self.total,
            used: &self.used,
            hierarchical_role: self.capable,
            reservation_refinement: self.capable,
            resize_volume: self.capable,
        };
        let answer = operation.validate(requester, agent).map_err(|error| error.to_string());
        assert_eq!(answer.err().as_deref().unwrap_or("ok"), expected);
    }
}

fn roles(names: &[&str]) -> BTreeSet<Role> {
    names.iter().map(|name| Role::from(*name)).collect()
}

fn cpus() -> Resource {
    Resource::scalar("cpus", Scalar::whole(8))
}

fn disk() -> Resource {
    Resource::scalar("disk", Scalar::whole(128))
}

fn reserved(resource: Resource, role: &str) -> Resource {
    resource.reserved_by(Reservation::dynamic(Role::from(role), None))
}

fn reserved_by(resource: Resource, role: &str, principal: &str) -> Resource {
    resource.reserved_by(Reservation::dynamic(Role::from(role), Some(principal.into())))
}

fn fixed(resource: Resource, role: &str) -> Resource {
    resource.reserved_by(Reservation::fixed(Role::from(role)))
}

fn allocated(resource: Resource, role: &str) -> Resource {
    resource.allocated_to(Role::from(role))
}

fn with(resource: Resource, change: impl FnOnce(&mut Details)) -> Resource {
    let mut details = resource.details().clone();
    change(&mut details);
    resource.with_details(details)
}

fn provided(resource: Resource, provider: &str) -> Resource {
    with(resource, |details| details.provider = Some(provider.into()))
}

fn on_disk(resource: Resource, kind: DiskKind) -> Resource {
    with(resource, |details| {
        details.disk = Some(Disk { source: Some(DiskSource::new(kind)), ..Disk::default() });
    })
}

fn volume_by(resource: Resource, id: &str, principal: Option<&str>) -> Resource {
    with(resource, |details| {
        let disk = details.disk.get_or_insert_default();
        disk.persistence = Some(Persistence { id: id.into(), principal: principal.map(Into::into) });
        disk.volume = Some(Volume {
            container_path: "path".into(),
            host_path: None,
            mode: Mode::ReadWrite,
            body: base::Payload::default(),
        });
    })
}

fn volume(resource: Resource, id: &str) -> Resource {
    volume_by(resource, id, None)
}

fn shared(volume: Resource) -> Resource {
    with(volume, |details| details.shared = true)
}

fn reserve(resources: impl IntoIterator<Item = Resource>) -> Operation {
    Operation::Reserve { source: vec![], resources: resources.into_iter().collect() }
}

fn unreserve(resources: impl IntoIterator<Item = Resource>) -> Operation {
    Operation::Unreserve { resources: resources.into_iter().collect() }
}

fn create(volumes: impl IntoIterator<Item = Resource>) -> Operation {
    Operation::Create { volumes: volumes.into_iter().collect() }
}

fn destroy(volumes: impl IntoIterator<Item = Resource>) -> Operation {
    Operation::Destroy { volumes: volumes.into_iter().collect() }
}

#[test]
fn reserve_matching_role() {
    let case = Case::new();
    case.check(&reserve([allocated(reserved(cpus(), "web"), "web")]), "ok");
    let foreign = reserve([allocated(reserved(cpus(), "other"), "other")]);
    case.check(
        &foreign,
        "A reserve operation was attempted for a resource allocated to role 'other', but the framework only has \
         roles '{ db, web, web/a }'",
    );
    case.check(
        &reserve([allocated(reserved(cpus(), "web"), "db")]),
        "A reserve operation was attempted for a resource with role 'web', but the resource was allocated to role 'db'",
    );
    case.check(
        &reserve([reserved(cpus(), "web")]),
        "A reserve operation was attempted on unallocated resource cpus(reservations: [(DYNAMIC,web)]):8, but \
         frameworks can only perform reservations on allocated resources",
    );
}

#[test]
fn reserve_matching_principal() {
    let case = Case { principal: Some("me"), ..Case::new() };
    let by = |principal| reserve([allocated(reserved_by(cpus(), "web", principal), "web")]);
    case.check(&by("me"), "ok");
    case.check(
        &by("you"),
        "A reserve operation was attempted by authenticated principal 'me', which does not match a reserved resource \
         in the request with principal 'you'",
    );
    case.check(
        &reserve([allocated(reserved(cpus(), "web"), "web")]),
        "A reserve operation was attempted by principal 'me', but there is a reserved resource in the request with no \
         principal set",
    );
    // Whoever is nobody in particular may write down any name.
    Case::new().check(&by("you"), "ok");
}

#[test]
fn reserve_dynamically_and_not_what_is_a_volume() {
    let case = Case::operator();
    case.check(
        &reserve([fixed(cpus(), "web")]),
        "Resource cpus(reservations: [(STATIC,web)]):8 is not dynamically reserved",
    );
    case.check(&reserve([cpus()]), "Resource cpus:8 is not dynamically reserved");
    let volume = volume(fixed(disk(), "web"), "id1");
    case.check(
        &reserve([reserved(cpus(), "web"), volume.clone()]),
        "Resource disk(reservations: [(STATIC,web)])[id1:path]:128 is not dynamically reserved",
    );
    case.check(
        &reserve([reserved(volume, "web/a")]),
        "A persistent volume disk(reservations: [(STATIC,web),(DYNAMIC,web/a)])[id1:path]:128 cannot be reserved for \
         another role. Please destroy the persistent volume first then reserve the resource",
    );
    let revocable = with(reserved(cpus(), "web"), |details| details.revocable = true);
    case.check(
        &reserve([revocable]),
        "Invalid resources: Invalid ReservationInfo: Dynamically reserved resource cpus(reservations: \
         [(DYNAMIC,web)]){REV}:8 cannot be created from revocable resources",
    );
}

#[test]
fn reserve_unexpected_allocated_resource() {
    Case::operator().check(&reserve([reserved(cpus(), "any")]), "ok");
    Case::operator().check(
        &reserve([allocated(reserved(cpus(), "web"), "web")]),
        "A reserve operation was attempted with an allocated resource, but the operator API only allows reservations \
         to be made to unallocated resources",
    );
}

#[test]
fn mixed_allocation_roles() {
    let text = "The resources have multiple allocation roles ('db' and 'web') but only one allocation role is allowed";
    let two = [allocated(reserved(cpus(), "web"), "web"), allocated(reserved(disk(), "db"), "db")];
    Case::new().check(&reserve(two), &format!("Invalid reservation resources: {text}"));
    let volumes = ["web", "db"].map(|role| allocated(volume(reserved(disk(), role), "id"), role));
    Case::new().check(&create(volumes), &format!("Invalid volume resources: {text}"));
    Case::new().check(
        &create([volume(reserved(disk(), "web"), "id")]),
        "Invalid volume resources: The resources are not allocated to a role",
    );
}

#[test]
fn agents_that_do_not_know_hierarchies() {
    let old = Case { capable: false, ..Case::operator() };
    old.check(
        &reserve([reserved(cpus(), "web/a")]),
        "Resource cpus(reservations: [(DYNAMIC,web/a)]):8 with reservation for hierarchical role 'web/a' cannot be \
         reserved on an agent without HIERARCHICAL_ROLE capability",
    );
    old.check(
        &create([volume(reserved(disk(), "web/a"), "id")]),
        "Volume disk(reservations: [(DYNAMIC,web/a)])[id:path]:128 with reservation for hierarchical role 'web/a' \
         cannot be created on an agent without HIERARCHICAL_ROLE capability",
    );
    old.check(&reserve([reserved(cpus(), "web")]), "ok");
    // A stack has roles within roles, so those are said first, as in Mesos.
    let stack = reserved(fixed(cpus(), "web"), "web/a");
    old.check(
        &reserve([stack]),
        "Resource cpus(reservations: [(STATIC,web),(DYNAMIC,web/a)]):8 with reservation for hierarchical role 'web/a' \
         cannot be reserved on an agent without HIERARCHICAL_ROLE capability",
    );
}

#[test]
fn one_resource_provider() {
    let case = Case::operator();
    let some = "Invalid resources: Some resources have a resource provider and some do not";
    let several = "Invalid resources: The resources have multiple resource providers: a, b";
    let space = |provider: &str| provided(reserved(disk(), "web"), provider);
    let of = |provider: &str| volume(space(provider), provider);
    let bare = || volume(reserved(disk(), "web"), "x");
    case.check(&reserve([space("a"), reserved(cpus(), "web")]), some);
    case.check(&reserve([space("a"), space("b")]), several);
    case.check(&unreserve([space("a"), reserved(cpus(), "web")]), some);
    case.check(&unreserve([space("b"), space("a")]), several);
    case.check(&create([of("a"), bare()]), some);
    case.check(&create([of("a"), of("b")]), several);
    case.check(&destroy([of("a"), bare()]), some);
    case.check(&destroy([of("a"), of("b")]), several);
    case.check(&reserve([]), "Invalid resources: The resources have multiple resource providers: ");
}

#[test]
fn reserve_with_a_source() {
    let case = Case::operator();
    let from = |source: Vec<Resource>, resources: Vec<Resource>| Operation::Reserve { source, resources };
    case.check(&from(vec![reserved(cpus(), "web")], vec![reserved(cpus(), "db")]), "ok");
    case.check(
        &from(vec![reserved(cpus(), "web")], vec![reserved(disk(), "db")]),
        "Source and target resources should refer to identical resource quantities: cpus:8 vs. disk:128",
    );
    case.check(
        &from(vec![reserved(cpus(), "web"), disk()], vec![reserved(cpus(), "db"), reserved(disk(), "db")]),
        "Invalid source: Mixed reservations are not supported: cpus(reservations: [(DYNAMIC,web)]):8; disk:128",
    );
    case.check(
        &from(vec![cpus(), disk()], vec![reserved(cpus(), "web"), reserved(disk(), "db")]),
        "Invalid resources: Mixed reservations are not supported: cpus(reservations: [(DYNAMIC,web)]):8; \
         disk(reservations: [(DYNAMIC,db)]):128",
    );
    case.check(&from(vec![cpus()], vec![]), "Invalid resources: Resource cannot be empty");
}

#[test]
fn unreserve_rules() {
    let case = Case { principal: Some("me"), ..Case::operator() };
    case.check(&unreserve([reserved_by(cpus(), "web", "you"), reserved(disk(), "db")]), "ok");
    case.check(
        &unreserve([fixed(cpus(), "web")]),
        "Resource cpus(reservations: [(STATIC,web)]):8 is not dynamically reserved",
    );
    case.check(
        &unreserve([volume(reserved(disk(), "web"), "id")]),
        "A dynamically reserved persistent volume disk(reservations: [(DYNAMIC,web)])[id:path]:128 cannot be \
         unreserved directly. Please destroy the persistent volume first then unreserve the resource",
    );
}

#[test]
fn create_persistent_volumes() {
    let case = Case::operator();
    case.check(&create([volume(reserved(disk(), "web"), "id")]), "ok");
    case.check(&create([volume(fixed(disk(), "web"), "id")]), "ok");
    case.check(
        &create([reserved(disk(), "web")]),
        "Not a persistent volume: Resource disk(reservations: [(DYNAMIC,web)]):128 does not have DiskInfo",
    );
    case.check(
        &create([on_disk(reserved(disk(), "web"), DiskKind::Path)]),
        "Not a persistent volume: 'persistence' is not set in DiskInfo",
    );
    case.check(
        &create([volume(disk(), "id")]),
        "Invalid resources: Invalid DiskInfo: Persistent volumes cannot be created from unreserved resources",
    );
    let with_volume = |change: fn(&mut Volume)| {
        create([with(volume(reserved(disk(), "web"), "id"), |details| {
            change(details.disk.as_mut().unwrap().volume.as_mut().unwrap());
        })])
    };
    case.check(
        &with_volume(|volume| volume.mode = Mode::ReadOnly),
        "Not a persistent volume: Read-only persistent volume not supported",
    );
    case.check(
        &with_volume(|volume| volume.host_path = Some("h".into())),
        "Invalid resources: Invalid DiskInfo: Expecting 'host_path' to be unset for persistent volume",
    );
    case.check(
        &create([volume(reserved(disk(), "web"), "a/b")]),
        "Invalid resources: Invalid DiskInfo: Invalid persistence ID for persistent volume: 'a/b' contains invalid \
         characters",
    );
}

#[test]
fn create_with_duplicated_persistence_ids() {
    let (web, db) = (volume(reserved(disk(), "web"), "id"), volume(reserved(disk(), "db"), "id"));
    let unique = "Persistence ID 'id' is not unique";
    let case = Case::operator();
    case.check(&create([web.clone(), db.clone()]), "ok");
    case.check(&create([web.clone(), web.clone()]), unique);
    case.check(&create([shared(web.clone()), shared(web.clone())]), unique);
    let on = |there: Resource| Case { total: there.into(), ..Case::operator() };
    on(db).check(&create([web.clone()]), "ok");
    on(web.clone()).check(&create([web.clone()]), unique);
    on(shared(web.clone())).check(&create([shared(web)]), unique);
}

#[test]
fn create_with_matching_principal() {
    let case = Case { principal: Some("me"), ..Case::operator() };
    let by = |principal| create([volume_by(reserved(disk(), "web"), "id", principal)]);
    case.check(&by(Some("me")), "ok");
    case.check(
        &by(Some("you")),
        "Create volume operation attempted by authenticated principal 'me', which does not match a volume in the \
         operation with principal 'you' set in 'disk.persistence'",
    );
    case.check(
        &by(None),
        "Create volume operation attempted by principal 'me', but there is a volume in the operation with no principal \
         set in 'disk.persistence'",
    );
}

#[test]
fn shared_volumes_are_for_those_who_know_them() {
    let operation = create([allocated(shared(volume(reserved(disk(), "web"), "id")), "web")]);
    Case::new().check(&operation, "ok");
    Case { shared_resources: false, ..Case::new() }.check(
        &operation,
        "Create volume operation for 'disk(allocated: web)(reservations: [(DYNAMIC,web)])[id:path]<SHARED>:128' has \
         been attempted by framework 'f' with no SHARED_RESOURCES capability",
    );
}

#[test]
fn destroy_what_is_there_and_not_in_use() {
    let there = shared(volume(reserved(disk(), "web"), "id"));
    let operation = destroy([allocated(there.clone(), "web")]);
    let mut case = Case { total: there.clone().into(), ..Case::new() };
    case.check(&operation, "ok");
    case.used.insert(FrameworkId::from("g"), allocated(reserved(disk(), "web"), "web").into());
    case.check(&operation, "ok");
    case.used.insert(FrameworkId::from("h"), allocated(there, "web/a").into());
    case.check(&operation, "Persistent volumes in use");
    Case::new().check(&operation, "Persistent volumes not found");
    Case::new().check(
        &destroy([reserved(disk(), "web")]),
        "Not a persistent volume: Resource disk(reservations: [(DYNAMIC,web)]):128 does not have DiskInfo",
    );
}

#[test]
fn grow_volume() {
    let case = Case::new();
    let (space, small) = (reserved(disk(), "web"), volume(reserved(disk(), "web"), "id"));
    let grow = |volume: &Resource, addition: &Resource| Operation::GrowVolume {
        volume: volume.clone(),
        addition: addition.clone(),
    };
    case.check(&grow(&small, &space), "ok");
    case.check(
        &grow(&space, &space),
        "Invalid persistent volume in the 'GrowVolume.volume' field: Resource disk(reservations: [(DYNAMIC,web)]):128 \
         does not have DiskInfo",
    );
    let nothing = Resource::scalar("disk", Scalar::ZERO);
    case.check(
        &grow(&small, &reserved(nothing, "web")),
        "The size of 'GrowVolume.addition' field must be greater than zero",
    );
    let incompatible = "Incompatible resources in the 'GrowVolume.volume' and 'GrowVolume.addition' fields";
    case.check(&grow(&small, &reserved(disk(), "db")), incompatible);
    case.check(&grow(&small, &on_disk(space.clone(), DiskKind::Path)), incompatible);
    let mount = on_disk(space.clone(), DiskKind::Mount);
    case.check(&grow(&volume(mount.clone(), "id"), &mount), incompatible);
    case.check(&grow(&shared(small.clone()), &space), "Growing a shared persistent volume is not supported");
    case.check(
        &grow(&provided(small.clone(), "p"), &provided(space.clone(), "p")),
        "Growing a volume from a resource provider is not supported",
    );
    Case { capable: false, ..Case::new() }.check(
        &grow(&small, &space),
        "Volume disk(reservations: [(DYNAMIC,web)])[id:path]:128 cannot be grown on an agent without RESIZE_VOLUME \
         capability",
    );
}

#[test]
fn shrink_volume() {
    let case = Case::new();
    let (space, large) = (reserved(disk(), "web"), volume(reserved(disk(), "web"), "id"));
    let shrink = |volume: &Resource, size: i64| Operation::ShrinkVolume {
        volume: volume.clone(),
        subtract: Scalar::whole(size),
    };
    case.check(&shrink(&large, 64), "ok");
    case.check(
        &shrink(&space, 64),
        "Invalid persistent volume in the 'ShrinkVolume.volume' field: Resource disk(reservations: \
         [(DYNAMIC,web)]):128 does not have DiskInfo",
    );
    case.check(&shrink(&large, 0), "Value of 'ShrinkVolume.subtract' must be greater than zero");
    case.check(
        &shrink(&large, 128),
        "Value of 'ShrinkVolume.subtract' must be smaller than the size of 'ShrinkVolume.volume'",
    );
    case.check(
        &shrink(&volume(on_disk(space, DiskKind::Mount), "id"), 64),
        "Shrinking a volume on a MOUNT disk is not supported",
    );
    case.check(&shrink(&shared(large.clone()), 64), "Shrinking a shared persistent volume is not supported");
    case.check(
        &shrink(&provided(large.clone(), "p"), 64),
        "Shrinking a volume from a resource provider is not supported",
    );
    Case { capable: false, ..Case::new() }.check(
        &shrink(&large, 64),
        "Volume disk(reservations: [(DYNAMIC,web)])[id:path]:128 cannot be shrunk on an agent without RESIZE_VOLUME \
         capability",
    );
}

#[test]
fn create_disk_and_destroy_disk() {
    let case = Case::new();
    let raw = provided(on_disk(disk(), DiskKind::Raw), "p");
    let edit = |resource: &Resource, change: fn(&mut DiskSource)| {
        with(resource.clone(), |details| change(details.disk.as_mut().unwrap().source.as_mut().unwrap()))
    };
    let profiled = edit(&raw, |source| source.profile = Some("fast".into()));
    let create = |source: &Resource, target, profile: Option<&str>| Operation::CreateDisk {
        source: source.clone(),
        target,
        profile: profile.map(Into::into),
    };
    case.check(&create(&profiled, DiskKind::Mount, None), "ok");
    case.check(&create(&raw, DiskKind::Block, Some("fast")), "ok");
    for (source, target, profile, text) in [
        (
            &profiled,
            DiskKind::Mount,
            Some("x"),
            "'target_profile' must not be set when 'source' has a profile",
        ),
        (&raw, DiskKind::Mount, None, "'target_profile' must be set when 'source' has no profile"),
        (&raw, DiskKind::Path, None, "'target_type' is neither MOUNT or BLOCK"),
        (&disk(), DiskKind::Mount, None, "'source' is not managed by a resource provider"),
        (
            &provided(on_disk(disk(), DiskKind::Mount), "p"),
            DiskKind::Mount,
            None,
            "'source' is not a RAW disk resource",
        ),
    ] {
        case.check(&create(source, target, profile), text);
    }
    let mount = provided(on_disk(reserved(disk(), "web"), DiskKind::Mount), "p");
    let known = edit(&mount, |source| source.id = Some("csi".into()));
    let destroy = |source: &Resource| Operation::DestroyDisk { source: source.clone() };
    case.check(&destroy(&known), "ok");
    case.check(&destroy(&mount), "'source' is not backed by a CSI volume");
    case.check(&destroy(&disk()), "'source' is not managed by a resource provider");
    case.check(
        &destroy(&provided(on_disk(disk(), DiskKind::Path), "p")),
        "'source' is neither a MOUNT, BLOCK or RAW disk resource",
    );
    case.check(
        &destroy(&volume(known, "id")),
        "A disk resource containing a persistent volume disk(reservations: [(DYNAMIC,web)])[MOUNT(,csi,),id:path]:128 \
         cannot be destroyed directly. Please destroy the persistent volume first then destroy the disk resource",
    );
}
