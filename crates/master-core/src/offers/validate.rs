//! Whether offers can be accepted together.

use std::collections::BTreeSet;
use std::sync::Arc;

use base::OfferId;

use crate::types::{Framework, Offer};

/// The offers, if they are the framework's, of one agent and for one role.
///
/// # Errors
/// What is wrong with them, in Mesos' words.
pub(super) fn acceptable(framework: &Framework, offer_ids: &[OfferId]) -> Result<Vec<Arc<Offer>>, String> {
    let mut offers: Vec<Arc<Offer>> = Vec::with_capacity(offer_ids.len());
    let mut seen = BTreeSet::new();
    for id in offer_ids {
        if !seen.insert(id) {
            return Err(format!("Duplicate offer {id} in offer list"));
        }
        // An offer of another framework is as unknown as one that is gone: what others hold is not told.
        let Some(offer) = framework.offers.get(id) else {
            return Err(format!("Offer {id} is no longer valid"));
        };
        offers.push(Arc::clone(offer));
    }
    let Some(first) = offers.first() else {
        return Err("No offers specified".to_owned());
    };
    for offer in &offers[1..] {
        if offer.role != first.role {
            return Err(format!(
                "Aggregated offers must be allocated to the same role. Offer {} uses role '{}' but another is using \
                 role '{}'",
                offer.id, offer.role, first.role
            ));
        }
        if offer.agent_id != first.agent_id {
            return Err(format!(
                "Aggregated offers must belong to one single agent. Offer {} uses agent {} and agent {}",
                offer.id, offer.agent_id, first.agent_id
            ));
        }
    }
    Ok(offers)
}
