//! No offer is made twice, and none of an agent of which a framework wants none.

use std::collections::BTreeSet;

use base::OfferId;

use super::Checker;
use crate::happening::Happening;

/// See above.
#[derive(Debug, Default)]
pub(super) struct Offers {
    made: BTreeSet<OfferId>,
}

impl Checker for Offers {
    fn promise(&self) -> &'static str {
        "no offer is made twice, or unwanted"
    }

    fn notice(&mut self, happening: &Happening) -> Result<(), String> {
        let Happening::Offered { framework_id, offer_id, wanted } = happening else { return Ok(()) };
        if !self.made.insert(offer_id.clone()) {
            return Err(format!("the offer {offer_id} was made a second time, to {framework_id}"));
        }
        if !wanted {
            return Err(format!("{framework_id} does not want offers of the agent of {offer_id}"));
        }
        Ok(())
    }
}
