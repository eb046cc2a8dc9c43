//! All frameworks.

use axum::response::Response;
use maud::html;

use crate::format::{ago, amount, count, encode, name};
use crate::model::{Frameworks, scalar};
use crate::parts::layout::{Section, empty, head};
use crate::parts::list::{Column, column, cut, filtered, filters, pager, table};
use crate::parts::state;
use crate::reply::{Drawn, page};
use crate::request::Ask;
use crate::source::{Listed, Trouble};

const COLUMNS: [Column; 9] = [
    column("Name", "name", ""),
    column("State", "state", ""),
    column("Roles", "", "wide"),
    column("User", "user", "wide"),
    column("Tasks", "tasks", "num"),
    column("CPUs", "cpus", "num"),
    column("Memory", "mem", "num"),
    column("Offers", "offers", "num wide"),
    column("Registered", "registered", "wide"),
];

/// What can be asked for.
const STATES: [(&str, &str); 5] = [
    ("active", "active"),
    ("inactive", "inactive"),
    ("disconnected", "disconnected"),
    ("recovered", "recovered"),
    ("completed", "completed"),
];

pub(crate) async fn show(ask: Ask) -> Response {
    page(&ask, Section::Frameworks, draw(&ask).await)
}

async fn draw(ask: &Ask) -> Result<Drawn, Trouble> {
    let path = ask.list("/state-summary/frameworks", &["search", "state", "role"], "registered", "des");
    let Listed { value, total } = ask.source.list::<Frameworks>(&path).await?;
    let (frameworks, total) = cut(ask, value.frameworks, total);
    let rows = html! {
        @for each in &frameworks {
            tr {
                th scope="row" {
                    a href=(format!("/ui/frameworks/{}", encode(&each.id))) title=(each.id) { (name(if each.name.is_empty() { &each.id } else { &each.name })) }
                }
                td { (state::framework(&each.state)) }
                td.wide { (each.roles.join(", ")) }
                td.wide { (each.user) }
                td.num { (count(each.tasks)) }
                td.num { (amount("cpus", scalar(&each.used, "cpus"))) }
                td.num { (amount("mem", scalar(&each.used, "mem"))) }
                td.num.wide { (count(each.offers)) }
                td.wide { (ago(each.registered_time)) }
            }
        }
    };
    let content = html! {
        (head(&[], &html! { "Frameworks" }, &html! {}))
        (filters(ask, "part of a name, an id or a user", &[("state", "State", &STATES)], &["role"]))
        @if total == 0 && !filtered(ask, &["search", "state", "role"]) {
            (empty("No framework has subscribed", &html! { "Frameworks subscribe at this master's " code { "/api/v1/scheduler" } ". To run something at once: " code { "meseta run 'echo hello'" } }))
        } @else {
            (table(ask, "Frameworks", &COLUMNS, ("registered", "des"), &rows))
            (pager(ask, frameworks.len(), total))
        }
    };
    Ok(Drawn::live("Frameworks", content))
}
