//! What candidates and leaders live through when connections fail, whatever the service.

use std::sync::Arc;
use std::time::Duration;

use store::kv::{Candidacy, Expect, Fence, KeyValue, KvError, Observed, Observer, Standing, Transaction};

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

/// A service that does not answer keeps nobody waiting, and when it does again all goes on. `pause` has it stand still until
/// `go_on`.
pub(crate) async fn a_server_stands_still(
    store: Arc<dyn KeyValue>,
    pause: impl FnOnce(),
    go_on: impl FnOnce(),
) {
    let mut first = store.campaign(ELECTION, b"first".to_vec());
    let fence = elected(&mut first).await;
    let mut observer = store.observe(ELECTION);
    sees(&mut observer, "first").await;
    pause();
    let refused = soon("an answer", write(&*store, "1", Some(&fence))).await.expect_err("nobody answers");
    assert!(refused.is_transient(), "{refused}");
    soon("the leader gives up by itself", first.lost()).await;
    sees_nothing(&mut observer).await;
    sees_nothing(&mut store.observe(ELECTION)).await;
    go_on();
    let mut second = store.campaign(ELECTION, b"second".to_vec());
    let fence = elected(&mut second).await;
    sees(&mut observer, "second").await;
    soon("a write", async { while write(&*store, "2", Some(&fence)).await.is_err() {} }).await;
}

/// Many keys, together almost as large as a write may be.
fn large(expect: Expect) -> Transaction {
    let puts = (0..100).map(|number| format!("t/large-{number:03}"));
    puts.fold(Transaction::new(), |all, key| all.put(key, vec![7; 3_000], expect))
}

async fn keys(store: &dyn KeyValue) -> Vec<String> {
    store.list("t/").await.expect("a list").into_iter().map(|entry| entry.key).collect()
}

/// A leader loses its session while a half of its write is with the service. The next leader finds nothing of it, and what
/// arrives of it later, or is tried again, does nothing.
pub(crate) async fn a_leader_is_lost_in_the_middle_of_a_write(
    far: Arc<dyn KeyValue>,
    near: Arc<dyn KeyValue>,
    proxy: Proxy,
) {
    let mut first = far.campaign(ELECTION, b"far".to_vec());
    let old = elected(&mut first).await;
    let mut second = near.campaign(ELECTION, b"near".to_vec());
    write(&*far, "far", Some(&old)).await.expect("a leader's write");
    proxy.cut_after(100_000);
    let (writer, fence) = (Arc::clone(&far), old.clone());
    let writing = tokio::spawn(async move { writer.commit(&large(Expect::Anything), Some(&fence)).await });
    soon("the leader knows by itself", first.lost()).await;
    assert!(proxy.is_cut(), "the write was larger than what was let through");
    let new = elected(&mut second).await;
    assert_eq!(keys(&*near).await, ["t/a"], "nothing of it is there");
    write(&*near, "near", Some(&new)).await.expect("the new leader's write");

    proxy.mend();
    soon("an end of the write", writing).await.expect("no panic").expect_err("it leads no more");
    let fenced = KvError::Fenced { election: ELECTION.to_owned(), epoch: old.epoch() };
    let again = soon("an answer", async {
        loop {
            match far.commit(&large(Expect::Anything), Some(&old)).await {
                Err(error) if error.is_transient() => {}
                answer => return answer,
            }
        }
    });
    assert_eq!(again.await, Err(fenced));
    let left = near.list("t/").await.expect("a list");
    assert_eq!(left.len(), 1, "still nothing");
    assert_eq!(left[0].value, b"near");
}

/// A leader that does not hear what became of its write cannot know. The next one finds all of it.
pub(crate) async fn an_answer_to_a_write_is_lost(
    far: Arc<dyn KeyValue>,
    near: Arc<dyn KeyValue>,
    proxy: Proxy,
) {
    let mut first = far.campaign(ELECTION, b"far".to_vec());
    let old = elected(&mut first).await;
    let mut second = near.campaign(ELECTION, b"near".to_vec());
    write(&*far, "far", Some(&old)).await.expect("a leader's write");
    proxy.cut_answers();
    // What demands nothing of a key is two steps for some services, and the second would not be made.
    let writes = large(Expect::Absent);
    let unknown = soon("an end", far.commit(&writes, Some(&old))).await.expect_err("nobody answers");
    assert!(unknown.is_transient(), "{unknown}");
    soon("the leader knows by itself", first.lost()).await;
    proxy.cut();
    let new = elected(&mut second).await;
    assert_eq!(keys(&*near).await.len(), 101, "all of it is there");
    // Whoever says the same again changes nothing.
    near.commit(&large(Expect::Anything), Some(&new)).await.expect("the new leader's write");
    assert_eq!(keys(&*near).await.len(), 101);
}

/// A leader gives up a write that is still on its way, makes another one, and leads on. What arrives late does nothing.
pub(crate) async fn a_write_that_was_given_up_arrives_late(
    far: Arc<dyn KeyValue>,
    near: Arc<dyn KeyValue>,
    proxy: Proxy,
) {
    let mut leader = far.campaign(ELECTION, b"far".to_vec());
    let fence = elected(&mut leader).await;
    write(&*far, "1", Some(&fence)).await.expect("a leader's write");
    let mut attempts = 0;
    let given_up = loop {
        proxy.hold();
        match soon("an end", far.put("t/late", "", Expect::Absent, Some(&fence))).await {
            Err(error) => break error,
            Ok(_) => attempts += 1,
        }
        // The last answer had just come, its connection was not free yet, and another one was made: nobody holds that back.
        assert!(attempts < 20, "every call has a connection of its own");
        proxy.release().await;
        far.remove("t/late", Expect::Anything, Some(&fence)).await.expect("removed");
    };
    assert!(given_up.is_transient(), "{given_up}");
    soon("a newer write", async {
        while let Err(error) = write(&*far, "2", Some(&fence)).await {
            assert!(error.is_transient(), "{error}");
        }
    })
    .await;
    assert_eq!(keys(&*near).await, ["t/a"]);
    proxy.release().await;
    assert_eq!(keys(&*near).await, ["t/a"], "what was given up came after what is newer");
    write(&*far, "3", Some(&fence)).await.expect("it leads on");
    assert_eq!(near.get("t/a").await.expect("an answer").expect("an entry").value, b"3");
    assert_eq!(leader.standing(), Standing::Leading(fence), "all the time");
}

/// Without a majority of its members a service takes no writes, and says so in good time; its leader gives up by itself. With
/// a majority all is as it was. `fail` ends most members, `heal` brings one of them back.
pub(crate) async fn a_majority_is_lost(store: Arc<dyn KeyValue>, fail: impl FnOnce(), heal: impl FnOnce()) {
    let mut first = store.campaign(ELECTION, b"first".to_vec());
    let old = elected(&mut first).await;
    write(&*store, "1", Some(&old)).await.expect("written");
    let mut observer = store.observe(ELECTION);
    sees(&mut observer, "first").await;
    fail();
    let refused = soon("an answer", write(&*store, "2", Some(&old))).await.expect_err("no majority");
    assert!(refused.is_transient(), "{refused}");
    soon("the leader gives up by itself", first.lost()).await;
    sees_nothing(&mut observer).await;
    heal();
    let mut second = store.campaign(ELECTION, b"second".to_vec());
    let new = elected(&mut second).await;
    sees(&mut observer, "second").await;
    // What was refused may have been kept by a member that was alone with it, but nothing else.
    let kept = soon("an entry", async {
        loop {
            if let Ok(entry) = store.get("t/a").await {
                return entry.expect("an entry").value;
            }
        }
    });
    assert!([b"1".to_vec(), b"2".to_vec()].contains(&kept.await));
    soon("a write", async { while write(&*store, "3", Some(&new)).await.is_err() {} }).await;
    assert_eq!(store.get("t/a").await.expect("an answer").expect("an entry").value, b"3");
}
