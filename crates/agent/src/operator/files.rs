//! Files of sandboxes, and the log.

use http_api::{ApiError, files};
use proto::v1::agent::response::{ListFiles, ReadFile, Type};
use proto::v1::agent::{Call, Response as Reply};

use super::{expecting, of};
use crate::context::Shared;
use crate::files::attached;

pub(super) async fn list(agent: &Shared, call: &Call) -> Result<Reply, ApiError> {
    let path = call.list_files.as_ref().ok_or_else(|| expecting("list_files"))?.path.clone();
    let file_infos = files::list_files(attached(agent).await?, path).await?;
    Ok(Reply { list_files: Some(ListFiles { file_infos }), ..of(Type::ListFiles) })
}

pub(super) async fn read(agent: &Shared, call: &Call) -> Result<Reply, ApiError> {
    let read = call.read_file.as_ref().ok_or_else(|| expecting("read_file"))?;
    let (size, data) = files::read_file(attached(agent).await?, &read.path, read.offset, read.length).await?;
    Ok(Reply { read_file: Some(ReadFile { size, data: data.into() }), ..of(Type::ReadFile) })
}
