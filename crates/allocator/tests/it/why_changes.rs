//! What is said to be in the way is, and what is said to help helps: on random clusters, by doing it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use allocator::{
    AgentSpec, AgentTraits, Allocator, AttributeValue, Change, ClientState, Condition, Constraints,
    FrameworkSpec, Obstacle, Offerable, Options, Predicate, Quota, Selector, WhyClient,
};
use base::{FrameworkId, Rng, Time};
use resources::{Details, Name, Resource, Role, Scalar};

use crate::cluster::{Cluster, ag, fw, res, spec};

const TASK: &str = "cpus:0.001;mem:1";
const ROLES: [&str; 3] = ["a", "a/x", "b"];

/// A cluster, with what is needed to change it.
struct World {
    cluster: Cluster,
    frameworks: BTreeMap<FrameworkId, FrameworkSpec>,
    quotas: BTreeMap<Role, Quota>,
    whitelist: Option<BTreeSet<String>>,
    /// Not answered.
    offers: Vec<Offerable>,
}

fn condition(attribute: &str, value: &str) -> Condition {
    Condition {
        selector: Selector::Attribute(attribute.to_owned()),
        predicate: Predicate::TextEquals(value.to_owned()),
    }
}

/// One in so many times.
fn once_in(rng: &mut Rng, times: u64) -> bool {
    rng.below(times) == 0
}

fn pick<'a>(rng: &mut Rng, of: &[&'a str]) -> &'a str {
    of[usize::try_from(rng.below(of.len() as u64)).unwrap()]
}

impl World {
    /// The same for the same seed.
    fn new(seed: u64, most: Option<f64>) -> Self {
        let mut rng = Rng::new(seed).child("why");
        let mut world = Self {
            cluster: Cluster {
                allocator: Allocator::new(Options {
                    max_offered_share: most,
                    min_refusal: Duration::ZERO,
                    ..Options::new(Rng::new(seed))
                }),
                now: Time::from_secs_f64(1000.0),
            },
            frameworks: BTreeMap::new(),
            quotas: BTreeMap::new(),
            whitelist: None,
            offers: Vec::new(),
        };
        for number in 0..1 + rng.below(3) {
            world.add_framework(&mut rng, number);
        }
        for number in 0..rng.below(4) {
            world.add_agent(&mut rng, number);
        }
        if once_in(&mut rng, 4) {
            world.set_whitelist(Some(["h0".to_owned()].into()));
        }
        for role in ROLES {
            let mut quota = Quota::default();
            if once_in(&mut rng, 3) {
                quota.limits = [(Name::Cpus, amount(&mut rng, 3)), (Name::Mem, amount(&mut rng, 200))].into();
            }
            if once_in(&mut rng, 3) {
                quota.guarantees =
                    [(Name::Cpus, amount(&mut rng, 5)), (Name::Mem, amount(&mut rng, 500))].into();
            }
            world.set_quota(&Role::from(role), quota);
        }
        for _ in 0..rng.below(4) {
            for offer in world.cluster.offers() {
                match rng.below(3) {
                    0 => world.cluster.decline(&offer, 60),
                    1 if offer.resources.clone().unallocated().contains(&res(TASK)) => {
                        world.cluster.accept(&offer, TASK, 60 * rng.below(2));
                    }
                    _ => world.offers.push(offer),
                }
            }
        }
        for id in world.frameworks.keys() {
            if once_in(&mut rng, 6) {
                world.cluster.allocator.suppress(id, [&Role::from(pick(&mut rng, &ROLES))]);
            }
            if once_in(&mut rng, 8) {
                // As a master does: offers are not left with somebody who is away.
                for offer in world.offers.extract_if(.., |offer| offer.framework == *id) {
                    world.cluster.recover(&offer);
                }
                world.cluster.allocator.deactivate_framework(id);
            }
        }
        world
    }

    fn add_framework(&mut self, rng: &mut Rng, number: u64) {
        let mut spec = spec(&[pick(rng, &ROLES), pick(rng, &ROLES)]);
        spec.capabilities.gpu_resources = once_in(rng, 3);
        spec.capabilities.region_aware = once_in(rng, 3);
        spec.capabilities.revocable_resources = once_in(rng, 3);
        let role = Role::from(pick(rng, &ROLES));
        if once_in(rng, 3) {
            let least = vec![res(pick(rng, &["cpus:2", "cpus:1;mem:100", "gpus:1", "mem:64"])).quantities()];
            spec.min_allocatable.insert(role.clone(), least);
        }
        if once_in(rng, 3) {
            let any_of =
                vec![vec![condition("rack", "r1"), condition("disk", "ssd")], vec![condition("rack", "r2")]];
            spec.constraints.insert(role, Arc::new(Constraints { any_of }));
        }
        let id = fw(&format!("F{number}"));
        self.cluster.allocator.add_framework(&id, spec.clone(), true);
        self.frameworks.insert(id, spec);
    }

    fn add_agent(&mut self, rng: &mut Rng, number: u64) {
        let texts = [
            "cpus:4;mem:400",
            "cpus:0.005;mem:20",
            "cpus(a):2;mem(b):100",
            "cpus:2;mem:100;gpus:1",
            "cpus(b):1",
        ];
        let mut total = res(pick(rng, &texts));
        if once_in(rng, 4) {
            let revocable = Details { revocable: true, ..Details::default() };
            total.add(Resource::scalar("cpus", Scalar::whole(2)).with_details(revocable));
        }
        let text = |value: &str| AttributeValue::Text(value.to_owned());
        let attributes = [("rack", pick(rng, &["r1", "r2", "r3"])), ("disk", pick(rng, &["ssd", "hdd"]))];
        let attributes = attributes.map(|(name, value)| (name.to_owned(), text(value)));
        let traits = AgentTraits {
            hostname: format!("h{number}"),
            attributes: attributes.into(),
            ..AgentTraits::default()
        };
        let id = ag(&format!("S{number}"));
        let spec =
            AgentSpec { total, remote: once_in(rng, 5), traits: Arc::new(traits), ..AgentSpec::default() };
        self.cluster.allocator.add_agent(&id, spec, &[]);
        if once_in(rng, 6) {
            self.cluster.allocator.deactivate_agent(&id);
        }
    }

    fn set_quota(&mut self, role: &Role, quota: Quota) {
        self.cluster.allocator.set_quota(role, quota.clone());
        self.quotas.insert(role.clone(), quota);
    }

    fn set_whitelist(&mut self, whitelist: Option<BTreeSet<String>>) {
        self.cluster.allocator.set_whitelist(whitelist.clone());
        self.whitelist = whitelist;
    }

    fn why(&self) -> Vec<WhyClient> {
        let all = self.frameworks.keys().map(|id| self.cluster.allocator.why(id, self.cluster.now));
        all.flat_map(|why| why.expect("known").roles).collect()
    }

    fn update(&mut self, id: &FrameworkId, change: impl FnOnce(&mut FrameworkSpec)) {
        let spec = self.frameworks.get_mut(id).expect("known");
        change(spec);
        let suppressed = self.cluster.allocator.why(id, self.cluster.now).expect("known").roles;
        let suppressed = suppressed.into_iter().filter(|role| role.state == ClientState::Suppressed);
        let suppressed = suppressed.map(|role| role.role).collect();
        self.cluster.allocator.update_framework(id, FrameworkSpec { suppressed, ..spec.clone() });
    }

    /// Does what is said to help.
    fn apply(&mut self, of: &WhyClient, change: &Change) {
        let id = &of.framework;
        match change {
            Change::Wait => {}
            Change::Subscribe => {
                self.cluster.allocator.activate_framework(id);
                self.cluster.allocator.revive(id, [&of.role]);
            }
            Change::Revive { role, .. } => self.cluster.allocator.revive(id, [role]),
            Change::AddCapability(name) => self.update(id, |spec| match *name {
                "GPU_RESOURCES" => spec.capabilities.gpu_resources = true,
                "REGION_AWARE" => spec.capabilities.region_aware = true,
                "REVOCABLE_RESOURCES" => spec.capabilities.revocable_resources = true,
                other => panic!("{other}"),
            }),
            Change::DropCondition { role, condition } => self.update(id, |spec| {
                let mut constraints = (*spec.constraints[role]).clone();
                for group in &mut constraints.any_of {
                    group.retain(|each| each.to_string() != *condition);
                }
                spec.constraints.insert(role.clone(), Arc::new(constraints));
            }),
            Change::LowerMinimum { role, to, .. } => self.update(id, |spec| {
                spec.min_allocatable.insert(role.clone(), vec![to.clone()]);
            }),
            Change::JoinRole(role) => self.update(id, |spec| {
                spec.roles.insert(role.clone());
            }),
            Change::RaiseLimit { role, resource, to, .. } => {
                let mut quota = self.quotas[role].clone();
                quota.limits.insert(resource.clone(), *to);
                self.set_quota(role, quota);
            }
            Change::ActivateAgent(agent) => self.cluster.allocator.activate_agent(agent),
            Change::UpgradeAgent(agent) => panic!("{agent} is not old"),
            Change::Whitelist(hostname) => {
                let mut whitelist = self.whitelist.clone().expect("one that leaves out something");
                whitelist.insert(hostname.clone());
                self.set_whitelist(Some(whitelist));
            }
            Change::LowerGuarantee { role, resource, to, .. } => {
                let mut quota = self.quotas[role].clone();
                quota.guarantees.insert(resource.clone(), *to);
                self.set_quota(role, quota);
            }
            Change::AnswerOffers => {
                for offer in self.offers.iter().filter(|offer| offer.framework == *id) {
                    self.cluster.recover(offer);
                }
            }
            Change::MoreResources => panic!("left out of this test"),
        }
    }
}

fn amount(rng: &mut Rng, most: i64) -> Scalar {
    Scalar::whole(i64::try_from(rng.below(u64::try_from(most).unwrap())).unwrap())
}

#[test]
fn who_is_not_hindered_is_offered_something_and_nobody_else_is() {
    let (mut offered, mut not) = (0, 0);
    for seed in 0..600 {
        // Hoarders are bounded only while others want something, and here everybody else is suppressed.
        for why in World::new(seed, None).why() {
            let mut world = World::new(seed, None);
            let others: Vec<_> = world.why();
            for other in others.iter().filter(|o| (&o.framework, &o.role) != (&why.framework, &why.role)) {
                world.cluster.allocator.suppress(&other.framework, [&other.role]);
            }
            let got = world.cluster.allocator.allocate_all(world.cluster.now).len();
            let expected = why.state == ClientState::Wanting && why.unhindered > 0;
            assert_eq!(got > 0, expected, "seed {seed}: {got} offers, though {why:#?}");
            offered += usize::from(expected);
            not += usize::from(!expected);
        }
    }
    assert!(offered > 100 && not > 100, "{offered} {not}");
}

fn all_reserved(why: &WhyClient) -> bool {
    let reserved = why.findings.iter().find(|finding| finding.obstacle == Obstacle::ReservedForOthers);
    reserved.is_some_and(|finding| finding.agents == why.agents)
}

#[test]
fn what_is_said_to_help_does() {
    let mut helped = BTreeSet::new();
    for seed in 0..1500_u64 {
        let most = seed.is_multiple_of(3).then_some(0.3);
        for why in World::new(seed, most).why() {
            // Whether tasks that end make room depends on what the framework declined there before.
            if why.help.contains(&Change::MoreResources) {
                continue;
            }
            let mut world = World::new(seed, most);
            for change in &why.help {
                world.apply(&why, change);
                helped.insert(format!("{change:?}").split([' ', '(']).next().unwrap().to_owned());
            }
            let after = world.cluster.allocator.why(&why.framework, world.cluster.now).unwrap();
            let join = why.help.iter().find_map(|change| match change {
                Change::JoinRole(role) => Some(role),
                _ => None,
            });
            let concerned = |after: &&WhyClient| after.role == *join.unwrap_or(&why.role);
            let helped = after.roles.iter().filter(concerned).any(|after| {
                // What else may be in the way in the other role was nobody's question.
                let free = after.unhindered > 0 || (join.is_some() && !all_reserved(after));
                after.state == ClientState::Wanting && free
            });
            assert!(helped, "seed {seed}: {why:#?}\ndid not help: {after:#?}");
        }
    }
    let all = [
        "ActivateAgent",
        "AddCapability",
        "AnswerOffers",
        "DropCondition",
        "JoinRole",
        "LowerGuarantee",
        "LowerMinimum",
        "RaiseLimit",
        "Revive",
        "Subscribe",
        "Wait",
        "Whitelist",
    ];
    assert_eq!(helped.iter().map(String::as_str).collect::<Vec<_>>(), all, "each kind has been tried");
}
