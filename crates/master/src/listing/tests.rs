//! What queries find in a small cluster.

use std::sync::Arc;
use std::time::Duration;

use master_core::{FromAgent, OperatorCall, Snapshot, TaskState};
use resources::Role;
use testkit::master::{self, Master, Scheduler};

use super::*;

/// Two frameworks and three agents; `web` runs `web-0` to `web-2`, one on each agent and larger from one to the next,
/// `Batch` has had one that failed, on the first.
fn cluster() -> (Master, [Scheduler; 2]) {
    let mut cluster = Master::default();
    for host in ["alpha.example", "beta.example", "GAMMA.example"] {
        cluster.agent(host, "cpus:8;mem:1000");
    }
    let mut info = master::framework_info("Batch");
    info.roles = [Role::from("jobs")].into();
    let batch = cluster.subscribe(info);
    cluster.settle();
    let offers = held(&cluster, &batch);
    let task = master::task("job", &offers[0].1, "cpus:1;mem:10");
    cluster.accept(&batch, &offers[0].0, [master::launch([task])]);
    tell(&mut cluster, &batch, &offers[0].1, "job", TaskState::Failed, 1);
    while let Some((offer, _)) = held(&cluster, &batch).first() {
        cluster.accept(&batch, offer, []);
        cluster.settle();
    }
    let web = cluster.framework("web");
    for number in 0..3_u8 {
        cluster.settle();
        let (offer, agent) = held(&cluster, &web)[0].clone();
        let id = format!("web-{number}");
        let task = master::task(&id, &agent, &format!("cpus:{};mem:10", number + 1));
        cluster.accept(&web, &offer, [master::launch([task])]);
        cluster.advance(Duration::from_secs(1));
        tell(&mut cluster, &web, &agent, &id, TaskState::Running, number + 2);
    }
    (cluster, [batch, web])
}

/// The offers of a framework, by agent.
fn held(cluster: &Master, scheduler: &Scheduler) -> Vec<(base::OfferId, base::AgentId)> {
    let frameworks = cluster.core.snapshot(cluster.now).frameworks;
    let framework = frameworks.into_iter().find(|framework| framework.id == scheduler.id).unwrap();
    let mut offers: Vec<_> =
        framework.offers.values().map(|offer| (offer.id.clone(), offer.agent_id.clone())).collect();
    offers.sort_by(|a, b| a.1.cmp(&b.1));
    offers
}

fn tell(cluster: &mut Master, of: &Scheduler, agent: &base::AgentId, task: &str, state: TaskState, mark: u8) {
    let agents = cluster.core.snapshot(cluster.now).agents;
    let pid = agents.iter().find(|each| each.id == *agent).unwrap().pid.clone();
    let mut update = master::status(&of.id, agent, &task.into(), state, mark);
    Arc::make_mut(&mut update.status).timestamp = cluster.now;
    cluster.from_agent(&pid, FromAgent::StatusUpdate(update));
}

fn snapshot(cluster: &Master) -> Snapshot {
    cluster.core.snapshot(cluster.now)
}

/// The ids that a query for tasks finds, and how many there are in all.
fn task_ids(snapshot: &Snapshot, query: &str) -> (Vec<String>, usize) {
    let part = tasks(snapshot, &Query::new(Some(query))).unwrap();
    (part.entries.iter().map(|task| task.task_id.to_string()).collect(), part.total)
}

fn hosts(snapshot: &Snapshot, query: &str) -> (Vec<String>, usize) {
    shown_hosts(agents(snapshot, &Query::new(Some(query))).unwrap())
}

/// Those that have not come back in parentheses, lost ones in brackets.
fn shown_hosts(part: Part<ListedAgent<'_>>) -> (Vec<String>, usize) {
    let host = |agent: &ListedAgent<'_>| match agent {
        ListedAgent::Present(agent) => agent.info.hostname.clone(),
        ListedAgent::Recovered((_, info)) => format!("({})", info.hostname),
        ListedAgent::Lost(agent) => format!("[{}]", agent.hostname),
    };
    (part.entries.iter().map(host).collect(), part.total)
}

fn names(snapshot: &Snapshot, query: &str) -> (Vec<String>, usize) {
    let part = frameworks(snapshot, &Query::new(Some(query))).unwrap();
    let name = |framework: &ListedFramework<'_>| match framework {
        ListedFramework::Present(framework) => framework.info.name.clone(),
        ListedFramework::Completed(framework) => format!("({})", framework.info.name),
    };
    (part.entries.iter().map(name).collect(), part.total)
}

fn check(found: (Vec<String>, usize), expected: &[&str], total: usize, query: &str) {
    assert_eq!(
        (found.0.iter().map(String::as_str).collect::<Vec<_>>(), found.1),
        (expected.to_vec(), total),
        "{query}"
    );
}

#[test]
fn tasks_are_found_sorted_and_paged() {
    let (cluster, [batch, web]) = cluster();
    let state = snapshot(&cluster);
    let agent = &state.agents[1].id;
    let cases: [(String, &[&str], usize); 18] = [
        (String::new(), &["web-2", "web-1", "web-0", "job"], 4),
        ("order=asc".into(), &["job", "web-0", "web-1", "web-2"], 4),
        ("limit=2".into(), &["web-2", "web-1"], 4),
        ("limit=2&offset=3".into(), &["job"], 4),
        ("offset=4".into(), &[], 4),
        ("limit=0".into(), &[], 4),
        ("order=asc&limit=-1&offset=1".into(), &["web-0", "web-1", "web-2"], 4),
        ("sort=cpus&order=des&limit=2".into(), &["web-2", "web-1"], 4),
        ("sort=hostname&search=web".into(), &["web-2", "web-0", "web-1"], 3),
        ("sort=state&limit=1".into(), &["job"], 4),
        ("state=task_running,TASK_LOST&sort=id".into(), &["web-0", "web-1", "web-2"], 3),
        ("role=jobs".into(), &["job"], 1),
        (format!("framework_id={}", batch.id), &["job"], 1),
        (format!("framework_id={}&task_id=web-1", web.id), &["web-1"], 1),
        (format!("slave_id={agent}"), &["web-1"], 1),
        ("search=WEB-1".into(), &["web-1"], 1),
        ("search=gamma".into(), &["web-2"], 1),
        ("search=nothing".into(), &[], 0),
    ];
    for (query, expected, total) in cases {
        check(task_ids(&state, &query), expected, total, &query);
    }
}

#[test]
fn agents_are_found_sorted_and_paged() {
    let (mut cluster, [batch, web]) = cluster();
    let id = snapshot(&cluster).agents[2].id.clone();
    cluster.operator(OperatorCall::DeactivateAgent(id.clone())).unwrap();
    let state = snapshot(&cluster);
    let (alpha, beta, gamma) = ("alpha.example", "beta.example", "GAMMA.example");
    let cases: [(String, &[&str], usize); 12] = [
        (String::new(), &[alpha, beta, gamma], 3),
        ("order=des&limit=2".into(), &[gamma, beta], 3),
        ("limit=1&offset=1".into(), &[beta], 3),
        ("sort=used_cpus&order=des".into(), &[gamma, beta, alpha], 3),
        ("state=active&sort=registered".into(), &[alpha, beta], 2),
        ("state=Deactivated,draining".into(), &[gamma], 1),
        ("search=amma".into(), &[gamma], 1),
        ("role=*".into(), &[alpha, beta, gamma], 3),
        ("role=jobs".into(), &[], 0),
        (format!("framework_id={}", web.id), &[alpha, beta, gamma], 3),
        (format!("slave_id={id}"), &[gamma], 1),
        (format!("framework_id={}x", batch.id), &[], 0),
    ];
    for (query, expected, total) in cases {
        check(hosts(&state, &query), expected, total, &query);
    }
    // The next master knows them from the registry alone.
    let successor = cluster.successor("next");
    let state = snapshot(&successor);
    check(hosts(&state, "sort=hostname&limit=2"), &["(GAMMA.example)", "(alpha.example)"], 3, "recovered");
    check(hosts(&state, "state=active"), &[], 0, "recovered ones are not active");
    check(hosts(&state, "state=recovered&search=beta"), &["(beta.example)"], 1, "recovered");
}

#[test]
fn lost_agents_are_found_where_they_are_asked_for() {
    let (mut cluster, [_, web]) = cluster();
    let (alpha, beta, gamma) = ("[alpha.example]", "beta.example", "[GAMMA.example]");
    let state = snapshot(&cluster);
    let id = |place: usize| state.agents[place].id.clone();
    cluster.operator(OperatorCall::MarkAgentGone(id(2))).unwrap();
    for _ in 0..10 {
        cluster.advance(Duration::from_secs(15));
        cluster.from_agent(&state.agents[1].pid, FromAgent::Pong);
    }
    let (state, lost) = (snapshot(&cluster), cluster.core.lost_agents());
    let found = |query: &str| shown_hosts(every_agent(&state, &lost, &Query::new(Some(query))).unwrap());
    let cases: [(String, &[&str], usize); 10] = [
        ("sort=hostname".into(), &[alpha, beta], 2),
        ("sort=hostname&order=des&limit=1".into(), &[beta], 2),
        ("state=unreachable,gone&sort=hostname".into(), &[gamma, alpha], 2),
        ("state=gone".into(), &[gamma], 1),
        ("state=active".into(), &[beta], 1),
        ("search=ALPHA".into(), &[alpha], 1),
        ("search=gamma".into(), &[], 0),
        (format!("slave_id={}", id(2)), &[gamma], 1),
        (format!("framework_id={}", web.id), &[beta], 1),
        ("role=*".into(), &[beta], 1),
    ];
    for (query, expected, total) in cases {
        check(found(&query), expected, total, &query);
    }
    check(hosts(&state, ""), &[beta], 1, "elsewhere only those that are registered are listed");
    assert!(agents(&state, &Query::new(Some("state=gone"))).is_err());
}

#[test]
fn roles_are_found_sorted_and_paged() {
    let (cluster, [batch, web]) = cluster();
    let all = crate::view::roles::roles(&snapshot(&cluster), &["jobs/small".to_owned(), "jobs".to_owned()]);
    let found = |query: &str| {
        let part = roles(&all, &Query::new(Some(query))).unwrap();
        (part.entries.iter().map(|(name, _)| name.to_string()).collect(), part.total)
    };
    let cases: [(String, &[&str], usize); 8] = [
        (String::new(), &["*", "jobs", "jobs/small"], 3),
        ("limit=1&offset=1".into(), &["jobs"], 3),
        ("order=des&limit=1".into(), &["jobs/small"], 3),
        ("sort=cpus&order=des&limit=1".into(), &["*"], 3),
        ("search=SMALL".into(), &["jobs/small"], 1),
        ("role=jobs".into(), &["jobs"], 1),
        (format!("framework_id={}", batch.id), &["jobs"], 1),
        (format!("framework_id={}", web.id), &["*"], 1),
    ];
    for (query, expected, total) in cases {
        check(found(&query), expected, total, &query);
    }
}

#[test]
fn frameworks_are_found_sorted_and_paged() {
    let (mut cluster, [batch, web]) = cluster();
    let agent = snapshot(&cluster).agents[0].id.clone();
    let gone = cluster.framework("gone");
    cluster.operator(OperatorCall::Teardown(gone.id)).unwrap();
    let state = snapshot(&cluster);
    let cases: [(String, &[&str], usize); 11] = [
        (String::new(), &["Batch", "web", "(gone)"], 3),
        ("offset=1&limit=1".into(), &["web"], 3),
        ("sort=tasks&order=des&limit=1".into(), &["web"], 3),
        ("sort=mem&state=active".into(), &["Batch", "web"], 2),
        ("state=completed".into(), &["(gone)"], 1),
        ("state=inactive,disconnected,recovered".into(), &[], 0),
        ("search=BATCH".into(), &["Batch"], 1),
        ("role=jobs".into(), &["Batch"], 1),
        (format!("framework_id={}", batch.id), &["Batch"], 1),
        (format!("slave_id={agent}&search=web"), &["web"], 1),
        ("slave_id=other".into(), &[], 0),
    ];
    for (query, expected, total) in cases {
        check(names(&state, &query), expected, total, &query);
    }
    assert_eq!(names(&state, &format!("framework_id={}", web.id)).1, 1);
}

#[test]
fn what_is_not_there_to_be_asked_for_is_refused_in_one_line() {
    let state = snapshot(&Master::default());
    let error = |query: &str| {
        let query = Query::new(Some(query));
        let error = agents(&state, &query).unwrap_err();
        assert_eq!(error.status, 400);
        assert_eq!(tasks(&state, &query).unwrap_err().status, 400);
        assert_eq!(frameworks(&state, &query).unwrap_err().status, 400);
        error.message
    };
    assert_eq!(
        error("order=up"),
        "Failed to parse query parameter 'order': expecting one of asc, des, not 'up'"
    );
    assert_eq!(error("limit=x"), "Failed to parse query parameter 'limit': expecting a number, not 'x'");
    assert!(error("sort=size").contains("expecting one of id, hostname, state, version,"));
    assert!(error("state=active,mad").ends_with(
        "'state': expecting one of active, deactivated, disconnected, drained, draining, recovered, not 'mad'"
    ));
    assert!(error("offset=99999999999999999999").contains("'offset'"));
}
