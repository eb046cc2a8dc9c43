//! What an instance of the framework and the test say to each other: an instance is a process of its own, and what a
//! framework must not forget when it is killed is in the book, which the test holds, as in a database. A line of JSON asks, a
//! line of JSON answers.

use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use sdk::proto::v1::{TaskState, TaskStatus};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What an instance asks or reports.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Word {
    /// It begins; answered with the framework's id, if it has one by now.
    Begin,
    Subscribed {
        framework: String,
        leader: Option<String>,
    },
    Disconnected,
    /// The master that leads makes offers.
    Offered,
    /// Answered with the tasks to launch on this agent, which are written down as launched before.
    Next {
        agent: String,
    },
    /// Answered with the tasks of which the end is not known, and their agents.
    Open,
    /// Answered with whether it is written down, and so may be acknowledged.
    Told(Told),
    /// The master has another instance now.
    SentAway {
        message: String,
    },
}

/// What a master said of a task.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) task: String,
    /// Its name, as in the API.
    state: String,
    /// Of the update; empty for what is told on demand.
    pub(crate) uuid: String,
    /// When, in seconds of the one who said it.
    when: Option<f64>,
    source: Option<i32>,
    reason: Option<i32>,
    message: Option<String>,
}

impl Told {
    pub(crate) fn state(&self) -> TaskState {
        TaskState::from_str_name(&self.state).expect("a name of a state")
    }
}

impl From<&TaskStatus> for Told {
    fn from(status: &TaskStatus) -> Self {
        Self {
            task: status.task_id.value.clone(),
            state: status.state().as_str_name().to_owned(),
            uuid: status.uuid.iter().flatten().map(|byte| format!("{byte:02x}")).collect(),
            when: status.timestamp,
            source: status.source,
            reason: status.reason,
            message: status.message.clone(),
        }
    }
}

/// An instance's end.
#[derive(Debug)]
pub(crate) struct Line(BufReader<UnixStream>);

impl Line {
    /// The input of a process that the test has started.
    pub(crate) fn of_this_process() -> Self {
        let input = std::io::stdin().as_fd().try_clone_to_owned().expect("a file more");
        Self(BufReader::new(input.into()))
    }

    /// Says the last word, to which there is no answer.
    pub(crate) fn end(&mut self, word: &Word) {
        let line = serde_json::to_string(word).expect("JSON") + "\n";
        self.0.get_mut().write_all(line.as_bytes()).expect("the test is there");
    }

    /// Waits for the answer: nothing that hangs on it is done before.
    pub(crate) fn say<T: DeserializeOwned>(&mut self, word: &Word) -> T {
        self.end(word);
        let mut answer = String::new();
        self.0.read_line(&mut answer).expect("the test is there");
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {word:?}: {answer:?}"))
    }
}

/// The test's end: answers until the instance is gone, or was sent away with a message, which is returned. Words that it said
/// before it was killed are heard.
pub(crate) fn serve(stream: UnixStream, mut answer: impl FnMut(Word) -> Value) -> Option<String> {
    let mut lines = BufReader::new(stream);
    loop {
        let mut line = String::new();
        // It is killed at any moment, also in the midst of a word.
        if lines.read_line(&mut line).is_err() || !line.ends_with('\n') {
            return None;
        }
        let word = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        if let Word::SentAway { message } = word {
            return Some(message);
        }
        let answer = answer(word).to_string() + "\n";
        if lines.get_mut().write_all(answer.as_bytes()).is_err() {
            return None;
        }
    }
}
