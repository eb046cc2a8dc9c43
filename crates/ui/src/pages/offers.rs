//! Offers: who holds what, and for how long.

use axum::response::Response;
use maud::html;

use crate::format::{duration, encode, id, name};
use crate::model::Offers;
use crate::parts::bars;
use crate::parts::layout::{Section, empty, head};
use crate::parts::list::{Column, column, cut, filtered, filters, pager, table};
use crate::reply::{Drawn, page};
use crate::request::Ask;
use crate::source::{Listed, Trouble};

const COLUMNS: [Column; 6] = [
    column("Held for", "age", ""),
    column("Framework", "framework", ""),
    column("Role", "role", "wide"),
    column("Agent", "agent", "wide"),
    column("Resources", "cpus", ""),
    column("ID", "id", "wide"),
];

const FILTERS: [&str; 4] = ["search", "framework_id", "slave_id", "role"];

pub(crate) async fn show(ask: Ask) -> Response {
    page(&ask, Section::Offers, draw(&ask).await)
}

async fn draw(ask: &Ask) -> Result<Drawn, Trouble> {
    let path = ask.list("/offers", &FILTERS, "age", "des");
    let Listed { value, total } = ask.source.list::<Offers>(&path).await?;
    let timeout = value.offer_timeout_secs;
    let (offers, total) = cut(ask, value.offers, total);
    let rows = html! {
        @for offer in &offers {
            tr {
                th scope="row" { (duration(offer.held_secs)) }
                td {
                    a href=(format!("/ui/frameworks/{}", encode(&offer.framework_id))) { (if offer.framework_name.is_empty() { &offer.framework_id } else { &offer.framework_name }) }
                    // Where there is no room for the agents' own column.
                    span.below.narrow { (name(&offer.hostname)) }
                }
                td.wide { (offer.role) }
                td.wide { a href=(format!("/ui/agents/{}", encode(&offer.slave_id))) { (name(&offer.hostname)) } }
                td { (bars::lines(&offer.resources)) }
                td.wide { (id(&offer.id)) }
            }
        }
    };
    let content = html! {
        (head(&[], &html! { "Offers" }, &html! { @match timeout {
            Some(timeout) => p.muted { "Taken back after " (duration(timeout)) },
            None => p.muted { "Never taken back by themselves" },
        } }))
        (filters(ask, "part of a framework's name, a host or an id", &[], &["framework_id", "slave_id", "role"]))
        @if total == 0 && !filtered(ask, &FILTERS) {
            (empty("No offer is open", &html! { "Free resources are offered as soon as a framework wants them. If one waits in vain, its page explains why." }))
        } @else {
            (table(ask, "Offers", &COLUMNS, ("age", "des"), &rows))
            (pager(ask, offers.len(), total))
        }
    };
    Ok(Drawn::live("Offers", content))
}
