//! Each reason for which a framework may get nothing, and what would help.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use allocator::{
    AgentSpec, AgentTraits, Allocator, AttributeValue, Capabilities, Change, ClientState, Condition,
    Constraints, Detail, FrameworkSpec, GuaranteeOpen, LimitReached, Obstacle, Options, Predicate, Quota,
    Selector, Who, WhyClient,
};
use base::{Rng, Time};
use resources::{Details, Name, Quantities, Resource, Role, Scalar};

use crate::cluster::{Cluster, ag, fw, res, spec, volume};

/// How a framework with one role stands.
#[track_caller]
fn why(cluster: &Cluster, id: &str) -> WhyClient {
    let mut roles = cluster.allocator.why(&fw(id), cluster.now).expect("known").roles;
    assert_eq!(roles.len(), 1);
    roles.remove(0)
}

fn found(why: &WhyClient) -> Vec<(Obstacle, usize)> {
    let mut found: Vec<_> = why.findings.iter().map(|finding| (finding.obstacle, finding.agents)).collect();
    found.sort_unstable();
    found
}

fn detail(why: &WhyClient, obstacle: Obstacle) -> &Detail {
    let finding = why.findings.iter().find(|finding| finding.obstacle == obstacle);
    &finding.expect("an agent with this obstacle").detail
}

fn quantities(text: &str) -> Quantities {
    res(text).quantities()
}

fn limits(cluster: &mut Cluster, role: &str, text: &str) {
    let limits = quantities(text).iter().map(|(name, amount)| (name.clone(), amount)).collect();
    cluster.allocator.set_quota(&Role::from(role), Quota { limits, ..Quota::default() });
}

#[test]
fn of_the_framework_itself() {
    let mut cluster = Cluster::new();
    assert_eq!(cluster.allocator.why(&fw("A"), cluster.now), None);
    cluster.framework("A", &["a", "b"]);
    cluster.allocator.suppress(&fw("A"), [&Role::from("a")]);
    let states = |cluster: &Cluster| {
        let why = cluster.allocator.why(&fw("A"), cluster.now).unwrap();
        why.roles.into_iter().map(|role| (role.state, role.help)).collect::<Vec<_>>()
    };
    let revive = Change::Revive { role: Role::from("a"), or_wait_until: None };
    let more = || vec![Change::MoreResources];
    assert_eq!(
        states(&cluster),
        [
            (ClientState::Suppressed, vec![revive.clone(), Change::MoreResources]),
            (ClientState::Wanting, more())
        ]
    );
    cluster.agent("S", "cpus:1");
    assert_eq!(
        states(&cluster),
        [(ClientState::Suppressed, vec![revive]), (ClientState::Wanting, vec![Change::Wait])]
    );
    cluster.allocator.deactivate_framework(&fw("A"));
    let subscribe = (ClientState::Inactive, vec![Change::Subscribe]);
    assert_eq!(states(&cluster), [subscribe.clone(), subscribe]);
    cluster.allocator.remove_framework(&fw("A"));
    assert_eq!(cluster.allocator.why(&fw("A"), cluster.now), None);
}

#[test]
fn of_agents() {
    let mut cluster = Cluster::new();
    cluster.framework("A", &["a"]);
    cluster.agent("gpus", "cpus:1;mem:100;gpus:1");
    let far = AgentSpec { total: res("cpus:1;mem:100"), remote: true, ..AgentSpec::default() };
    cluster.allocator.add_agent(&ag("far"), far, &[]);
    cluster.agent("others", "cpus(b):1;mem(b):100");
    cluster.agent("crumbs", "mem:1");
    cluster.agent("off", "cpus:1;mem:100");
    cluster.allocator.deactivate_agent(&ag("off"));
    cluster.agent("free", "cpus:1;mem:100");
    let blocked = [
        (Obstacle::AgentInactive, 1),
        (Obstacle::KeptForGpus, 1),
        (Obstacle::OtherRegion, 1),
        (Obstacle::ReservedForOthers, 1),
        (Obstacle::TooLittle, 1),
    ];
    let with = |obstacle| {
        let mut all = blocked.to_vec();
        all.push((obstacle, 1));
        all.sort_unstable();
        all
    };
    let first = why(&cluster, "A");
    assert_eq!((found(&first), first.agents, first.unhindered), (blocked.to_vec(), 6, 1));
    assert_eq!(first.help, [Change::Wait]);
    let reserved = BTreeSet::from([Role::from("b")]);
    assert_eq!(*detail(&first, Obstacle::ReservedForOthers), Detail::Reserved(reserved));

    let offer = cluster.offer();
    let offered = why(&cluster, "A");
    assert_eq!(found(&offered), with(Obstacle::NothingFree));
    assert_eq!((&offered.offered, &offered.holds), (&quantities("cpus:1;mem:100"), &offered.offered));
    // The agent with GPUs would do, and the capability costs least.
    assert_eq!(offered.help, [Change::AddCapability("GPU_RESOURCES")]);

    cluster.decline(&offer, 60);
    let declined = why(&cluster, "A");
    assert_eq!(found(&declined), with(Obstacle::Refused));
    let until = cluster.now + Duration::from_secs(60);
    let Detail::Refusals { first, last_ends } = detail(&declined, Obstacle::Refused) else { panic!() };
    assert_eq!((first.agent.as_str(), first.until, *last_ends), ("free", until, until));
    assert_eq!(declined.help, [Change::Revive { role: Role::from("a"), or_wait_until: Some(until) }]);

    // What has ended is no obstacle, even if nobody has asked for offers since.
    cluster.wait(60);
    assert_eq!(why(&cluster, "A").unhindered, 1);
}

#[test]
fn of_the_whitelist() {
    let mut cluster = Cluster::new();
    cluster.framework("A", &["a"]);
    let traits = AgentTraits { hostname: "h1".to_owned(), ..AgentTraits::default() };
    let spec = AgentSpec { total: res("cpus:1"), traits: traits.into(), ..AgentSpec::default() };
    cluster.allocator.add_agent(&ag("S"), spec, &[]);
    cluster.allocator.set_whitelist(Some(BTreeSet::new()));
    let why = why(&cluster, "A");
    assert_eq!(found(&why), [(Obstacle::NotWhitelisted, 1)]);
    assert_eq!(why.help, [Change::Whitelist("h1".to_owned())]);
}

#[test]
fn of_limits() {
    let mut cluster = Cluster::new();
    cluster.framework("A", &["a/x"]);
    limits(&mut cluster, "a", "cpus:1;mem:100");
    cluster.agent("S", "cpus:2;mem:200");
    cluster.offer();
    let why = why(&cluster, "A");
    assert_eq!(found(&why), [(Obstacle::AtLimit, 1)]);
    let role = Role::from("a");
    let reached = |resource, amount| LimitReached {
        role: role.clone(),
        resource,
        limit: Scalar::whole(amount),
        consumed: Scalar::whole(amount),
    };
    let expected = vec![reached(Name::Cpus, 1), reached(Name::Mem, 100)];
    assert_eq!(*detail(&why, Obstacle::AtLimit), Detail::Limits(expected));
    // A hundredth of a CPU makes an offer.
    let (by, to) = (Scalar::from_thousandths(10), Scalar::from_thousandths(1010));
    assert_eq!(why.help, [Change::RaiseLimit { role, resource: Name::Cpus, by, to }]);
}

#[test]
fn of_limits_above() {
    let mut cluster = Cluster::new();
    cluster.framework("A", &["a/x"]);
    limits(&mut cluster, "a", "cpus:1;mem:0");
    limits(&mut cluster, "a/x", "cpus:1;mem:0");
    cluster.agent("S", "cpus:2;mem:200");
    cluster.offer();
    let roles: Vec<_> = why(&cluster, "A")
        .help
        .into_iter()
        .map(|change| match change {
            Change::RaiseLimit { role, resource: Name::Cpus, .. } => role.to_string(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(roles, ["a/x", "a"]);
}

fn rack(value: &str) -> Condition {
    Condition {
        selector: Selector::Attribute("rack".to_owned()),
        predicate: Predicate::TextEquals(value.to_owned()),
    }
}

fn with_constraints(any_of: Vec<Vec<Condition>>) -> FrameworkSpec {
    let constraints = [(Role::from("a"), Arc::new(Constraints { any_of }))].into();
    FrameworkSpec { constraints, ..spec(&["a"]) }
}

fn agent_in_rack(cluster: &mut Cluster, id: &str, value: &str) {
    let attributes = vec![("rack".to_owned(), AttributeValue::Text(value.to_owned()))];
    let traits = Arc::new(AgentTraits { attributes, ..AgentTraits::default() });
    let spec = AgentSpec { total: res("cpus:1;mem:100"), traits, ..AgentSpec::default() };
    cluster.allocator.add_agent(&ag(id), spec, &[]);
}

#[test]
fn of_guarantees() {
    let mut cluster = Cluster::new();
    cluster.framework("A", &["a"]);
    cluster.agent("S", "cpus:4;mem:400");
    cluster.quota("g", "cpus:4;mem:390", "");
    let why = why(&cluster, "A");
    assert_eq!(found(&why), [(Obstacle::HeldBack, 1)]);
    let role = Role::from("g");
    let open = |resource, guarantee| GuaranteeOpen {
        role: role.clone(),
        resource,
        guarantee: Scalar::whole(guarantee),
        consumed: Scalar::ZERO,
    };
    let expected = vec![open(Name::Cpus, 4), open(Name::Mem, 390)];
    assert_eq!(*detail(&why, Obstacle::HeldBack), Detail::Guarantees(expected));
    // Ten megabytes pass anyhow; a hundredth of a CPU is enough, too, and less to ask for than 22 megabytes.
    let (by, to) = (Scalar::from_thousandths(10), Scalar::from_thousandths(3990));
    assert_eq!(why.help, [Change::LowerGuarantee { role, resource: Name::Cpus, by, to }]);
}

/// Of a guarantee that covers one below, both have to be lowered.
#[test]
fn of_guarantees_that_cover_others() {
    let mut cluster = Cluster::new();
    cluster.framework("A", &["a"]);
    cluster.agent("S", "cpus:4");
    cluster.quota("g", "cpus:4", "");
    cluster.quota("g/x", "cpus:4", "");
    let lowered: Vec<_> = why(&cluster, "A")
        .help
        .into_iter()
        .map(|change| match change {
            Change::LowerGuarantee { role, .. } => role.to_string(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(lowered, ["g", "g/x"]);
}

#[test]
fn of_hoarding() {
    let options = Options { max_offered_share: Some(0.5), ..Options::new(Rng::new(1)) };
    let mut cluster = Cluster { allocator: Allocator::new(options), now: Time::from_secs_f64(1000.0) };
    cluster.framework("A", &["a"]);
    cluster.agent("S", "cpus:2");
    cluster.offer();
    cluster.framework("B", &["b"]);
    cluster.agent("T", "cpus:1");
    let hoarder = why(&cluster, "A");
    assert_eq!(found(&hoarder), [(Obstacle::NothingFree, 1), (Obstacle::OfferedEnough, 1)]);
    let Detail::Offered { share, most } = detail(&hoarder, Obstacle::OfferedEnough) else { panic!() };
    assert!((share - 2.0 / 3.0).abs() < 1e-6 && (most - 0.5).abs() < 1e-9, "{share} {most}");
    assert_eq!(hoarder.help, [Change::AnswerOffers]);
    assert_eq!(why(&cluster, "B").help, [Change::Wait]);
}

#[test]
fn of_shared_resources_that_were_offered() {
    let mut cluster = Cluster::new();
    let spec = FrameworkSpec { min_allocatable: [(Role::from("a"), vec![])].into(), ..spec(&["a"]) };
    let capabilities = Capabilities { shared_resources: true, ..Capabilities::default() };
    cluster.allocator.add_framework(&fw("A"), FrameworkSpec { capabilities, ..spec }, true);
    cluster.agent_with("S", [volume(100, "a", "v", true)].into_iter().collect());
    cluster.offer();
    assert_eq!(cluster.offers(), []);
    let why = why(&cluster, "A");
    assert_eq!(found(&why), [(Obstacle::AlreadyOffered, 1)]);
    assert_eq!(why.help, [Change::AnswerOffers]);
}

#[test]
fn of_constraints() {
    let mut cluster = Cluster::new();
    let ssd = Condition { selector: Selector::Attribute("ssd".to_owned()), predicate: Predicate::Exists };
    let constraints = vec![vec![rack("z"), ssd], vec![rack("y")]];
    cluster.allocator.add_framework(&fw("A"), with_constraints(constraints), true);
    agent_in_rack(&mut cluster, "S1", "x");
    agent_in_rack(&mut cluster, "S2", "z");
    let why = why(&cluster, "A");
    assert_eq!(found(&why), [(Obstacle::Constrained, 2)]);
    let expected =
        [("attribute 'rack' is 'z'", 1), ("attribute 'ssd' exists", 2), ("attribute 'rack' is 'y'", 2)];
    let expected = expected.map(|(condition, agents)| (condition.to_owned(), agents));
    assert_eq!(*detail(&why, Obstacle::Constrained), Detail::Conditions(expected.into()));
    assert_eq!(why.help.len(), 1);
    assert!(
        matches!(&why.help[0], Change::DropCondition { condition, .. } if condition.starts_with("attribute"))
    );
}

#[test]
fn of_capabilities() {
    let mut cluster = Cluster::new();
    let revocable = Details { revocable: true, ..Details::default() };
    let total = [Resource::scalar("cpus", Scalar::whole(2)).with_details(revocable)].into_iter().collect();
    cluster.allocator.add_agent(&ag("S"), AgentSpec { total, ..AgentSpec::default() }, &[]);
    cluster.framework("A", &["*"]);
    let why = why(&cluster, "A");
    assert_eq!(found(&why), [(Obstacle::NotUnderstood, 1)]);
    assert_eq!(why.help, [Change::AddCapability("REVOCABLE_RESOURCES")]);
}

#[test]
fn of_the_least_that_is_offered() {
    let mut cluster = Cluster::new();
    let least = [(Role::from("*"), vec![quantities("cpus:4")])].into();
    let demanding = FrameworkSpec { min_allocatable: least, ..spec(&["*"]) };
    cluster.allocator.add_framework(&fw("A"), demanding, true);
    cluster.agent("S", "cpus:1;mem:100");
    cluster.agent("T", "cpus:3;mem:100");
    let demanding = why(&cluster, "A");
    assert_eq!(found(&demanding), [(Obstacle::TooLittle, 2)]);
    let (least, most_free) = (vec![quantities("cpus:4")], quantities("cpus:3;mem:100"));
    assert_eq!(*detail(&demanding, Obstacle::TooLittle), Detail::Minimum { least, most_free });
    assert!(matches!(demanding.help[..], [Change::LowerMinimum { own: true, .. }]));
}

/// Where the change of one agent is not enough and another one needs only half as much, the other one is named.
#[test]
fn the_smallest_change_is_at_one_agent_and_all_of_it() {
    let mut cluster = Cluster::new();
    cluster.framework("A", &["a"]);
    let far = AgentSpec { total: res("cpus:1;gpus:1"), remote: true, ..AgentSpec::default() };
    cluster.allocator.add_agent(&ag("far"), far, &[]);
    let both = [Change::AddCapability("GPU_RESOURCES"), Change::AddCapability("REGION_AWARE")];
    assert_eq!(why(&cluster, "A").help, both);
    cluster.agent("near", "cpus:1;gpus:1");
    assert_eq!(why(&cluster, "A").help, both[..1]);
}

#[test]
fn those_before_in_the_order_are_named() {
    let mut cluster = Cluster::new();
    for (id, role) in [("A", "a"), ("B", "a"), ("C", "b"), ("D", "b/x")] {
        cluster.framework(id, &[role]);
    }
    cluster.agent("S", "cpus:10;mem:1000");
    let offer = cluster.offer();
    let why = why(&cluster, offer.framework.as_str());
    let who: Vec<_> = why.order.iter().map(|level| (level.who.name.clone(), level.behind)).collect();
    assert_eq!(who, [(Who::Role(Role::from("a")), 1), (Who::Framework(fw("A")), 1)]);
    let ahead = &why.order[0].ahead[0];
    assert_eq!((&ahead.name, ahead.share), (&Who::Role(Role::from("b")), 0.0));
    assert!((why.order[0].who.share - 1.0).abs() < 1e-9);
    let below = &self::why(&cluster, "D").order;
    let who: Vec<_> = below.iter().map(|level| level.who.name.clone()).collect();
    assert_eq!(who, [Who::Role(Role::from("b")), Who::Role(Role::from("b/x")), Who::Framework(fw("D"))]);
    // What is right in a role stands beside the roles below it.
    assert_eq!(self::why(&cluster, "C").order[1].who.name, Who::Own(Role::from("b")));
}

#[test]
fn of_many_roles_those_are_told_in_which_something_is_wanted() {
    let mut cluster = Cluster::new();
    let names: Vec<_> = (10..35).map(|number| format!("r{number}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    cluster.framework("A", &names);
    let suppressed: Vec<_> = names[..5].iter().map(|name| Role::from(*name)).collect();
    cluster.allocator.suppress(&fw("A"), &suppressed);
    let told = cluster.allocator.why(&fw("A"), cluster.now).unwrap();
    let roles: Vec<_> = told.roles.iter().map(|why| why.role.as_str()).collect();
    assert_eq!((roles, told.more), (names[5..].to_vec(), 5));
    assert!(told.to_string().ends_with("\n\nIt has 5 roles more."), "{told}");
}

#[test]
fn of_a_role_as_a_whole() {
    let mut cluster = Cluster::new();
    assert_eq!(cluster.allocator.why_role(&Role::from("a"), cluster.now), None);
    limits(&mut cluster, "a", "cpus:1;mem:100");
    cluster.framework("A", &["a"]);
    cluster.framework("B", &["a"]);
    cluster.framework("C", &["a/x"]);
    cluster.allocator.suppress(&fw("A"), []);
    cluster.agent("S", "cpus:2;mem:200");
    let first = cluster.allocator.why_role(&Role::from("a"), cluster.now).unwrap();
    assert_eq!((first.frameworks.len(), first.more, &first.help[..]), (2, 0, &[Change::Wait][..]));
    assert_eq!(first.below, [Role::from("a/x")]);
    cluster.offer();
    let full = cluster.allocator.why_role(&Role::from("a"), cluster.now).unwrap();
    assert_eq!(full.consumed, quantities("cpus:1;mem:100"));
    assert!((full.share - 0.5).abs() < 1e-9);
    assert!(matches!(full.help[..], [Change::RaiseLimit { .. }]), "{:?}", full.help);
}

#[test]
fn roles_are_counted_without_looking_at_agents() {
    let mut cluster = Cluster::new();
    cluster.allocator.add_framework(&fw("A"), with_constraints(vec![vec![rack("x")]]), true);
    cluster.framework("B", &["a"]);
    cluster.framework("C", &["a"]);
    cluster.agent("S", "cpus:2;mem:200");
    let offer = cluster.offer();
    cluster.decline(&offer, 60);
    cluster.allocator.suppress(&fw("C"), []);
    cluster.allocator.deactivate_framework(&fw("A"));
    let guarantees = [(Name::Cpus, Scalar::whole(1))].into();
    let limits = [(Name::Mem, Scalar::ZERO)].into();
    cluster.allocator.set_quota(&Role::from("a"), Quota { guarantees, limits });
    let counts = cluster.allocator.role_counts()[&Role::from("a")];
    assert_eq!((counts.frameworks, counts.inactive, counts.suppressed, counts.constrained), (3, 1, 1, 1));
    assert_eq!((counts.refusing, counts.refusals), (1, 1));
    assert_eq!((counts.limits_reached, counts.guarantees_open), (1, 1));
}

#[test]
fn the_text_says_it_all() {
    let mut cluster = Cluster::new();
    limits(&mut cluster, "a", "cpus:1;mem:100");
    cluster.framework("A", &["a"]);
    cluster.framework("B", &["b"]);
    cluster.agent("S", "cpus:2;mem:200");
    cluster.agent("G", "cpus:2;mem:200;gpus:1");
    for offer in cluster.offers() {
        if offer.framework == fw("B") {
            cluster.decline(&offer, 60);
        }
    }
    let text = cluster.allocator.why(&fw("A"), cluster.now).unwrap().to_string();
    assert_eq!(
        text,
        "Framework A in role a wants offers and gets none.
  It holds cpus:1; mem:100, of which cpus:1; mem:100 are offers that it has not answered.
  Of 2 agents, it can be offered 0.
  - 2 agents would exceed a limit
      role a may have cpus:1 and has 1
      role a may have mem:100 and has 100
  - 1 agent has GPUs, which the framework does not say it can use: GPU_RESOURCES
  - role a (25.0 %) comes after role b (0.0 %)
  The smallest change that would help:
    Raise the limit of role a for cpus by 0.01 to 1.01."
    );
    let text = cluster.allocator.why_role(&Role::from("b"), cluster.now).unwrap().to_string();
    assert_eq!(
        text,
        "Role b has 0.0 % of the cluster, with a weight of 1.

Framework B in role b wants offers and gets none.
  It holds nothing.
  Of 2 agents, it can be offered 0.
  - 1 agent has GPUs, which the framework does not say it can use: GPU_RESOURCES
  - 1 agent was declined: the first refusal, of cpus:1; mem:100 of agent S, ends in 1mins
  The smallest change that would help:
    Have the scheduler revive role b, or wait 1mins; and have it decline with a smaller refuse_seconds."
    );
}
