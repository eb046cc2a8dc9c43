//! Brings what a container needs into its sandbox before it starts.
//!
//! All sources are fetched at once; archives are unpacked afterwards, one by one in the order given, so that no file
//! is opened through a link that an archive has just made. Every file is read, made and unpacked with the rights of
//! the container's user: nobody can fetch what they could not read, nor write where they could not.
//!
//! What may come from the cache is fetched into it once for each user (see `cache`) and copied, or unpacked, from there.

mod archive;
mod cache;
mod cache_dir;
mod hadoop;
mod http;
mod local;
mod log;
mod scheme;
mod source;
mod tls;
#[cfg(test)]
mod tls_tests;
mod untar;
mod zstd;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::ContainerId;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::user::{User, UserError, run_as};
use archive::Format;
use cache::{Cache, Cached, Claim, Filling, Key};
use http::HttpClient;
use log::Log;
use source::{Location, Source};

pub use archive::ArchiveError;
pub use cache::CacheUsage;
pub use hadoop::Hadoop;
pub use http::HttpError;
pub use scheme::{Fetching, Scheme, Sink, SinkError};
pub use source::UriError;

/// How many sources are fetched at a time, for all containers together; each may take a thread and a connection.
const MAX_FETCHES: usize = 64;

/// Something to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uri {
    /// `http://`, `https://`, `file://`, another scheme that the fetcher was given, or a path.
    pub value: String,
    /// Make the file executable; it is not unpacked then.
    pub executable: bool,
    /// Unpack it if its name says that it is an archive.
    pub extract: bool,
    /// Keep it in the cache, and take it from there if it is there. An archive that comes from there is unpacked without
    /// being put into the sandbox itself.
    pub cache: bool,
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
        source: Box<dyn Error + Send + Sync>,
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
    schemes: BTreeMap<String, Arc<dyn Scheme>>,
    other_schemes: Option<Arc<dyn Scheme>>,
    cache: Option<Arc<Cache>>,
    /// One place for each source that is being fetched.
    places: Arc<Semaphore>,
}

/// Where what a container needs goes.
#[derive(Clone)]
struct Destination {
    sandbox: Arc<Path>,
    user: Option<User>,
    log: Arc<Log>,
}

impl Fetcher {
    /// A fetcher without a cache; relative paths are looked for below `home`, and refused without one.
    #[must_use]
    pub fn new(limits: FetchLimits, home: Option<PathBuf>) -> Self {
        let http: Arc<dyn Scheme> = Arc::new(HttpClient::default());
        let schemes = ["http", "https"].map(|name| (name.to_owned(), Arc::clone(&http)));
        let places = Arc::new(Semaphore::new(MAX_FETCHES));
        Self { limits, home, schemes: schemes.into(), other_schemes: None, cache: None, places }
    }

    /// Keeps up to `capacity` bytes of what was fetched in a directory of its own below `directory`, and removes there
    /// what agents that are gone have left. Without capacity nothing is kept.
    #[must_use]
    pub fn with_cache(self, directory: PathBuf, capacity: u64) -> Self {
        let cache = Cache::new(directory, capacity);
        Self { cache: (capacity > 0).then_some(cache), ..self }
    }

    /// Fetches URIs of a scheme in a certain way.
    #[must_use]
    pub fn with_scheme(mut self, name: &str, scheme: Arc<dyn Scheme>) -> Self {
        self.schemes.insert(name.to_ascii_lowercase(), scheme);
        self
    }

    /// Fetches URIs of all schemes that are not known otherwise in a certain way.
    #[must_use]
    pub fn with_other_schemes(self, scheme: Arc<dyn Scheme>) -> Self {
        Self { other_schemes: Some(scheme), ..self }
    }

    /// How much the cache may hold and does.
    #[must_use]
    pub fn cache_usage(&self) -> CacheUsage {
        self.cache.as_ref().map(|cache| cache.usage()).unwrap_or_default()
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
        let result = self.fetch_all(sandbox, user.as_deref(), &uris).await;
        result.map_err(|source| FetchError { container_id, source })
    }

    async fn fetch_all(&self, sandbox: PathBuf, user: Option<&str>, uris: &[Uri]) -> Result<(), SourceError> {
        let name = user.map(str::to_owned);
        // On a thread of its own: users may be looked up in a directory service.
        let user = run_as(None, move || User::to_become(name.as_deref())).await??;
        let log = Arc::new(Log::open(&sandbox, user.clone()).await);
        let to = Destination { sandbox: sandbox.into(), user, log };
        let result = self.fetch_logged(&to, uris).await;
        if let Err(error) = &result {
            to.log.error(error);
        }
        result
    }

    async fn fetch_logged(&self, to: &Destination, uris: &[Uri]) -> Result<(), SourceError> {
        let sources = self.sources(uris)?;
        let mut fetches = JoinSet::new();
        for (index, source) in sources.iter().enumerate() {
            let (this, source, to) = (self.clone(), source.clone(), to.clone());
            fetches.spawn(async move { (index, this.fetch_one(&source, &to).await) });
        }
        let mut in_cache = BTreeMap::new();
        while let Some(fetched) = fetches.join_next().await {
            match fetched {
                Ok((index, result)) => in_cache.extend(result?.map(|cached| (index, cached))),
                Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
            }
        }
        for (index, source) in sources.iter().enumerate() {
            if let Some(format) = source.format() {
                self.extract(source, format, in_cache.remove(&index), to).await?;
            }
        }
        Ok(())
    }

    fn sources(&self, uris: &[Uri]) -> Result<Vec<Source>, SourceError> {
        let mut sources: Vec<Source> = Vec::with_capacity(uris.len());
        for uri in uris {
            let wrong = |source| SourceError::Uri { uri: uri.value.clone(), source };
            let source = Source::new(uri, self.home.as_deref()).map_err(wrong)?;
            if let Location::Remote { scheme, .. } = &source.location
                && self.scheme(scheme).is_none()
            {
                return Err(wrong(UriError::Scheme(scheme.clone())));
            }
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

    fn scheme(&self, name: &str) -> Option<&dyn Scheme> {
        self.schemes.get(name).or(self.other_schemes.as_ref()).map(AsRef::as_ref)
    }

    /// Fetches a source into the sandbox; an archive of the cache is left there and returned.
    async fn fetch_one(&self, source: &Source, to: &Destination) -> Result<Option<Cached>, SourceError> {
        let cached = match &self.cache {
            Some(cache) if source.cache => self.through_cache(cache, source, to).await?,
            _ => None,
        };
        if source.format().is_some() && cached.is_some() {
            return Ok(cached);
        }
        // Never closed. What has no place yet waits for one.
        let _place = self.places.acquire().await;
        let began = Instant::now();
        to.log.line(format_args!("fetching '{}' to '{}'", source.uri, source.name.display()));
        let (target, executable) = (to.sandbox.join(&source.name), source.executable);
        let file = run_as(to.user.clone(), move || local::create(&target, executable))
            .await?
            .map_err(|error| source.copy_failed(error))?;
        let bytes = match cached {
            Some(Cached { file: from, pin }) => {
                let limit = self.limits.max_bytes;
                let copied = run_as(to.user.clone(), move || local::copy(from, file, limit)).await?;
                drop(pin);
                copied.map_err(|error| source.copy_failed(error))?
            }
            None => self.fetch_into(source, to.user.as_ref(), file, None).await?,
        };
        to.log.line(format_args!(
            "fetched '{}': {bytes} bytes in {:.3} s",
            source.uri,
            began.elapsed().as_secs_f64()
        ));
        Ok(None)
    }

    /// Has a source in the cache; `None` if that cannot be, which is no reason to fail.
    async fn through_cache(
        &self,
        cache: &Arc<Cache>,
        source: &Source,
        to: &Destination,
    ) -> Result<Option<Cached>, SourceError> {
        let key = Key { user: to.user.as_ref().map(|user| user.name().to_owned()), uri: source.uri.clone() };
        let filling = match cache.claim(&key).await {
            Claim::Cached(cached) => {
                to.log.line(format_args!("'{}' is in the cache", source.uri));
                return Ok(Some(cached));
            }
            Claim::Bypass => return Ok(None),
            Claim::Fill(filling) => filling,
        };
        // Who waits for us has no place.
        let _place = self.places.acquire().await;
        to.log.line(format_args!("fetching '{}' into the cache", source.uri));
        let fetched = match filling.create() {
            Ok(file) => self.fetch_into(source, to.user.as_ref(), file, Some(&filling)).await,
            Err(error) => Err(source.copy_failed(error)),
        };
        let result = match fetched {
            Ok(bytes) => Ok(filling.complete(bytes)),
            Err(error) => {
                let result = if filling.is_refused() { Ok(None) } else { Err(error) };
                filling.fail();
                result
            }
        };
        if let Ok(None) = result {
            to.log.line(format_args!("'{}' cannot be kept in the cache", source.uri));
        }
        result
    }

    /// Writes a source into a file and returns its length.
    async fn fetch_into(
        &self,
        source: &Source,
        user: Option<&User>,
        file: File,
        filling: Option<&Filling>,
    ) -> Result<u64, SourceError> {
        let FetchLimits { stall, max_bytes } = self.limits;
        match &source.location {
            Location::Local(path) => {
                let path = path.clone();
                let (from, length) = run_as(user.cloned(), move || local::open(&path))
                    .await?
                    .map_err(|error| source.copy_failed(error))?;
                let limit = match filling {
                    Some(filling) if !filling.reserve(length) => {
                        return Err(source.download_failed(Box::new(SinkError::NoRoom)));
                    }
                    // A file that grows meanwhile is not one to keep.
                    Some(_) => length.min(max_bytes),
                    None => max_bytes,
                };
                let copied = run_as(user.cloned(), move || local::copy(from, file, limit)).await?;
                copied.map_err(|error| {
                    if let Some(filling) = filling {
                        filling.refuse();
                    }
                    source.copy_failed(error)
                })
            }
            Location::Remote { scheme, address } => {
                let Some(scheme) = self.scheme(scheme) else {
                    let error = UriError::Scheme(scheme.clone());
                    return Err(SourceError::Uri { uri: source.uri.clone(), source: error });
                };
                let mut sink = Sink::new(file, max_bytes, stall, filling);
                let fetched = scheme.fetch(address, user, &mut sink).await;
                fetched.map_err(|error| source.download_failed(error))?;
                sink.finish().await.map_err(|error| source.download_failed(Box::new(error)))
            }
        }
    }

    async fn extract(
        &self,
        source: &Source,
        format: Format,
        cached: Option<Cached>,
        to: &Destination,
    ) -> Result<(), SourceError> {
        to.log.line(format_args!("extracting '{}'", source.name.display()));
        let (from, _pin) = cached.map(|Cached { file, pin }| (file, pin)).unzip();
        let (sandbox, name, limit) = (Arc::clone(&to.sandbox), source.name.clone(), self.limits.max_bytes);
        let extract = move || {
            let file = match from {
                Some(file) => file,
                None => File::open(sandbox.join(&name))?,
            };
            archive::extract(format, file, &name, &sandbox, limit)
        };
        run_as(to.user.clone(), extract)
            .await?
            .map_err(|error| SourceError::Extract { uri: source.uri.clone(), source: error })
    }
}
