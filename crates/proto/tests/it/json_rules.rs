//! Each rule of the JSON form and each text of its errors.

use proto::json::{from_slice, to_string};
use proto::v1::scheduler::Call;
use proto::v1::{
    CommandInfo, Filters, FrameworkInfo, MasterInfo, Resource, TaskInfo, TimeInfo, Value, scheduler, value,
};
use proto::{Described, Message};

fn error<M: Message + Default + Described + std::fmt::Debug>(text: &str) -> String {
    from_slice::<M>(text.as_bytes()).expect_err(text).to_string()
}

#[test]
fn defaults_are_printed_unless_deprecated() {
    let info = FrameworkInfo { user: "u".into(), name: "n".into(), ..Default::default() };
    assert_eq!(to_string(&info), r#"{"user":"u","name":"n","failover_timeout":0.0,"checkpoint":false}"#);
    assert_eq!(to_string(&CommandInfo::default()), r#"{"shell":true}"#);
    assert_eq!(to_string(&Filters::default()), r#"{"refuse_seconds":5.0}"#);
}

#[test]
fn a_deprecated_field_is_printed_when_it_is_set() {
    let info =
        FrameworkInfo { user: "u".into(), name: "n".into(), role: Some("*".into()), ..Default::default() };
    assert!(to_string(&info).ends_with(r#""checkpoint":false,"role":"*"}"#));
}

#[test]
fn fields_come_in_the_order_of_the_proto_file() {
    let call = Call { framework_id: Some("f".into()), r#type: Some(5), ..Default::default() };
    assert_eq!(to_string(&call), r#"{"framework_id":{"value":"f"},"type":"REVIVE"}"#);
    let command = CommandInfo { value: Some("true".into()), user: Some("u".into()), ..Default::default() };
    assert_eq!(
        to_string(&command),
        r#"{"shell":true,"value":"true","user":"u"}"#,
        "not in the order of numbers"
    );
}

#[test]
fn integers_of_64_bits_are_numbers_and_may_come_as_strings() {
    assert_eq!(to_string(&TimeInfo { nanoseconds: i64::MIN }), r#"{"nanoseconds":-9223372036854775808}"#);
    let range = value::Range { begin: 0, end: u64::MAX };
    assert_eq!(to_string(&range), r#"{"begin":0,"end":18446744073709551615}"#);
    assert_eq!(from_slice::<value::Range>(br#"{"begin":"0","end":"18446744073709551615"}"#).unwrap(), range);
    assert_eq!(from_slice::<TimeInfo>(br#"{"nanoseconds":1.9e3}"#).unwrap().nanoseconds, 1900);
    assert_eq!(from_slice::<TimeInfo>(br#"{"nanoseconds":-1.9}"#).unwrap().nanoseconds, -1);
}

#[test]
fn numbers_that_do_not_fit_are_refused() {
    assert_eq!(
        error::<TimeInfo>(r#"{"nanoseconds":1e300}"#),
        "Number 1e+300 is out of range for field 'nanoseconds'"
    );
    assert_eq!(
        error::<value::Range>(r#"{"begin":-1,"end":2}"#),
        "Number -1 is out of range for field 'begin'"
    );
    assert_eq!(
        error::<MasterInfo>(r#"{"id":"a","ip":4294967296,"port":1}"#),
        "Number 4294967296 is out of range for field 'ip'"
    );
    assert!(error::<TimeInfo>(r#"{"nanoseconds":NaN}"#).starts_with("syntax error at line 1 near: "));
}

#[test]
fn doubles_keep_their_point_and_all_their_digits() {
    for (value, text) in
        [(1.0, "1.0"), (0.1, "0.1"), (1_732_795_358.452_171, "1732795358.452171"), (-0.0, "-0.0")]
    {
        assert_eq!(to_string(&value::Scalar { value }), format!(r#"{{"value":{text}}}"#));
        assert_eq!(
            from_slice::<value::Scalar>(format!(r#"{{"value":"{text}"}}"#).as_bytes()).unwrap().value,
            value
        );
    }
    assert_eq!(from_slice::<value::Scalar>(br#"{"value":3}"#).unwrap().value, 3.0);
}

/// As the limits of tasks may be.
#[test]
fn doubles_without_end_are_words() {
    for (value, text) in [(f64::INFINITY, "Infinity"), (f64::NEG_INFINITY, "-Infinity")] {
        let written = format!(r#"{{"value":"{text}"}}"#);
        assert_eq!(from_slice::<value::Scalar>(written.as_bytes()).unwrap().value, value);
        assert_eq!(to_string(&value::Scalar { value }), written);
    }
    for wrong in ["infinity", "inf", "NaN", "+Infinity"] {
        let message = error::<value::Scalar>(&format!(r#"{{"value":"{wrong}"}}"#));
        assert!(message.contains(wrong), "{message}");
    }
    assert!(error::<TimeInfo>(r#"{"nanoseconds":"Infinity"}"#).contains("Infinity"));
}

#[test]
fn bytes_are_base64_with_padding_or_without() {
    let message = scheduler::event::Message {
        agent_id: "a".into(),
        executor_id: "e".into(),
        data: bytes::Bytes::from_static(b"\xffhi!!"),
    };
    let text = to_string(&message);
    assert!(text.ends_with(r#""data":"/2hpISE="}"#), "{text}");
    for data in ["/2hpISE=", "/2hpISE", "/2hp\\nISE="] {
        let text = text.replace("/2hpISE=", data);
        assert_eq!(from_slice::<scheduler::event::Message>(text.as_bytes()).unwrap(), message, "{data}");
    }
}

#[test]
fn maps_are_objects() {
    let text = br#"{"role":"r","limits":{"cpus":{"value":2},"mem":{"value":0},"disk":null}}"#;
    let config: proto::v1::quota::QuotaConfig = from_slice(text).unwrap();
    assert_eq!(proto::MapEntry::lookup(&config.limits, "cpus").unwrap().value, 2.0);
    assert_eq!(to_string(&config), r#"{"role":"r","limits":{"cpus":{"value":2.0},"mem":{"value":0.0}}}"#);
    let empty = proto::v1::quota::QuotaConfig { role: "r".into(), ..Default::default() };
    assert_eq!(to_string(&empty), r#"{"role":"r"}"#);
    assert_eq!(
        error::<proto::v1::quota::QuotaConfig>(r#"{"role":"r","limits":{"cpus":{}}}"#),
        "Missing required fields: limits[0].value.value"
    );
}

#[test]
fn what_is_unknown_or_null_counts_as_not_there() {
    assert_eq!(from_slice::<Call>(br#"{"type":"FOO","nope":[1],"revive":null}"#).unwrap(), Call::default());
    assert_eq!(error::<TimeInfo>(r#"{"nanoseconds":null}"#), "Missing required fields: nanoseconds");
}

#[test]
fn a_number_that_the_enum_does_not_have_is_not_printed() {
    assert_eq!(to_string(&Call { r#type: Some(99), ..Default::default() }), "{}");
}

#[test]
fn a_required_enum_must_be_known() {
    assert_eq!(error::<Value>(r#"{"type":"MATRIX"}"#), "Failed to find enum for 'MATRIX'");
    assert_eq!(error::<Value>("{}"), "Missing required fields: type");
}

#[test]
fn a_single_value_counts_as_a_list_of_one() {
    let resource: Resource = from_slice(br#"{"name":"r","type":"SET","set":{"item":"x"}}"#).unwrap();
    assert_eq!(resource.set.unwrap().item, ["x"]);
}

#[test]
fn values_of_the_wrong_type_are_named() {
    assert_eq!(error::<Call>(r#"{"type":7}"#), "Not expecting a JSON number for field 'type'");
    assert_eq!(
        error::<Call>(r#"{"framework_id":"f"}"#),
        "Not expecting a JSON string for field 'framework_id'"
    );
    assert_eq!(
        error::<Call>(r#"{"framework_id":[]}"#),
        "Not expecting a JSON array for field 'framework_id'"
    );
    assert_eq!(
        error::<Call>(r#"{"framework_id":{"value":{}}}"#),
        "Not expecting a JSON object for field 'value'"
    );
    assert_eq!(
        error::<Call>(r#"{"framework_id":{"value":true}}"#),
        "Not expecting a JSON boolean for field 'value'"
    );
    assert_eq!(
        error::<TimeInfo>(r#"{"nanoseconds":"x"}"#),
        "Failed to parse 'x' as a JSON number for field 'nanoseconds'"
    );
    assert_eq!(
        error::<FrameworkInfo>(r#"{"user":"u","name":"n","checkpoint":"x"}"#),
        "Failed to parse 'x' as a JSON boolean for field 'checkpoint'"
    );
}

#[test]
fn bad_base64_is_named() {
    let call = |uuid: &str| format!(r#"{{"acknowledge":{{"uuid":"{uuid}"}}}}"#);
    assert_eq!(
        error::<Call>(&call("!!")),
        "Failed to base64 decode bytes field 'uuid': Invalid character '!'"
    );
    assert_eq!(error::<Call>(&call("A")), "Failed to base64 decode bytes field 'uuid': Invalid length");
}

#[test]
fn missing_fields_are_named_with_their_path() {
    assert_eq!(error::<Call>(r#"{"subscribe":{}}"#), "Missing required fields: subscribe.framework_info");
    assert_eq!(
        error::<Call>(r#"{"subscribe":{"framework_info":{"name":"x"}}}"#),
        "Missing required fields: subscribe.framework_info.user"
    );
    assert_eq!(
        error::<proto::v1::TaskGroupInfo>(r#"{"tasks":[{"name":"t","task_id":{}}]}"#),
        "Missing required fields: tasks[0].agent_id, tasks[0].task_id.value"
    );
}

#[test]
fn what_is_not_an_object_is_refused() {
    for text in ["[]", "1", "\"x\"", "null", "true"] {
        assert_eq!(error::<Call>(text), "Expecting a JSON object");
    }
}

#[test]
fn syntax_errors_say_where() {
    assert_eq!(error::<Call>("{"), "syntax error at line 1 near: ");
    assert_eq!(error::<Call>(""), "syntax error at line 1 near: ");
    assert_eq!(error::<Call>("{\n\"a\" 1}"), "syntax error at line 2 near: 1}");
    assert_eq!(error::<Call>("{} x"), "syntax error at line 1 near: x");
}

#[test]
fn deep_nesting_is_an_error() {
    let nested = |depth| {
        format!("{}{}{}", r#"{"value":"c","parent":"#.repeat(depth), r#"{"value":"c"}"#, "}".repeat(depth))
    };
    assert!(from_slice::<proto::v1::ContainerId>(nested(60).as_bytes()).is_ok());
    assert_eq!(error::<proto::v1::ContainerId>(&nested(110)), "Messages are nested too deeply");
    assert!(error::<proto::v1::ContainerId>(&nested(10_000)).starts_with("syntax error"));
}

#[test]
fn the_output_of_a_whole_task_is_as_mesos_prints_it() {
    let text = r#"{"name":"t","task_id":{"value":"t"},"agent_id":{"value":"a"},"resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":1.0}}],"command":{"shell":true,"value":"true"}}"#;
    let task: TaskInfo = from_slice(text.as_bytes()).unwrap();
    assert_eq!(to_string(&task), text);
}
