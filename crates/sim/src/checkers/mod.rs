//! What must hold at every moment: one file for each promise. They are asked after every step, beside the cores' own checks.

mod books;
mod gone;
mod kept;
mod known;
mod leaders;
mod offers;
mod once;
mod order;
mod orders;
#[cfg(test)]
mod scene;

use std::fmt;

use crate::cluster::Cluster;
use crate::happening::Happening;
use crate::node::Node;

/// Watches over one promise.
pub(crate) trait Checker: fmt::Debug {
    /// What it watches over, in a few words.
    fn promise(&self) -> &'static str;

    /// Something happened.
    ///
    /// # Errors
    /// How the promise was broken by that.
    fn notice(&mut self, _: &Happening) -> Result<(), String> {
        Ok(())
    }

    /// A step that concerned a process is over.
    ///
    /// # Errors
    /// How the promise is broken.
    fn look(&mut self, _: &Cluster, _: Node) -> Result<(), String> {
        Ok(())
    }
}

/// All of them.
pub(crate) fn all() -> Vec<Box<dyn Checker>> {
    vec![
        Box::new(order::Order::default()),
        Box::new(once::Once::default()),
        Box::new(gone::Gone::default()),
        Box::new(kept::Kept::default()),
        Box::new(leaders::Leaders),
        Box::new(offers::Offers::default()),
        Box::new(known::AlwaysKnown::default()),
        Box::new(books::Books::default()),
    ]
}
