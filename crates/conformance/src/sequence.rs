//! What of a log has to agree with a recording, and how two sequences are compared.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

/// What must agree about one entry of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Whom it is about: a task, an executor, the stream.
    pub subject: String,
    /// What was said.
    pub what: String,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.subject, self.what)
    }
}

/// How far the order of steps must agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Step by step.
    Total,
    /// Of each subject; steps about different subjects may pass each other, as tasks of a group do.
    OfEachSubject,
}

/// The steps of a log. Offers, subscriptions, and what is there only for people are left out: their content depends on
/// the machine, and how many there are on time.
#[must_use]
pub fn steps(log: &[Value]) -> Vec<Step> {
    log.iter().filter_map(step).collect()
}

fn step(entry: &Value) -> Option<Step> {
    let kind = entry["type"].as_str()?;
    let (subject, what) = match kind {
        "OFFERS" | "RESCIND" | "SUBSCRIBED" | "(second)" | "(stdout)" | "(refused)" => return None,
        "(timeout)" if entry["waiting"] == "OFFERS" => return None,
        "(timeout)" => ("nothing".into(), format!("when {} was waited for", plain(&entry["waiting"]))),
        "UPDATE" => update(&entry["update"]["status"]),
        "UPDATE_OPERATION_STATUS" => operation(&entry["update_operation_status"]["status"]),
        "FAILURE" => failure(&entry["failure"]),
        "ERROR" => ("stream".into(), format!("ERROR {}", plain(&entry["error"]["message"]))),
        "(call)" => (format!("call {}", plain(&entry["call"])), plain(&entry["status"])),
        other => ("stream".into(), other.to_owned()),
    };
    Some(Step { subject, what })
}

fn update(status: &Value) -> (String, String) {
    let mut what = plain(&status["state"]);
    for field in ["reason", "source", "healthy", "check_status"] {
        if let Some(value) = status.get(field) {
            what.push_str(&format!(" {field}={}", plain(value)));
        }
    }
    for field in ["uuid", "container_status", "executor_id", "agent_id", "timestamp"] {
        if status.get(field).is_some() {
            what.push_str(&format!(" +{field}"));
        }
    }
    if let Some(message) = status.get("message") {
        let message = comparable(&plain(message), &status["state"]);
        what.push_str(&format!(" '{message}'"));
    }
    (format!("task {}", plain(&status["task_id"]["value"])), what)
}

fn operation(status: &Value) -> (String, String) {
    let mut what = plain(&status["state"]);
    for field in ["uuid", "agent_id", "converted_resources"] {
        if status.get(field).is_some() {
            what.push_str(&format!(" +{field}"));
        }
    }
    if let Some(message) = status.get("message") {
        what.push_str(&format!(" '{}'", comparable(&plain(message), &status["state"])));
    }
    (format!("operation {}", plain(&status["operation_id"]["value"])), what)
}

/// A status' message without what may differ between two implementations that do the same.
#[must_use]
pub fn comparable(message: &str, state: &Value) -> String {
    let message = without_ids(message);
    // Whether a task goes by SIGTERM or needs SIGKILL hangs on how it is isolated: the first process of a PID namespace,
    // as in the recordings, does not hear the first.
    if state == "TASK_KILLED" {
        return message.replace("signal Killed", "signal Terminated");
    }
    // Mesos has the exit code of its fetcher to tell, Meseta the reason.
    if let Some((fetching, _why)) = message.split_once("for container '#': ") {
        return fetching.to_owned();
    }
    // How much it was, and what the kernel counted.
    if let Some((limit, _)) = message.split_once(" exceeded: ") {
        return format!("{limit} exceeded");
    }
    // Resources are listed in no particular order.
    if let Some((before, resources)) = message.split_once("is more than available ") {
        return format!("{before}is more than available {}", sorted(resources));
    }
    if let Some((have, wanted)) = message.split_once(" does not contain ") {
        return format!("{} does not contain {}", sorted(have), sorted(wanted));
    }
    message
}

fn sorted(resources: &str) -> String {
    let mut resources: Vec<&str> = resources.split("; ").collect();
    resources.sort_unstable();
    resources.join("; ")
}

fn failure(failure: &Value) -> (String, String) {
    let subject = match failure.get("executor_id") {
        Some(id) => format!("executor {}", plain(&id["value"])),
        None => "agent".into(),
    };
    let status = failure.get("status").map(|s| format!(" status={s}")).unwrap_or_default();
    (subject, format!("FAILURE{status}"))
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A text without what differs from run to run: UUIDs, and the ids made of them.
#[must_use]
pub fn without_ids(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = (0..rest.len()).find(|&i| rest.get(i..i + 36).is_some_and(is_uuid)) {
        out.push_str(&rest[..at]);
        out.push('#');
        // The number of a framework, an agent or an offer of that master.
        let number = |c: char| c.is_ascii_digit() || matches!(c, '-' | 'S' | 'O');
        rest = rest[at + 36..].trim_start_matches(number);
    }
    out + rest
}

fn is_uuid(text: &str) -> bool {
    text.bytes().enumerate().all(|(i, b)| match i {
        8 | 13 | 18 | 23 => b == b'-',
        _ => b.is_ascii_hexdigit(),
    })
}

/// How `seen` differs from `expected`; empty when it does not.
#[must_use]
pub fn differences(expected: &[Step], seen: &[Step], order: Order) -> Vec<String> {
    match order {
        Order::Total => differing(expected, seen),
        Order::OfEachSubject => {
            let (expected, seen) = (by_subject(expected), by_subject(seen));
            let mut subjects: Vec<_> = expected.keys().chain(seen.keys()).collect();
            subjects.sort();
            subjects.dedup();
            let of = |steps: &BTreeMap<String, Vec<Step>>, subject: &str| {
                steps.get(subject).cloned().unwrap_or_default()
            };
            subjects.iter().flat_map(|s| differing(&of(&expected, s), &of(&seen, s))).collect()
        }
    }
}

fn by_subject(steps: &[Step]) -> BTreeMap<String, Vec<Step>> {
    let mut grouped = BTreeMap::<_, Vec<Step>>::new();
    for step in steps {
        grouped.entry(step.subject.clone()).or_default().push(step.clone());
    }
    grouped
}

fn differing(expected: &[Step], seen: &[Step]) -> Vec<String> {
    let longest = expected.len().max(seen.len());
    let text = |step: Option<&Step>| step.map_or_else(|| "nothing more".to_owned(), Step::to_string);
    (0..longest)
        .filter(|&i| expected.get(i) != seen.get(i))
        .map(|i| format!("step {}: expected {}, saw {}", i + 1, text(expected.get(i)), text(seen.get(i))))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn state(task: &str, state: &str) -> Value {
        json!({"type": "UPDATE", "update": {"status": {"task_id": {"value": task}, "state": state}}})
    }

    #[test]
    fn tasks_may_pass_each_other_only_where_that_is_allowed() {
        let one = steps(&[state("a", "X"), state("b", "X"), state("a", "Y")]);
        let other = steps(&[state("b", "X"), state("a", "X"), state("a", "Y")]);
        assert_eq!(differences(&one, &other, Order::OfEachSubject), Vec::<String>::new());
        assert_eq!(differences(&one, &other, Order::Total).len(), 2);
        let turned = steps(&[state("b", "X"), state("a", "Y"), state("a", "X")]);
        assert_eq!(differences(&one, &turned, Order::OfEachSubject).len(), 2);
    }

    #[test]
    fn what_is_missing_or_too_much_is_told() {
        let one = steps(&[state("a", "X")]);
        assert!(differences(&one, &[], Order::OfEachSubject)[0].contains("nothing more"));
        assert!(differences(&[], &one, Order::Total)[0].contains("saw task a X"));
    }

    #[test]
    fn operations_are_compared_by_what_their_statuses_say() {
        let status = |state: &str, message: &str| {
            let status = json!({"operation_id": {"value": "o"}, "state": state, "uuid": {"value": "x"},
                "message": message});
            json!({"type": "UPDATE_OPERATION_STATUS", "update_operation_status": {"status": status}})
        };
        let one = steps(&[status("OPERATION_ERROR", "cpus:1; mem:2 does not contain disk:3")]);
        let other = steps(&[status("OPERATION_ERROR", "mem:2; cpus:1 does not contain disk:3")]);
        assert_eq!(
            one[0].to_string(),
            "operation o OPERATION_ERROR +uuid 'cpus:1; mem:2 does not contain disk:3'"
        );
        assert_eq!(one, other);
        assert_ne!(one, steps(&[status("OPERATION_DROPPED", "cpus:1; mem:2 does not contain disk:3")]));
    }

    #[test]
    fn ids_are_neutral() {
        let id = "2ab4a2c2-b0de-4157-b02c-e0d1cb268d36";
        assert_eq!(without_ids(&format!("agent {id}-S0 is é {id}")), "agent # is é #");
        assert_eq!(without_ids("Task has duplicate ID: t"), "Task has duplicate ID: t");
    }
}
