//! Why a framework or a role gets no offers now.

use axum::extract::Path;
use axum::response::Response;
use maud::html;

use crate::format::encode;
use crate::model::Explanation;
use crate::parts::layout::{Section, head};
use crate::reply::{Drawn, page};
use crate::request::Ask;
use crate::source::Trouble;

pub(crate) async fn framework(Path(id): Path<String>, ask: Ask) -> Response {
    let above = format!("/ui/frameworks/{}", encode(&id));
    let path = format!("/explain/framework?id={}", encode(&id));
    let drawn = draw(&ask, &path, &[("/ui/frameworks", "Frameworks"), (&above, "Framework")]).await;
    page(&ask, Section::Frameworks, drawn)
}

pub(crate) async fn role(ask: Ask) -> Response {
    let path = format!("/explain/role?name={}", encode(ask.get("name").unwrap_or_default()));
    let drawn = draw(&ask, &path, &[("/ui/roles", "Roles & quotas")]).await;
    page(&ask, Section::Roles, drawn)
}

/// It looks at all agents, so that it is asked for by a person and not again by itself.
async fn draw(ask: &Ask, path: &str, above: &[(&str, &str)]) -> Result<Drawn, Trouble> {
    let explanation: Explanation = ask.source.get(path).await?;
    let content = html! {
        (head(above, &html! { "Why no offers?" }, &html! { a.button href=(ask.path_and_query()) { "Ask again" } }))
        section.panel aria-label="The explanation" {
            pre.explanation tabindex="0" { (explanation.text) }
        }
    };
    Ok(Drawn::still("Why no offers?", content))
}
