//! What a run is like: everything is drawn from its seed.

use std::fmt;
use std::time::Duration;

use base::Rng;

use crate::dice::Dice;
use crate::faults::FaultKind;
use crate::workloads::HabitKind;

/// What a run is like.
#[derive(Clone, Debug)]
pub struct Options {
    /// From which all follows.
    pub seed: u64,
    /// How long things go wrong, in simulated time.
    pub trouble: Duration,
    /// Most steps of that.
    pub steps: u64,
    /// How soon everything has to be in order after that, in simulated time.
    pub bound: Duration,
    /// How many schedulers there are.
    pub schedulers: usize,
    /// What each agent has.
    pub agent_resources: Vec<String>,
    /// Shortest and longest way of a message.
    pub latency: (Duration, Duration),
    /// How long a commit takes, on average.
    pub commit: Duration,
    /// How long a container's start takes, on average.
    pub launch: Duration,
    /// How many of a thousand launches fail.
    pub launches_fail: u64,
    /// How long tasks run, on average; half of them run until they are ended.
    pub task_life: Duration,
    /// How long a scheduler does nothing, on average.
    pub idle: Duration,
    /// How far a process' clock may be ahead.
    pub clock_jump: Duration,
    /// How many masters there are. One that is alone leads without asking anybody.
    pub masters: usize,
    /// How long a master may be silent before another one leads.
    pub session: Duration,
    /// How long the way to the registry and back takes, on average.
    pub store: Duration,
    /// How long a write to the registry may take.
    pub store_timeout: Duration,
    /// About how often operators do something at their daily work: schedules, maintenance, quotas, weights. Where they do, agents
    /// that start anew describe themselves otherwise too.
    pub operators: Option<Duration>,
    /// The master's own options.
    pub master: master_core::Options,
    pub(crate) faults: Vec<(FaultKind, Duration)>,
    pub(crate) habits: Vec<(HabitKind, u64)>,
}

impl Options {
    /// Draws everything from a seed.
    #[must_use]
    pub fn draw(seed: u64) -> Self {
        let mut rng = Rng::new(seed).child("options");
        let mut several = rng.child("masters");
        let mut operators = rng.child("operators");
        let agents = rng.between(1, 5);
        let resources =
            ["cpus:4;mem:2048;disk:4096;ports:[31000-31019]", "cpus:2;mem:1024;disk:1024", "cpus:8;mem:512"];
        let agent_resources = (0..agents).map(|_| resources[rng.index(resources.len())].to_owned()).collect();
        let fastest = rng.duration(Duration::from_micros(50), Duration::from_millis(5));
        Self {
            seed,
            trouble: rng.duration(Duration::from_secs(60), Duration::from_secs(900)),
            steps: rng.between(2_000, 12_000),
            bound: Duration::from_secs(1_800),
            schedulers: rng.index(5) + 1,
            agent_resources,
            latency: (fastest, fastest + rng.around(Duration::from_millis(20))),
            commit: rng.around(Duration::from_millis(10)),
            launch: rng.around(Duration::from_millis(500)),
            launches_fail: if rng.chance(1, 2) { 0 } else { rng.between(1, 100) },
            task_life: rng.duration(Duration::from_secs(1), Duration::from_secs(120)),
            idle: rng.duration(Duration::from_millis(200), Duration::from_secs(5)),
            clock_jump: if rng.chance(1, 2) {
                Duration::ZERO
            } else {
                Duration::from_secs(rng.between(1, 60))
            },
            masters: [1, 1, 2, 3][several.index(4)],
            session: several.duration(Duration::from_secs(2), Duration::from_secs(20)),
            store: several.around(Duration::from_millis(20)),
            store_timeout: several.duration(Duration::from_secs(2), Duration::from_secs(40)),
            operators: operators
                .chance(3, 4)
                .then(|| operators.duration(Duration::from_secs(3), Duration::from_secs(60))),
            master: master(&mut rng),
            faults: FaultKind::draw(&mut rng),
            habits: HabitKind::draw(&mut rng),
        }
    }

    /// The same without operators at their daily work: what a seed meant before they were a part of most runs.
    #[must_use]
    pub fn without_operators(self) -> Self {
        Self { operators: None, ..self }
    }
}

fn master(rng: &mut Rng) -> master_core::Options {
    let mut options = master_core::Options::new(String::new(), 0);
    options.agent_ping_timeout = Duration::from_secs(rng.between(1, 15));
    options.max_agent_ping_timeouts = u32::try_from(rng.between(2, 5)).unwrap_or(5);
    options.agent_reregister_timeout = Duration::from_secs(rng.between(10, 600));
    options.offer_timeout = rng.chance(1, 2).then(|| Duration::from_secs(rng.between(5, 300)));
    options
}

impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let master = &self.master;
        writeln!(f, "seed          {}", self.seed)?;
        writeln!(
            f,
            "trouble       {:?} or {} steps, then order within {:?}",
            self.trouble, self.steps, self.bound
        )?;
        writeln!(f, "schedulers    {}", self.schedulers)?;
        writeln!(f, "agents        {}", self.agent_resources.join(" | "))?;
        writeln!(f, "latency       {:?} to {:?}", self.latency.0, self.latency.1)?;
        writeln!(f, "commit        {:?}, container start {:?}", self.commit, self.launch)?;
        writeln!(f, "launches fail {} of 1000", self.launches_fail)?;
        writeln!(f, "task life     {:?}, scheduler idle {:?}", self.task_life, self.idle)?;
        writeln!(f, "clocks        up to {:?} ahead", self.clock_jump)?;
        writeln!(
            f,
            "master        ping {:?} x {}, reregister {:?}, offer timeout {:?}",
            master.agent_ping_timeout,
            master.max_agent_ping_timeouts,
            master.agent_reregister_timeout,
            master.offer_timeout
        )?;
        writeln!(
            f,
            "masters       {}, session {:?}, registry {:?}, at most {:?}",
            self.masters, self.session, self.store, self.store_timeout
        )?;
        if let Some(every) = self.operators {
            writeln!(f, "operators     about every {every:?}")?;
        }
        for (fault, every) in &self.faults {
            writeln!(f, "fault         {fault:?} about every {every:?}")?;
        }
        for (habit, weight) in &self.habits {
            writeln!(f, "habit         {habit:?} x {weight}")?;
        }
        Ok(())
    }
}
