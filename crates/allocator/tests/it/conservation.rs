//! Random histories: nothing is lost, nothing is given twice. `Cluster` checks after each step.

use allocator::{AgentSpec, Capabilities, FrameworkSpec, Offerable, Quota};
use base::Rng;
use resources::{Name, Resources, Role, Scalar};

use crate::cluster::{Cluster, ag, fw, res};

const ROLES: [&str; 6] = ["*", "a", "a/b", "a/b/c", "b", "c"];
const TOTALS: [&str; 4] = [
    "cpus:4;mem:4096;ports:[100-199]",
    "cpus:2;mem:1000;disk:50;cpus(a):2",
    "cpus:8;mem:64;gpus:2;mem(a/b):100",
    "cpus:0.5;mem:512;zones:{x,y}",
];

struct History {
    cluster: Cluster,
    rng: Rng,
    outstanding: Vec<Offerable>,
}

impl History {
    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.rng.below(bound as u64)).unwrap()
    }

    fn pick(&mut self) -> Option<Offerable> {
        let at = self.below(self.outstanding.len().max(1));
        (at < self.outstanding.len()).then(|| self.outstanding.swap_remove(at))
    }

    fn framework_spec(&mut self) -> FrameworkSpec {
        let mut spec = FrameworkSpec::default();
        for _ in 0..=self.below(2) {
            let role = Role::from(ROLES[self.below(ROLES.len())]);
            if self.below(4) == 0 {
                spec.suppressed.insert(role.clone());
            }
            spec.roles.insert(role);
        }
        let gpu_resources = self.below(2) == 0;
        spec.capabilities = Capabilities { gpu_resources, ..Capabilities::default() };
        spec
    }

    fn step(&mut self) {
        let framework = fw(&format!("F{}", self.below(5)));
        let agent = ag(&format!("S{}", self.below(6)));
        let role = Role::from(ROLES[self.below(ROLES.len())]);
        let c = &mut self.cluster;
        match self.rng.below(20) {
            0 => {
                let spec = self.framework_spec();
                self.cluster.allocator.add_framework(&framework, spec, true);
            }
            1 => {
                let spec = self.framework_spec();
                self.cluster.allocator.update_framework(&framework, spec);
            }
            2 => c.allocator.remove_framework(&framework),
            3 => c.allocator.deactivate_framework(&framework),
            4 => c.allocator.activate_framework(&framework),
            5 => c.allocator.suppress(&framework, [&role]),
            6 | 7 => c.allocator.revive(&framework, []),
            8 => {
                let total = res(TOTALS[self.below(TOTALS.len())]);
                if self.cluster.allocator.total(&agent).is_none() {
                    self.outstanding.retain(|o| o.agent != agent);
                    self.cluster.allocator.add_agent(
                        &agent,
                        AgentSpec { total, ..AgentSpec::default() },
                        &[],
                    );
                }
            }
            9 => {
                let total = res(TOTALS[self.below(TOTALS.len())]);
                self.cluster.allocator.update_agent(&agent, AgentSpec { total, ..AgentSpec::default() });
            }
            10 if self.below(4) == 0 => {
                self.cluster.allocator.remove_agent(&agent);
                self.outstanding.retain(|o| o.agent != agent);
            }
            11 => {
                let limits = if self.below(2) == 0 { vec![(Name::Cpus, Scalar::whole(3))] } else { vec![] };
                let limits = limits.into_iter().collect();
                self.cluster.allocator.set_quota(&role, Quota { limits, ..Quota::default() });
            }
            12 => {
                let weight = 1.0 + self.rng.unit();
                self.cluster.allocator.set_weight(&role, weight);
            }
            13 | 14 => self.give_back_part(),
            15 | 16 => {
                if let Some(offer) = self.pick() {
                    let seconds = self.rng.below(10);
                    self.cluster.decline(&offer, seconds);
                }
            }
            _ => {
                let seconds = self.rng.below(3);
                self.cluster.wait(seconds);
                let offers = self.cluster.offers();
                self.outstanding.extend(offers);
            }
        }
        self.cluster.allocator.check();
    }

    /// Gives back one kind of the resources of an offer and keeps the rest.
    fn give_back_part(&mut self) {
        let Some(mut offer) = self.pick() else { return };
        let at = self.below(offer.resources.len());
        let part: Resources = offer.resources.iter().skip(at).take(1).cloned().collect();
        offer.resources.subtract(&part).unwrap();
        let given = Offerable { resources: part, ..offer.clone() };
        self.cluster.recover(&given);
        if !offer.resources.is_empty() {
            self.outstanding.push(offer);
        }
    }

    fn outstanding_is_what_is_used(&self) {
        let mut sum = Resources::new();
        for offer in &self.outstanding {
            sum += &offer.resources;
        }
        assert_eq!(sum.quantities(), self.cluster.allocator.cluster_used());
    }
}

#[test]
fn random_histories_conserve_everything() {
    for seed in 0..20 {
        let mut history = History { cluster: Cluster::new(), rng: Rng::new(seed), outstanding: Vec::new() };
        for _ in 0..1000 {
            history.step();
        }
        history.outstanding_is_what_is_used();
        // In the end everything comes back, and nothing is left behind.
        for offer in std::mem::take(&mut history.outstanding) {
            history.cluster.recover(&offer);
        }
        assert!(history.cluster.allocator.cluster_used().is_empty(), "seed {seed}");
    }
}
