//! How much of something is used and offered, as a bar with its numbers.

use maud::{Markup, html};

use crate::format::{amount, percent};
use crate::model::Use;

/// The widths of used and offered, of 100.
fn widths(of: Use) -> (f64, f64) {
    if of.total <= 0.0 {
        return (0.0, 0.0);
    }
    let used = (of.used / of.total * 100.0).clamp(0.0, 100.0);
    (used, (of.offered / of.total * 100.0).clamp(0.0, 100.0 - used))
}

/// A bar without words.
pub(crate) fn bar(of: Use) -> Markup {
    let (used, offered) = widths(of);
    html! {
        svg.bar viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true" focusable="false" {
            rect.bar-free width="100" height="6" {}
            rect.bar-offered x=(format!("{used:.1}")) width=(format!("{offered:.1}")) height="6" {}
            rect.bar-used width=(format!("{used:.1}")) height="6" {}
        }
    }
}

/// A cell: used of how much, with its bar.
pub(crate) fn cell(name: &str, of: Use) -> Markup {
    html! {
        div.use {
            span.use-words {
                span { (amount(name, of.used)) } span.muted { " / " (amount(name, of.total)) }
            }
            (bar(of))
        }
    }
}

/// A part of a whole, 0 to 1.
pub(crate) fn share(part: f64) -> Markup {
    html! {
        div.use {
            span.use-words { (percent(part, 1.0)) }
            (bar(Use { total: 1.0, used: part, offered: 0.0 }))
        }
    }
}

/// All amounts in words, such as `1 cpus, 512 MB mem`; those that are zero are left out.
pub(crate) fn words(amounts: &crate::model::Amounts) -> String {
    let words = each(amounts);
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

/// The same, one below the other.
pub(crate) fn lines(amounts: &crate::model::Amounts) -> Markup {
    let words = each(amounts);
    html! {
        @if words.is_empty() { span.muted { "none" } }
        @else { ul.amounts { @for word in words { li { (word) } } } }
    }
}

fn each(amounts: &crate::model::Amounts) -> Vec<String> {
    let known = ["cpus", "mem", "disk", "gpus"];
    let others = amounts.keys().map(String::as_str).filter(|name| !known.contains(name));
    known
        .into_iter()
        .chain(others)
        .filter_map(|name| {
            let value = amounts.get(name)?;
            match value.as_f64() {
                Some(0.0) => None,
                Some(number) => Some(format!("{} {name}", amount(name, number))),
                None => Some(format!("{name} {}", value.as_str().unwrap_or_default())),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_never_grow_beyond_the_whole() {
        assert_eq!(widths(Use { total: 0.0, used: 5.0, offered: 1.0 }), (0.0, 0.0));
        assert_eq!(widths(Use { total: 4.0, used: 3.0, offered: 2.0 }), (75.0, 25.0));
        assert_eq!(widths(Use { total: 4.0, used: 8.0, offered: 2.0 }), (100.0, 0.0));
    }

    #[test]
    fn amounts_in_words() {
        let amounts =
            [("mem", 512.into()), ("cpus", 1.5.into()), ("disk", 0.0.into()), ("ports", "[1-2]".into())];
        let amounts = amounts.map(|(name, value): (&str, serde_json::Value)| (name.to_owned(), value)).into();
        assert_eq!(words(&amounts), "1.5 cpus, 512 MB mem, ports [1-2]");
        assert_eq!(words(&crate::model::Amounts::new()), "none");
    }
}
