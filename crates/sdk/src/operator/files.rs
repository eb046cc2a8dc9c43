//! Files in sandboxes, read piece by piece from the agent that has them.

use bytes::Bytes;
use proto::v1::{FileInfo, agent};

use super::{Operator, OperatorError};

/// A piece of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The bytes from the offset asked for; none at the end of the file.
    pub data: Bytes,
    /// How long the file is now.
    pub size: u64,
}

/// The path under which an agent shows a file of a sandbox: that of the latest run of an executor. A command task's
/// executor has the id of the task.
#[must_use]
pub fn sandbox_path(framework_id: &str, executor_id: &str, file: &str) -> String {
    format!("/frameworks/{framework_id}/executors/{executor_id}/runs/latest/{file}")
}

impl Operator {
    /// Reads at most `length` bytes of a file from `offset` on.
    ///
    /// # Errors
    /// When the server does not answer; with status 404 when it shows no such file.
    pub async fn read_file(&self, path: &str, offset: u64, length: u64) -> Result<Chunk, OperatorError> {
        let read = agent::call::ReadFile { path: path.to_owned(), offset, length: Some(length) };
        let call = agent::Call {
            r#type: Some(agent::call::Type::ReadFile.into()),
            read_file: Some(read),
            ..agent::Call::default()
        };
        let answer = self.call_agent(&call).await?.read_file.unwrap_or_default();
        Ok(Chunk { data: answer.data, size: answer.size })
    }

    /// What is in a directory of a sandbox.
    ///
    /// # Errors
    /// If the agent cannot be asked, or there is no such directory.
    pub async fn list_files(&self, path: &str) -> Result<Vec<FileInfo>, OperatorError> {
        let call = agent::Call {
            r#type: Some(agent::call::Type::ListFiles.into()),
            list_files: Some(agent::call::ListFiles { path: path.to_owned() }),
            ..agent::Call::default()
        };
        Ok(self.call_agent(&call).await?.list_files.unwrap_or_default().file_infos)
    }
}
