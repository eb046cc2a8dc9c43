//! What every backend must do, as scenes that know no backend.

mod elections;
mod keys;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use store::kv::KeyValue;

/// Something with stores in it. Each call gives another client of the same store.
pub(crate) trait Service: Send + Sync + 'static {
    /// A client of the store that belongs to a scene.
    fn client(&self, scene: &str) -> Arc<dyn KeyValue>;
}

/// The stores of one scene.
#[derive(Clone)]
pub(crate) struct Stage {
    service: Arc<dyn Service>,
    scene: &'static str,
}

impl Stage {
    /// Another client.
    pub(crate) fn client(&self) -> Arc<dyn KeyValue> {
        self.service.client(self.scene)
    }
}

type Play = fn(Stage) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// A scene's name is its function's.
macro_rules! scenes {
    ($($module:ident::$scene:ident),* $(,)?) => {
        const SCENES: &[(&str, Play)] = &[$((stringify!($scene), |stage| Box::pin($module::$scene(stage)))),*];
    };
}

scenes! {
    keys::what_was_written_is_read,
    keys::names_are_any_text,
    keys::a_list_is_sorted_and_of_its_prefix,
    keys::a_write_happens_only_if_the_key_is_as_expected,
    keys::counting_together_loses_nothing,
    keys::a_transaction_is_done_whole_or_not_at_all,
    keys::what_no_store_takes_is_refused,
    keys::thousands_of_transactions_are_done_in_order,
    keys::changes_are_told,
    elections::the_first_candidate_leads_and_the_next_follows,
    elections::a_deposed_leader_writes_nothing,
    elections::a_candidacy_that_is_dropped_is_withdrawn,
    elections::candidates_lead_in_turn,
    elections::an_election_of_nobody_is_told,
    elections::elections_do_not_disturb_each_other,
}

/// Plays all scenes at once, each on a store of its own, and fails with the names of those that failed.
pub(crate) async fn play(service: impl Service) {
    let service: Arc<dyn Service> = Arc::new(service);
    let mut playing = Vec::new();
    for (scene, play) in SCENES {
        let stage = Stage { service: Arc::clone(&service), scene };
        playing.push((scene, tokio::spawn(soon(scene, play(stage)))));
    }
    let mut failed = Vec::new();
    for (scene, playing) in playing {
        if playing.await.is_err() {
            failed.push(*scene);
        }
    }
    assert!(failed.is_empty(), "scenes that failed: {failed:?}");
}

/// What must come, and within a time in which it comes on a slow machine too.
pub(crate) async fn soon<T>(what: &str, coming: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(60), coming).await {
        Ok(came) => came,
        Err(_) => panic!("{what}: did not come"),
    }
}
