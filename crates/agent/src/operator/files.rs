//! Files of sandboxes.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use http_api::ApiError;
use proto::v1;
use proto::v1::agent::response::{ListFiles, ReadFile, Type};
use proto::v1::agent::{Call, Response as Reply};

use super::{expecting, of};
use crate::context::Shared;
use crate::files::{self, Entry, FileError};

pub(super) async fn list(agent: &Shared, call: &Call) -> Result<Reply, ApiError> {
    let path = call.list_files.as_ref().ok_or_else(|| expecting("list_files"))?.path.clone();
    let real = resolve(agent, &path).await?;
    let entries = blocking(move || files::list(&real, &path)).await?;
    let file_infos = entries.iter().map(info).collect();
    Ok(Reply { list_files: Some(ListFiles { file_infos }), ..of(Type::ListFiles) })
}

pub(super) async fn read(agent: &Shared, call: &Call) -> Result<Reply, ApiError> {
    let read = call.read_file.clone().ok_or_else(|| expecting("read_file"))?;
    let real = resolve(agent, &read.path).await?;
    let chunk = blocking(move || files::read(&real, Some(read.offset), read.length)).await?;
    Ok(Reply {
        read_file: Some(ReadFile { size: chunk.size, data: chunk.data.into() }),
        ..of(Type::ReadFile)
    })
}

/// The real path of a virtual one.
pub(crate) async fn resolve(agent: &Shared, path: &str) -> Result<PathBuf, ApiError> {
    let view = agent.view().await?;
    let path = path.to_owned();
    blocking(move || files::resolve(&files::attached(&view.snapshot), &path)).await
}

/// Does what may wait for a disk, away from those who serve others.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FileError> + Send + 'static,
) -> Result<T, ApiError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| ApiError::internal(error.to_string()))?.map_err(|error| match error {
        FileError::NotFound => ApiError::not_found(""),
        FileError::Directory | FileError::Inaccessible(_) => ApiError::bad_request(error.to_string()),
        FileError::Io(_) => ApiError::internal(error.to_string()),
    })
}

fn info(entry: &Entry) -> v1::FileInfo {
    let metadata = &entry.metadata;
    let nanoseconds = metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec());
    v1::FileInfo {
        path: entry.path.clone(),
        nlink: i32::try_from(metadata.nlink()).ok(),
        size: Some(metadata.size()),
        mtime: Some(v1::TimeInfo { nanoseconds }),
        mode: Some(metadata.mode()),
        uid: Some(entry.user()),
        gid: Some(entry.group()),
    }
}
