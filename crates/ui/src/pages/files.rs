//! Files of sandboxes: directories to look around in, and what programs write, as it comes.

use axum::extract::Path;
use axum::response::Response;
use maud::{Markup, html};

use crate::format::{ago, bytes, encode};
use crate::model::{Chunk, File};
use crate::parts::layout::{Section, empty, head};
use crate::reply::{Drawn, page};
use crate::request::Ask;
use crate::source::Trouble;

/// How much of a file is shown at first.
const SHOWN: u64 = 48 << 10;

/// The page of a directory.
pub(crate) async fn browse(Path(agent): Path<String>, ask: Ask) -> Response {
    page(&ask, Section::Agents, draw_directory(&ask, &agent).await)
}

/// The page of a file.
pub(crate) async fn view(Path(agent): Path<String>, ask: Ask) -> Response {
    page(&ask, Section::Agents, draw_file(&ask, &agent).await)
}

/// The master's way to the agent's files.
fn files(agent: &str, what: &str, path: &str) -> String {
    format!("/agents/{}/files/{what}?path={}", encode(agent), encode(path))
}

fn last(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or(path)
}

/// The directory above, as long as that is in the same sandbox.
fn above(path: &str) -> Option<&str> {
    let parent = path.trim_end_matches('/').rsplit_once('/').map(|(parent, _)| parent)?;
    // `runs/ID` is the sandbox itself, and what is above is not shown by agents.
    (!parent.is_empty() && last(parent) != "runs").then_some(parent)
}

fn crumbs(agent: &str, path: &str) -> Vec<(String, String)> {
    let mut crumbs = vec![("/ui/agents".to_owned(), "Agents".to_owned())];
    crumbs.push((format!("/ui/agents/{}", encode(agent)), "Agent".to_owned()));
    if let Some(parent) = above(path) {
        let name = if last(parent) == "latest" { "Sandbox" } else { last(parent) };
        crumbs.push((format!("/ui/agents/{}/files?path={}", encode(agent), encode(parent)), name.to_owned()));
    }
    crumbs
}

fn heading(agent: &str, path: &str, name: &str, beside: &Markup) -> Markup {
    let crumbs = crumbs(agent, path);
    let crumbs: Vec<(&str, &str)> =
        crumbs.iter().map(|(path, name)| (path.as_str(), name.as_str())).collect();
    html! {
        (head(&crumbs, &html! { (name) }, beside))
        p.path.muted.small { code { (path) } }
    }
}

fn wanted(ask: &Ask) -> Result<&str, Trouble> {
    ask.get("path").ok_or_else(|| Trouble::NotFound("No path is given".to_owned()))
}

async fn draw_directory(ask: &Ask, agent: &str) -> Result<Drawn, Trouble> {
    let path = wanted(ask)?;
    let entries: Vec<File> = ask.source.get(&files(agent, "browse", path)).await?;
    let name = if last(path) == "latest" { "Sandbox" } else { last(path) };
    let content = html! {
        (heading(agent, path, name, &html! {}))
        @if entries.is_empty() {
            (empty("The directory is empty", &html! { "What programs write here shows up by itself." }))
        } @else {
            div.table-frame role="group" aria-label="Files" tabindex="0" {
                table {
                    caption.hidden { "Files" }
                    thead { tr {
                        th scope="col" { "Name" }
                        th.num scope="col" { "Size" }
                        th scope="col" { "Changed" }
                        th.wide scope="col" { "Mode" }
                        th.wide scope="col" { "Owner" }
                        th.wide scope="col" { span.hidden { "Download" } }
                    } }
                    tbody { @for entry in &entries { (self::entry(agent, entry)) } }
                }
            }
        }
    };
    Ok(Drawn::live(name, content))
}

fn entry(agent: &str, entry: &File) -> Markup {
    let directory = entry.mode.starts_with('d');
    let page = if directory { "files" } else { "file" };
    let name = last(&entry.path);
    html! {
        tr {
            th scope="row" {
                a href=(format!("/ui/agents/{}/{page}?path={}", encode(agent), encode(&entry.path))) {
                    (name) @if directory { "/" }
                }
            }
            td.num { @if directory { "–" } @else { (bytes(entry.size)) } }
            td { (ago(entry.mtime)) }
            td.wide { code { (entry.mode) } }
            td.wide { (entry.uid) }
            td.wide { @if !directory { a href=(files(agent, "download", &entry.path)) { "Download" span.hidden { " " (name) } } } }
        }
    }
}

async fn draw_file(ask: &Ask, agent: &str) -> Result<Drawn, Trouble> {
    let path = wanted(ask)?;
    let read = files(agent, "read", path);
    let size = ask.source.get::<Chunk>(&read).await?.offset;
    let asked =
        ask.get("offset").and_then(|offset| offset.parse::<u64>().ok()).map(|offset| offset.min(size));
    let begin = asked.unwrap_or(size.saturating_sub(SHOWN));
    let length = (size - begin).min(SHOWN);
    let data = match length {
        0 => String::new(),
        _ => ask.source.get::<Chunk>(&format!("{read}&offset={begin}&length={length}")).await?.data,
    };
    let (whole, next) = whole_lines(&data, begin, length);
    let (end, name) = (begin + length, last(path));
    // What is not at the end of the file is looked at and not followed.
    let follows = asked.is_none();
    let to = |offset: u64| ask.with(&[("offset", &offset.to_string())]);
    #[expect(clippy::cast_precision_loss, reason = "for people to read")]
    let shown = |bytes_of: u64| bytes(bytes_of as f64);
    let content = html! {
        (heading(agent, path, name, &html! { a.button href=(files(agent, "download", path)) { "Download" } }))
        div.file-bar {
            p #file-size { (shown(size)) @if size > length { ", shown from " (shown(begin)) " to " (shown(end)) } }
            @if begin > 0 { a.button href=(to(begin.saturating_sub(SHOWN))) { "← Before" } }
            @if end < size { a.button href=(to(end)) { "After →" } }
            @if !follows { a.button href=(ask.with(&[("offset", "")])) { "To the end, and follow" } }
            @if follows {
                label.follow hidden { input #follow type="checkbox" checked autocomplete="off"; " Follow" }
            }
        }
        @if size == 0 { p.muted #file-empty { "The file is empty. What is written to it shows up here." } }
        pre.file #file tabindex="0" aria-label=(format!("Content of {name}")) data-read=[follows.then_some(&read)] data-next=(next) {
            span #file-text { (whole) }
            span #file-rest { (data.strip_prefix(whole).unwrap_or_default()) }
        }
    };
    Ok(Drawn::still(name, content))
}

/// The whole lines of a piece of a file, and at which byte of the file what follows them begins. Bytes that are no text were
/// replaced on the way, so that they cannot be counted: then all of it is taken for whole.
fn whole_lines(data: &str, begin: u64, length: u64) -> (&str, u64) {
    let whole = data.rfind('\n').map_or("", |at| data.get(..=at).unwrap_or(data));
    if whole.contains('\u{fffd}') {
        return (data, begin + length);
    }
    (whole, begin + whole.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_line_is_read_again() {
        assert_eq!(whole_lines("a\nbc", 10, 4), ("a\n", 12));
        assert_eq!(whole_lines("abc", 10, 3), ("", 10));
        assert_eq!(whole_lines("a\u{fffd}\nb", 10, 4), ("a\u{fffd}\nb", 14));
        assert_eq!(whole_lines("é\n", 0, 3), ("é\n", 3));
    }

    #[test]
    fn the_way_up_ends_at_the_sandbox() {
        assert_eq!(above("/frameworks/f/executors/e/runs/latest"), None);
        assert_eq!(
            above("/frameworks/f/executors/e/runs/latest/d/"),
            Some("/frameworks/f/executors/e/runs/latest")
        );
        assert_eq!(last("/a/b/"), "b");
        assert_eq!(above("x"), None);
    }
}
