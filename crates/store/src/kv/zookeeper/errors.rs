//! What ZooKeeper's errors mean to a caller.

use zookeeper_client::Error;

use crate::kv::KvError;

/// An error of a store of this name.
pub(super) fn meaning(store: &str, error: &Error) -> KvError {
    let store = store.to_owned();
    match error {
        Error::NoAuth => KvError::Denied { store, reason: "not authorized".to_owned() },
        Error::AuthFailed | Error::InvalidAcl | Error::Unimplemented | Error::QuotaExceeded => {
            KvError::Denied { store, reason: error.to_string() }
        }
        _ => KvError::Unavailable { store, reason: error.to_string() },
    }
}
