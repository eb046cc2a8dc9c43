//! The masters, each asked by itself: whether it is there, which version it has, whether its clock is right, and whom it
//! takes for the leader.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sdk::{Address, Masters, operator};

use super::clock::{Clock, skew};
use super::finding::{Finding, Severity};

/// How long one has to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What one master says of itself.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) address: Address,
    pub(super) state: Result<State, String>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) clock: Option<Clock>,
    pub(super) version: Option<String>,
    /// The status with which it refuses to be well.
    pub(super) unwell: Option<u16>,
    /// Whom it leads to; itself where it leads.
    pub(super) leader: Option<String>,
}

/// The masters to ask: those that are named, or those that stand for election; and what is wrong with the service that knows
/// the latter.
pub(super) async fn listed(masters: &Masters) -> (Vec<Address>, Vec<Finding>) {
    match sdk::candidates(masters).await {
        Ok(None) => (masters.addresses().to_vec(), Vec::new()),
        Ok(Some(candidates)) => of_candidates(candidates),
        Err(error) => {
            let what = format!("the masters that stand for election at {masters} cannot be listed");
            let found = Finding::new(Severity::Problem, "service", what)
                .about([format!("{:#}", anyhow::Error::from(error))])
                .advice("see whether the service runs and can be reached from here and from the masters");
            (Vec::new(), vec![found])
        }
    }
}

fn of_candidates(candidates: Vec<Result<Address, String>>) -> (Vec<Address>, Vec<Finding>) {
    let (good, bad): (Vec<_>, Vec<_>) = candidates.into_iter().partition(Result::is_ok);
    let bad: Vec<String> = bad.into_iter().filter_map(Result::err).collect();
    let found = (!bad.is_empty()).then(|| {
        let what = "who stands for election says of itself what is no master";
        let found = Finding::new(Severity::Problem, "candidate", what).about(bad);
        found.advice("see what else uses the same path of the service, and let it use another one")
    });
    (good.into_iter().flatten().collect(), found.into_iter().collect())
}

/// Asks one master.
pub(super) async fn ask(address: Address) -> Told {
    let state = state(&address).await;
    Told { address, state }
}

async fn state(address: &Address) -> Result<State, String> {
    let version = operator::probe(address, "/version", PATIENCE).await.map_err(chain)?;
    let redirect = operator::probe(address, "/redirect", PATIENCE).await.map_err(chain)?;
    let health = operator::probe(address, "/health", PATIENCE).await.map_err(chain)?;
    let told: Option<serde_json::Value> = version.json().ok();
    Ok(State {
        unwell: (!health.status.is_success()).then(|| health.status.as_u16()),
        clock: Clock::of(&version),
        version: told.and_then(|told| Some(told.get("version")?.as_str()?.to_owned())),
        leader: redirect
            .location
            .and_then(|location| Address::from_location(&location))
            .map(|a| a.to_string()),
    })
}

/// An error with its causes, in one line.
pub(super) fn chain(error: operator::OperatorError) -> String {
    format!("{:#}", anyhow::Error::from(error))
}

/// What is wrong with the masters.
pub(super) fn findings(masters: &[Told]) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut versions: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut leaders: BTreeSet<&str> = BTreeSet::new();
    let mut leaderless = Vec::new();
    for Told { address, state } in masters {
        let state = match state {
            Ok(state) => state,
            Err(error) => {
                found.push(
                    Finding::new(
                        Severity::Problem,
                        "master_unreachable",
                        format!("master {address} does not answer"),
                    )
                    .about([error.clone()])
                    .advice("see whether it runs and whether its port can be reached from here"),
                );
                continue;
            }
        };
        found.extend(state.clock.as_ref().and_then(|clock| skew(&format!("master {address}"), clock)));
        if let Some(status) = state.unwell {
            let what = format!("master {address} is not well: its /health answers {status}");
            found.push(Finding::new(Severity::Problem, "master_health", what).advice("look into its log"));
        }
        if let Some(version) = &state.version {
            versions.entry(version).or_default().push(address.to_string());
        }
        match &state.leader {
            Some(leader) => {
                leaders.insert(leader);
            }
            None => leaderless.push(address.to_string()),
        }
    }
    if versions.len() > 1 {
        let subjects = versions.iter().map(|(version, masters)| format!("{version}: {}", masters.join(", ")));
        found.push(
            Finding::new(Severity::Warning, "master_version", "masters have different versions")
                .about(subjects)
                .advice("bring all to one version, the leading one last"),
        );
    }
    if leaders.len() > 1 {
        found.push(
            Finding::new(Severity::Problem, "leaders", "masters do not agree on who leads")
                .about(leaders)
                .advice("see whether all have the same --zk, and whether each can reach that service"),
        );
    }
    if !leaderless.is_empty() {
        found.push(
            Finding::new(Severity::Problem, "no_leader", "masters know of no leader")
                .about(leaderless)
                .advice("see whether the service of --zk is there, and whether they reach it"),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_masters() {
        let told = |port: u16, version: &str, leader: Option<&str>| Told {
            address: Address { host: "a".into(), port },
            state: Ok(State {
                clock: Some(Clock { ahead: 0.3 }),
                unwell: None,
                version: Some(version.into()),
                leader: leader.map(ToOwned::to_owned),
            }),
        };
        let kinds = |masters: &[Told]| findings(masters).iter().map(|f| f.kind).collect::<Vec<_>>();
        let fine = || told(1, "1", Some("a:1"));
        assert_eq!(kinds(&[fine(), told(2, "1", Some("a:1"))]), [""; 0]);
        assert_eq!(kinds(&[fine(), told(2, "2", Some("a:2"))]), ["master_version", "leaders"]);
        let mut ill = fine();
        ill.state.as_mut().unwrap().unwell = Some(503);
        assert_eq!(kinds(&[ill]), ["master_health"]);
        let dead = Told { address: Address { host: "a".into(), port: 3 }, state: Err("refused".into()) };
        assert_eq!(kinds(&[dead, told(2, "1", None)]), ["master_unreachable", "no_leader"]);
        let address = Address { host: "a".into(), port: 1 };
        let (good, found) = of_candidates(vec![Ok(address.clone()), Err("no MasterInfo".into())]);
        assert_eq!((good, found.len(), found[0].kind), (vec![address], 1, "candidate"));
    }
}
