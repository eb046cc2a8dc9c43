//! Frameworks that do not want offers of every agent or every size: offer constraints, offer filters, regions.

use std::sync::Arc;
use std::time::Duration;

use master_core::{
    AgentInfo, AgentTraits, AttributeValue, Condition, Constraints, FrameworkInfo, FromAgent, Input,
    OfferConstraints, OperatorCall, OperatorError, Options, Predicate, SchedulerCall, SchedulerEvent,
    Selector,
};
use resources::{Quantities, Role};
use testkit::master::{Master, Scheduler, framework_info, register, resources};

/// Registers an agent with more to choose it by.
fn agent_with(master: &mut Master, hostname: &str, traits: AgentTraits) {
    let mut message = register(hostname, "cpus:4;mem:4096");
    message.info = Arc::new(AgentInfo { traits: Arc::new(traits), ..(*message.info).clone() });
    let pid = format!("slave(1)@{hostname}:5051").into();
    master.from_agent(&pid, FromAgent::Register(Box::new(message)));
}

fn agent_in_rack(master: &mut Master, hostname: &str, rack: &str) {
    let attributes = vec![("rack".to_owned(), AttributeValue::Text(rack.to_owned()))];
    agent_with(
        master,
        hostname,
        AgentTraits { hostname: hostname.to_owned(), attributes, ..AgentTraits::default() },
    );
}

fn only_rack(rack: &str) -> Arc<OfferConstraints> {
    let condition = Condition {
        selector: Selector::Attribute("rack".to_owned()),
        predicate: Predicate::TextEquals(rack.to_owned()),
    };
    let constraints = Arc::new(Constraints { any_of: vec![vec![condition]] });
    Arc::new(OfferConstraints { roles: [(Role::star(), constraints)].into(), body: "body".as_bytes().into() })
}

fn update(
    master: &mut Master,
    scheduler: &Scheduler,
    offer_constraints: Result<Arc<OfferConstraints>, String>,
) -> Result<(), OperatorError> {
    master.operator(OperatorCall::UpdateFramework {
        framework_id: scheduler.id.clone(),
        info: Box::new(framework_info("f")),
        suppressed_roles: Vec::new(),
        offer_constraints,
    })
}

/// Hosts that are offered now; the offers are declined for long.
fn hosts(master: &mut Master, scheduler: &Scheduler) -> Vec<String> {
    master.settle();
    let mut hosts = Vec::new();
    while let Some(event) = master.next_event(scheduler) {
        let SchedulerEvent::Offers(offers) = event else { panic!("{event:?}") };
        let offer_ids = offers.iter().map(|offer| offer.id.clone()).collect();
        hosts.extend(offers.iter().map(|offer| offer.agent.hostname.clone()));
        let refuse = Duration::from_secs(3600);
        master.call(scheduler, SchedulerCall::Decline { offer_ids, refuse });
    }
    hosts.sort();
    hosts
}

fn revive(master: &mut Master, scheduler: &Scheduler) {
    master.call(scheduler, SchedulerCall::Revive(Vec::new()));
}

#[test]
fn agents_that_do_not_fit_are_not_offered() {
    let mut master = Master::default();
    agent_in_rack(&mut master, "h1", "a");
    agent_in_rack(&mut master, "h2", "b");
    let scheduler = master.framework("f");
    assert_eq!(hosts(&mut master, &scheduler), ["h1", "h2"]);
    assert_eq!(update(&mut master, &scheduler, Ok(only_rack("b"))), Ok(()));
    revive(&mut master, &scheduler);
    assert_eq!(hosts(&mut master, &scheduler), ["h2"]);
    let snapshot = master.core.snapshot(master.now);
    assert_eq!(snapshot.frameworks[0].offer_constraints.body.as_bytes(), b"body");

    // A new agent is looked at, too.
    agent_in_rack(&mut master, "h3", "c");
    assert_eq!(hosts(&mut master, &scheduler), [""; 0]);
    update(&mut master, &scheduler, Ok(only_rack("c"))).unwrap();
    assert_eq!(hosts(&mut master, &scheduler), ["h3"]);

    // Whoever subscribes again without constraints has none.
    let again = master.subscribe_as(Some(&scheduler.id), framework_info("f"));
    assert!(matches!(master.next_event(&again), Some(SchedulerEvent::Subscribed(_))));
    revive(&mut master, &again);
    assert_eq!(hosts(&mut master, &again), ["h1", "h2", "h3"]);
}

#[test]
fn constraints_count_from_the_subscription_on() {
    let mut master = Master::default();
    agent_in_rack(&mut master, "h1", "a");
    let (connection, stream) = (master_core::ConnectionId(77), base::Uuid::from_bytes([7; 16]));
    let subscribe = |offer_constraints| Input::Subscribe {
        connection,
        stream,
        framework_id: None,
        info: Arc::new(framework_info("f")),
        suppressed_roles: Vec::new(),
        offer_constraints,
    };
    let scheduler = Scheduler { id: "".into(), connection, stream };
    master.input(subscribe(Err("Offer constraints are not valid: because".to_owned())));
    assert_eq!(master.expect_error(&scheduler), "Offer constraints are not valid: because");

    let connection = master_core::ConnectionId(78);
    master.input(Input::Subscribe {
        connection,
        stream,
        framework_id: None,
        info: Arc::new(framework_info("f")),
        suppressed_roles: Vec::new(),
        offer_constraints: Ok(only_rack("z")),
    });
    let scheduler = Scheduler { connection, ..scheduler };
    assert!(matches!(master.next_event(&scheduler), Some(SchedulerEvent::Subscribed(_))));
    assert_eq!(hosts(&mut master, &scheduler), [""; 0]);
}

#[test]
fn wrong_constraints_change_nothing() {
    let mut master = Master::default();
    let scheduler = master.framework("f");
    update(&mut master, &scheduler, Ok(only_rack("a"))).unwrap();
    let message = "'UpdateFramework' call is not valid: Offer constraints are not valid: because";
    let wrong = Err("Offer constraints are not valid: because".to_owned());
    let refused = Err(OperatorError::BadRequest(message.to_owned()));
    assert_eq!(update(&mut master, &scheduler, wrong), refused);
    assert_eq!(master.core.snapshot(master.now).frameworks[0].offer_constraints, only_rack("a"));
}

#[test]
fn offers_have_what_a_framework_needs_at_least() {
    let mut master = Master::default();
    master.agent("small", "cpus:4;mem:4096");
    master.agent("large", "cpus:16;mem:4096");
    let least: Vec<Quantities> = vec![resources("cpus:8").quantities()];
    let info = FrameworkInfo { min_allocatable: [(Role::star(), least)].into(), ..framework_info("f") };
    let scheduler = master.subscribe(info);
    assert_eq!(hosts(&mut master, &scheduler), ["large"]);
    // An empty list lets everything pass, the crumbs too that are offered to nobody else.
    master.agent("tiny", "mem:1");
    let info = FrameworkInfo { min_allocatable: [(Role::star(), vec![])].into(), ..framework_info("f") };
    master
        .operator(OperatorCall::UpdateFramework {
            framework_id: scheduler.id.clone(),
            info: Box::new(info),
            suppressed_roles: Vec::new(),
            offer_constraints: Ok(Arc::default()),
        })
        .unwrap();
    assert_eq!(hosts(&mut master, &scheduler), ["small", "tiny"]);
}

#[test]
fn agents_of_other_regions_are_for_those_who_know_regions() {
    let options = Options { region: Some("r1".to_owned()), ..Options::new("master".to_owned(), 1) };
    let mut master = Master::new(options);
    for (hostname, region) in [("near", Some("r1")), ("far", Some("r2")), ("nowhere", None)] {
        let region = region.map(str::to_owned);
        agent_with(&mut master, hostname, AgentTraits { region, ..AgentTraits::default() });
    }
    let scheduler = master.framework("f");
    assert_eq!(hosts(&mut master, &scheduler), ["near", "nowhere"]);
    let mut aware = framework_info("g");
    aware.capabilities.region_aware = true;
    let scheduler = master.subscribe(aware);
    assert_eq!(hosts(&mut master, &scheduler), ["far", "near", "nowhere"]);
}
