//! Watching keys.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;
use tracing::warn;
use zookeeper_client::{AddWatchMode, Client, CreateMode, Error, EventType, SessionState};

use super::{ZooKeeperStore, nodes};
use crate::kv::{Change, KvError, entry};

/// Pause after something failed.
const PAUSE: Duration = Duration::from_millis(500);

/// Tells of changes for as long as somebody listens.
pub(super) async fn watch(store: ZooKeeperStore, prefix: String, sender: mpsc::Sender<Change>) {
    let Ok((table, _)) = entry::split_prefix(&prefix) else {
        // There are no such keys, and so no changes.
        return;
    };
    while !sender.is_closed() {
        let client = store.shared.session.client().await;
        if let Err(error) = serve(&store, &client, table, &prefix, &sender).await {
            warn!("watching '{prefix}': {error}");
            sleep(PAUSE).await;
        }
    }
}

/// Tells of changes until the session ends or the connection was lost: what happens meanwhile is not told by ZooKeeper.
async fn serve(
    store: &ZooKeeperStore,
    client: &Client,
    table: &str,
    prefix: &str,
    sender: &mpsc::Sender<Change>,
) -> Result<(), KvError> {
    let failed = |error: Error| store.shared.session.error(&error);
    let node = store.shared.nodes.of_table(table);
    client.mkdir(&node, &store.shared.nodes.create(CreateMode::Persistent)).await.map_err(failed)?;
    let mut watcher = client.watch(&node, AddWatchMode::PersistentRecursive).await.map_err(failed)?;
    if sender.send(Change::Resync).await.is_err() {
        return Ok(());
    }
    loop {
        let event = watcher.changed().await;
        let gone = match event.event_type {
            EventType::Session if event.session_state == SessionState::SyncConnected => return Ok(()),
            EventType::Session if event.session_state == SessionState::Disconnected => continue,
            EventType::Session => return Err(failed(Error::SessionExpired)),
            EventType::NodeDeleted => true,
            _ => false,
        };
        let Some(name) = event.path.strip_prefix(&node).and_then(|rest| nodes::name(rest.strip_prefix('/')?))
        else {
            continue;
        };
        let key = format!("{table}/{name}");
        if !key.starts_with(prefix) {
            continue;
        }
        let change = if gone {
            Some(Change::Removed(key))
        } else {
            // Removed meanwhile: the event of that follows.
            store.read(client, &key).await?.map(Change::Put)
        };
        if let Some(change) = change
            && sender.send(change).await.is_err()
        {
            return Ok(());
        }
    }
}
