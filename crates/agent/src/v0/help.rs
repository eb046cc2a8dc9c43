//! What `/help` says of the agent's endpoints.

use axum::extract::{RawQuery, Request};
use axum::response::Response;
use http_api::{ApiError, Help, HelpPage, HelpProcess};

/// `/help`, `/help/PROCESS` and `/help/PROCESS/ENDPOINT`.
pub(super) async fn help(RawQuery(query): RawQuery, request: Request) -> Result<Response, ApiError> {
    let path = request.uri().path().strip_prefix("/help").unwrap_or_default();
    HELP.respond(path, query.as_deref(), request.headers())
}

const fn page(path: &'static str, short: &'static str, long: &'static str) -> HelpPage {
    HelpPage { path, short, long }
}

/// Said of all files.
const PATHS: &str = "`path` is that of a sandbox, of something in it, or `/frameworks/ID/executors/ID/runs/latest`, the newest \
    sandbox of an executor";

const HELP: Help = Help {
    delegate: "slave(1)",
    processes: &[
        HelpProcess {
            id: "files",
            pages: &[
                page("/browse", "Lists a directory.", PATHS),
                page("/browse.json", "The same.", ""),
                page("/debug", "Which paths lead where.", ""),
                page("/debug.json", "The same.", ""),
                page("/download", "A whole file.", PATHS),
                page("/download.json", "The same.", ""),
                page(
                    "/read",
                    "A part of a file: `length` bytes from `offset` on.",
                    "Without an `offset` it tells how long the file is.",
                ),
                page("/read.json", "The same.", ""),
            ],
        },
        HelpProcess {
            id: "logging",
            pages: &[page(
                "/toggle",
                "The level of the log; with `level` and `duration` it is set for so long.",
                "0 is the usual level, more is more.",
            )],
        },
        HelpProcess {
            id: "metrics",
            pages: &[
                page("/", "All metrics as Prometheus reads them, with histograms.", ""),
                page("/snapshot", "All metrics by name, in JSON.", "`timeout` is taken and not needed."),
            ],
        },
        HelpProcess {
            id: "slave(1)",
            pages: &[
                page(
                    "/api/v1",
                    "The operator API: calls in JSON or protobuf by `POST`.",
                    "The message is `mesos.v1.agent.Call`.",
                ),
                page(
                    "/api/v1/executor",
                    "The executor API: calls in JSON or protobuf by `POST`.",
                    "The message is `mesos.v1.executor.Call`. `SUBSCRIBE` is answered by a stream of events.",
                ),
                page("/containerizer/debug", "What is being done to containers, to see where one hangs.", ""),
                page("/containers", "Containers of executors, with what they use.", ""),
                page("/flags", "The flags that are in effect.", ""),
                page("/health", "`200` while the agent can answer.", ""),
                page("/monitor/statistics", "What the containers of executors use.", ""),
                page("/monitor/statistics.json", "The same.", ""),
                page(
                    "/state",
                    "All that the agent knows.",
                    "With an `ETag`, and compressed for who takes gzip.",
                ),
                page("/state.json", "The same.", ""),
                page("/version", "Which version this is.", ""),
            ],
        },
        HelpProcess {
            id: "system",
            pages: &[page("/stats.json", "Load, processors and memory of the machine.", "")],
        },
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_endpoint_has_its_page_and_every_page_its_endpoint() {
        let quoted = |text: &str| text.trim_start().strip_prefix('"')?.split('"').next().map(str::to_owned);
        // Those of files are made by a loop.
        let routes = include_str!("mod.rs").split(".route(").skip(1).filter_map(quoted);
        let mut routed: Vec<String> = routes.filter(|path| !path.starts_with("/help")).collect();
        routed.extend(["", ".json"].iter().flat_map(|suffix| {
            ["debug", "read", "browse", "download"].map(|name| format!("/files/{name}{suffix}"))
        }));
        let mut paths: Vec<String> = HELP
            .processes
            .iter()
            .flat_map(|process| {
                process.pages.iter().map(|page| (process.id, page.path.trim_end_matches('/')))
            })
            .map(|(id, path)| if id == HELP.delegate { path.to_owned() } else { format!("/{id}{path}") })
            .collect();
        paths.sort_unstable();
        routed.sort_unstable();
        assert_eq!(paths, routed);
        for process in HELP.processes {
            assert!(process.pages.iter().map(|page| page.path).is_sorted(), "{}", process.id);
        }
    }
}
