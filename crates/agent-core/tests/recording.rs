//! One side of a recorded conversation between a real master and agent, against this agent: what the master sent goes
//! in, and the same kinds of messages have to come out, in the same order.

use std::time::Duration;

use agent_core::{ApplyOperation, FrameworkInfo, FromMaster, Input, Output, TaskState, ToMaster};
use base::{Payload, Uuid};
use resources::{Operation, Reservation, Resources, Role};
use testkit::agent::{AgentEnv, command_task, default_executor, framework, options};

/// What the real agent sent, in order: `update:` is followed by the state's number on the wire.
const RECORDED: &str = "Register Pong UpdateAgent \
    update:0 update:1 update:2 \
    update:0 update:1 update:4 \
    update:0 update:0 update:1 update:1 update:2 update:2 Exited \
    update:0 update:1 update:4 Exited \
    Operation Operation Operation \
    update:0 update:1 \
    Reregister UpdateAgent Pong update:4";

fn kind(message: &ToMaster) -> String {
    match message {
        ToMaster::Register { .. } => "Register".to_owned(),
        ToMaster::Reregister(_) => "Reregister".to_owned(),
        ToMaster::UpdateAgent { .. } => "UpdateAgent".to_owned(),
        ToMaster::Unregister { .. } => "Unregister".to_owned(),
        ToMaster::Message { .. } => "Message".to_owned(),
        ToMaster::ExitedExecutor { .. } => "Exited".to_owned(),
        ToMaster::OperationStatus(_) => "Operation".to_owned(),
        ToMaster::Pong => "Pong".to_owned(),
        ToMaster::StatusUpdate(update) => {
            let number = match update.status.state {
                TaskState::Starting => 0,
                TaskState::Running => 1,
                TaskState::Finished => 2,
                TaskState::Failed => 3,
                TaskState::Killed => 4,
                other => panic!("{other:?} was not recorded"),
            };
            format!("update:{number}")
        }
    }
}

/// The agent and what it has sent so far.
struct Replay {
    env: AgentEnv,
    sent: Vec<String>,
}

impl Replay {
    fn send(&mut self, message: FromMaster) {
        self.env.from_master(message);
        self.collect();
    }

    fn collect(&mut self) {
        let sent = self.env.outputs.drain(..).filter_map(|output| match output {
            Output::Send { message, .. } => Some(kind(&message)),
            _ => None,
        });
        self.sent.extend(sent);
    }

    fn ping(&mut self) {
        let (from, message) =
            ("slave-observer(1)@127.0.0.1:5050".into(), FromMaster::Ping { connected: true });
        self.env.input(Input::FromMaster { from, message });
        self.collect();
    }

    fn launched(&mut self, containers: &[&str]) {
        for container in containers {
            self.env.launched(container);
        }
        self.collect();
    }

    fn exited(&mut self, container: &str, status: i32) {
        self.env.exited(container, status);
        self.collect();
    }

    fn acknowledge(&mut self) {
        while !self.env.updates.is_empty() {
            self.env.acknowledge();
            self.collect();
        }
    }

    fn run(&mut self, framework: &FrameworkInfo, task: &str) {
        self.env.run(framework, command_task(task, "sleep 60"));
    }

    fn end(&mut self, framework: &FrameworkInfo) {
        self.send(FromMaster::ShutdownFramework(framework.id.clone()));
    }
}

#[test]
fn the_same_kinds_of_messages_in_the_same_order() {
    let mut replay = Replay { env: AgentEnv::new(options(1)), sent: Vec::new() };
    replay.env.input(Input::MasterDetected(Some(AgentEnv::master())));
    replay.collect();
    replay.ping();
    let total_ping_timeout = Some(Duration::from_secs(75));
    replay.send(FromMaster::Registered { agent_id: "S0".into(), total_ping_timeout });
    finish_and_kill(&mut replay);
    groups(&mut replay);
    operations(&mut replay);
    reregistration_and_drain(&mut replay);
    assert_eq!(replay.sent.join(" "), RECORDED);
}

fn finish_and_kill(replay: &mut Replay) {
    let f0 = framework("0000");
    replay.run(&f0, "v1sched-0");
    replay.launched(&["c1"]);
    replay.acknowledge();
    replay.exited("c1", 0);
    replay.acknowledge();
    replay.end(&f0);

    let f1 = framework("0001");
    replay.run(&f1, "t");
    replay.launched(&["c2"]);
    replay.acknowledge();
    replay.env.kill(&f1, "t");
    replay.exited("c2", 15);
    replay.acknowledge();
    replay.end(&f1);
}

fn groups(replay: &mut Replay) {
    let f2 = framework("0002");
    replay.env.run_group(&f2, &default_executor("pod"), &["a", "b"]);
    replay.launched(&["c3"]);
    replay.acknowledge();
    replay.launched(&["c4", "c5"]);
    replay.acknowledge();
    replay.exited("c4", 0);
    replay.acknowledge();
    replay.exited("c5", 0);
    replay.acknowledge();
    replay.exited("c3", 0);
    replay.end(&f2);

    let f3 = framework("0003");
    replay.env.run_group(&f3, &default_executor("pod"), &["a"]);
    replay.launched(&["c6"]);
    replay.acknowledge();
    replay.launched(&["c7"]);
    replay.acknowledge();
    replay.send(FromMaster::ShutdownExecutor { framework_id: f3.id.clone(), executor_id: "pod".into() });
    replay.env.advance(Duration::from_secs(3));
    replay.exited("c7", 9);
    replay.acknowledge();
    replay.exited("c6", 0);
    replay.end(&f3);
}

/// Reserve and unreserve; the second status is not acknowledged, because its framework has ended, and is repeated.
fn operations(replay: &mut Replay) {
    let disk = Resources::parse("disk:32").expect("well formed").iter().next().expect("one").clone();
    let reserved = vec![disk.reserved_by(Reservation::dynamic(Role::from("scen"), None))];
    let reserve = Operation::Reserve { source: Vec::new(), resources: reserved.clone() };
    for (number, operation) in [(1, reserve), (2, Operation::Unreserve { resources: reserved })] {
        let operation_uuid = Uuid::from_bytes([number; 16]);
        replay.env.from_master(FromMaster::ApplyOperation(Box::new(ApplyOperation {
            framework_id: Some("0004".into()),
            operation_id: Some("op".into()),
            operation_uuid,
            operation: Ok(operation),
            body: Payload::default(),
            resource_version: None,
        })));
        let status_uuid = operation_status(replay);
        replay.collect();
        if number == 1 {
            let operation_uuid = Some(operation_uuid);
            replay.send(FromMaster::AcknowledgeOperation { status_uuid, operation_uuid });
        }
    }
    replay.end(&framework("0004"));
    replay.env.advance(Duration::from_secs(10));
    let status_uuid = operation_status(replay);
    replay.collect();
    replay.send(FromMaster::AcknowledgeOperation {
        status_uuid,
        operation_uuid: Some(Uuid::from_bytes([2; 16])),
    });
}

fn operation_status(replay: &Replay) -> Option<Uuid> {
    replay.env.outputs.iter().find_map(|output| match output {
        Output::Send { message: ToMaster::OperationStatus(update), .. } => update.status_uuid,
        _ => None,
    })
}

fn reregistration_and_drain(replay: &mut Replay) {
    let f8 = framework("0008");
    replay.run(&f8, "v1sched-0");
    replay.launched(&["c8"]);
    replay.acknowledge();
    replay.env.input(Input::PeerLost(AgentEnv::master()));
    while !replay.sent.iter().any(|kind| kind == "Reregister") {
        replay.env.advance(Duration::from_millis(10));
        replay.collect();
    }
    let reconciliations = Vec::new();
    replay.send(FromMaster::Reregistered {
        agent_id: "S0".into(),
        total_ping_timeout: None,
        reconciliations,
    });
    replay.send(FromMaster::UpdateFramework(f8.clone().into()));
    replay.ping();
    replay.send(FromMaster::Drain { max_grace: Some(Duration::from_secs(3600)), mark_gone: false });
    replay.exited("c8", 15);
    replay.acknowledge();
    replay.end(&f8);
    replay.send(FromMaster::Shutdown { message: "Agent has been marked gone".to_owned() });
    assert!(replay.env.core.snapshot().frameworks.is_empty());
}
