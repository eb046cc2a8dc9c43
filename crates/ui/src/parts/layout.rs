//! What is around the content of each page.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::assets;
use crate::reply::Drawn;

/// The parts of the site, as its navigation has them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    Overview,
    Agents,
    Frameworks,
    Roles,
    Tasks,
    Offers,
    Maintenance,
    /// None of them.
    Other,
}

/// Section, path, name, and the strokes of its icon.
const SECTIONS: [(Section, &str, &str, &str); 7] = [
    (Section::Overview, "/", "Overview", "M2.5 9.5v4h3v-4zM6.5 5.5v8h3v-8zM10.5 2.5v11h3v-11z"),
    (Section::Agents, "/ui/agents", "Agents", "M2.5 3h11v4h-11zM2.5 9h11v4h-11zM5 5h.01M5 11h.01"),
    (
        Section::Frameworks,
        "/ui/frameworks",
        "Frameworks",
        "M8 2l5.5 3v6L8 14l-5.5-3V5zM2.5 5L8 8l5.5-3M8 8v6",
    ),
    (Section::Roles, "/ui/roles", "Roles & quotas", "M8 2.5v11M3 5h10M3 5l-1.5 4h3zM13 5l-1.5 4h3zM5 13.5h6"),
    (
        Section::Tasks,
        "/ui/tasks",
        "Tasks",
        "M2.5 4l1 1 2-2M2.5 8.5l1 1 2-2M2.5 13l1 1 2-2M8 4h5.5M8 8.5h5.5M8 13h5.5",
    ),
    (
        Section::Offers,
        "/ui/offers",
        "Offers",
        "M2.5 6.5h11v7h-11zM1.5 4h13v2.5h-13zM8 4v9.5M8 4C6 4 4.5 3 5.5 2S8 2.500 8 4c0-1.500 1.500-3 2.500-2S10 4 8 4",
    ),
    (
        Section::Maintenance,
        "/ui/maintenance",
        "Maintenance",
        "M10 2.500a3.500 3.500 0 0 0-3.300 4.700L2.500 11.400v2.100h2.100l4.200-4.200A3.500 3.500 0 0 0 13.500 6L11.500 7 9 5z",
    ),
];

/// A whole page.
pub(crate) fn page(section: Section, drawn: &Drawn) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (drawn.title) " · Meseta" }
                link rel="icon" type="image/svg+xml" href=(assets::path("icon.svg"));
                link rel="stylesheet" href=(assets::path("style.css"));
                script src=(assets::path("theme.js")) {}
                script src=(assets::path("live.js")) defer {}
                script src=(assets::path("tail.js")) defer {}
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header.side {
                    a.brand href="/" {
                        (logo())
                        span { "Meseta" }
                    }
                    nav aria-label="Main" {
                        ul {
                            @for (each, path, name, strokes) in SECTIONS {
                                li {
                                    a href=(path) aria-current=[(each == section).then_some("page")] {
                                        (icon(strokes))
                                        span { (name) }
                                    }
                                }
                            }
                        }
                    }
                    div.side-end {
                        p #live-state .live-state role="status" {}
                        button #theme .theme type="button" hidden { "Theme: automatic" }
                    }
                }
                main #main tabindex="-1" data-live=[drawn.live.then_some("3")] { (drawn.content) }
            }
        }
    }
}

fn icon(strokes: &str) -> Markup {
    html! {
        svg.icon viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false" {
            path d=(strokes) {}
        }
    }
}

/// A table mountain in three layers.
fn logo() -> Markup {
    PreEscaped(
        r#"<svg class="logo" viewBox="0 0 32 24" width="32" height="24" aria-hidden="true" focusable="false"><path class="l1" d="M9 2h14l2.200 6H6.800z"/><path class="l2" d="M6.300 9.500h19.400l2 5.500H4.300z"/><path class="l3" d="M3.800 16.500h24.400L31 24H1z"/></svg>"#
            .to_owned(),
    )
}

/// The head of a page's content: where it is, its name, what it is in short, and what belongs beside that.
pub(crate) fn head(above: &[(&str, &str)], name: &Markup, beside: &Markup) -> Markup {
    html! {
        div.head {
            @if !above.is_empty() {
                nav.crumbs aria-label="Breadcrumb" {
                    ol {
                        @for (path, name) in above {
                            li { a href=(path) { (name) } }
                        }
                    }
                }
            }
            div.head-line {
                h1 { (name) }
                div.head-beside { (beside) }
            }
        }
    }
}

/// A list of facts.
pub(crate) fn facts(facts: &[(&str, Markup)]) -> Markup {
    html! {
        dl.facts {
            @for (name, value) in facts {
                div {
                    dt { (name) }
                    dd { (value) }
                }
            }
        }
    }
}

/// What is said where there is nothing to show, and what to do.
pub(crate) fn empty(what: &str, help: &Markup) -> Markup {
    html! {
        div.empty {
            p.empty-what { (what) }
            p { (help) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_escaped_and_the_section_is_marked() {
        let drawn = Drawn::live("<script>", html! { h1 { "x" } });
        let page = page(Section::Agents, &drawn).into_string();
        assert!(page.contains("<title>&lt;script&gt; · Meseta</title>"), "{page}");
        assert_eq!(page.matches("aria-current=\"page\"").count(), 1);
        assert!(page.contains("href=\"/ui/agents\" aria-current=\"page\""));
        // A strict policy lets no inline script or style through.
        assert!(!page.contains("style=\"") && !page.contains("<script>") && !page.contains("onclick"));
    }
}
