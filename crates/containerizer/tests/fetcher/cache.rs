//! The cache, named after what Mesos' fetcher_cache_tests.cpp protects.

use std::collections::{BTreeSet, HashMap};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base::ContainerId;
use containerizer::{CacheUsage, FetchLimits, FetchRequest, Fetcher, Uri};

use crate::web::{ok, serve, serve_in_turn};
use crate::{said, uri};

/// A fetcher with a cache, files to fetch, and sandboxes.
struct Place {
    root: tempfile::TempDir,
    fetcher: Fetcher,
}

impl Place {
    fn new(capacity: u64) -> Self {
        let root = tempfile::tempdir().expect("a directory");
        std::fs::set_permissions(root.path(), PermissionsExt::from_mode(0o755)).expect("ours");
        let fetcher =
            Fetcher::new(FetchLimits::default(), None).with_cache(root.path().join("cache"), capacity);
        Self { root, fetcher }
    }

    /// A file to fetch.
    fn file(&self, name: &str, size: usize) -> Uri {
        let path = self.root.path().join(name);
        std::fs::write(&path, name.repeat(size.div_ceil(name.len())).split_at(size).0).expect("ours");
        Uri { cache: true, ..uri(path.display().to_string()) }
    }

    async fn fetch(&self, sandbox: &str, uris: Vec<Uri>) -> Result<PathBuf, String> {
        self.fetch_as(None, sandbox, uris).await
    }

    async fn fetch_as(&self, user: Option<&str>, sandbox: &str, uris: Vec<Uri>) -> Result<PathBuf, String> {
        let sandbox = self.root.path().join(format!("sandbox-{sandbox}"));
        containerizer::create_sandbox(&sandbox, user).expect("a sandbox");
        let request = FetchRequest {
            container_id: ContainerId::from("c"),
            sandbox: sandbox.clone(),
            user: user.map(str::to_owned),
            uris,
        };
        said(self.fetcher.fetch(request).await).map(|()| sandbox)
    }

    /// The files in the cache, by the ends of their names.
    fn kept(&self) -> BTreeSet<String> {
        self.cache_files()
            .iter()
            .map(|path| path.file_name().expect("a file").to_string_lossy().into_owned())
            .map(|name| name.split_once('-').expect("a number first").1.to_owned())
            .collect()
    }

    fn cache_files(&self) -> Vec<PathBuf> {
        let Ok(agents) = std::fs::read_dir(self.root.path().join("cache")) else { return Vec::new() };
        agents
            .flatten()
            .flat_map(|agent| std::fs::read_dir(agent.path()).expect("ours").flatten())
            .map(|file| file.path())
            .collect()
    }

    fn used(&self) -> u64 {
        self.fetcher.cache_usage().used
    }
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn is_executable(path: &Path) -> bool {
    std::fs::metadata(path).expect("there").permissions().mode() & 0o111 == 0o111
}

fn archive() -> Vec<u8> {
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o755);
    header.set_size(7);
    tar.append_data(&mut header, "inside", &b"content"[..]).expect("memory");
    tar.into_inner().and_then(flate2::write::GzEncoder::finish).expect("memory")
}

#[tokio::test]
async fn local_uncached() {
    let place = Place::new(1000);
    let plain = Uri { cache: false, ..place.file("f", 10) };
    place.fetch("s", vec![plain]).await.expect("fetched");
    assert!(place.kept().is_empty());
    assert_eq!(place.fetcher.cache_usage(), CacheUsage { total: 1000, used: 0 });
    // Without capacity nothing is kept, wanted or not.
    let place = Place::new(0);
    let sandbox = place.fetch("s", vec![place.file("f", 10)]).await.expect("fetched");
    assert!(sandbox.join("f").exists());
    assert!(!place.root.path().join("cache").exists());
}

#[tokio::test]
async fn local_cached() {
    let place = Place::new(1000);
    let file = Uri { executable: true, ..place.file("f", 10) };
    for number in 0..3 {
        let sandbox = place.fetch(&number.to_string(), vec![file.clone()]).await.expect("fetched");
        assert!(is_executable(&sandbox.join("f")));
        assert_eq!((place.kept(), place.used()), (names(&["f"]), 10));
        // What is fetched once is not asked for again.
        std::fs::write(place.root.path().join("f"), "something else").expect("ours");
        assert_eq!(std::fs::read(sandbox.join("f")).expect("there"), b"ffffffffff");
    }
}

#[tokio::test]
async fn local_cached_missing() {
    let place = Place::new(1000);
    let file = place.file("f", 10);
    for number in 0..3 {
        let sandbox = place.fetch(&number.to_string(), vec![file.clone()]).await.expect("fetched");
        assert!(sandbox.join("f").exists());
        assert_eq!((place.cache_files().len(), place.used()), (1, 10));
        let kept = &place.cache_files()[0];
        if number == 0 {
            std::fs::remove_file(kept).expect("there");
        } else {
            // Cut short is as bad as gone.
            std::fs::write(kept, "f").expect("ours");
        }
    }
}

#[tokio::test]
async fn cached_custom_filename_and_subdirectory() {
    let place = Place::new(1000);
    let file = Uri { executable: true, ..place.file("näme", 10) };
    let named = |name: &str| Uri { output_file: Some(name.to_owned()), ..file.clone() };
    // Duplicates of one URI under several names are fetched once, too.
    let uris = vec![file.clone(), named("other"), named("d/e/othér")];
    let sandbox = place.fetch("s", uris).await.expect("fetched");
    for name in ["näme", "other", "d/e/othér"] {
        assert!(is_executable(&sandbox.join(name)), "{name}");
    }
    assert_eq!((place.kept(), place.used()), (names(&["näme"]), 10));
}

#[tokio::test]
async fn extracted_with_and_without_cache() {
    let place = Place::new(10_000);
    let path = place.root.path().join("a.tgz");
    std::fs::write(&path, archive()).expect("ours");
    let file = uri(path.display().to_string());
    let sandbox = place.fetch("uncached", vec![file.clone()]).await.expect("fetched");
    assert!(is_executable(&sandbox.join("inside")) && sandbox.join("a.tgz").exists());
    assert!(place.kept().is_empty());
    for number in 0..2 {
        let cached = Uri { cache: true, ..file.clone() };
        let sandbox = place.fetch(&number.to_string(), vec![cached]).await.expect("fetched");
        assert!(is_executable(&sandbox.join("inside")) && !sandbox.join("a.tgz").exists());
        assert_eq!(place.kept(), names(&["a.tgz"]));
    }
    let whole = Uri { cache: true, extract: false, ..file };
    let sandbox = place.fetch("whole", vec![whole]).await.expect("fetched");
    assert!(sandbox.join("a.tgz").exists() && !sandbox.join("inside").exists());
    // What one compressed file becomes is called as it is in the sandbox, not as in the cache.
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, b"text").expect("memory");
    let path = place.root.path().join("f.txt.gz");
    std::fs::write(&path, gzip.finish().expect("memory")).expect("ours");
    let file = Uri { cache: true, output_file: Some("d/g.gz".to_owned()), ..uri(path.display().to_string()) };
    let sandbox = place.fetch("gzip", vec![file]).await.expect("fetched");
    assert_eq!(std::fs::read(sandbox.join("d/g")).expect("unpacked"), b"text");
}

#[tokio::test]
async fn http_cached_serialized() {
    let server = serve(HashMap::from([
        ("/f", ok(b"content")),
        // Its length is told by its end only.
        ("/chunked", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n".to_vec()),
    ]));
    let place = Place::new(1000);
    for number in 0..3 {
        let uris = ["f", "chunked"].map(|name| Uri { cache: true, ..uri(format!("{server}/{name}")) });
        let sandbox = place.fetch(&number.to_string(), uris.to_vec()).await.expect("fetched");
        assert_eq!(std::fs::read(sandbox.join("f")).expect("there"), b"content");
        assert_eq!(std::fs::read(sandbox.join("chunked")).expect("there"), b"abc");
        assert_eq!((server.asked("/f"), server.asked("/chunked")), (1, 1));
        assert_eq!((place.kept(), place.used()), (names(&["f", "chunked"]), 10));
    }
}

#[tokio::test]
async fn http_cached_concurrent() {
    let server = serve(HashMap::from([("/gated.tgz", ok(&archive()))]));
    let place = Place::new(10_000);
    // Some unpack, some take it as it is, some call it otherwise.
    let variant = |number: usize| Uri {
        cache: true,
        extract: number.is_multiple_of(2),
        output_file: number.is_multiple_of(3).then(|| "other.tgz".to_owned()),
        ..uri(format!("{server}/gated.tgz"))
    };
    // More than are fetched at a time.
    let sandboxes: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    let all = futures_util::future::join_all(
        sandboxes.iter().enumerate().map(|(number, sandbox)| place.fetch(sandbox, vec![variant(number)])),
    );
    let opened = async {
        server.is_asked("/gated.tgz", 1).await;
        server.open();
    };
    let (results, ()) = tokio::join!(all, opened);
    for (number, result) in results.into_iter().enumerate() {
        let sandbox = result.expect("fetched");
        let name = if number.is_multiple_of(3) { "other.tgz" } else { "gated.tgz" };
        assert_eq!(sandbox.join("inside").exists(), number.is_multiple_of(2), "{number}");
        assert_eq!(sandbox.join(name).exists(), !number.is_multiple_of(2), "{number}");
    }
    assert_eq!(server.asked("/gated.tgz"), 1);
    assert_eq!(place.kept(), names(&["gated.tgz"]));
}

#[tokio::test]
async fn cached_fallback() {
    let missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec();
    let server = serve_in_turn(HashMap::from([
        ("/flaky".to_owned(), vec![missing, ok(b"content")]),
        ("/short".to_owned(), vec![b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello".to_vec()]),
    ]));
    let place = Place::new(1000);
    let flaky = Uri { cache: true, ..uri(format!("{server}/flaky")) };
    let error = place.fetch("0", vec![flaky.clone()]).await.expect_err("not there yet");
    assert!(error.contains("404"), "{error}");
    assert_eq!((place.kept(), place.used()), (names(&[]), 0));
    // A failure is not kept, and neither is half of a file.
    place.fetch("1", vec![flaky]).await.expect("there now");
    let short = Uri { cache: true, ..uri(format!("{server}/short")) };
    place.fetch("2", vec![short]).await.expect_err("broken off");
    assert_eq!((place.kept(), place.used()), (names(&["flaky"]), 7));
    // A cache that cannot be used is done without.
    let place = Place::new(1000);
    std::fs::write(place.root.path().join("cache"), "not a directory").expect("ours");
    let sandbox = place.fetch("s", vec![place.file("f", 10)]).await.expect("fetched");
    assert!(sandbox.join("f").exists());
    assert_eq!(place.used(), 0);
}

#[tokio::test]
async fn who_waits_goes_on_when_who_fetches_is_killed() {
    let server = serve(HashMap::from([("/gated", ok(b"content"))]));
    let place = Arc::new(Place::new(1000));
    let file = Uri { cache: true, ..uri(format!("{server}/gated")) };
    let fetch = |sandbox: &'static str| {
        let (place, file) = (Arc::clone(&place), file.clone());
        tokio::spawn(async move { place.fetch(sandbox, vec![file]).await })
    };
    let first = fetch("0");
    server.is_asked("/gated", 1).await;
    let second = fetch("1");
    first.abort();
    assert!(first.await.is_err_and(|error| error.is_cancelled()));
    server.is_asked("/gated", 2).await;
    server.open();
    let sandbox = second.await.expect("no panic").expect("fetched");
    assert_eq!(std::fs::read(sandbox.join("gated")).expect("there"), b"content");
    assert_eq!((place.kept(), place.used()), (names(&["gated"]), 7));
}

#[tokio::test]
async fn http_cached_recovery() {
    let server = serve(HashMap::from([("/f", ok(b"content"))]));
    let mut place = Place::new(1000);
    let file = Uri { cache: true, ..uri(format!("{server}/f")) };
    place.fetch("0", vec![file.clone()]).await.expect("fetched");
    let directory = place.root.path().join("cache");
    place.fetcher = Fetcher::new(FetchLimits::default(), None);
    assert!(place.cache_files().is_empty(), "nothing is left by an agent that ends");
    // As one that was killed leaves it.
    std::fs::create_dir(directory.join("agent-1-0")).expect("ours");
    std::fs::write(directory.join("agent-1-0/c0-f"), "old").expect("ours");
    place.fetcher = Fetcher::new(FetchLimits::default(), None).with_cache(directory, 1000);
    assert!(place.cache_files().is_empty());
    place.fetch("1", vec![file]).await.expect("fetched");
    assert_eq!((server.asked("/f"), place.used()), (2, 7));
}

#[tokio::test]
async fn simple_eviction_takes_the_least_recently_used() {
    let place = Place::new(100);
    let fetch = |name| place.fetch(name, vec![place.file(name, 40)]);
    fetch("a").await.expect("fetched");
    fetch("b").await.expect("fetched");
    fetch("a").await.expect("from the cache");
    fetch("c").await.expect("fetched");
    assert_eq!((place.kept(), place.used()), (names(&["a", "c"]), 80));
    fetch("d").await.expect("fetched");
    assert_eq!((place.kept(), place.used()), (names(&["c", "d"]), 80));
    // As many as are needed.
    place.fetch("e", vec![place.file("e", 100)]).await.expect("fetched");
    assert_eq!((place.kept(), place.used()), (names(&["e"]), 100));
    // Nothing is removed for what has no room anyway.
    let sandbox = place.fetch("f", vec![place.file("f", 101)]).await.expect("past the cache");
    assert_eq!(std::fs::metadata(sandbox.join("f")).expect("there").len(), 101);
    assert_eq!((place.kept(), place.used()), (names(&["e"]), 100));
}

#[tokio::test]
async fn fallback_from_eviction() {
    let server = serve(HashMap::from([
        ("/stalls", b"HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\nbegin".to_vec()),
        ("/unknown", [&b"HTTP/1.1 200 OK\r\n\r\n"[..], &[b'y'; 60]].concat()),
        ("/known", ok(&[b'z'; 60])),
    ]));
    let place = Arc::new(Place::new(100));
    let cached = |name: &str| Uri { cache: true, ..uri(format!("{server}/{name}")) };
    // It takes its room when its length is known, and keeps it.
    let (other, stalls) = (Arc::clone(&place), cached("stalls"));
    let in_use = tokio::spawn(async move { other.fetch("0", vec![stalls]).await });
    for _ in 0..1000 {
        if place.used() == 60 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(place.used(), 60);
    for name in ["known", "unknown"] {
        let sandbox = place.fetch(name, vec![cached(name)]).await.expect("past the cache");
        assert_eq!(std::fs::metadata(sandbox.join(name)).expect("there").len(), 60, "{name}");
        assert_eq!((place.kept(), place.used()), (names(&["stalls"]), 60));
    }
    in_use.abort();
    assert!(in_use.await.is_err_and(|error| error.is_cancelled()));
    assert_eq!(place.used(), 0);
    // Two at once of which one fits: both are there, and at most one is kept.
    let both = place.fetch("both", vec![cached("known"), cached("unknown")]).await.expect("fetched");
    for name in ["known", "unknown"] {
        assert_eq!(std::fs::metadata(both.join(name)).expect("there").len(), 60, "{name}");
    }
    assert_eq!((place.kept().len(), place.used()), (1, 60));
}

#[tokio::test]
async fn users_do_not_share() {
    if std::fs::metadata("/proc/self").expect("proc").uid() != 0 {
        return; // Only root can be somebody else.
    }
    let place = Place::new(1000);
    let secret = place.file("secret", 10);
    std::fs::set_permissions(place.root.path().join("secret"), PermissionsExt::from_mode(0o600))
        .expect("ours");
    place.fetch("root", vec![secret.clone()]).await.expect("fetched");
    let denied = place.fetch_as(Some("nobody"), "denied", vec![secret]).await.expect_err("not theirs");
    assert!(denied.contains("Permission denied"), "{denied}");
    let public = place.file("public", 10);
    std::fs::set_permissions(place.root.path().join("public"), PermissionsExt::from_mode(0o644))
        .expect("ours");
    for sandbox in ["0", "1"] {
        let sandbox = place.fetch_as(Some("nobody"), sandbox, vec![public.clone()]).await.expect("fetched");
        let owner = |path: &Path| std::fs::metadata(path).expect("there").uid();
        assert_eq!(owner(&sandbox.join("public")), owner(&sandbox));
        assert_ne!(owner(&sandbox), 0);
    }
    place.fetch("2", vec![public]).await.expect("fetched");
    assert_eq!((place.kept(), place.used()), (names(&["public", "secret"]), 30));
    // Nobody but the agent gets at what is kept.
    let directory = place.cache_files()[0].parent().expect("a directory").to_owned();
    assert_eq!(std::fs::metadata(directory).expect("there").permissions().mode() & 0o777, 0o700);
}
