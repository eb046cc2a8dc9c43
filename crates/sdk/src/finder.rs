//! Which master to speak to next.

use std::time::Duration;

use store::kv::{KvError, Options};
use store::masters::{self, Detected, Detector};

use crate::address::{Address, DEFAULT_MASTER_PORT, Masters};

/// How long a service may take to name a leader before that is trouble; elections are over sooner.
const PATIENCE: Duration = Duration::from_secs(15);

/// The masters that stand for election at the service that knows them, the leading one first; `None` where they are named one
/// by one. Of one that says nonsense of itself, why it is none. To be called in a runtime.
///
/// # Errors
/// When the service cannot be asked.
pub async fn candidates(of: &Masters) -> Result<Option<Vec<Result<Address, String>>>, KvError> {
    let Some(store) = of.service().and_then(|url| masters::open(url, Options::default())) else {
        return Ok(None);
    };
    let listed = masters::candidates(&*store).await?;
    let address = |info: Result<_, String>| {
        let text = masters::address(&info?);
        Address::parse(&text, DEFAULT_MASTER_PORT).map_err(|error| error.to_string())
    };
    Ok(Some(listed.into_iter().map(address).collect()))
}

/// Finds masters: in the order of a list, or where a service says that the leading one is.
#[derive(Debug)]
pub(crate) enum Finder {
    /// One after the other; they know who leads.
    Listed(Vec<Address>),
    /// The one that leads.
    Service {
        /// Follows the elections.
        detector: Detector,
        /// Which leader was named last.
        epoch: Option<u64>,
    },
}

impl Finder {
    /// Begins to look; to be called in a runtime.
    pub(crate) fn new(masters: &Masters) -> Self {
        let service = masters.service().and_then(|url| masters::open(url, Options::default()));
        match service {
            Some(store) => Self::Service { detector: Detector::new(store), epoch: None },
            None => Self::Listed(masters.addresses().to_vec()),
        }
    }

    /// The master to ask as the `attempt`th. The error is why none is known.
    pub(crate) async fn master(&mut self, attempt: usize) -> Result<Address, String> {
        match self {
            Self::Listed(addresses) => {
                let listed = addresses.get(attempt % addresses.len().max(1));
                listed.cloned().ok_or_else(|| "no master is named".to_owned())
            }
            Self::Service { detector, epoch } => {
                match tokio::time::timeout(PATIENCE, detector.leader()).await {
                    Ok((found, info)) => {
                        *epoch = Some(found);
                        Address::parse(&masters::address(&info), DEFAULT_MASTER_PORT)
                            .map_err(|error| error.to_string())
                    }
                    Err(_) => Err(match detector.now() {
                        Detected::Unknown { reason } => reason,
                        Detected::Leader { .. } | Detected::Nobody => "no master leads".to_owned(),
                    }),
                }
            }
        }
    }

    /// Whether a master that stands by knows better who leads. Not where a service says it: such a master may learn later
    /// than we that its leader is gone, and would send us to one that never answers.
    pub(crate) fn takes_hints(&self) -> bool {
        matches!(self, Self::Listed(_))
    }

    /// Waits until another one leads than the one named last. That none is known is no reason to leave one that answers.
    pub(crate) async fn moved(&mut self) {
        let Self::Service { detector, epoch } = self else { return std::future::pending().await };
        loop {
            if let Detected::Leader { epoch: found, .. } = detector.now()
                && *epoch != Some(found)
            {
                return;
            }
            detector.next().await;
        }
    }
}
