//! Round trips, and each rule broken once.

use proto::v1::{self, resource::ReservationInfo, resource::reservation_info, value};
use resources::{Resources, Role};

use super::*;

fn res(text: &str) -> Resources {
    Resources::parse(text).unwrap()
}

fn scalar(name: &str, amount: f64) -> v1::Resource {
    v1::Resource {
        name: name.to_owned(),
        r#type: value::Type::Scalar.into(),
        scalar: Some(value::Scalar { value: amount }),
        ..v1::Resource::default()
    }
}

fn reserved(kind: reservation_info::Type, role: &str) -> ReservationInfo {
    ReservationInfo { r#type: Some(kind.into()), role: Some(role.to_owned()), ..ReservationInfo::default() }
}

fn ranges(pairs: &[(u64, u64)]) -> v1::Resource {
    let range = pairs.iter().map(|&(begin, end)| value::Range { begin, end }).collect();
    v1::Resource {
        name: "ports".to_owned(),
        r#type: value::Type::Ranges.into(),
        ranges: Some(value::Ranges { range }),
        ..v1::Resource::default()
    }
}

const MANY: &str = "cpus:0.1;mem:32;ports:[1-2,5-9];zones:{a,b};cpus(web):3;weird_name:7";

#[test]
fn all_formats_read_back_the_same() {
    for resources in [res(MANY), res(MANY).allocated_to(&Role::from("web/x")), Resources::new()] {
        for format in [Format::Stack, Format::SingleRole, Format::Endpoint] {
            let read = resources_from_proto(&resources_to(&resources, format)).unwrap();
            assert_eq!(read.to_string(), resources.to_string(), "{format:?}");
        }
    }
}

#[test]
fn everything_a_disk_can_say_survives() {
    let text = r#"{"name":"disk","type":"SCALAR","scalar":{"value":5.0},"reservations":[
        {"type":"DYNAMIC","role":"a","principal":"p","labels":{"labels":[{"key":"k","value":"v"},{"key":"x"}]}},
        {"type":"DYNAMIC","role":"a/b"}],"provider_id":{"value":"rp"},"shared":{},"revocable":{},
        "disk":{"persistence":{"id":"id","principal":"p"},
          "volume":{"mode":"RO","container_path":"c","host_path":"h","source":{"type":"SECRET"}},
          "source":{"type":"MOUNT","mount":{"root":"/m"},"vendor":"v","id":"i","profile":"pr",
            "metadata":{"labels":[{"key":"a","value":"b"}]}}}}"#;
    let message: v1::Resource = proto::json::from_slice(text.as_bytes()).unwrap();
    let read = resource_from_proto(&message).unwrap();
    assert_eq!(resource_to(&read, Format::Stack), message);
    assert_eq!(
        read.to_string(),
        "disk(reservations: [(DYNAMIC,a,p,{k: v, x}),(DYNAMIC,a/b)])[MOUNT(v,i,pr),id:h:c:ro]{REV}<SHARED>:5"
    );
}

#[test]
fn appended_resources_are_those_of_a_message() {
    let long = "x".repeat(300);
    for resources in
        [res(MANY), res(MANY).allocated_to(&Role::star()), res("cpus:1").allocated_to(&long.as_str().into())]
    {
        for format in [Format::Stack, Format::SingleRole, Format::Endpoint] {
            let head = v1::TaskInfo { name: "t".to_owned(), ..v1::TaskInfo::default() };
            let mut bytes = proto::encode(&head);
            append_resources(&mut bytes, 4, &resources, format);
            let whole = v1::TaskInfo { resources: resources_to(&resources, format), ..head };
            assert_eq!(proto::decode::<v1::TaskInfo>(&bytes).unwrap(), whole);
            assert_eq!(bytes.len(), proto::encode(&whole).len());
        }
    }
}

#[test]
fn older_format() {
    let static_ = v1::Resource { role: Some("web".to_owned()), ..scalar("cpus", 1.0) };
    assert_eq!(resource_from_proto(&static_).unwrap().to_string(), "cpus(reservations: [(STATIC,web)]):1");
    let info = ReservationInfo { principal: Some("me".to_owned()), ..ReservationInfo::default() };
    let dynamic = v1::Resource { reservation: Some(info), ..static_ };
    let read = resource_from_proto(&dynamic).unwrap();
    assert_eq!(read.to_string(), "cpus(reservations: [(DYNAMIC,web,me)]):1");
    assert_eq!(resource_to(&read, Format::SingleRole), dynamic);
    let plain = resource_to(&res("cpus:1").iter().next().unwrap().clone(), Format::SingleRole);
    assert_eq!(plain.role.as_deref(), Some("*"));
    let refined = v1::Resource {
        reservations: vec![
            reserved(reservation_info::Type::Static, "a"),
            reserved(reservation_info::Type::Dynamic, "a/b"),
        ],
        ..scalar("cpus", 1.0)
    };
    let read = resource_from_proto(&refined).unwrap();
    assert_eq!(resource_to(&read, Format::SingleRole), refined);
}

#[track_caller]
fn refused(resource: &v1::Resource, reason: &str) {
    assert_eq!(validate_resource(resource).unwrap_err(), reason);
}

#[test]
fn the_message_names_the_resource() {
    let error = resources_from_proto(&[scalar("mem", 1.0), scalar("cpus", -1.0)]).unwrap_err();
    assert_eq!(error.to_string(), "Resource 'cpus:-1' is invalid: Invalid scalar resource: value <= 0");
}

#[test]
fn values() {
    refused(&scalar("", 1.0), "Empty resource name");
    refused(&scalar("cpus", 0.0004), "Invalid scalar resource: value <= 0");
    refused(&scalar("cpus", f64::NAN), "Invalid scalar resource: value <= 0");
    refused(&scalar("cpus", f64::INFINITY), "Invalid scalar resource: value <= 0");
    assert_eq!(validate_resource(&scalar("cpus", 0.0)), Ok(()));
    refused(&v1::Resource { scalar: None, ..scalar("cpus", 1.0) }, "Invalid scalar resource");
    refused(
        &v1::Resource { set: Some(value::Set::default()), ..scalar("cpus", 1.0) },
        "Invalid scalar resource",
    );
    refused(
        &v1::Resource { r#type: value::Type::Text.into(), ..scalar("cpus", 1.0) },
        "Unsupported resource type",
    );
    refused(&v1::Resource { r#type: 9, ..scalar("cpus", 1.0) }, "Invalid resource type");
    refused(
        &v1::Resource { r#type: value::Type::Ranges.into(), ..scalar("p", 1.0) },
        "Invalid ranges resource",
    );
    refused(&v1::Resource { r#type: value::Type::Set.into(), ..scalar("p", 1.0) }, "Invalid set resource");
    refused(&ranges(&[(2, 1)]), "Invalid ranges resource: begin > end");
    refused(&ranges(&[(5, 9), (1, 5)]), "Invalid ranges resource: overlapping ranges");
    assert_eq!(validate_resource(&ranges(&[(6, 9), (1, 5)])), Ok(()));
    let twice = value::Set { item: vec!["a".to_owned(), "b".to_owned(), "a".to_owned()] };
    let set =
        v1::Resource { r#type: value::Type::Set.into(), scalar: None, set: Some(twice), ..scalar("z", 0.0) };
    refused(&set, "Invalid set resource: duplicated elements");
}

#[test]
fn disks_and_sharing() {
    let disk = || Some(v1::resource::DiskInfo::default());
    refused(
        &v1::Resource { disk: disk(), ..scalar("mem", 1.0) },
        "DiskInfo should not be set for mem resource",
    );
    let shared = || Some(v1::resource::SharedInfo::default());
    refused(&v1::Resource { shared: shared(), ..scalar("mem", 1.0) }, "Resource mem cannot be shared");
    refused(
        &v1::Resource { shared: shared(), disk: disk(), ..scalar("disk", 1.0) },
        "Only persistent volumes can be shared",
    );
    for (source, reason) in [
        (r#"{"type":"RAW","mount":{}}"#, "Mount should not be set for RAW disk source"),
        (r#"{"type":"BLOCK","path":{}}"#, "Path should not be set for BLOCK disk source"),
        (r#"{"type":"UNKNOWN"}"#, "Unsupported 'DiskInfo.Source.Type' in 'UNKNOWN'"),
    ] {
        let source = Some(proto::json::from_slice(source.as_bytes()).unwrap());
        let disk = Some(v1::resource::DiskInfo { source, ..v1::resource::DiskInfo::default() });
        refused(&v1::Resource { disk, ..scalar("disk", 1.0) }, reason);
    }
}

#[test]
fn roles_in_the_older_format() {
    let with = |role: &str, reservation| v1::Resource {
        role: Some(role.to_owned()),
        reservation,
        ..scalar("cpus", 1.0)
    };
    refused(&with("-x", None), "Role component '-x' is invalid because it starts with a dash");
    refused(
        &with("*", Some(ReservationInfo::default())),
        "Invalid reservation: role \"*\" cannot be dynamically reserved",
    );
    refused(
        &with("a", Some(reserved(reservation_info::Type::Dynamic, "a"))),
        "'Resource.ReservationInfo.type' must not be set for the 'Resource.reservation' field",
    );
    let role = ReservationInfo { role: Some("a".to_owned()), ..ReservationInfo::default() };
    refused(
        &with("a", Some(role)),
        "'Resource.ReservationInfo.role' must not be set for the 'Resource.reservation' field",
    );
}

#[test]
fn stacks_of_reservations() {
    use reservation_info::Type::{Dynamic, Static, Unknown};
    let with = |reservations| v1::Resource { reservations, ..scalar("cpus", 1.0) };
    let missing =
        |field| format!("Invalid reservation: 'Resource.ReservationInfo.{field}' field must be set.");
    refused(&with(vec![ReservationInfo::default()]), &missing("type"));
    refused(&with(vec![ReservationInfo { role: None, ..reserved(Static, "a") }]), &missing("role"));
    refused(&with(vec![reserved(Static, "*")]), "Invalid reservation: role \"*\" cannot be reserved");
    refused(&with(vec![reserved(Static, "..")]), "Role '..' cannot include '..' as a component");
    refused(
        &with(vec![reserved(Static, "a"), reserved(Static, "a/b")]),
        "Invalid refined reservation: A refined reservation cannot be STATIC",
    );
    refused(
        &with(vec![reserved(Static, "a"), reserved(Dynamic, "b")]),
        "Invalid refined reservation: role 'b' is not a refinement of 'a'",
    );
    refused(&with(vec![reserved(Unknown, "a")]), "Unsupported 'Resource.ReservationInfo.Type'");
    let older = |role: Option<&str>, reservation: Option<ReservationInfo>, stack| v1::Resource {
        role: role.map(str::to_owned),
        reservation,
        ..with(stack)
    };
    let info = ReservationInfo::default;
    refused(
        &older(Some("b"), None, vec![reserved(Static, "a")]),
        "Invalid resource format: 'Resource.role' field with 'b' does not match the role 'a' in 'Resource.reservations'",
    );
    refused(
        &older(Some("a"), Some(info()), vec![reserved(Static, "a")]),
        "Invalid resource format: 'Resource.reservation' must not be set if the single reservation in \
         'Resource.reservations' is STATIC",
    );
    refused(
        &older(Some("a"), None, vec![reserved(Dynamic, "a")]),
        "Invalid resource format: 'Resource.role' and 'Resource.reservation' must either be both set or both not set \
         if the single reservation in 'Resource.reservations' is DYNAMIC",
    );
    let by = ReservationInfo { principal: Some("p".to_owned()), ..info() };
    refused(
        &older(Some("a"), Some(by), vec![reserved(Dynamic, "a")]),
        "Invalid resource format: 'Resource.reservation.principal' field with 'p' does not match the principal '' in \
         'Resource.reservations'",
    );
    let labelled = v1::Labels { labels: vec![v1::Label { key: "k".to_owned(), value: None }] };
    let labelled = ReservationInfo { labels: Some(labelled), ..info() };
    refused(
        &older(Some("a"), Some(labelled), vec![reserved(Dynamic, "a")]),
        "Invalid resource format: 'Resource.reservation.labels' field with '{k}' does not match the labels '{}' in \
         'Resource.reservations'",
    );
    let two = || vec![reserved(Static, "a"), reserved(Dynamic, "a/b")];
    for (message, field) in
        [(older(Some("a"), None, two()), "role"), (older(None, Some(info()), two()), "reservation")]
    {
        refused(
            &message,
            &format!(
                "Invalid resource format: 'Resource.{field}' must not be set if there is more than one reservation in \
                 'Resource.reservations'"
            ),
        );
    }
}
