//! The operator API of an agent: what Mesos' `AgentAPITest` protects. Each call is made in JSON and in protobuf.

mod common;

use agent::{AgentServer, FaultDomain};
use common::api::{answer, ask, of, post};
use common::volumes::{Scene, acknowledge, reserve, status, uuid};
use common::{AGENT_ID, FRAMEWORK_ID, FakeMaster, command_task, options};
use proto::v1::TaskState::{TaskKilled, TaskRunning};
use proto::v1::agent::call::{self, Type, attach_container_input};
use proto::v1::agent::{Call, response};
use proto::{internal, recordio, v1};

const JSON: &str = "application/json";
const PROTOBUF: &str = "application/x-protobuf";
const RECORDIO: &str = "application/recordio";

/// After `GetHealth`, `GetVersion`, `GetFlags`, `GetAgent` and `GetMetrics`.
#[tokio::test(flavor = "multi_thread")]
async fn it_says_what_it_is() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let mut options = options(master.address, work_dir.path());
    options.hostname = Some("host".to_owned());
    options.domain = Some(FaultDomain { region: "region-xyz".to_owned(), zone: "zone-456".to_owned() });
    let agent = master.agent(options).await;
    let address = agent.address();
    let ask = async |kind| {
        let found = answer(address, &of(kind)).await;
        assert_eq!(found.r#type().as_str_name(), kind.as_str_name());
        found
    };
    assert!(ask(Type::GetHealth).await.get_health.is_some_and(|part| part.healthy));
    let version = ask(Type::GetVersion).await.get_version.expect("its part").version_info.version;
    assert_eq!(version, "1.12.0");
    let flags = ask(Type::GetFlags).await.get_flags.expect("its part").flags;
    let hostname = flags.iter().find(|flag| flag.name == "hostname").expect("a flag that is set");
    assert_eq!(hostname.value.as_deref(), Some("host"));
    let info = ask(Type::GetAgent).await.get_agent.and_then(|part| part.agent_info).expect("its part");
    assert_eq!((info.hostname.as_str(), info.id.expect("registered").value.as_str()), ("host", AGENT_ID));
    let domain = info.domain.and_then(|domain| domain.fault_domain).expect("as it was told");
    assert_eq!((domain.region.name.as_str(), domain.zone.name.as_str()), ("region-xyz", "zone-456"));
    assert_eq!(ask(Type::GetResourceProviders).await.get_resource_providers, Some(Default::default()));

    let timeout = Some(v1::DurationInfo { nanoseconds: 5_000_000_000 });
    let get_metrics = Some(call::GetMetrics { timeout });
    let metrics = answer(address, &Call { get_metrics, ..of(Type::GetMetrics) }).await.get_metrics;
    let metrics = metrics.expect("its part").metrics;
    let registered = metrics.iter().find(|metric| metric.name == "slave/registered").expect("it is told");
    assert_eq!(registered.value, Some(1.0));
    agent.shutdown().await;
}

/// After `GetLoggingLevel` and `SetLoggingLevel`; that it ends by itself, and that the last one wins, is shown in `http-api`.
#[tokio::test(flavor = "multi_thread")]
async fn the_level_of_the_log_is_set_for_a_while() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let agent = master.agent(options(master.address, work_dir.path())).await;
    let level = async || {
        let found = answer(agent.address(), &of(Type::GetLoggingLevel)).await;
        found.get_logging_level.expect("its part").level
    };
    let set = async |level, nanoseconds| {
        let set = call::SetLoggingLevel { level, duration: v1::DurationInfo { nanoseconds } };
        let set_logging_level = Some(set);
        answer(agent.address(), &Call { set_logging_level, ..of(Type::SetLoggingLevel) }).await;
    };
    assert_eq!(level().await, 0);
    set(1, 60_000_000_000).await;
    assert_eq!(level().await, 1);
    set(2, 1).await;
    let end = tokio::time::Instant::now() + common::PATIENCE;
    // Asked once at a time: between two answers it may go back.
    let now = async || common::call(agent.address(), r#"{"type":"GET_LOGGING_LEVEL"}"#).await;
    while now().await["get_logging_level"]["level"] != 0 {
        assert!(tokio::time::Instant::now() < end, "the level should be back");
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    agent.shutdown().await;
}

/// How many of each there are: tasks (pending, queued, launched, terminated, completed), executors and frameworks (living,
/// completed), containers.
async fn counts(agent: &AgentServer) -> ([usize; 5], [usize; 2], [usize; 2], usize) {
    let ask = async |kind| answer(agent.address(), &of(kind)).await;
    let tasks = ask(Type::GetTasks).await.get_tasks.expect("its part");
    let executors = ask(Type::GetExecutors).await.get_executors.expect("its part");
    let frameworks = ask(Type::GetFrameworks).await.get_frameworks.expect("its part");
    let containers = ask(Type::GetContainers).await.get_containers.expect("its part").containers;
    let state = ask(Type::GetState).await.get_state.expect("its part");
    assert_eq!(state.get_tasks.as_ref(), Some(&tasks), "one state says what all say");
    assert_eq!(state.get_executors.as_ref(), Some(&executors));
    assert_eq!(state.get_frameworks.as_ref(), Some(&frameworks));
    let of_tasks = [
        tasks.pending_tasks.len(),
        tasks.queued_tasks.len(),
        tasks.launched_tasks.len(),
        tasks.terminated_tasks.len(),
        tasks.completed_tasks.len(),
    ];
    (
        of_tasks,
        [executors.executors.len(), executors.completed_executors.len()],
        [frameworks.frameworks.len(), frameworks.completed_frameworks.len()],
        containers.len(),
    )
}

/// After `GetContainers`, `GetFrameworks`, `GetExecutors`, `GetTasks` and `GetState`.
#[tokio::test(flavor = "multi_thread")]
async fn a_task_comes_and_goes_in_all_lists() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let agent = master.agent(options(master.address, work_dir.path())).await;
    assert_eq!(counts(&agent).await, ([0; 5], [0, 0], [0, 0], 0));

    master.run(command_task("t", "sleep 1000"));
    while master.status().await.state() != TaskRunning {}
    // What was acknowledged has come to the agent.
    master.until_written().await;
    assert_eq!(counts(&agent).await, ([0, 0, 1, 0, 0], [1, 0], [1, 0], 1));
    let tasks = answer(agent.address(), &of(Type::GetTasks)).await.get_tasks.expect("its part");
    let task = &tasks.launched_tasks[0];
    assert_eq!((task.task_id.value.as_str(), task.name.as_str(), task.state()), ("t", "t", TaskRunning));
    assert_eq!((task.framework_id.value.as_str(), task.agent_id.value.as_str()), (FRAMEWORK_ID, AGENT_ID));
    let containers = answer(agent.address(), &of(Type::GetContainers)).await.get_containers;
    let container = &containers.expect("its part").containers[0];
    assert_eq!(container.executor_id.as_ref().expect("it has one").value, "t");
    assert_eq!(container.framework_id.as_ref().expect("it has one").value, FRAMEWORK_ID);
    let status = container.container_status.as_ref().expect("it runs");
    assert!(status.executor_pid.is_some_and(common::is_alive));
    assert_eq!(status.container_id.as_ref(), Some(&container.container_id));

    let (framework_id, task_id) = (FRAMEWORK_ID.into(), "t".into());
    master.say(&internal::KillTaskMessage { framework_id, task_id, kill_policy: None });
    while master.status().await.state() != TaskKilled {}
    master.until_written().await;
    assert_eq!(counts(&agent).await, ([0, 0, 0, 0, 1], [0, 1], [0, 1], 0));
    agent.shutdown().await;
}

/// After `GetOperations`.
#[tokio::test(flavor = "multi_thread")]
async fn an_operation_is_shown_until_its_end_is_acknowledged() {
    let mut scene = Scene::start().await;
    let operations = async |agent: &AgentServer| {
        answer(agent.address(), &of(Type::GetOperations)).await.get_operations.expect("its part").operations
    };
    scene.master.until_written().await;
    assert_eq!(operations(&scene.agent).await, []);
    scene.apply(2, reserve(50.0));
    let told = status(&mut scene.master).await;
    let shown = operations(&scene.agent).await;
    assert_eq!(shown.len(), 1);
    assert_eq!((&shown[0].info, &shown[0].uuid), (&reserve(50.0), &uuid(2)));
    assert_eq!(shown[0].framework_id.as_ref().map(|id| id.value.as_str()), Some(FRAMEWORK_ID));
    assert_eq!(shown[0].agent_id.as_ref().map(|id| id.value.as_str()), Some(AGENT_ID));
    acknowledge(&mut scene.master, &told);
    scene.master.until_written().await;
    assert_eq!(operations(&scene.agent).await, []);
    scene.end().await;
}

/// A call about the output of a container that is not there.
fn output() -> Call {
    let attach_container_output = Some(call::AttachContainerOutput { container_id: nobody() });
    Call { attach_container_output, ..of(Type::AttachContainerOutput) }
}

fn nobody() -> v1::ContainerId {
    v1::ContainerId { value: "nope".to_owned(), parent: None }
}

/// What begins an input: of a container, or with what is to be written.
fn input(kind: attach_container_input::Type, container_id: Option<v1::ContainerId>) -> Call {
    let input = call::AttachContainerInput { r#type: Some(kind.into()), container_id, ..Default::default() };
    Call { attach_container_input: Some(input), ..of(Type::AttachContainerInput) }
}

fn record(call: &Call) -> Vec<u8> {
    let mut out = Vec::new();
    recordio::encode(&mut out, &proto::encode(call));
    out
}

/// After `HeaderValidation` and `DefaultAccept`.
#[tokio::test(flavor = "multi_thread")]
async fn headers_that_do_not_go_with_a_call_are_refused() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let agent = master.agent(options(master.address, work_dir.path())).await;
    let begin = input(attach_container_input::Type::ContainerId, Some(nobody()));
    let containers = of(Type::GetContainers);
    let (streamed, protobuf) = (("Content-Type", RECORDIO), ("Content-Type", PROTOBUF));
    let odd = "unsupported/media-type";
    type Case<'a> = (&'a [(&'a str, &'a str)], Vec<u8>, u16, &'a str);
    let cases: [Case<'_>; 8] = [
        (
            &[streamed],
            record(&begin),
            400,
            "Expecting 'Message-Content-Type' to be set for streaming requests",
        ),
        (
            &[streamed, ("Message-Content-Type", odd)],
            record(&begin),
            415,
            "Expecting 'Message-Content-Type' of application/json or application/x-protobuf",
        ),
        (
            &[protobuf, ("Accept", RECORDIO), ("Message-Accept", odd)],
            proto::encode(&output()),
            406,
            "Expecting 'Message-Accept' to allow application/json or application/x-protobuf",
        ),
        (
            &[protobuf, ("Message-Content-Type", PROTOBUF)],
            proto::encode(&output()),
            415,
            "Expecting 'Message-Content-Type' to be not set for non-streaming requests",
        ),
        (
            &[protobuf, ("Accept", RECORDIO)],
            proto::encode(&containers),
            406,
            "Streaming response is not supported for GET_CONTAINERS call",
        ),
        (
            &[streamed, ("Message-Content-Type", PROTOBUF)],
            record(&containers),
            415,
            "Streaming 'Content-Type' application/recordio is not supported for GET_CONTAINERS call",
        ),
        (
            &[protobuf],
            proto::encode(&begin),
            415,
            "Expecting 'Content-Type' to be application/recordio for ATTACH_CONTAINER_INPUT call",
        ),
        (&[protobuf, ("Accept", RECORDIO)], proto::encode(&output()), 404, "Container nope cannot be found"),
    ];
    for (headers, body, expected, text) in cases {
        let (status, _, answer) = post(agent.address(), headers, &body).await;
        assert_eq!((status, String::from_utf8_lossy(&answer).as_ref()), (expected, text), "{headers:?}");
    }
    for kind in [JSON, PROTOBUF] {
        let call = of(Type::GetState);
        let body = if kind == JSON { proto::json::to_vec(&call) } else { proto::encode(&call) };
        let (status, head, _) =
            post(agent.address(), &[("Content-Type", kind), ("Accept", "*/*")], &body).await;
        assert!(status == 200 && head.contains("content-type: application/json"), "{head}");
    }
    agent.shutdown().await;
}

/// After `AttachContainerInputValidation`.
#[tokio::test(flavor = "multi_thread")]
async fn an_input_that_begins_wrong_is_refused() {
    use attach_container_input::Type::{ContainerId, ProcessIo};
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let agent = master.agent(options(master.address, work_dir.path())).await;
    let headers = [("Content-Type", RECORDIO), ("Message-Content-Type", PROTOBUF)];
    let no_id = "Failed to validate agent::Call: 'attach_container_input.container_id' is invalid: ID must not be empty";
    let not_first = "Expecting 'attach_container_input.type' to be CONTAINER_ID";
    let half = record(&input(ContainerId, Some(nobody())));
    let half = half[..half.len() - 1].to_vec();
    for (body, expected, text) in [
        (record(&input(ContainerId, None)), 400, no_id),
        (record(&input(ProcessIo, None)), 400, not_first),
        (record(&input(ContainerId, Some(nobody()))), 404, "Container nope cannot be found"),
        (half, 400, "Received EOF while reading request body"),
        (b"5\nhello".to_vec(), 400, "Failed to parse body into Call protobuf"),
    ] {
        let (status, _, answer) = post(agent.address(), &headers, &body).await;
        assert_eq!((status, String::from_utf8_lossy(&answer).as_ref()), (expected, text));
    }
    agent.shutdown().await;
}

/// After `LaunchNestedContainerWithUnknownParent`.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_launched_in_what_is_not_there() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let agent = master.agent(options(master.address, work_dir.path())).await;
    let container_id = v1::ContainerId { value: "c".to_owned(), parent: Some(Box::new(nobody())) };
    let command = Some(common::shell("true"));
    let launch = call::LaunchNestedContainer { container_id, command, ..Default::default() };
    let launch_nested_container = Some(launch);
    let call = Call { launch_nested_container, ..of(Type::LaunchNestedContainer) };
    let refused = ask(agent.address(), &call).await;
    assert_eq!(refused, Err((400, "Parent container nope does not exist".to_owned())));
    let containers = answer(agent.address(), &of(Type::GetContainers)).await.get_containers;
    assert_eq!(containers, Some(response::GetContainers::default()));
    agent.shutdown().await;
}
