//! Brings what a container needs into its sandbox before it starts.
//!
//! All sources are fetched at once; archives are unpacked afterwards, one by one in the order given, so that no file
//! is opened through a link that an archive has just made. Every file is read, made and unpacked with the rights of
//! the container's user: nobody can fetch what they could not read, nor write where they could not.

mod archive;
mod http;
mod local;
mod log;
mod source;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::ContainerId;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::user::{User, UserError, run_as};
use archive::Format;
use http::HttpClient;
use log::Log;
use source::{Location, Source};

pub use archive::ArchiveError;
pub use http::HttpError;
pub use source::UriError;

/// How many sources are fetched at a time, for all containers together; each may take a thread and a connection.
const MAX_FETCHES: usize = 64;

/// Something to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uri {
    /// `http://`, `https://`, `file://`, or a path.
    pub value: String,
    /// Make the file executable; it is not unpacked then.
    pub executable: bool,
    /// Unpack it if its name says that it is an archive.
    pub extract: bool,
    /// What to call it in the sandbox, possibly with directories; by default the last part of the source's path.
    pub output_file: Option<String>,
}

/// What a container needs.
#[derive(Clone, Debug)]
pub struct FetchRequest {
    /// For whom.
    pub container_id: ContainerId,
    /// Where to: a directory that exists.
    pub sandbox: PathBuf,
    /// Whose the files will be, and with whose rights they are fetched; ourselves without one.
    pub user: Option<String>,
    /// What.
    pub uris: Vec<Uri>,
}

/// Bounds of a fetch.
#[derive(Clone, Copy, Debug)]
pub struct FetchLimits {
    /// A server that sends nothing for so long is given up (`fetcher_stall_timeout`).
    pub stall: Duration,
    /// No file, and no archive's content, may be larger, in bytes.
    pub max_bytes: u64,
}

impl Default for FetchLimits {
    fn default() -> Self {
        Self { stall: Duration::from_secs(60), max_bytes: 256 << 30 }
    }
}

/// A container does not get all that it needs. The error's sources say why.
#[derive(Debug, thiserror::Error)]
#[error("Failed to fetch all URIs for container '{container_id}'")]
pub struct FetchError {
    /// For whom.
    pub container_id: ContainerId,
    /// Why.
    pub source: SourceError,
}

/// Why one source could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It makes no sense.
    #[error("bad URI '{uri}'")]
    Uri {
        /// Which.
        uri: String,
        /// What is wrong.
        source: UriError,
    },
    /// Two sources would become the same file.
    #[error("'{uri}' would be the second file called '{name}'")]
    SameName {
        /// The later one.
        uri: String,
        /// The name.
        name: String,
    },
    /// The user cannot be used.
    #[error("cannot fetch as the container's user")]
    User(#[from] UserError),
    /// A file of this machine cannot be copied.
    #[error("cannot copy '{uri}'")]
    Copy {
        /// Which.
        uri: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// It cannot be downloaded.
    #[error("cannot download '{uri}'")]
    Download {
        /// Which.
        uri: String,
        /// Why.
        source: HttpError,
    },
    /// It cannot be unpacked.
    #[error("cannot extract '{uri}'")]
    Extract {
        /// Which.
        uri: String,
        /// Why.
        source: ArchiveError,
    },
}

/// Fetches for all containers of an agent.
#[derive(Clone)]
pub struct Fetcher {
    limits: FetchLimits,
    /// Where relative paths start (`frameworks_home`).
    home: Option<PathBuf>,
    http: Arc<HttpClient>,
    /// One place for each source that is being fetched.
    places: Arc<Semaphore>,
}

impl Fetcher {
    /// A fetcher; relative paths are looked for below `home`, and refused without one.
    #[must_use]
    pub fn new(limits: FetchLimits, home: Option<PathBuf>) -> Self {
        Self { limits, home, http: Arc::default(), places: Arc::new(Semaphore::new(MAX_FETCHES)) }
    }

    /// Fetches everything, or says what cannot be fetched. What happens is also written into the sandbox' `stderr`.
    ///
    /// # Errors
    /// At the first source that fails; the others are given up.
    pub async fn fetch(&self, request: FetchRequest) -> Result<(), FetchError> {
        if request.uris.is_empty() {
            return Ok(());
        }
        let FetchRequest { container_id, sandbox, user, uris } = request;
        let result = self.fetch_all(&sandbox, user.as_deref(), &uris).await;
        result.map_err(|source| FetchError { container_id, source })
    }

    async fn fetch_all(&self, sandbox: &Path, user: Option<&str>, uris: &[Uri]) -> Result<(), SourceError> {
        let user = User::to_become(user)?;
        let log = Arc::new(Log::open(sandbox, user.clone()).await);
        let result = self.fetch_logged(sandbox, user, uris, &log).await;
        if let Err(error) = &result {
            log.error(error);
        }
        result
    }

    async fn fetch_logged(
        &self,
        sandbox: &Path,
        user: Option<User>,
        uris: &[Uri],
        log: &Arc<Log>,
    ) -> Result<(), SourceError> {
        let sources = self.sources(uris)?;
        let mut fetches = JoinSet::new();
        for source in &sources {
            let (this, source) = (self.clone(), source.clone());
            let (target, user, log) = (sandbox.join(&source.name), user.clone(), Arc::clone(log));
            fetches.spawn(async move { this.fetch_one(&source, target, user, &log).await });
        }
        while let Some(fetched) = fetches.join_next().await {
            match fetched {
                Ok(result) => result?,
                Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
            }
        }
        for source in sources.iter().filter(|source| source.extract) {
            let Some(format) = Format::of(&source.name) else { continue };
            log.line(format_args!("extracting '{}'", source.name.display()));
            let (archive, into, limit) =
                (sandbox.join(&source.name), sandbox.to_owned(), self.limits.max_bytes);
            run_as(user.clone(), move || archive::extract(format, &archive, &into, limit))
                .await?
                .map_err(|error| SourceError::Extract { uri: source.uri.clone(), source: error })?;
        }
        Ok(())
    }

    fn sources(&self, uris: &[Uri]) -> Result<Vec<Source>, SourceError> {
        let mut sources: Vec<Source> = Vec::with_capacity(uris.len());
        for uri in uris {
            let source = Source::new(uri, self.home.as_deref())
                .map_err(|source| SourceError::Uri { uri: uri.value.clone(), source })?;
            if let Some(other) = sources.iter().find(|other| other.name == source.name) {
                // The same thing twice is one thing; two things under one name would overwrite each other.
                if *other == source {
                    continue;
                }
                let name = source.name.display().to_string();
                return Err(SourceError::SameName { uri: source.uri, name });
            }
            sources.push(source);
        }
        Ok(sources)
    }

    async fn fetch_one(
        &self,
        source: &Source,
        target: PathBuf,
        user: Option<User>,
        log: &Log,
    ) -> Result<(), SourceError> {
        let uri = || source.uri.clone();
        // Never closed. What has no place yet waits for one.
        let _place = self.places.acquire().await;
        let began = Instant::now();
        log.line(format_args!("fetching '{}' to '{}'", source.uri, source.name.display()));
        let executable = source.executable;
        let bytes = match &source.location {
            Location::Local(path) => {
                let (path, limit) = (path.clone(), self.limits.max_bytes);
                run_as(user, move || local::copy(&path, &target, executable, limit))
                    .await?
                    .map_err(|source| SourceError::Copy { uri: uri(), source })?
            }
            Location::Http(address) => {
                let file = run_as(user, move || local::create(&target, executable))
                    .await?
                    .map_err(|source| SourceError::Copy { uri: uri(), source })?;
                self.http
                    .download(address, file, self.limits)
                    .await
                    .map_err(|source| SourceError::Download { uri: uri(), source })?
            }
        };
        log.line(format_args!(
            "fetched '{}': {bytes} bytes in {:.3} s",
            source.uri,
            began.elapsed().as_secs_f64()
        ));
        Ok(())
    }
}
