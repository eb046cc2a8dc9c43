//! What a leader shows with each write.

/// Shows that its holder was elected; a write with it is refused once the holder does not lead any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fence {
    pub(crate) election: String,
    pub(crate) epoch: u64,
    /// Where the store keeps the candidacy; empty where the epoch says it all.
    pub(crate) place: String,
}

impl Fence {
    /// Grows from leader to leader of one election.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }
}
