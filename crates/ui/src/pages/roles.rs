//! Roles and their quotas.

use axum::response::Response;
use maud::{Markup, html};

use crate::format::{amount, count, encode, name, number};
use crate::model::{Amounts, Role, Roles, scalar};
use crate::parts::bars;
use crate::parts::layout::{Section, empty, head};
use crate::parts::list::{Column, column, cut, filtered, filters, pager, table};
use crate::reply::{Drawn, page};
use crate::request::Ask;
use crate::source::Trouble;

const COLUMNS: [Column; 8] = [
    column("Role", "name", ""),
    column("Share", "share", ""),
    column("Weight", "weight", "num wide"),
    column("Frameworks", "frameworks", "num wide"),
    column("Allocated", "cpus", "wide"),
    column("Offered", "", "wide"),
    column("Reserved", "", "wide"),
    column("Quota", "", ""),
];

pub(crate) async fn show(ask: Ask) -> Response {
    page(&ask, Section::Roles, draw(&ask).await)
}

async fn draw(ask: &Ask) -> Result<Drawn, Trouble> {
    let path = ask.list("/state-summary/roles", &["search"], "name", "asc");
    let listed = ask.source.list::<Roles>(&path).await?;
    let (roles, total) = cut(ask, listed.value.roles, listed.total);
    let content = html! {
        (head(&[], &html! { "Roles and quotas" }, &html! {}))
        (filters(ask, "part of a name", &[], &[]))
        @if total == 0 && !filtered(ask, &["search"]) {
            (empty("There is no role", &html! { "A role is there when a framework subscribes to it, or a weight, a quota or a reservation is made for it." }))
        } @else {
            (table(ask, "Roles", &COLUMNS, ("name", "asc"), &rows(&roles)))
            (pager(ask, roles.len(), total))
        }
    };
    Ok(Drawn::live("Roles and quotas", content))
}

fn rows(roles: &[Role]) -> Markup {
    html! {
        @for role in roles {
            tr {
                th scope="row" {
                    (name(&role.name))
                    span.below { a href=(format!("/ui/roles/explain?name={}", encode(&role.name))) { "Why no offers?" } }
                }
                td { (bars::share(role.share)) }
                td.num.wide { (number(role.weight)) }
                td.num.wide { a href=(format!("/ui/frameworks?role={}", encode(&role.name))) { (count(role.frameworks.len())) } }
                td.wide { (bars::lines(&role.allocated)) }
                td.wide { (bars::lines(&role.offered)) }
                td.wide { (bars::lines(&role.reserved)) }
                td { (quota(role)) }
            }
        }
    }
}

/// Consumed of what is guaranteed and what is the limit, a line for each resource.
fn quota(role: &Role) -> Markup {
    let quota = &role.quota;
    let names: std::collections::BTreeSet<&String> =
        quota.guarantee.keys().chain(quota.limit.keys()).collect();
    let shown = |amounts: &Amounts, name: &str| {
        amounts.get(name).and_then(serde_json::Value::as_f64).map(|value| amount(name, value))
    };
    html! {
        @if names.is_empty() { span.muted { "none" } }
        @else {
            ul.quota {
                @for name in names {
                    li {
                        (amount(name, scalar(&quota.consumed, name)))
                        @if let Some(limit) = shown(&quota.limit, name) { " of " (limit) }
                        " " (name)
                        @if let Some(guarantee) = shown(&quota.guarantee, name) { span.muted { " (" (guarantee) " guaranteed)" } }
                        (bars::bar(crate::model::Use {
                            total: scalar(&quota.limit, name).max(scalar(&quota.guarantee, name)),
                            used: scalar(&quota.consumed, name),
                            offered: 0.0,
                        }))
                    }
                }
            }
        }
    }
}
