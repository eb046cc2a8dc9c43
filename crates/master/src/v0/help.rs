//! What `/help` says of the master's endpoints.

use axum::extract::{RawQuery, Request};
use axum::response::Response;
use http_api::{ApiError, Help, HelpPage, HelpProcess};

/// `/help`, `/help/PROCESS` and `/help/PROCESS/ENDPOINT`.
pub(crate) async fn help(RawQuery(query): RawQuery, request: Request) -> Result<Response, ApiError> {
    let path = request.uri().path().strip_prefix("/help").unwrap_or_default();
    HELP.respond(path, query.as_deref(), request.headers())
}

const HELP: Help = Help {
    delegate: "master",
    processes: &[
        HelpProcess::FILES,
        HelpProcess::LOGGING,
        HelpProcess { id: "master", pages: MASTER },
        HelpProcess::METRICS,
        HelpProcess {
            id: "registrar(1)",
            pages: &[HelpPage::new(
                "/registry",
                "What the registry holds.",
                "Agents, machines, quotas and weights.",
            )],
        },
        HelpProcess::SYSTEM,
        HelpProcess { id: "version", pages: &[HelpPage::new("/", "Which version this is.", "")] },
    ],
};

/// Said of lists.
const PARTS: &str = "`limit`, `offset`, `sort`, `order`, `search`, `framework_id`, `slave_id`, `role` and `state` ask for a \
    part of the list; the header `Meseta-Total` says how many entries match.";

/// Said of the list of roles.
const ROLE_PARTS: &str = "`limit`, `offset`, `sort`, `order`, `search`, `role` and `framework_id` ask for a part of the list; the \
    header `Meseta-Total` says how many entries match.";

/// Said of what people look at.
const INSIGHT: &str = "Not in Mesos.";

const MASTER: &[HelpPage] = &[
    HelpPage::new("/agents/hostnames", "The hosts of the agents in `ids`.", INSIGHT),
    HelpPage::new("/agents/{agent_id}/files/{what}", "Files of an agent, passed on by the master.", INSIGHT),
    HelpPage::new(
        "/api/v1",
        "The operator API: calls in JSON or protobuf by `POST`.",
        "The message is `mesos.v1.master.Call`. `SUBSCRIBE` is answered by a stream of events.",
    ),
    HelpPage::new(
        "/api/v1/scheduler",
        "The scheduler API: calls in JSON or protobuf by `POST`.",
        "The message is `mesos.v1.scheduler.Call`. `SUBSCRIBE` is answered by a stream of events; all other calls name it \
         in the header `Mesos-Stream-Id`.",
    ),
    HelpPage::new("/create-volumes", "Makes persistent volumes of reserved resources.", OPERATION),
    HelpPage::new("/destroy-volumes", "Destroys persistent volumes with all that is in them.", OPERATION),
    HelpPage::new("/events", "What happened last that an operator may want to know.", INSIGHT),
    HelpPage::new("/explain/framework", "Why the framework `id` gets no offers.", INSIGHT),
    HelpPage::new("/explain/role", "Why the role `name` gets no offers.", INSIGHT),
    HelpPage::new("/explain/task", "All that is known of a task: `framework_id` and `task_id`.", INSIGHT),
    HelpPage::new("/flags", "The flags that are in effect.", ""),
    HelpPage::new("/frameworks", "All frameworks with their tasks, those that ended too.", PARTS),
    HelpPage::new("/health", "`200` while the master can answer.", ""),
    HelpPage::new("/history", "What was there, used and offered, over an hour or a day.", INSIGHT),
    HelpPage::new(
        "/inverse-offers",
        "Which frameworks have still to say whether they leave an agent.",
        INSIGHT,
    ),
    HelpPage::new(
        "/machine/down",
        "Takes machines out of the cluster: a list of machines by `POST`.",
        MACHINES,
    ),
    HelpPage::new("/machine/up", "Lets machines come back: a list of machines by `POST`.", MACHINES),
    HelpPage::new(
        "/maintenance/schedule",
        "When which machines are to be maintained.",
        "`POST` sets the whole schedule.",
    ),
    HelpPage::new(
        "/maintenance/status",
        "Which machines are draining or down, and what frameworks said.",
        "",
    ),
    HelpPage::new("/offers", "Open offers, and how long they have been held.", INSIGHT),
    HelpPage::new("/overview", "The cluster in counts and sums.", INSIGHT),
    HelpPage::new(
        "/quota",
        "Quotas: `GET` shows them, `POST` sets one.",
        "`DELETE` of `/quota/ROLE` takes one away.",
    ),
    HelpPage::new("/quota/{*role}", "`DELETE` takes the quota of a role away.", ""),
    HelpPage::new("/redirect", "`307` to the leading master.", ""),
    HelpPage::new("/reserve", "Reserves resources.", OPERATION),
    HelpPage::new("/roles", "All roles: weight, frameworks, resources, quota.", ROLE_PARTS),
    HelpPage::new("/roles.json", "The same.", ""),
    HelpPage::new("/slaves", "All agents.", PARTS),
    HelpPage::new(
        "/state",
        "All that the master knows.",
        "With an `ETag`, and compressed for who takes gzip.",
    ),
    HelpPage::new("/state-summary", "Agents and frameworks, with counts of tasks instead of tasks.", ""),
    HelpPage::new(
        "/state-summary/agents",
        "Agents without their attributes and flags, lost and gone ones too.",
        INSIGHT,
    ),
    HelpPage::new("/state-summary/frameworks", "Frameworks without their tasks.", INSIGHT),
    HelpPage::new("/state-summary/roles", "Roles with their shares.", INSIGHT),
    HelpPage::new("/state.json", "The same as `/state`.", ""),
    HelpPage::new("/tasks", "Tasks of all frameworks, newest first: 100, or `limit` after `offset`.", PARTS),
    HelpPage::new("/tasks.json", "The same.", ""),
    HelpPage::new("/tasks/kill", "Kills one task: `frameworkId` and `taskId` by `POST`.", INSIGHT),
    HelpPage::new("/teardown", "Ends a framework and all its tasks: `frameworkId` by `POST`.", ""),
    HelpPage::new("/unreserve", "Takes reservations away.", OPERATION),
    HelpPage::new("/weights", "Weights of roles: `GET` shows them, `PUT` changes them.", ""),
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
        let mut routed = routed();
        routed.sort_unstable();
        assert_eq!(HELP.paths(), routed);
        assert!(HELP.is_sorted());
    }
}
