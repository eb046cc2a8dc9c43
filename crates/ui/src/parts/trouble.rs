//! Pages that say why there is nothing to show, and what to do about it.

use maud::html;

use super::layout::head;
use crate::reply::Drawn;
use crate::source::Trouble;

/// The page for a trouble. It keeps asking, so that it shows what it should as soon as that is there.
pub(crate) fn page(trouble: &Trouble) -> Drawn {
    let (title, what, help) = match trouble {
        Trouble::NoLeader(_) | Trouble::Elsewhere(_) => (
            "No leading master",
            "This master does not lead, and knows no master that does.",
            "An election takes some seconds. If this lasts, see whether ZooKeeper or etcd can be reached from the masters, and whether more than half of its servers are up. This page tries again by itself.",
        ),
        Trouble::NotFound(_) => (
            "Not here",
            "The master knows of nothing with this name.",
            "It may have ended so long ago that it is forgotten, or its id may be mistyped. The lists show what there is now.",
        ),
        Trouble::Refused { .. } => (
            "Refused",
            "The master did not answer this.",
            "What it says is below. Correct what it names, or go back to the list.",
        ),
        Trouble::Unreadable { .. } => (
            "Not readable",
            "The master's answer could not be read.",
            "This should not happen. The line below belongs into a report of it.",
        ),
    };
    let content = html! {
        (head(&[], &html! { (title) }, &html! {}))
        section.panel.trouble aria-label="What happened" {
            p { strong { (what) } }
            @let message = trouble.to_string();
            @if !message.is_empty() { p { code { (message) } } }
            p { (help) }
            p { a href="/" { "To the overview" } }
        }
    };
    Drawn::live(title, content)
}
