//! What `/help` says of the agent's endpoints.

use axum::extract::{RawQuery, Request};
use axum::response::Response;
use http_api::{ApiError, Help, HelpPage, HelpProcess};

/// `/help`, `/help/PROCESS` and `/help/PROCESS/ENDPOINT`.
pub(super) async fn help(RawQuery(query): RawQuery, request: Request) -> Result<Response, ApiError> {
    let path = request.uri().path().strip_prefix("/help").unwrap_or_default();
    HELP.respond(path, query.as_deref(), request.headers())
}

const HELP: Help = Help {
    delegate: "slave(1)",
    processes: &[
        HelpProcess::FILES,
        HelpProcess::LOGGING,
        HelpProcess::METRICS,
        HelpProcess {
            id: "slave(1)",
            pages: &[
                HelpPage::new(
                    "/api/v1",
                    "The operator API: calls in JSON or protobuf by `POST`.",
                    "The message is `mesos.v1.agent.Call`.",
                ),
                HelpPage::new(
                    "/api/v1/executor",
                    "The executor API: calls in JSON or protobuf by `POST`.",
                    "The message is `mesos.v1.executor.Call`. `SUBSCRIBE` is answered by a stream of events.",
                ),
                HelpPage::new(
                    "/containerizer/debug",
                    "What is being done to containers, to see where one hangs.",
                    "",
                ),
                HelpPage::new("/containers", "Containers of executors, with what they use.", ""),
                HelpPage::new("/flags", "The flags that are in effect.", ""),
                HelpPage::new("/health", "`200` while the agent can answer.", ""),
                HelpPage::new("/monitor/statistics", "What the containers of executors use.", ""),
                HelpPage::new("/monitor/statistics.json", "The same.", ""),
                HelpPage::new(
                    "/state",
                    "All that the agent knows.",
                    "With an `ETag`, and compressed for who takes gzip.",
                ),
                HelpPage::new("/state.json", "The same.", ""),
                HelpPage::new("/version", "Which version this is.", ""),
            ],
        },
        HelpProcess::SYSTEM,
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
        routed.sort_unstable();
        assert_eq!(HELP.paths(), routed);
        assert!(HELP.is_sorted());
    }
}
