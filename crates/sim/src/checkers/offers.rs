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

#[cfg(test)]
mod tests {
    use super::super::scene::{finds, framework, offer, tell};
    use super::*;

    fn offered(id: &str, wanted: bool) -> Happening {
        Happening::Offered { framework_id: framework(), offer_id: offer(id), wanted }
    }

    #[test]
    fn an_offer_is_made_once_and_to_who_wants_it() {
        let mut offers = Offers::default();
        assert_eq!(tell(&mut offers, &[offered("O1", true), offered("O2", true)]), Ok(()));
        finds(tell(&mut offers, &[offered("O1", true)]), "O1 was made a second time, to F");
        finds(tell(&mut offers, &[offered("O3", false)]), "F does not want offers of the agent of O3");
    }
}
