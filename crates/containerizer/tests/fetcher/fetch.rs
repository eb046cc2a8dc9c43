//! What is fetched, from where, and with whose rights.

use std::collections::HashMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use base::ContainerId;
use containerizer::{FetchLimits, FetchRequest, Fetcher, Uri};

use crate::web::serve;
use crate::{said, uri};

/// What the fetch says, with all causes; `Ok` if it went well.
async fn fetch(sandbox: &Path, uris: Vec<Uri>) -> Result<(), String> {
    fetch_with(FetchLimits::default(), sandbox, uris, None).await
}

async fn fetch_with(
    limits: FetchLimits,
    sandbox: &Path,
    uris: Vec<Uri>,
    user: Option<&str>,
) -> Result<(), String> {
    let request = FetchRequest {
        container_id: ContainerId::from("c"),
        sandbox: sandbox.to_owned(),
        user: user.map(str::to_owned),
        uris,
    };
    said(Fetcher::new(limits, None).fetch(request).await)
}

#[tokio::test]
async fn files_are_copied_and_unpacked() {
    let source = tempfile::tempdir().expect("a directory");
    let sandbox = tempfile::tempdir().expect("a directory");
    std::fs::write(source.path().join("plain"), "text").expect("ours");
    std::fs::write(source.path().join("script.gz"), "#!/bin/sh\n").expect("ours");
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    tar.append_path_with_name(source.path().join("plain"), "inside/plain").expect("memory");
    let bytes = tar.into_inner().and_then(flate2::write::GzEncoder::finish).expect("memory");
    std::fs::write(source.path().join("a b.tgz"), &bytes).expect("ours");
    let at = |name: &str| source.path().join(name).display().to_string();
    let uris = vec![
        uri(format!("file://{}", at("plain"))),
        Uri { executable: true, ..uri(at("script.gz")) },
        uri(at("a b.tgz")),
        Uri { extract: false, output_file: Some("kept/here.tgz".to_owned()), ..uri(at("a b.tgz")) },
    ];
    fetch(sandbox.path(), uris).await.expect("all there");
    let read = |name: &str| std::fs::read(sandbox.path().join(name)).expect("fetched");
    assert_eq!(read("plain"), b"text");
    assert_eq!(read("inside/plain"), b"text");
    assert_eq!(read("kept/here.tgz"), bytes);
    assert!(!sandbox.path().join("kept/inside").exists());
    let mode = std::fs::metadata(sandbox.path().join("script.gz")).expect("fetched").permissions().mode();
    assert_eq!(mode & 0o111, 0o111);
    let log = String::from_utf8(read("stderr")).expect("text");
    assert!(log.contains("fetcher: fetched"), "{log}");
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let sandbox = tempfile::tempdir().expect("a directory");
    let error = fetch(sandbox.path(), vec![uri("file:///nosuch/file")]).await.expect_err("not there");
    assert!(error.starts_with("Failed to fetch all URIs for container 'c': "), "{error}");
    assert!(error.contains("/nosuch/file") && error.contains("No such file"), "{error}");
    let log = std::fs::read_to_string(sandbox.path().join("stderr")).expect("a log");
    assert!(log.contains("No such file"), "{log}");
    for bad in ["/dev/zero", "/tmp", "ftp://h/x", "relative"] {
        assert!(fetch(sandbox.path(), vec![uri(bad)]).await.is_err(), "{bad}");
    }
    let twice = vec![uri("/etc/passwd"), Uri { output_file: Some("passwd".to_owned()), ..uri("/etc/group") }];
    let error = fetch(sandbox.path(), twice).await.expect_err("one name for two");
    assert!(error.contains("second file called 'passwd'"), "{error}");
    fetch(sandbox.path(), vec![uri("/etc/passwd"), uri("/etc/passwd")])
        .await
        .expect("one thing twice is one");
}

#[tokio::test]
async fn downloads_follow_redirects_and_decode_names() {
    let sandbox = tempfile::tempdir().expect("a directory");
    let server = serve(HashMap::from([
        ("/dir/moved?x=1", b"HTTP/1.1 302 Found\r\nLocation: there\r\nContent-Length: 0\r\n\r\n".to_vec()),
        ("/dir/there", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".to_vec()),
        ("/a%20b", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n".to_vec()),
        ("/loop", b"HTTP/1.1 302 Found\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n".to_vec()),
        ("/short", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello".to_vec()),
        ("/stalls", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello".to_vec()),
    ]));
    let uris = vec![uri(format!("{server}/dir/moved?x=1")), uri(format!("{server}/a%20b"))];
    fetch(sandbox.path(), uris).await.expect("downloaded");
    assert_eq!(std::fs::read(sandbox.path().join("moved")).expect("there"), b"hello");
    assert_eq!(std::fs::read(sandbox.path().join("a b")).expect("there"), b"abc");
    let limits = FetchLimits { stall: Duration::from_millis(200), max_bytes: 40 };
    for (path, why) in [
        ("/nosuch", "404"),
        ("/loop", "redirects"),
        ("/short", "larger than 40 bytes"),
        ("/nosuch/", "does not name a file"),
    ] {
        let error = fetch_with(limits, sandbox.path(), vec![uri(format!("{server}{path}"))], None).await;
        assert!(error.as_ref().is_err_and(|error| error.contains(why)), "{path}: {error:?}");
    }
    let limits = FetchLimits { max_bytes: 100, ..limits };
    let stalled = fetch_with(limits, sandbox.path(), vec![uri(format!("{server}/stalls"))], None).await;
    assert!(stalled.as_ref().is_err_and(|error| error.contains("sent nothing")), "{stalled:?}");
    assert!(fetch(sandbox.path(), vec![uri(format!("{server}/short"))]).await.is_err());
    assert!(fetch(sandbox.path(), vec![uri("http://127.0.0.1:1/x")]).await.is_err());
}

#[tokio::test]
async fn it_fetches_with_the_rights_of_the_user() {
    if std::fs::metadata("/proc/self").expect("proc").uid() != 0 {
        return; // Only root can be somebody else.
    }
    let root = tempfile::tempdir().expect("a directory");
    std::fs::set_permissions(root.path(), PermissionsExt::from_mode(0o755)).expect("ours");
    let secret = root.path().join("secret");
    std::fs::write(&secret, "x").expect("ours");
    std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).expect("ours");
    let sandbox = root.path().join("sandbox");
    containerizer::create_sandbox(&sandbox, Some("nobody")).expect("a sandbox");
    let server = serve(HashMap::from([("/f", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx".to_vec())]));
    let limits = FetchLimits::default();
    let denied = fetch_with(limits, &sandbox, vec![uri(secret.display().to_string())], Some("nobody")).await;
    assert!(denied.as_ref().is_err_and(|error| error.contains("Permission denied")), "{denied:?}");
    fetch_with(limits, &sandbox, vec![uri(format!("{server}/f"))], Some("nobody")).await.expect("downloaded");
    let owner = std::fs::metadata(sandbox.join("f")).expect("there").uid();
    assert_eq!(owner, std::fs::metadata(&sandbox).expect("there").uid());
    assert_ne!(owner, 0);
}
