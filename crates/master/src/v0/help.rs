//! What `/help` says of the master's endpoints.

use axum::extract::{RawQuery, Request};
use axum::response::Response;
use http_api::{ApiError, Help, HelpPage, HelpProcess};

/// `/help`, `/help/PROCESS` and `/help/PROCESS/ENDPOINT`.
pub(crate) async fn help(RawQuery(query): RawQuery, request: Request) -> Result<Response, ApiError> {
    let path = request.uri().path().strip_prefix("/help").unwrap_or_default();
    HELP.respond(path, query.as_deref(), request.headers())
}

const fn page(path: &'static str, short: &'static str, long: &'static str) -> HelpPage {
    HelpPage { path, short, long }
}

const HELP: Help = Help {
    delegate: "master",
    processes: &[
        HelpProcess {
            id: "files",
            pages: &[
                page("/browse", "Lists a directory.", PATHS),
                page("/browse.json", "The same.", ""),
                page("/debug", "Which paths lead where.", PATHS),
                page("/debug.json", "The same.", ""),
                page("/download", "A whole file.", PATHS),
                page("/download.json", "The same.", ""),
                page("/read", "A part of a file: `path`, `offset`, `length`.", PATHS),
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
        HelpProcess { id: "master", pages: MASTER },
        HelpProcess {
            id: "metrics",
            pages: &[
                page("/", "All metrics as Prometheus reads them, with histograms.", ""),
                page("/snapshot", "All metrics by name, in JSON.", "`timeout` is taken and not needed."),
            ],
        },
        HelpProcess {
            id: "registrar(1)",
            pages: &[page("/registry", "What the registry holds.", "Agents, machines, quotas and weights.")],
        },
        HelpProcess {
            id: "system",
            pages: &[page("/stats.json", "Load, processors and memory of the machine.", "")],
        },
        HelpProcess { id: "version", pages: &[page("/", "Which version this is.", "")] },
    ],
};

/// Said of all files.
const PATHS: &str = "The master gives out no files: its log goes where its process' output goes.";

/// Said of lists.
const PARTS: &str = "`limit`, `offset`, `sort`, `order`, `search`, `framework_id`, `slave_id`, `role` and `state` ask for a \
    part of the list; the header `Meseta-Total` says how many entries match.";

/// Said of what people look at.
const INSIGHT: &str = "Not in Mesos.";

const MASTER: &[HelpPage] = &[
    page("/agents/hostnames", "The hosts of the agents in `ids`.", INSIGHT),
    page("/agents/{agent_id}/files/{what}", "Files of an agent, passed on by the master.", INSIGHT),
    page(
        "/api/v1",
        "The operator API: calls in JSON or protobuf by `POST`.",
        "The message is `mesos.v1.master.Call`. `SUBSCRIBE` is answered by a stream of events.",
    ),
    page(
        "/api/v1/scheduler",
        "The scheduler API: calls in JSON or protobuf by `POST`.",
        "The message is `mesos.v1.scheduler.Call`. `SUBSCRIBE` is answered by a stream of events; all other calls name it \
         in the header `Mesos-Stream-Id`.",
    ),
    page("/create-volumes", "Makes persistent volumes of reserved resources.", OPERATION),
    page("/destroy-volumes", "Destroys persistent volumes with all that is in them.", OPERATION),
    page("/events", "What happened last that an operator may want to know.", INSIGHT),
    page("/explain/framework", "Why the framework `id` gets no offers.", INSIGHT),
    page("/explain/role", "Why the role `name` gets no offers.", INSIGHT),
    page("/explain/task", "All that is known of a task: `framework_id` and `task_id`.", INSIGHT),
    page("/flags", "The flags that are in effect.", ""),
    page("/frameworks", "All frameworks with their tasks, those that ended too.", PARTS),
    page("/health", "`200` while the master can answer.", ""),
    page("/history", "What was there, used and offered, over an hour or a day.", INSIGHT),
    page("/inverse-offers", "Which frameworks have still to say whether they leave an agent.", INSIGHT),
    page("/machine/down", "Takes machines out of the cluster: a list of machines by `POST`.", MACHINES),
    page("/machine/up", "Lets machines come back: a list of machines by `POST`.", MACHINES),
    page(
        "/maintenance/schedule",
        "When which machines are to be maintained.",
        "`POST` sets the whole schedule.",
    ),
    page("/maintenance/status", "Which machines are draining or down, and what frameworks said.", ""),
    page("/offers", "Open offers, and how long they have been held.", INSIGHT),
    page("/overview", "The cluster in counts and sums.", INSIGHT),
    page("/quota", "Quotas: `GET` shows them, `POST` sets one.", "`DELETE` of `/quota/ROLE` takes one away."),
    page("/quota/{*role}", "`DELETE` takes the quota of a role away.", ""),
    page("/redirect", "`307` to the leading master.", ""),
    page("/reserve", "Reserves resources.", OPERATION),
    page("/roles", "All roles: weight, frameworks, resources, quota.", ""),
    page("/roles.json", "The same.", ""),
    page("/slaves", "All agents.", PARTS),
    page("/state", "All that the master knows.", "With an `ETag`, and compressed for who takes gzip."),
    page("/state-summary", "Agents and frameworks, with counts of tasks instead of tasks.", ""),
    page(
        "/state-summary/agents",
        "Agents without their attributes and flags, lost and gone ones too.",
        INSIGHT,
    ),
    page("/state-summary/frameworks", "Frameworks without their tasks.", INSIGHT),
    page("/state-summary/roles", "Roles with their shares.", INSIGHT),
    page("/state.json", "The same as `/state`.", ""),
    page("/tasks", "Tasks of all frameworks, newest first: 100, or `limit` after `offset`.", PARTS),
    page("/tasks.json", "The same.", ""),
    page("/tasks/kill", "Kills one task: `frameworkId` and `taskId` by `POST`.", INSIGHT),
    page("/teardown", "Ends a framework and all its tasks: `frameworkId` by `POST`.", ""),
    page("/unreserve", "Takes reservations away.", OPERATION),
    page("/weights", "Weights of roles: `GET` shows them, `PUT` changes them.", ""),
];

/// Said of operations.
const OPERATION: &str = "By `POST`: `slaveId`, and `resources` or `volumes` as a list in JSON. Offers of them are withdrawn where that is needed. \
     `202` when the operation has begun; `409` when there is not enough.";

/// Said of machines.
const MACHINES: &str = "Each has its `hostname` and `ip`, and is in the maintenance schedule.";

#[cfg(test)]
mod tests {
    use super::*;

    /// What is routed, found in the source: routers do not tell.
    fn routed() -> Vec<String> {
        let sources = [include_str!("../routes.rs"), include_str!("../insight/mod.rs")];
        let quoted = |text: &str| text.trim_start().strip_prefix('"')?.split('"').next().map(str::to_owned);
        let routes = sources.iter().flat_map(|source| source.split(".route(").skip(1));
        routes.filter_map(quoted).filter(|path| !path.starts_with("/help")).collect()
    }

    #[test]
    fn every_endpoint_has_its_page_and_every_page_its_endpoint() {
        let mut paths: Vec<String> = HELP
            .processes
            .iter()
            .flat_map(|process| {
                process.pages.iter().map(|page| (process.id, page.path.trim_end_matches('/')))
            })
            .map(|(id, path)| if id == HELP.delegate { path.to_owned() } else { format!("/{id}{path}") })
            .collect();
        let mut routed = routed();
        paths.sort_unstable();
        routed.sort_unstable();
        assert_eq!(paths, routed);
        for process in HELP.processes {
            assert!(process.pages.iter().map(|page| page.path).is_sorted(), "{}", process.id);
        }
    }
}
