//! One framework.

use axum::extract::Path;
use axum::response::Response;
use maud::{Markup, html};

use crate::format::{ago, count, duration, encode};
use crate::model::{Events, Framework, Frameworks, Tasks};
use crate::parts::layout::{Section, empty, facts, head};
use crate::parts::list::{cut, pager};
use crate::parts::tasks::{Common, Names, rows};
use crate::parts::{bars, state};
use crate::reply::{Drawn, page};
use crate::request::Ask;
use crate::source::Trouble;

pub(crate) async fn show(Path(id): Path<String>, ask: Ask) -> Response {
    page(&ask, Section::Frameworks, draw(&ask, &id).await)
}

async fn draw(ask: &Ask, framework_id: &str) -> Result<Drawn, Trouble> {
    let key = encode(framework_id);
    let found: Frameworks = ask.source.get(&format!("/state-summary/frameworks?framework_id={key}")).await?;
    let Some(framework) = found.frameworks.into_iter().next() else {
        return Err(Trouble::NotFound(format!("No framework is known with ID {framework_id}")));
    };
    let path = ask.list("/tasks", &["state"], "started", "des");
    let listed = ask.source.list::<Tasks>(&format!("{path}&framework_id={key}")).await?;
    let (tasks, total) = cut(ask, listed.value.tasks, listed.total);
    let names = Names::of(&ask.source, &tasks).await?;
    let events: Events = ask.source.get(&format!("/events?limit=5&framework_id={key}")).await?;
    let content = html! {
        (head(&[("/ui/frameworks", "Frameworks")], &html! { (framework.name) }, &state::framework(&framework.state)))
        (about(&framework))
        section.panel aria-labelledby="tasks" {
            div.panel-head {
                h2 #tasks { "Tasks" }
                a href=(format!("/ui/tasks?framework_id={key}")) { "Search and filter" }
            }
            @if tasks.is_empty() {
                (empty("It has no task", &html! {
                    "It launches tasks on the offers that it gets. "
                    a href=(format!("/ui/frameworks/{key}/explain")) { "Why it gets none, if it gets none" }
                }))
            } @else {
                (rows(ask, "Tasks of this framework", &tasks, &names, Common::Framework))
                (pager(ask, tasks.len(), total))
            }
        }
        @if !events.events.is_empty() {
            section.panel aria-labelledby="recent" {
                div.panel-head { h2 #recent { "Recent events" } }
                ol.events { @for event in &events.events { (super::overview::event(event)) } }
            }
        }
    };
    Ok(Drawn::live(framework.name, content))
}

fn about(framework: &Framework) -> Markup {
    let key = encode(&framework.id);
    let mut shown = vec![
        ("ID", html! { span.id { (framework.id) } }),
        ("Roles", html! { (framework.roles.join(", ")) }),
        ("User", html! { (framework.user) }),
        ("Registered", ago(framework.registered_time)),
    ];
    let mut more = |name, value: Option<Markup>| shown.extend(value.map(|value| (name, value)));
    more("Reregistered", framework.reregistered_time.map(ago));
    more("Left", framework.unregistered_time.filter(|_| framework.state != "active").map(ago));
    let text = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    more("Principal", text(&framework.principal).map(|name| html! { (name) }));
    more("Host", text(&framework.hostname).map(|host| html! { (host) }));
    // A framework says where its own pages are. Only such addresses become links.
    let web = |url: &String| url.starts_with("http://") || url.starts_with("https://");
    let link = text(&framework.webui_url).filter(web);
    more("Its own pages", link.map(|url| html! { a href=(url) rel="noreferrer noopener" { (url) } }));
    more("Uses", Some(html! { (bars::words(&framework.used)) }));
    more(
        "Is offered",
        Some(html! {
            a href=(format!("/ui/offers?framework_id={key}")) { (count(framework.offers)) " offers" } ": " (bars::words(&framework.offered))
        }),
    );
    more(
        "Tasks",
        Some(html! {
            (count(framework.tasks)) " now, " (count(framework.unreachable_tasks)) " unreachable, " (count(framework.completed_tasks)) " completed"
        }),
    );
    more(
        "Failover timeout",
        Some(html! {
            @if framework.failover_timeout > 0.0 { (duration(framework.failover_timeout)) }
            @else { "none: its tasks end when it disconnects" }
        }),
    );
    more(
        "Checkpoint",
        Some(
            html! { @if framework.checkpoint { "yes" } @else { "no: its tasks end when their agent restarts" } },
        ),
    );
    let suppressed = !framework.suppressed_roles.is_empty();
    more("Wants no offers for", suppressed.then(|| html! { (framework.suppressed_roles.join(", ")) }));
    let capable = !framework.capabilities.is_empty();
    more(
        "Capabilities",
        capable.then(|| {
            html! {
                span.small { (framework.capabilities.join(", ").to_lowercase().replace('_', " ")) }
            }
        }),
    );
    if framework.state != "completed" {
        shown.push((
            "Offers",
            html! { a href=(format!("/ui/frameworks/{key}/explain")) { "Why does it get none?" } },
        ));
    }
    facts(&shown)
}
