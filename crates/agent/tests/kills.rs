//! Kills of tasks that do not want to end.

mod common;

use std::path::Path;

use common::pods::group;
use common::{FRAMEWORK_ID, FakeMaster, command_task, options, until};
use proto::{internal, v1};

/// Goes on when it is asked to end, and says that it was asked.
fn stubborn(asked: &Path) -> String {
    format!("trap 'touch {0}' TERM; touch {0}.ready; while :; do sleep 0.05; done", asked.display())
}

fn kill(master: &mut FakeMaster, grace_milliseconds: i64) {
    let nanoseconds = grace_milliseconds * 1_000_000;
    master.say(&internal::KillTaskMessage {
        framework_id: FRAMEWORK_ID.into(),
        task_id: "t".into(),
        kill_policy: Some(v1::KillPolicy { grace_period: Some(v1::DurationInfo { nanoseconds }) }),
    });
}

/// MESOS-8679: the first kill of a task of the default executor was stuck, and the agent passed no other one on.
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_that_is_stuck_does_not_keep_later_ones_from_the_task() {
    for in_group in [false, true] {
        let work_dir = tempfile::tempdir().expect("a directory");
        let asked = work_dir.path().join("asked");
        let mut master = FakeMaster::start().await;
        let agent = master.agent(options(master.address, work_dir.path())).await;
        let task = command_task("t", &stubborn(&asked));
        if in_group {
            master.say(&group(vec![task]));
        } else {
            master.run(task);
        }
        while master.status().await.state() != v1::TaskState::TaskRunning {}
        // To be asked before would end it.
        until(|| asked.with_extension("ready").exists()).await;
        kill(&mut master, 600_000);
        until(|| asked.exists()).await;
        kill(&mut master, 500);
        let last = master.statuses().await.pop().expect("its end");
        assert_eq!(last.state(), v1::TaskState::TaskKilled, "{last:?}");
        agent.shutdown().await;
    }
}
