//! `/files`: sandboxes read, browsed and downloaded.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use axum::routing::any;
use http_api::{ApiError, Encoding, EventStream, value_of};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::asked::Asked;
use super::media::media_type;
use crate::context::Agent;
use crate::files::{self, FileError};
use crate::operator::{blocking, resolve};

/// How much of a file is read at a time for a download.
const PIECE: usize = 64 << 10;

/// How long a client may take none of a download before it is given up.
const STALL: Duration = Duration::from_secs(300);

pub(super) fn router() -> Router<Agent> {
    let mut router = Router::new();
    for suffix in ["", ".json"] {
        router = router
            .route(&format!("/files/debug{suffix}"), any(debug))
            .route(&format!("/files/read{suffix}"), any(read))
            .route(&format!("/files/browse{suffix}"), any(browse))
            .route(&format!("/files/download{suffix}"), any(download));
    }
    router
}

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

async fn read(State(agent): State<Agent>, asked: Asked) -> Result<Response, ApiError> {
    let path = path_of(asked.form())?;
    let (offset, length) = (number(asked.form(), "offset")?, number(asked.form(), "length")?);
    let real = resolve(&agent, &path).await?;
    let chunk = blocking(move || files::read(&real, offset, length)).await?;
    let shown = json!({
        "offset": offset.unwrap_or(chunk.size),
        "data": String::from_utf8_lossy(&chunk.data),
    });
    asked.answer(&shown)
}

async fn browse(State(agent): State<Agent>, asked: Asked) -> Result<Response, ApiError> {
    let path = path_of(asked.form())?;
    let real = resolve(&agent, &path).await?;
    let entries = blocking(move || files::list(&real, &path)).await?;
    let shown = entries.iter().map(|entry| {
        json!({
            "gid": entry.group(),
            "mode": entry.mode_text(),
            "mtime": entry.metadata.mtime(),
            "nlink": entry.metadata.nlink(),
            "path": entry.path,
            "size": entry.metadata.size(),
            "uid": entry.user(),
        })
    });
    asked.answer(&Value::from_iter(shown))
}

async fn debug(State(agent): State<Agent>, asked: Asked) -> Result<Response, ApiError> {
    let view = agent.view().await?;
    let attached: BTreeMap<String, String> = files::attached(&view.snapshot)
        .into_iter()
        .map(|(path, directory)| (path, directory.display().to_string()))
        .collect();
    asked.answer(&attached)
}

async fn download(State(agent): State<Agent>, asked: Asked) -> Result<Response, ApiError> {
    let path = path_of(asked.form())?;
    let not_there = |error: ApiError| {
        if error.status == 404 { ApiError::not_found("404 Not Found.") } else { error }
    };
    let real = resolve(&agent, &path).await.map_err(not_there)?;
    let kind = media_type(&real);
    let name =
        real.file_name().map(|name| name.to_string_lossy().replace(['"', '\\'], "_")).unwrap_or_default();
    let opened = blocking(move || match files::open(&real) {
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
