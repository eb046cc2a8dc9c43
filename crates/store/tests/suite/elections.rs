//! Elections: one leads, the others wait, and who was deposed writes nothing.

use store::kv::{Candidacy, Expect, Fence, KvError, Observed, Observer, Standing, Transaction};

use super::Stage;

const ELECTION: &str = "master";

async fn sees(observer: &mut Observer, value: &str) {
    observer.when(|seen| seen.leader().is_some_and(|leader| leader.value == value.as_bytes())).await;
}

async fn elected(candidacy: &mut Candidacy) -> Fence {
    candidacy.elected().await.expect("elected")
}

pub(super) async fn the_first_candidate_leads_and_the_next_follows(stage: Stage) {
    let (one, other, third) = (stage.client(), stage.client(), stage.client());
    let mut observer = third.observe(ELECTION);
    let mut first = one.campaign(ELECTION, b"one".to_vec());
    let fence = elected(&mut first).await;
    sees(&mut observer, "one").await;
    let mut second = other.campaign(ELECTION, b"other".to_vec());
    sees(&mut other.observe(ELECTION), "one").await;
    one.put("t/a", "1", Expect::Anything, Some(&fence)).await.expect("a leader's write");
    assert_eq!(second.standing(), Standing::Waiting);
    first.resign().await;
    let next = elected(&mut second).await;
    assert!(next.epoch() > fence.epoch());
    sees(&mut observer, "other").await;
}

pub(super) async fn a_deposed_leader_writes_nothing(stage: Stage) {
    let (one, other) = (stage.client(), stage.client());
    let mut first = one.campaign(ELECTION, b"one".to_vec());
    let old = elected(&mut first).await;
    let mut second = other.campaign(ELECTION, b"other".to_vec());
    one.put("t/a", "old", Expect::Anything, Some(&old)).await.expect("written");
    first.resign().await;
    let new = elected(&mut second).await;
    let fenced = || KvError::Fenced { election: ELECTION.to_owned(), epoch: old.epoch() };
    assert_eq!(one.put("t/a", "late", Expect::Anything, Some(&old)).await, Err(fenced()));
    assert_eq!(one.put("t/new", "late", Expect::Absent, Some(&old)).await, Err(fenced()));
    assert_eq!(one.commit(&Transaction::new(), Some(&old)).await, Err(fenced()), "also if it writes nothing");
    let many = [Transaction::new().put("t/b", "", Expect::Anything)];
    let refused = one.commit_all(&many, Some(&old)).await.expect_err("refused");
    assert_eq!((refused.done, refused.error), (0, fenced()));
    assert_eq!(other.list("t/").await.expect("a list").len(), 1);
    other.put("t/a", "new", Expect::Anything, Some(&new)).await.expect("the new leader's write");
}

pub(super) async fn a_candidacy_that_is_dropped_is_withdrawn(stage: Stage) {
    let (one, other) = (stage.client(), stage.client());
    let mut first = one.campaign(ELECTION, b"one".to_vec());
    elected(&mut first).await;
    let waiting = other.campaign(ELECTION, b"gives up".to_vec());
    let mut third = other.campaign(ELECTION, b"third".to_vec());
    drop(waiting);
    drop(first);
    elected(&mut third).await;
    sees(&mut one.observe(ELECTION), "third").await;
}

pub(super) async fn candidates_lead_in_turn(stage: Stage) {
    let mut candidates = tokio::task::JoinSet::new();
    for number in 0..4 {
        let store = stage.client();
        candidates.spawn(async move {
            let mut candidacy = store.campaign(ELECTION, vec![number]);
            let fence = elected(&mut candidacy).await;
            // One at a time: whoever finds a leader's mark has company.
            store.put("t/leading", vec![number], Expect::Absent, Some(&fence)).await.expect("alone");
            store.remove("t/leading", Expect::Anything, Some(&fence)).await.expect("removed");
            candidacy.resign().await;
            fence.epoch()
        });
    }
    let mut epochs = candidates.join_all().await;
    epochs.sort_unstable();
    epochs.dedup();
    assert_eq!(epochs.len(), 4, "each led for an epoch of its own");
}

pub(super) async fn an_election_of_nobody_is_told(stage: Stage) {
    let store = stage.client();
    let mut observer = store.observe(ELECTION);
    assert_eq!(observer.next().await, Observed::Nobody);
    let mut candidacy = stage.client().campaign(ELECTION, b"one".to_vec());
    elected(&mut candidacy).await;
    sees(&mut observer, "one").await;
    candidacy.resign().await;
    observer.when(|seen| *seen == Observed::Nobody).await;
}

pub(super) async fn elections_do_not_disturb_each_other(stage: Stage) {
    let store = stage.client();
    let mut one = store.campaign("one", b"1".to_vec());
    let mut other = store.campaign("other", b"2".to_vec());
    elected(&mut one).await;
    elected(&mut other).await;
    sees(&mut store.observe("one"), "1").await;
    sees(&mut store.observe("other"), "2").await;
    let mut refused = store.campaign("no word/", Vec::new());
    assert!(refused.elected().await.is_err());
}
