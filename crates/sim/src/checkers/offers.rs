//! No offer is made twice.

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
        "no offer is made twice"
    }

    fn notice(&mut self, happening: &Happening) -> Result<(), String> {
        if let Happening::Offered(framework_id, id) = happening
            && !self.made.insert(id.clone())
        {
            return Err(format!("the offer {id} was made a second time, to {framework_id}"));
        }
        Ok(())
    }
}
