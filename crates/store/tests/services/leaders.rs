//! What candidates and leaders live through when connections fail, whatever the service.

use std::sync::Arc;
use std::time::Duration;

use store::kv::{Candidacy, Expect, Fence, KeyValue, KvError, Observed, Observer};

use crate::services::proxy::Proxy;
use crate::suite::soon;

const ELECTION: &str = "json.info";

pub(crate) async fn elected(candidacy: &mut Candidacy) -> Fence {
    soon("an election", candidacy.elected()).await.expect("elected")
}

pub(crate) async fn sees(observer: &mut Observer, leader: &str) {
    let wanted = |seen: &Observed| seen.leader().is_some_and(|found| found.value == leader.as_bytes());
    soon(leader, observer.when(wanted)).await;
}

pub(crate) async fn sees_nothing(observer: &mut Observer) {
    soon("no contact", observer.when(|seen| matches!(seen, Observed::Unavailable { .. }))).await;
}

pub(crate) async fn write(store: &dyn KeyValue, value: &str, fence: Option<&Fence>) -> Result<(), KvError> {
    store.put("t/a", value, Expect::Anything, fence).await.map(drop)
}

/// A leader that is cut off is deposed, knows it by itself, and what it still writes is fenced. `far` reaches its store
/// through `proxy`, `near` does not.
pub(crate) async fn a_leader_is_cut_off(far: Arc<dyn KeyValue>, near: Arc<dyn KeyValue>, proxy: Proxy) {
    let mut first = far.campaign(ELECTION, b"far".to_vec());
    let old = elected(&mut first).await;
    write(&*far, "far", Some(&old)).await.expect("a leader's write");
    let mut second = near.campaign(ELECTION, b"near".to_vec());
    let (mut seen_far, mut seen_near) = (far.observe(ELECTION), near.observe(ELECTION));
    sees(&mut seen_far, "far").await;
    sees(&mut seen_near, "far").await;

    proxy.cut();
    let reason = soon("the leader knows by itself", first.lost()).await;
    assert_eq!(reason, "the session is over");
    sees_nothing(&mut seen_far).await;
    let new = elected(&mut second).await;
    assert!(new.epoch() > old.epoch());
    sees(&mut seen_near, "near").await;
    write(&*near, "near", Some(&new)).await.expect("the new leader's write");

    proxy.mend();
    sees(&mut seen_far, "near").await;
    let late = write(&*far, "late", Some(&old)).await;
    assert_eq!(late, Err(KvError::Fenced { election: ELECTION.to_owned(), epoch: old.epoch() }));
    // It stands again, behind the one that leads now.
    let mut again = far.campaign(ELECTION, b"again".to_vec());
    drop(second);
    elected(&mut again).await;
}

/// A process that stood still for longer than its session lasts leads nothing any more, whatever it sees first when it goes
/// on: the end of the session, or that a question is refused. Many elections, as chance decides which. The test's runtime
/// must have one thread.
pub(crate) async fn a_leader_stands_still(store: Arc<dyn KeyValue>, longer: Duration) {
    let mut candidacies: Vec<Candidacy> =
        (0..16).map(|number| store.campaign(&format!("e{number}"), b"it".to_vec())).collect();
    for candidacy in &mut candidacies {
        elected(candidacy).await;
    }
    std::thread::sleep(longer);
    for candidacy in &mut candidacies {
        assert_eq!(soon("the leader knows", candidacy.lost()).await, "the session is over");
    }
}
