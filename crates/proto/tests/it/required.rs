//! Required fields: what the check of decoded messages finds, and how it names it.

use proto::internal::{KillTaskMessage, RunTaskGroupMessage, RunTaskMessage};
use proto::v1::{
    ExecutorInfo, FrameworkInfo, Label, Labels, Offer, Resource, TaskGroupInfo, TaskInfo, TaskStatus,
};
use proto::{DecodeError, Described, Message};

use crate::arbitrary::{self, put_bytes};

fn missing<M: Message + Default + Described>(bytes: &[u8]) -> String {
    match proto::decode::<M>(bytes) {
        Err(DecodeError::Missing { fields, .. }) => fields,
        other => panic!("expected missing fields, got {:?}", other.map(|_| "a message")),
    }
}

fn task(name: &str) -> TaskInfo {
    TaskInfo { name: name.into(), task_id: name.into(), agent_id: "agent".into(), ..Default::default() }
}

#[test]
fn all_of_them_are_named_in_order() {
    assert_eq!(missing::<KillTaskMessage>(b""), "framework_id, task_id");
    assert_eq!(missing::<proto::v1::executor::Call>(b""), "executor_id, framework_id");
}

#[test]
fn paths_lead_to_the_field() {
    let mut bytes = Vec::new();
    put_bytes(&mut bytes, 1, &[]);
    put_bytes(&mut bytes, 2, &proto::encode(&proto::v1::TaskId::from("t")));
    assert_eq!(missing::<KillTaskMessage>(&bytes), "framework_id.value");
}

#[test]
fn elements_of_lists_are_numbered() {
    let mut group = proto::encode(&TaskGroupInfo { tasks: vec![task("a")] });
    put_bytes(&mut group, 1, &[]);
    assert_eq!(missing::<TaskGroupInfo>(&group), "tasks[1].name, tasks[1].task_id, tasks[1].agent_id");
}

#[test]
fn a_number_that_the_enum_does_not_have_leaves_a_required_enum_unset() {
    let mut status = TaskStatus { task_id: "t".into(), state: 99, ..Default::default() };
    assert_eq!(missing::<TaskStatus>(&status.encode_to_vec()), "state");
    status.state = proto::v1::TaskState::TaskRunning.into();
    assert!(proto::decode::<TaskStatus>(&status.encode_to_vec()).is_ok());
}

#[test]
fn encodings_written_one_after_another_count_as_their_sum() {
    let executor = ExecutorInfo { executor_id: "e".into(), ..Default::default() };
    let message = RunTaskMessage {
        framework: FrameworkInfo { user: "root".into(), name: "f".into(), ..Default::default() },
        task: TaskInfo { executor: Some(executor), ..task("t") },
        ..Default::default()
    };
    let resource = Resource { name: "cpus".into(), r#type: 0, ..Default::default() };
    let mut more = Vec::new();
    put_bytes(&mut more, 5, &resource.encode_to_vec());
    let mut task_part = Vec::new();
    put_bytes(&mut task_part, 5, &more);
    let mut bytes = message.encode_to_vec();
    put_bytes(&mut bytes, 4, &task_part);

    let decoded: RunTaskMessage = proto::decode(&bytes).unwrap();
    let executor = decoded.task.executor.as_ref().unwrap();
    assert_eq!(executor.executor_id.value, "e");
    assert_eq!(executor.resources, [resource]);

    let mut text = Vec::new();
    proto::json::transcode::<RunTaskMessage>(&bytes, &mut text).unwrap();
    assert_eq!(text, proto::json::to_vec(&decoded), "JSON without decoding sees the sum too");
}

#[test]
fn a_part_alone_is_not_enough() {
    let mut bytes = Vec::new();
    put_bytes(&mut bytes, 2, &[]);
    assert_eq!(missing::<RunTaskGroupMessage>(&bytes), "framework, task_group, executor.executor_id");
}

#[test]
fn an_entry_of_a_map_must_have_its_value_where_that_has_required_fields() {
    let mut entry = Vec::new();
    put_bytes(&mut entry, 1, b"cpus");
    let mut bytes = task("t").encode_to_vec();
    let limits = TaskInfo::table().field_named("limits").unwrap();
    put_bytes(&mut bytes, limits.number, &entry);
    assert_eq!(missing::<TaskInfo>(&bytes), "limits[0].value");
}

#[test]
fn a_limit_of_zero_is_on_the_wire() {
    let scalar = proto::v1::value::Scalar { value: 0.0 };
    let entry = proto::v1::task_info::LimitsEntry::from(("cpus", scalar));
    let limited = TaskInfo { limits: vec![entry], ..task("t") };
    let again: TaskInfo = proto::decode(&limited.encode_to_vec()).unwrap();
    assert_eq!(proto::MapEntry::lookup(&again.limits, "cpus"), Some(&scalar));
    assert!(proto::json::to_string(&limited).contains(r#""limits":{"cpus":{"value":0.0}}"#));
}

#[test]
fn what_is_not_protobuf_is_malformed() {
    for bytes in [
        &b"\xff\xff\xff\xff"[..],
        b"\x0a\x05ab",
        b"\x00",
        b"\x0f",
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
    ] {
        let result = proto::decode::<proto::v1::scheduler::Call>(bytes);
        assert!(matches!(result, Err(DecodeError::Malformed { .. })), "{bytes:?} gave {result:?}");
    }
}

#[test]
fn nesting_has_a_limit() {
    let nested = |depth: usize| {
        (0..depth).fold(b"\x0a\x01c".to_vec(), |inner, _| {
            let mut outer = b"\x0a\x01c".to_vec();
            put_bytes(&mut outer, 2, &inner);
            outer
        })
    };
    assert!(proto::decode::<proto::v1::ContainerId>(&nested(50)).is_ok());
    for depth in [96, 101, 5_000] {
        let result = proto::decode::<proto::v1::ContainerId>(&nested(depth));
        assert!(matches!(result, Err(DecodeError::TooDeep { .. })), "depth {depth}");
    }
}

#[test]
fn what_is_accepted_of_a_call_can_be_embedded_in_other_messages() {
    let nested = |depth: usize| {
        let parent =
            (0..depth).fold(String::new(), |parent, _| format!(r#","parent":{{"value":"c"{parent}}}"#));
        let status = format!(
            r#"{{"task_id":{{"value":"t"}},"state":"TASK_RUNNING","container_status":{{"container_id":{{"value":"c"{parent}}}}}}}"#
        );
        format!(
            r#"{{"executor_id":{{"value":"e"}},"framework_id":{{"value":"f"}},"type":"UPDATE","update":{{"status":{status}}}}}"#
        )
    };
    let call: proto::v1::executor::Call = proto::json::from_slice(nested(50).as_bytes()).unwrap();
    let status = call.update.clone().unwrap().status;
    assert_eq!(proto::decode::<proto::v1::executor::Call>(&proto::encode(&call)).unwrap(), call);
    let event = proto::v1::scheduler::Event {
        r#type: Some(proto::v1::scheduler::event::Type::Update.into()),
        update: Some(proto::v1::scheduler::event::Update { status }),
        ..Default::default()
    };
    assert!(proto::decode::<proto::v1::scheduler::Event>(&proto::encode(&event)).is_ok());
    let mut text = Vec::new();
    proto::json::transcode::<proto::v1::scheduler::Event>(&proto::encode(&event), &mut text).unwrap();
    for depth in [61, 90, 99, 110] {
        let refused = proto::json::from_slice::<proto::v1::executor::Call>(nested(depth).as_bytes());
        assert_eq!(refused.unwrap_err().to_string(), "Messages are nested too deeply", "depth {depth}");
    }
}

#[test]
fn dropping_any_required_field_of_any_message_is_noticed() {
    for codec in crate::codecs::all() {
        let bytes = arbitrary::message(codec.table, &mut arbitrary::Random::new(1), 2);
        for field in codec.table.fields.iter().filter(|field| field.required_bit != 0) {
            let without = without_field(&bytes, field.number);
            assert!((codec.recode)(&without).is_err(), "{} without {}", codec.full_name, field.name);
        }
    }
}

/// The encoding without any occurrence of one field of the outermost message.
fn without_field(bytes: &[u8], number: u32) -> Vec<u8> {
    let mut rest = bytes;
    let mut out = Vec::new();
    while !rest.is_empty() {
        let start = rest;
        let (found, wire_type) = prost_key(&mut rest);
        match wire_type {
            0 => drop(prost_varint(&mut rest)),
            1 => rest = &rest[8..],
            2 => {
                let length = usize::try_from(prost_varint(&mut rest)).unwrap();
                rest = &rest[length..];
            }
            other => panic!("wire type {other} is not generated"),
        }
        if found != number {
            out.extend_from_slice(&start[..start.len() - rest.len()]);
        }
    }
    out
}

fn prost_key(rest: &mut &[u8]) -> (u32, u64) {
    let key = prost_varint(rest);
    (u32::try_from(key >> 3).unwrap(), key & 7)
}

fn prost_varint(rest: &mut &[u8]) -> u64 {
    prost::encoding::decode_varint(rest).unwrap()
}

#[test]
fn ids_and_labels_are_pleasant() {
    let id = proto::v1::ContainerId { value: "c".into(), parent: Some(Box::new("p".into())) };
    assert_eq!(id.to_string(), "p.c");
    assert_eq!(proto::v1::AgentId::from(String::from("a")).to_string(), "a");
    assert_eq!(proto::v1::FrameworkId::from("f").as_ref(), "f");
    let labels = Labels { labels: vec![Label { key: "k".into(), value: None }] };
    assert_eq!(proto::json::to_string(&labels), r#"{"labels":[{"key":"k"}]}"#);
    assert_eq!(Offer::table().full_name, "mesos.v1.Offer");
}
