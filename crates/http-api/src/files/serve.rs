//! What is attached, read, listed, browsed and downloaded by either API.

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

use axum::http::{HeaderValue, header};
use axum::response::Response;
use proto::v1;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::local::{self, Attached, Entry, FileError};
use super::names::media_type;
use crate::{ApiError, Encoding, EventStream, value_of};

/// How much of a file is read at a time for a download.
const PIECE: usize = 64 << 10;

/// How long a client may take none of a download before it is given up.
const STALL: Duration = Duration::from_secs(300);

fn path_of(form: &[(String, String)]) -> Result<String, ApiError> {
    let path = value_of(form, "path").filter(|path| !path.is_empty());
    path.map(str::to_owned).ok_or_else(|| ApiError::bad_request("Expecting 'path=value' in query.\n"))
}

/// A number of the query; `None` if it is missing or -1.
fn number(form: &[(String, String)], name: &str) -> Result<Option<u64>, ApiError> {
    let Some(text) = value_of(form, name) else { return Ok(None) };
    let parsed: Result<i64, _> = text.parse();
    match parsed {
        Err(_) => Err(ApiError::bad_request(format!(
            "Failed to parse {name}: Failed to convert '{text}' to number.\n"
        ))),
        Ok(-1) => Ok(None),
        Ok(number) => u64::try_from(number)
            .map(Some)
            .map_err(|_| ApiError::bad_request(format!("Negative {name} provided: {number}.\n"))),
    }
}

/// `/files/read`: a part of a file.
///
/// # Errors
/// `400` if the query is wrong or asks for a directory, `404` if there is no such file.
pub async fn read(attached: Attached, form: &[(String, String)]) -> Result<Value, ApiError> {
    let path = path_of(form)?;
    let (offset, length) = (number(form, "offset")?, number(form, "length")?);
    let real = resolve(attached, &path).await?;
    let chunk = blocking(move || local::read(&real, offset, length)).await?;
    Ok(json!({
        "offset": offset.unwrap_or(chunk.size),
        "data": String::from_utf8_lossy(&chunk.data),
    }))
}

/// `/files/browse`: what is in a directory.
///
/// # Errors
/// `400` if the query is wrong, `404` if there is no such directory.
pub async fn browse(attached: Attached, form: &[(String, String)]) -> Result<Value, ApiError> {
    let entries = entries(attached, path_of(form)?).await?;
    let shown = entries.iter().map(|entry| {
        json!({
            "gid": &*entry.group,
            "mode": entry.mode_text(),
            "mtime": entry.metadata.mtime(),
            "nlink": entry.metadata.nlink(),
            "path": entry.path,
            "size": entry.metadata.size(),
            "uid": &*entry.user,
        })
    });
    Ok(Value::from_iter(shown))
}

/// `/files/download`: a whole file.
///
/// # Errors
/// As for [`read`].
pub async fn download(attached: Attached, form: &[(String, String)]) -> Result<Response, ApiError> {
    let path = path_of(form)?;
    let not_there = |error: ApiError| {
        if error.status == 404 { ApiError::not_found("404 Not Found.") } else { error }
    };
    let real = resolve(attached, &path).await.map_err(not_there)?;
    let kind = media_type(&real);
    let name =
        real.file_name().map(|name| name.to_string_lossy().replace(['"', '\\'], "_")).unwrap_or_default();
    let opened = blocking(move || match local::open(&real) {
        Err(FileError::Directory) => Ok(None),
        opened => opened.map(Some),
    });
    let (mut file, metadata) = opened
        .await
        .map_err(not_there)?
        .ok_or_else(|| ApiError::bad_request("Cannot download a directory.\n"))?;
    let (pieces, receiver) = mpsc::channel::<Vec<u8>>(4);
    // As long as the file was when it was opened: it may grow faster than it is read.
    let mut left = metadata.len();
    tokio::spawn(async move {
        while left > 0 {
            let length = PIECE.min(usize::try_from(left).unwrap_or(PIECE));
            // A thread is taken for the reading alone: a client that does not read keeps none.
            let reading = tokio::task::spawn_blocking(move || {
                let mut piece = vec![0; length];
                let count = file.read(&mut piece).unwrap_or(0);
                piece.truncate(count);
                (file, piece)
            });
            let Ok((same, piece)) = reading.await else { return };
            if piece.is_empty() {
                // It was cut short; so is the answer.
                return;
            }
            file = same;
            left -= piece.len() as u64;
            if !matches!(tokio::time::timeout(STALL, pieces.send(piece)).await, Ok(Ok(()))) {
                return;
            }
        }
    });
    let stream =
        EventStream::new(receiver, |piece: Vec<u8>, buffer: &mut Vec<u8>| buffer.extend_from_slice(&piece));
    let mut response = stream.into_response(Encoding::Json, None);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_LENGTH, metadata.len().into());
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

/// `LIST_FILES`: what is in a directory.
///
/// # Errors
/// As for [`browse`].
pub async fn list_files(attached: Attached, path: String) -> Result<Vec<v1::FileInfo>, ApiError> {
    Ok(entries(attached, path).await?.iter().map(info).collect())
}

/// `READ_FILE`: how large a file is, and a part of it.
///
/// # Errors
/// As for [`read`].
pub async fn read_file(
    attached: Attached,
    path: &str,
    offset: u64,
    length: Option<u64>,
) -> Result<(u64, Vec<u8>), ApiError> {
    let real = resolve(attached, path).await?;
    let chunk = blocking(move || local::read(&real, Some(offset), length)).await?;
    Ok((chunk.size, chunk.data))
}

async fn entries(attached: Attached, path: String) -> Result<Vec<Entry>, ApiError> {
    let real = resolve(attached, &path).await?;
    blocking(move || local::list(&real, &path)).await
}

/// The real path of a virtual one.
async fn resolve(attached: Attached, path: &str) -> Result<PathBuf, ApiError> {
    let path = path.to_owned();
    blocking(move || local::resolve(&attached, &path)).await
}

/// Does what may wait for a disk, away from those who serve others.
async fn blocking<T: Send + 'static>(
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
        uid: Some(entry.user.to_string()),
        gid: Some(entry.group.to_string()),
    }
}
