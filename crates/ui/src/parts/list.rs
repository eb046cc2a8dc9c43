//! Lists: headings that sort, a form that filters, and the way to the next page.

use maud::{Markup, html};

use crate::format::count;
use crate::request::{Ask, PAGE};

/// A column.
pub(crate) struct Column {
    /// Its heading.
    pub(crate) name: &'static str,
    /// What the master sorts by for it; empty if it does not.
    pub(crate) sort: &'static str,
    /// Further classes: `num` for numbers, `wide` for what small screens leave out.
    pub(crate) class: &'static str,
}

/// A column of this heading.
pub(crate) const fn column(name: &'static str, sort: &'static str, class: &'static str) -> Column {
    Column { name, sort, class }
}

/// A table in a frame that scrolls by itself where there is no room. `default` is the column and order without a choice.
pub(crate) fn table(
    ask: &Ask,
    caption: &str,
    columns: &[Column],
    default: (&str, &str),
    rows: &Markup,
) -> Markup {
    let sort = ask.get("sort").unwrap_or(default.0);
    let order = ask.get("order").unwrap_or(default.1);
    html! {
        div.table-frame role="group" aria-label=(caption) tabindex="0" {
            table {
                caption.hidden { (caption) }
                thead {
                    tr {
                        @for column in columns {
                            (heading(ask, column, sort, order))
                        }
                    }
                }
                tbody { (rows) }
            }
        }
    }
}

fn heading(ask: &Ask, column: &Column, sort: &str, order: &str) -> Markup {
    let sorted = !column.sort.is_empty() && column.sort == sort;
    let direction = if order == "des" { "descending" } else { "ascending" };
    let next = if sorted && order != "des" { "des" } else { "asc" };
    html! {
        th scope="col" class=(column.class) aria-sort=[sorted.then_some(direction)] {
            @if column.sort.is_empty() {
                (column.name)
            } @else {
                a href=(ask.with(&[("sort", column.sort), ("order", next), ("offset", "")])) {
                    (column.name)
                    span.arrow aria-hidden="true" {
                        @if sorted { @if order == "des" { "↓" } @else { "↑" } }
                    }
                }
            }
        }
    }
}

/// One choice of a filter: its value and its name.
pub(crate) type Choice<'a> = (&'a str, &'a str);

/// The form that filters a list. Filters that have no field of their own stay as they are, and can be taken away.
pub(crate) fn filters(
    ask: &Ask,
    what: &str,
    choices: &[(&str, &str, &[Choice<'_>])],
    others: &[&str],
) -> Markup {
    let kept = ["sort", "order"].iter().chain(others);
    html! {
        search {
            form.filters method="get" action=(ask.path()) {
                div.field.grow {
                    label for="search" { "Search" }
                    input #search type="search" name="search" value=[ask.get("search")] placeholder=(what) autocomplete="off";
                }
                @for (name, label, choices) in choices {
                    div.field {
                        label for=(name) { (label) }
                        select id=(name) name=(name) {
                            option value="" { "any" }
                            @for (value, name_of) in *choices {
                                option value=(value) selected[ask.get(name) == Some(value)] { (name_of) }
                            }
                        }
                    }
                }
                @for name in kept {
                    @if let Some(value) = ask.get(name) {
                        input type="hidden" name=(name) value=(value);
                    }
                }
                button type="submit" { "Filter" }
            }
            @for name in others {
                @if let Some(value) = ask.get(name) {
                    p.chosen {
                        "Only " (name.replace("slave_id", "agent").replace("framework_id", "framework")) " "
                        code { (value) } " "
                        a href=(ask.with(&[(name, ""), ("offset", "")])) { "show all" }
                    }
                }
            }
        }
    }
}

/// The way to the other pages, and which of how many entries these are.
pub(crate) fn pager(ask: &Ask, shown: usize, total: usize) -> Markup {
    let offset = ask.offset();
    let (last, back) = (offset + shown, offset.saturating_sub(PAGE));
    html! {
        nav.pager aria-label="Pages" {
            p {
                @if shown == 0 { "None of " (count(total)) }
                @else { (count(offset + 1)) "–" (count(last)) " of " (count(total)) }
            }
            @if offset > 0 {
                a.button rel="prev" href=(ask.with(&[("offset", &if back == 0 { String::new() } else { back.to_string() })])) { "← Previous" }
            }
            @if last < total && shown > 0 {
                a.button rel="next" href=(ask.with(&[("offset", &last.to_string())])) { "Next →" }
            }
        }
    }
}

/// The entries of this page, from a master that may have given all of them.
pub(crate) fn cut<T>(ask: &Ask, all: Vec<T>, total: Option<usize>) -> (Vec<T>, usize) {
    match total {
        Some(total) => (all, total),
        None => {
            let total = all.len();
            (all.into_iter().skip(ask.offset()).take(PAGE).collect(), total)
        }
    }
}

/// Whether the list is only a part of what there is.
pub(crate) fn filtered(ask: &Ask, names: &[&str]) -> bool {
    names.iter().any(|name| ask.get(name).is_some())
}
