//! The agent is killed at every write and before every action, in the middle of operations. Whatever happens: what was
//! asked for comes to pass once, no volume loses its data, none gets another's, and the master hears of every end.

use std::collections::BTreeMap;
use std::time::Duration;

use agent_core::{
    AgentCore, ApplyOperation, FromMaster, Input, OperationState, Output, ReconcileOperations, ToMaster,
    VolumeDirectory,
};
use base::{Payload, Time, Uuid};
use resources::{Operation, Resource, Resources, Scalar};
use testkit::agent::{AgentEnv, Memory, options, reserved_disk};

fn reserved(amount: u32) -> Resource {
    reserved_disk("r", amount)
}

fn volume(id: &str, amount: u32) -> Resource {
    testkit::master::volume(amount.into(), "r", id)
}

/// What is done, one after the other; and which data a task then writes into which volume.
fn script() -> Vec<(Operation, Option<(&'static str, &'static str)>)> {
    let reserve = |amount| Operation::Reserve { source: Vec::new(), resources: vec![reserved(amount)] };
    let create = |id, amount| Operation::Create { volumes: vec![volume(id, amount)] };
    vec![
        (reserve(100), None),
        (create("v", 10), Some(("v", "precious"))),
        (Operation::GrowVolume { volume: volume("v", 10), addition: reserved(5) }, None),
        (create("w", 20), Some(("w", "old"))),
        (Operation::Destroy { volumes: vec![volume("w", 20)] }, None),
        (create("w", 20), None),
        (Operation::ShrinkVolume { volume: volume("v", 15), subtract: Scalar::from_f64(5.0) }, None),
        (Operation::Unreserve { resources: vec![reserved(30)] }, None),
    ]
}

/// The end of a life.
struct Killed;

/// The machine: what survives the agent.
#[derive(Default)]
struct Machine {
    memory: Memory,
    /// Directories of volumes, and what is in them.
    directories: BTreeMap<String, String>,
    /// Operations by the number in their body.
    asked: Vec<Operation>,
    /// Writes and actions so far, and the one before which the agent is killed.
    steps: u32,
    killed_at: Option<u32>,
}

impl Machine {
    fn step(&mut self) -> Result<(), Killed> {
        self.steps += 1;
        if self.killed_at == Some(self.steps) { Err(Killed) } else { Ok(()) }
    }

    fn name(directory: &VolumeDirectory) -> String {
        directory.path.rsplit('/').next().unwrap_or_default().to_owned()
    }

    /// Carries outputs out as the server does. What was sent to the master, and what the disk says.
    fn carry_out(&mut self, outputs: Vec<Output>) -> Result<(Vec<ToMaster>, Vec<Input>), Killed> {
        let (mut sent, mut inputs) = (Vec::new(), Vec::new());
        let mut writes = Vec::new();
        for output in outputs {
            if let Output::Checkpoint(write) = output {
                writes.push(*write);
                continue;
            }
            self.commit(&mut writes)?;
            match output {
                Output::Send { message, .. } => {
                    self.step()?;
                    sent.push(message);
                }
                Output::ChangeVolumes { operation, make, remove } => {
                    for directory in &make {
                        self.step()?;
                        self.directories.entry(Self::name(directory)).or_default();
                    }
                    for directory in &remove {
                        self.step()?;
                        self.directories.remove(&Self::name(directory));
                    }
                    inputs.push(Input::VolumesChanged { operation, result: Ok(()) });
                }
                _ => {}
            }
        }
        self.commit(&mut writes)?;
        Ok((sent, inputs))
    }

    /// All of one input, or nothing.
    fn commit(&mut self, writes: &mut Vec<agent_core::Write>) -> Result<(), Killed> {
        if !writes.is_empty() {
            self.step()?;
            for write in writes.drain(..) {
                self.memory.apply(write);
            }
        }
        Ok(())
    }

    fn checkpointed(&self) -> Resources {
        self.memory.resources.as_ref().map(|(resources, _)| resources.clone()).unwrap_or_default()
    }
}

/// One life of the agent, and the master's view of the operation that it waits for.
struct Life<'a> {
    machine: &'a mut Machine,
    core: AgentCore,
    now: Time,
    /// The master's names of operations that have ended, and how.
    ended: BTreeMap<Uuid, OperationState>,
    /// Operations that the agent told of when it registered.
    told: Vec<Uuid>,
}

impl<'a> Life<'a> {
    fn begin(machine: &'a mut Machine, life: u64) -> Result<Self, Killed> {
        let asked = machine.asked.clone();
        let recovered = machine
            .memory
            .recovered(|operation| Ok(asked[usize::from(operation.body.as_bytes()[0])].clone()));
        let now = Time::from_secs_f64(1_000.0 * life as f64);
        let mut out = Vec::new();
        let core = AgentCore::recover(options(life), recovered, now, &mut out).expect("it goes on");
        let mut life = Self { machine, core, now, ended: BTreeMap::new(), told: Vec::new() };
        life.take(out)?;
        life.input(Input::MasterDetected(Some(AgentEnv::master())))?;
        life.register()?;
        Ok(life)
    }

    fn register(&mut self) -> Result<(), Killed> {
        for _ in 0..100 {
            if self.core.is_registered() {
                return Ok(());
            }
            self.now = self.now + Duration::from_millis(500);
            self.input(Input::TimerFired)?;
        }
        panic!("it does not register")
    }

    fn input(&mut self, input: Input) -> Result<(), Killed> {
        let mut out = Vec::new();
        self.core.handle(self.now, input, &mut out);
        self.core.check();
        self.take(out)
    }

    fn take(&mut self, out: Vec<Output>) -> Result<(), Killed> {
        let (sent, inputs) = self.machine.carry_out(out)?;
        for message in sent {
            self.hear(message)?;
        }
        for input in inputs {
            self.input(input)?;
        }
        Ok(())
    }

    fn say(&mut self, message: FromMaster) -> Result<(), Killed> {
        self.input(Input::FromMaster { from: AgentEnv::master(), message })
    }

    /// The master's part.
    fn hear(&mut self, message: ToMaster) -> Result<(), Killed> {
        match message {
            ToMaster::Register { .. } => {
                self.say(FromMaster::Registered { agent_id: "S0".into(), total_ping_timeout: None })
            }
            ToMaster::Reregister(message) => {
                assert_eq!(message.checkpointed, self.machine.checkpointed(), "the truth is told");
                self.say(FromMaster::Reregistered {
                    agent_id: "S0".into(),
                    total_ping_timeout: None,
                    reconciliations: Vec::new(),
                })
            }
            ToMaster::UpdateAgent { operations, .. } => {
                self.told = operations.iter().map(|operation| operation.update.operation_uuid).collect();
                Ok(())
            }
            ToMaster::OperationStatus(update) => {
                self.ended.insert(update.operation_uuid, update.state);
                match update.status_uuid {
                    Some(status) => self.say(FromMaster::AcknowledgeOperation {
                        status_uuid: Some(status),
                        operation_uuid: Some(update.operation_uuid),
                    }),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }
}

/// Plays the script, killed at one step; gives the number of steps.
fn play(killed_at: Option<u32>) -> (Machine, u32) {
    let mut machine = Machine { killed_at, ..Machine::default() };
    machine.asked = script().into_iter().map(|(operation, _)| operation).collect();
    // The master's side: which operation is under way under which name.
    let (mut number, mut attempt) = (0_u8, 0_u8);
    let mut sent = false;
    for life in 1..4_u64 {
        let Err(Killed) = live(&mut machine, life, &mut number, &mut attempt, &mut sent) else {
            let steps = machine.steps;
            return (machine, steps);
        };
    }
    panic!("it was killed once only")
}

fn live(
    machine: &mut Machine,
    life: u64,
    number: &mut u8,
    attempt: &mut u8,
    sent: &mut bool,
) -> Result<(), Killed> {
    let script = script();
    let mut life = Life::begin(machine, life)?;
    while let Some((operation, data)) = script.get(usize::from(*number)) {
        let uuid = Uuid::from_bytes([*number, *attempt, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
        if !*sent {
            *sent = true;
            life.say(FromMaster::ApplyOperation(Box::new(ApplyOperation {
                framework_id: Some("f".into()),
                operation_id: None,
                operation_uuid: uuid,
                operation: Ok(operation.clone()),
                body: Payload::from(vec![*number]),
                resource_version: None,
            })))?;
        } else if !life.told.contains(&uuid) && !life.ended.contains_key(&uuid) {
            // The agent does not know it: either it never came, or the master has acknowledged its end.
            let operations = vec![(Some(uuid), None)];
            life.say(FromMaster::ReconcileOperations(ReconcileOperations {
                framework_id: None,
                operations,
            }))?;
        }
        match life.ended.get(&uuid) {
            Some(OperationState::Finished) => {}
            Some(OperationState::Dropped) => {
                (*attempt, *sent) = (*attempt + 1, false);
                continue;
            }
            other => panic!("operation {number}: {other:?}"),
        }
        (*number, *attempt, *sent) = (*number + 1, 0, false);
        if let Some((volume, data)) = data {
            let content = life.machine.directories.get_mut(*volume).expect("a task finds its volume");
            assert_eq!(content, "", "a new volume is empty");
            (*data).clone_into(content);
        }
        let precious = life.machine.directories.get("v").map(String::as_str);
        assert!(*number < 2 || precious == Some("precious"), "after operation {number}: {precious:?}");
    }
    Ok(())
}

#[test]
fn killed_at_every_step() {
    let (machine, steps) = play(None);
    let expected: Resources = [reserved(40), volume("v", 10), volume("w", 20)].into_iter().collect();
    assert_eq!(machine.checkpointed(), expected);
    assert!(steps > 30, "{steps} steps");
    for killed_at in 1..=steps {
        let (machine, _) = play(Some(killed_at));
        assert_eq!(machine.checkpointed(), expected, "killed at {killed_at}");
        let directories: Vec<(&str, &str)> =
            machine.directories.iter().map(|(name, data)| (name.as_str(), data.as_str())).collect();
        assert_eq!(directories, [("v", "precious"), ("w", "")], "killed at {killed_at}");
        assert!(machine.memory.operations.is_empty(), "killed at {killed_at}: an operation is left");
    }
}
