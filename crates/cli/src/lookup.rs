//! One task among many. It is asked for by its id, so that the answer is short however many there are; a master that does
//! not search gives all of them, and it is searched here.

use anyhow::{Result, bail};
use proto::v1::resource::AllocationInfo;
use proto::v1::{Label, Labels, Task, TaskState, TaskStatus};
use sdk::Operator;
use sdk::build::Quantities;
use sdk::operator::form_escape;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cluster::{all_tasks, is_terminal};
use crate::inspect::pages;
use crate::view::Amounts;

/// The answer of `/tasks`.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    tasks: Vec<Value>,
}

/// The task with this id, or the only one whose id begins so. Among tasks of the same id, in different frameworks, one
/// that runs is preferred. Reasons and messages of its statuses may not be there; see [`find_with_history`].
pub(crate) async fn find_task(operator: &Operator, id: &str) -> Result<Task> {
    let query = [("search", id.to_owned())];
    let key = |task: &Task| format!("{} {}", task.framework_id, task.task_id);
    let list = |answer: Answer| answer.tasks.iter().filter_map(read).collect();
    let begins = |task: &Task| task.task_id.value.starts_with(id);
    let found = pages::fetch(operator, ("/tasks", &query), None, list, key, begins).await?;
    choose(found.entries, id)
}

/// The task as above, with all that was told of each of its statuses; and what the master says of why it is in its state,
/// if it can tell.
pub(crate) async fn find_with_history(operator: &Operator, id: &str) -> Result<(Task, Option<Value>)> {
    let mut task = find_task(operator, id).await?;
    match operator.explain_task(&task.framework_id.value, &task.task_id.value).await {
        Ok(told) => {
            let history = told["history"].as_array().map(Vec::as_slice).unwrap_or_default();
            task.statuses =
                history.iter().filter_map(|status| proto::json::from_value(status).ok()).collect();
            Ok((task, Some(told)))
        }
        // One that cannot tell has it in the list of all tasks.
        Err(error) if error.status().is_some_and(|status| status.as_u16() == 404) => {
            let all = all_tasks(operator.tasks().await?);
            let same = |one: &Task| one.task_id == task.task_id && one.framework_id == task.framework_id;
            Ok((all.into_iter().find(same).unwrap_or(task), None))
        }
        Err(error) => Err(error.into()),
    }
}

/// The state of a task now: one that has not ended is meant rather than others of its id; none when it is forgotten.
pub(crate) async fn state_now(operator: &Operator, task: &Task) -> Result<Option<TaskState>> {
    let (framework, id) = (form_escape(&task.framework_id.value), form_escape(&task.task_id.value));
    let path = format!("/tasks?framework_id={framework}&task_id={id}");
    let answer: Answer = operator.get_as(&path).await?;
    let same = |one: &Task| one.task_id == task.task_id && one.framework_id == task.framework_id;
    let states: Vec<TaskState> =
        answer.tasks.iter().filter_map(read).filter(same).map(|task| task.state()).collect();
    Ok(states.iter().find(|state| !is_terminal(**state)).or(states.first()).copied())
}

/// A task as `/tasks` shows it.
fn read(shown: &Value) -> Option<Task> {
    let text = |name: &str| shown[name].as_str().unwrap_or_default();
    let status = |status: &Value| -> Option<TaskStatus> {
        let mut status = status.clone();
        let fields = status.as_object_mut()?;
        // Labels are written otherwise here, and nobody needs them.
        fields.remove("labels");
        fields.insert("task_id".to_owned(), json!({ "value": text("id") }));
        proto::json::from_value(&status).ok()
    };
    let amounts = Amounts::deserialize(&shown["resources"]).unwrap_or_default();
    let quantities =
        Quantities { cpus: amounts.cpus, mem: amounts.mem, disk: amounts.disk, gpus: amounts.gpus };
    let mut resources = quantities.to_resources();
    for resource in &mut resources {
        resource.allocation_info = Some(AllocationInfo { role: Some(text("role").to_owned()) });
    }
    let labels: Vec<Label> = shown["labels"].as_array().into_iter().flatten().filter_map(label).collect();
    Some(Task {
        name: text("name").to_owned(),
        task_id: text("id").into(),
        framework_id: text("framework_id").into(),
        agent_id: text("slave_id").into(),
        executor_id: Some(text("executor_id")).filter(|id| !id.is_empty()).map(Into::into),
        state: TaskState::from_str_name(text("state"))?.into(),
        resources,
        statuses: shown["statuses"].as_array().into_iter().flatten().filter_map(status).collect(),
        user: shown["user"].as_str().map(ToOwned::to_owned),
        labels: (!labels.is_empty()).then_some(Labels { labels }),
        ..Task::default()
    })
}

fn label(shown: &Value) -> Option<Label> {
    Some(Label {
        key: shown["key"].as_str()?.to_owned(),
        value: shown["value"].as_str().map(ToOwned::to_owned),
    })
}

fn choose(tasks: Vec<Task>, id: &str) -> Result<Task> {
    let exact = tasks.iter().any(|task| task.task_id.value == id);
    let mut matching: Vec<Task> = tasks
        .into_iter()
        .filter(|task| if exact { task.task_id.value == id } else { task.task_id.value.starts_with(id) })
        .collect();
    if matching.iter().any(|task| !is_terminal(task.state())) {
        matching.retain(|task| !is_terminal(task.state()));
    }
    match matching.len() {
        0 => bail!("no task has the id `{id}`, nor one that begins so; `meseta task list --all` lists them"),
        1 => Ok(matching.remove(0)),
        count => {
            let mut some: Vec<_> = matching.iter().take(5).map(|task| task.task_id.value.as_str()).collect();
            if count > some.len() {
                some.push("...");
            }
            bail!("`{id}` may be any of {count} tasks: {}; give more of the id", some.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded;
    use proto::v1::TaskId;

    #[test]
    fn a_recorded_task_is_read_as_the_other_api_tells_it() {
        let answer: Answer = recorded::json("master.get.tasks");
        let reply: proto::v1::master::Response = recorded::message("master.v1.GET_TASKS");
        for told in all_tasks(reply.get_tasks.unwrap()) {
            let read =
                answer.tasks.iter().filter_map(read).find(|task| task.task_id == told.task_id).unwrap();
            assert_eq!(
                (&read.name, &read.framework_id, &read.agent_id),
                (&told.name, &told.framework_id, &told.agent_id)
            );
            assert_eq!((read.state(), &read.executor_id), (told.state(), &told.executor_id));
            assert_eq!(Quantities::of(&read.resources), Quantities::of(&told.resources));
            let containers = |task: &Task| -> Vec<_> {
                let statuses = task.statuses.iter();
                statuses
                    .map(|status| status.container_status.as_ref().unwrap().container_id.clone())
                    .collect()
            };
            assert_eq!(containers(&read), containers(&told), "where its sandbox is follows from them");
        }
    }

    fn task(id: &str, state: TaskState) -> Task {
        Task { task_id: TaskId { value: id.into() }, state: state.into(), ..Task::default() }
    }

    fn chosen(tasks: &[(&str, TaskState)], id: &str) -> Result<(String, TaskState), String> {
        let tasks = tasks.iter().map(|(id, state)| task(id, *state)).collect();
        choose(tasks, id).map(|t| (t.task_id.value.clone(), t.state())).map_err(|error| error.to_string())
    }

    #[test]
    fn tasks_are_found_by_id_or_by_its_beginning() {
        use TaskState::{TaskFinished as Finished, TaskRunning as Running};
        let tasks = [
            ("web-1", Running),
            ("web-12", Running),
            ("db-1", Finished),
            ("db-2", Running),
            ("db-1", Running),
        ];
        assert_eq!(chosen(&tasks, "web-1"), Ok(("web-1".into(), Running)), "the whole id wins");
        assert_eq!(chosen(&tasks, "web-12"), Ok(("web-12".into(), Running)));
        assert_eq!(chosen(&tasks, "db-1"), Ok(("db-1".into(), Running)), "what runs wins");
        let error = chosen(&tasks, "we").unwrap_err();
        assert!(error.contains("any of 2 tasks: web-1, web-12"), "{error}");
        assert!(chosen(&tasks, "x").unwrap_err().contains("no task has the id `x`"));
    }
}
