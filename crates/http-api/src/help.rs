//! `/help`: which endpoints there are, and what each does. For people in a browser as HTML, for `curl` and `HTTPie` as
//! Markdown, and all of it as JSON with `?format=json`.

use std::fmt::Write as _;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use serde_json::{Value, json};

use crate::form::decode;
use crate::{ApiError, json_text, parse_form, value_of};

/// What is said of one endpoint.
#[derive(Debug, Clone, Copy)]
pub struct HelpPage {
    /// What follows the process' id in its path; `/` where nothing does.
    pub path: &'static str,
    /// In one line.
    pub short: &'static str,
    /// All else: paragraphs with an empty line between them, names between backticks.
    pub long: &'static str,
}

/// The endpoints of a process, in the sense of libprocess: what paths begin with.
#[derive(Debug, Clone, Copy)]
pub struct HelpProcess {
    /// Its id.
    pub id: &'static str,
    /// Its endpoints.
    pub pages: &'static [HelpPage],
}

impl HelpPage {
    /// A page.
    #[must_use]
    pub const fn new(path: &'static str, short: &'static str, long: &'static str) -> Self {
        Self { path, short, long }
    }
}

impl HelpProcess {
    /// `/files/...`.
    pub const FILES: Self = Self {
        id: "files",
        pages: &[
            HelpPage::new("/browse", "Lists a directory.", PATHS),
            HelpPage::new("/browse.json", SAME, ""),
            HelpPage::new("/debug", "Which paths lead where.", PATHS),
            HelpPage::new("/debug.json", SAME, ""),
            HelpPage::new("/download", "A whole file.", PATHS),
            HelpPage::new("/download.json", SAME, ""),
            HelpPage::new(
                "/read",
                "A part of a file: `length` bytes from `offset` on.",
                "Without an `offset` it tells how long the file is.",
            ),
            HelpPage::new("/read.json", SAME, ""),
        ],
    };

    /// `/logging/...`.
    pub const LOGGING: Self = Self {
        id: "logging",
        pages: &[HelpPage::new(
            "/toggle",
            "The level of the log; with `level` and `duration` it is set for so long.",
            "0 is the usual level, more is more.",
        )],
    };

    /// `/metrics/...`.
    pub const METRICS: Self = Self {
        id: "metrics",
        pages: &[
            HelpPage::new("/", "All metrics as Prometheus reads them, with histograms.", ""),
            HelpPage::new("/snapshot", "All metrics by name, in JSON.", "`timeout` is taken and not needed."),
        ],
    };

    /// `/system/...`.
    pub const SYSTEM: Self = Self {
        id: "system",
        pages: &[HelpPage::new("/stats.json", "Load, processors and memory of the machine.", "")],
    };
}

/// Said of endpoints that have two paths.
const SAME: &str = "The same.";

/// Said of all files.
const PATHS: &str = "`path` is one of those that `/files/debug` names, or of something in it: the log is `/master/log` or `/slave/log` \
    where it is written to a file; a sandbox has its own path, and `/frameworks/ID/executors/ID/runs/latest`, the newest of an \
    executor.";

/// All help of a server.
#[derive(Debug, Clone, Copy)]
pub struct Help {
    /// The process whose endpoints can be asked for without its id, too.
    pub delegate: &'static str,
    /// All processes.
    pub processes: &'static [HelpProcess],
}

/// A part of a page.
enum Block {
    Title(usize, String),
    /// Text, and where it leads.
    Link(String, String),
    Usage(String),
    Text(String),
}

impl Help {
    /// The paths of all endpoints, sorted: those of the delegate without its id.
    #[must_use]
    pub fn paths(&self) -> Vec<String> {
        let pages =
            self.processes.iter().flat_map(|process| process.pages.iter().map(move |page| (process, page)));
        let mut paths: Vec<String> = pages
            .map(|(process, page)| {
                let path = page.path.trim_end_matches('/');
                if process.id == self.delegate { path.to_owned() } else { format!("/{}{path}", process.id) }
            })
            .collect();
        paths.sort_unstable();
        paths
    }

    /// Whether the pages of each process are sorted, as they are shown.
    #[must_use]
    pub fn is_sorted(&self) -> bool {
        self.processes.iter().all(|process| process.pages.iter().map(|page| page.path).is_sorted())
    }

    /// The answer to a request whose path follows `/help`.
    ///
    /// # Errors
    /// `400` for what there is no help for.
    pub fn respond(
        &self,
        path: &str,
        query: Option<&str>,
        headers: &HeaderMap,
    ) -> Result<Response, ApiError> {
        let path = decode(path);
        let path = path.trim_matches('/');
        let (id, name) = path.split_once('/').map_or((path, None), |(id, name)| (id, Some(name)));
        let blocks = if id.is_empty() {
            if value_of(&parse_form(query.unwrap_or_default()), "format") == Some("json") {
                return Ok(json_text(self.json().to_string().into_bytes()));
            }
            self.overview()
        } else {
            let none = || ApiError::bad_request(format!("No help available for '/{path}'.\n"));
            let process = self.processes.iter().find(|process| process.id == id).ok_or_else(none)?;
            match name {
                None => overview_of(process),
                Some(name) => {
                    let mut pages = process.pages.iter();
                    let page = pages.find(|page| page.path.trim_start_matches('/') == name);
                    self.page(process, page.ok_or_else(none)?)
                }
            }
        };
        Ok(shown(&blocks, headers))
    }

    fn json(&self) -> Value {
        let endpoint = |process: &HelpProcess, page: &HelpPage| json!({ "name": page.path, "text": markdown(&self.page(process, page)) });
        let process = |process: &HelpProcess| {
            let endpoints: Vec<Value> = process.pages.iter().map(|page| endpoint(process, page)).collect();
            json!({ "id": process.id, "endpoints": endpoints })
        };
        json!({ "processes": self.processes.iter().map(process).collect::<Vec<_>>() })
    }

    fn overview(&self) -> Vec<Block> {
        let links = self.processes.iter().map(|process| {
            let text = format!("/{}", process.id);
            Block::Link(text, format!("/help/{}", process.id))
        });
        std::iter::once(Block::Title(2, "HELP".to_owned())).chain(links).collect()
    }

    fn page(&self, process: &HelpProcess, page: &HelpPage) -> Vec<Block> {
        let title = |text: &str| Block::Title(3, text.to_owned());
        let mut blocks = vec![title("USAGE")];
        if process.id == self.delegate {
            blocks.push(Block::Usage(page.path.to_owned()));
        }
        blocks.push(Block::Usage(full(process, page)));
        blocks.extend([title("TL;DR;"), Block::Text(page.short.to_owned())]);
        if !page.long.is_empty() {
            blocks.push(title("DESCRIPTION"));
            blocks.extend(page.long.split("\n\n").map(|paragraph| Block::Text(paragraph.to_owned())));
        }
        blocks
    }
}

/// The whole path of an endpoint.
fn full(process: &HelpProcess, page: &HelpPage) -> String {
    format!("/{}{}", process.id, page.path.trim_end_matches('/'))
}

fn overview_of(process: &HelpProcess) -> Vec<Block> {
    let links = process.pages.iter().map(|page| {
        let path = full(process, page);
        Block::Link(path.clone(), format!("/help{path}"))
    });
    std::iter::once(Block::Title(2, format!("`/{}`", process.id))).chain(links).collect()
}

fn shown(blocks: &[Block], headers: &HeaderMap) -> Response {
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let plain = agent.starts_with("curl") || agent.starts_with("HTTPie");
    let (media_type, text) = if plain {
        ("text/x-markdown", markdown(blocks))
    } else {
        ("text/html; charset=utf-8", html(blocks))
    };
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

fn markdown(blocks: &[Block]) -> String {
    let (mut text, mut references) = (String::new(), String::new());
    for block in blocks {
        // Writing to a string cannot fail.
        let _ = match block {
            Block::Title(level, title) => {
                let marks = "#".repeat(*level);
                let gap = if text.is_empty() { "" } else { "\n" };
                writeln!(text, "{gap}{marks} {title} {marks}")
            }
            Block::Link(shown, target) => {
                let name = shown.trim_start_matches('/');
                let _ = writeln!(references, "[{name}]: {target}");
                writeln!(text, "> [{shown}][{name}]")
            }
            Block::Usage(usage) => writeln!(text, ">        {usage}"),
            Block::Text(paragraph) => writeln!(text, "{paragraph}"),
        };
    }
    if references.is_empty() { text } else { format!("{text}\n{references}") }
}

fn html(blocks: &[Block]) -> String {
    const HEAD: &str = "<!DOCTYPE html><html lang=\"en\"><head><title>Help</title><style>\
        body{font:1rem/1.6 sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}\
        pre,blockquote{border-left:.3rem solid #8884;margin:.4rem 0;padding:0 1rem}</style></head><body>";
    let mut text = HEAD.to_owned();
    for block in blocks {
        let _ = match block {
            Block::Title(level, title) => write!(text, "<h{level}>{}</h{level}>", with_code(title)),
            Block::Link(shown, target) => {
                let (shown, target) = (escaped(shown), escaped(target));
                write!(text, "<blockquote><a href=\"{target}\">{shown}</a></blockquote>")
            }
            Block::Usage(usage) => write!(text, "<pre>{}</pre>", escaped(usage)),
            Block::Text(paragraph) => write!(text, "<p>{}</p>", with_code(paragraph)),
        };
    }
    text.push_str("</body></html>\n");
    text
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Text with what is between backticks as code.
fn with_code(text: &str) -> String {
    let mut shown = String::new();
    for (index, part) in escaped(text).split('`').enumerate() {
        let _ = match index % 2 {
            0 => write!(shown, "{part}"),
            _ => write!(shown, "<code>{part}</code>"),
        };
    }
    shown
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    const HELP: Help = Help {
        delegate: "master",
        processes: &[
            HelpProcess {
                id: "master",
                pages: &[HelpPage { path: "/state", short: "All.", long: "With `a<b`.\n\nAnd more." }],
            },
            HelpProcess { id: "version", pages: &[HelpPage { path: "/", short: "Which.", long: "" }] },
        ],
    };

    async fn ask(path: &str, query: Option<&str>, agent: &'static str) -> Result<(String, String), ApiError> {
        let headers = HeaderMap::from_iter([(header::USER_AGENT, HeaderValue::from_static(agent))]);
        let response = HELP.respond(path, query, &headers)?;
        let kind = response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        Ok((kind, String::from_utf8(body.to_vec()).unwrap()))
    }

    #[tokio::test]
    async fn tools_get_markdown() {
        let (kind, text) = ask("", None, "curl/8").await.unwrap();
        assert_eq!(kind, "text/x-markdown");
        let expected = "## HELP ##\n> [/master][master]\n> [/version][version]\n\n\
            [master]: /help/master\n[version]: /help/version\n";
        assert_eq!(text, expected);
        let (_, text) = ask("/master/state", None, "HTTPie/3").await.unwrap();
        let expected = "### USAGE ###\n>        /state\n>        /master/state\n\n### TL;DR; ###\nAll.\n\n\
            ### DESCRIPTION ###\nWith `a<b`.\nAnd more.\n";
        assert_eq!(text, expected);
        assert!(ask("/version/", None, "curl").await.unwrap().1.contains("[/version][version]"));
    }

    #[tokio::test]
    async fn browsers_get_html_and_programs_json() {
        let (kind, text) = ask("/master/state", None, "Mozilla").await.unwrap();
        assert_eq!(kind, "text/html; charset=utf-8");
        assert!(text.contains("<p>With <code>a&lt;b</code>.</p>"), "{text}");
        assert!(ask("/master", None, "").await.unwrap().1.contains("<a href=\"/help/master/state\">"));
        let (_, text) = ask("/", Some("format=json"), "curl").await.unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["processes"][0]["id"], "master");
        assert_eq!(value["processes"][0]["endpoints"][0]["name"], "/state");
        assert!(value["processes"][0]["endpoints"][0]["text"].as_str().unwrap().starts_with("### USAGE ###"));
    }

    #[tokio::test]
    async fn what_is_not_there_has_no_help() {
        for (path, named) in [("/nobody", "/nobody"), ("/master/nothing", "/master/nothing")] {
            let error = ask(path, None, "curl").await.unwrap_err();
            assert_eq!(error.status, 400);
            assert_eq!(error.message, format!("No help available for '{named}'.\n"));
        }
    }
}
