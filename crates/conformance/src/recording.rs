//! The recordings in `data/`, compiled in, so that the comparison needs no files beside the program.

use anyhow::{Context, Result};
use serde_json::Value;

/// What a scheduler of Mesos saw in a scenario, if that was recorded.
#[must_use]
pub fn scenario(name: &str) -> Option<&'static str> {
    SCENARIOS.iter().find(|(n, _)| *n == name).map(|(_, lines)| *lines)
}

/// What a scheduler of Mesos saw while parts of the cluster went and came back, if that was recorded.
#[must_use]
pub fn operation(name: &str) -> Option<&'static str> {
    OPERATIONS.iter().find(|(n, _)| *n == name).map(|(_, lines)| *lines)
}

/// What Mesos answered to wrong requests, with the requests.
pub const WRONG_REQUESTS: &str = include_str!("../data/wrong_requests.jsonl");

/// What master and agent of Mesos sent each other.
pub const LIBPROCESS: &str = include_str!("../data/libprocess.jsonl");

/// What Mesos told an operator who had subscribed, while frameworks came and went.
pub const OPERATOR_SUBSCRIBE: &str = include_str!("../data/operator_subscribe.jsonl");

/// The values of lines of JSON.
pub fn lines(text: &str) -> Result<Vec<Value>> {
    text.lines()
        .enumerate()
        .map(|(i, line)| serde_json::from_str(line).with_context(|| format!("line {}", i + 1)))
        .collect()
}

macro_rules! recordings {
    ($folder:literal: $($name:literal)*) => {
        &[$(($name, include_str!(concat!("../data/", $folder, "/", $name, ".jsonl")))),*]
    };
}

const OPERATIONS: &[(&str, &str)] = recordings![
    "operations": "agent_lost" "agent_lost_partition_aware" "deactivate" "drain" "drain_mark_gone"
    "framework_failover_timeout" "inverse_offer" "mark_gone" "master_restart"
];

const SCENARIOS: &[(&str, &str)] = recordings![
    "scenarios": "bad_offer" "bad_offer_partition_aware" "bad_reserve" "bad_roles" "bad_task_id" "check_command" "decline_revive"
    "duplicate_task" "environment" "executor_environment" "executor_exits" "executor_shutdown" "fail"
    "failover" "fetch_failure" "finish" "health_failing" "health_passing" "kill" "kill_policy" "kill_unknown" "max_completion" "negative"
    "no_command" "no_resources" "not_found_exec" "not_found_shell" "oom" "operation_feedback" "pod_finish"
    "pod_kill_one" "pod_one_fails" "reconcile" "reconcile_partition_aware" "reserve_create_launch"
    "shutdown_while_running" "signal" "too_big" "wrong_agent"
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recording_is_lines_of_json() {
        for (name, text) in SCENARIOS.iter().chain(OPERATIONS) {
            assert!(!lines(text).expect(name).is_empty(), "{name}");
        }
        assert!(lines(WRONG_REQUESTS).unwrap().len() > 90);
        assert_eq!(lines(LIBPROCESS).unwrap().len(), 132);
    }
}
