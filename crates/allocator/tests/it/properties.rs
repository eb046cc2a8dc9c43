//! What dominant resource fairness promises, on random clusters: users with tasks of random sizes take one after the other
//! until nothing fits any more. Tasks are indivisible, so every promise holds up to one task of those concerned.

use base::Rng;
use resources::{Resource, Resources, Scalar};

use crate::cluster::Cluster;
use crate::filling::{User, fill_with};

const NAMES: [&str; 3] = ["cpus", "mem", "disk"];
/// What each machine has of each, in the order of the names.
const MACHINE: [i64; 3] = [100, 1000, 10_000];
/// A task takes at most so many thousandths of a machine, and half as much of at least one resource.
const LARGEST: u64 = 60;

/// What a task takes of a machine, in thousandths, by resource.
type Demand = [u64; 3];

struct Case {
    seed: u64,
    machines: usize,
    demands: Vec<Demand>,
    weights: Vec<u64>,
}

fn resources(demand: &Demand) -> Resources {
    let of = |(i, share): (usize, &u64)| {
        let amount = i64::try_from(*share).expect("small") * MACHINE[i];
        Resource::scalar(NAMES[i], Scalar::from_thousandths(amount))
    };
    demand.iter().enumerate().map(of).collect()
}

fn demand(rng: &mut Rng) -> Demand {
    let mut demand = [0; 3].map(|_: u64| 1 + rng.below(LARGEST));
    let dominant = usize::try_from(rng.below(3)).expect("small");
    demand[dominant] = demand[dominant].max(LARGEST / 2);
    demand
}

impl Case {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed).child("properties");
        let users = 2 + rng.below(3);
        let machines = usize::try_from(1 + rng.below(2)).expect("small");
        let demands: Vec<_> = (0..users).map(|_| demand(&mut rng)).collect();
        let weights = demands.iter().map(|_| [1, 1, 2, 3][usize::try_from(rng.below(4)).expect("small")]);
        let weights = weights.collect();
        Self { seed, machines, demands, weights }
    }

    /// With the same weight for all.
    fn even(seed: u64) -> Self {
        let mut case = Self::new(seed);
        case.weights.fill(1);
        case
    }

    /// How many tasks each user gets.
    fn tasks(&self) -> Vec<usize> {
        self.filled().1.iter().map(Vec::len).collect()
    }

    /// The cluster in the end, and at which turns each user got its tasks.
    #[expect(clippy::cast_precision_loss, reason = "weights are small")]
    fn filled(&self) -> (Cluster, Vec<Vec<usize>>) {
        let mut cluster = Cluster::new();
        let users: Vec<_> = self
            .demands
            .iter()
            .enumerate()
            .map(|(i, demand)| User { id: format!("U{i}"), task: resources(demand) })
            .collect();
        for (i, user) in users.iter().enumerate() {
            let role = format!("r{i}");
            cluster.framework(&user.id, &[&role]);
            cluster.weight(&role, self.weights[i] as f64);
        }
        for i in 0..self.machines {
            cluster.agent_with(&format!("S{i}"), resources(&[1000; 3]));
        }
        let turns = fill_with(&mut cluster, &users);
        (cluster, turns)
    }

    fn total(&self) -> u64 {
        1000 * u64::try_from(self.machines).expect("small")
    }

    /// The dominant share of one task, in thousandths of a machine.
    fn step(&self, user: usize) -> u64 {
        self.demands[user].iter().copied().max().expect("three resources")
    }

    /// The dominant share of so many tasks by the user's weight, as a multiple of the least that tells two apart.
    fn weighted(&self, user: usize, tasks: u64) -> u64 {
        // Six is divisible by all weights.
        self.step(user) * tasks * 6 / self.weights[user]
    }

    /// How many tasks of a user fit into so many thousandths of a machine of each resource.
    fn fit(&self, user: usize, have: [u64; 3]) -> u64 {
        let each = (0..3).map(|i| have[i] / self.demands[user][i]);
        each.min().expect("three resources")
    }
}

fn count(tasks: usize) -> u64 {
    u64::try_from(tasks).expect("few")
}

const CASES: u64 = 60;

#[test]
fn sharing_incentive_nobody_would_be_better_off_with_a_slice_of_the_cluster() {
    for case in (0..CASES).map(Case::new) {
        let (tasks, all): (_, u64) = (case.tasks(), case.weights.iter().sum());
        for (user, got) in tasks.iter().enumerate() {
            let part = case.total() * case.weights[user] / all;
            // A task that no longer fits on a machine, and one that somebody else got first.
            let slack = count(case.machines) + 1;
            let alone = case.fit(user, [part; 3]);
            assert!(
                count(*got) + slack >= alone,
                "seed {}: user {user} of {tasks:?} alone {alone}",
                case.seed
            );
        }
    }
}

#[test]
fn pareto_efficiency_nothing_is_left_that_anybody_could_use() {
    for case in (0..CASES).map(Case::new) {
        let (cluster, turns) = case.filled();
        for i in 0..case.machines {
            let left = cluster.allocator.available(&format!("S{i}").as_str().into()).expect("it is there");
            for demand in &case.demands {
                let task = resources(demand);
                assert!(!left.contains(&task), "seed {}: {left} would hold {task}; {turns:?}", case.seed);
            }
        }
    }
}

#[test]
fn envy_freeness_nobody_would_rather_have_what_another_got() {
    for case in (0..CASES).map(Case::even) {
        let tasks = case.tasks();
        for (user, got) in tasks.iter().enumerate() {
            for (other, of_other) in tasks.iter().enumerate() {
                let have = case.demands[other].map(|share| share * count(*of_other));
                // The other's last task may have come before this user's next, and what did not fit for this user did
                // for the other.
                let slack = case.step(other).div_ceil(case.step(user)) + count(case.machines);
                let there = case.fit(user, have);
                assert!(
                    count(*got) + slack >= there,
                    "seed {}: {tasks:?}: {user} could run {there} on what {other} has",
                    case.seed
                );
            }
        }
    }
}

#[test]
fn strategy_proofness_nobody_gains_by_asking_for_something_else() {
    for mut case in (0..CASES).map(Case::even) {
        let honest = count(case.tasks()[0]);
        let truth = case.demands[0];
        let mut rng = Rng::new(case.seed).child("lies");
        case.demands[0] = demand(&mut rng);
        let lie = case.demands[0];
        let got = lie.map(|share| share * count(case.tasks()[0]));
        case.demands[0] = truth;
        let useful = case.fit(0, got);
        let slack = lie.iter().max().expect("three").div_ceil(case.step(0)) + count(case.machines);
        assert!(useful <= honest + slack, "seed {}: {useful} by lying, {honest} without", case.seed);
    }
}

#[test]
fn population_monotonicity_when_somebody_leaves_nobody_gets_less() {
    for mut case in (0..CASES).map(Case::even).filter(|case| case.demands.len() > 2) {
        let before = case.tasks();
        case.demands.pop();
        case.weights.pop();
        let after = case.tasks();
        for (user, tasks) in after.iter().enumerate() {
            let slack = 1 + case.machines;
            assert!(tasks + slack >= before[user], "seed {}: {before:?}, then {after:?}", case.seed);
        }
    }
}

#[test]
fn bottleneck_fairness_where_all_need_most_of_one_thing_it_is_shared_evenly() {
    for mut case in (0..CASES).map(Case::even) {
        case.machines = 1;
        for demand in &mut case.demands {
            demand[1] = demand[1].max(LARGEST / 2);
            demand[0] = 1 + demand[0] / 4;
            demand[2] = 1 + demand[2] / 4;
        }
        let tasks = case.tasks();
        let shares: Vec<_> = tasks.iter().zip(&case.demands).map(|(t, d)| count(*t) * d[1]).collect();
        let (least, most) = (shares.iter().min().expect("users"), shares.iter().max().expect("users"));
        // The least may not have got its next task because it was too large, and the most its last because it was not.
        assert!(most - least <= 2 * LARGEST, "seed {}: {tasks:?} have {shares:?}", case.seed);
        let used: u64 = shares.iter().sum();
        assert!(used + LARGEST > case.total(), "seed {}: {used} of {} used", case.seed, case.total());
    }
}

#[test]
fn the_next_task_is_always_for_who_has_least_for_its_weight() {
    for mut case in (0..CASES).map(Case::new) {
        case.machines = 1;
        let turns = case.filled().1;
        let mut owners: Vec<_> = turns
            .iter()
            .enumerate()
            .flat_map(|(user, turns)| turns.iter().map(move |t| (*t, user)))
            .collect();
        owners.sort_unstable();
        let last = |user: usize| turns[user].last().copied().unwrap_or(0);
        let mut tasks = vec![0; turns.len()];
        for (turn, owner) in owners {
            // Those who get something later could have had this one.
            for other in (0..turns.len()).filter(|user| last(*user) > turn) {
                let (of_owner, of_other) =
                    (case.weighted(owner, tasks[owner]), case.weighted(other, tasks[other]));
                assert!(of_owner <= of_other, "seed {}: turn {turn} of {turns:?}", case.seed);
            }
            tasks[owner] += 1;
        }
    }
}
