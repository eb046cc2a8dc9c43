//! Schemes that are not built in: a hadoop client, and one of a test's own.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base::ContainerId;
use containerizer::{FetchLimits, FetchRequest, Fetcher, Fetching, Hadoop, Scheme, Sink, Uri, User};

use crate::{said, uri};

async fn fetch(fetcher: &Fetcher, sandbox: &Path, uri: Uri) -> Result<(), String> {
    let container_id = ContainerId::from("c");
    let request = FetchRequest { container_id, sandbox: sandbox.to_owned(), user: None, uris: vec![uri] };
    said(fetcher.fetch(request).await)
}

/// A directory with a client that is this script.
fn client(script: &str) -> (tempfile::TempDir, Arc<Hadoop>) {
    let home = tempfile::tempdir().expect("a directory");
    let program = home.path().join("bin/hadoop");
    std::fs::create_dir(home.path().join("bin")).expect("ours");
    std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("ours");
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).expect("ours");
    let hadoop = Hadoop::find(Some(home.path())).expect("it was told where");
    (home, Arc::new(hadoop))
}

#[tokio::test]
async fn hdfs_uri() {
    let sandbox = tempfile::tempdir().expect("a directory");
    let script = r#"[ -d "$HADOOP_HOME" ] && [ "$1 $2" = "fs -cat" ] || exit 2
        case $3 in
            hdfs://*/d/fïle) echo content of "$3";;
            *) echo no such thing: "$3" >&2; exit 1;;
        esac"#;
    let (_home, hadoop) = client(script);
    let fetcher = Fetcher::new(FetchLimits::default(), None);
    let error = fetch(&fetcher, sandbox.path(), uri("hdfs://name:9000/d/fïle")).await.expect_err("no client");
    assert!(error.contains("the scheme 'hdfs' is not supported"), "{error}");
    let fetcher = fetcher.with_other_schemes(hadoop);
    fetch(&fetcher, sandbox.path(), uri("hdfs://name:9000/d/fïle")).await.expect("fetched");
    let content = std::fs::read_to_string(sandbox.path().join("fïle")).expect("there");
    assert_eq!(content, "content of hdfs://name:9000/d/fïle\n");
    let error = fetch(&fetcher, sandbox.path(), uri("s3n://b/other")).await.expect_err("not there");
    assert!(error.contains("exit status: 1: no such thing: s3n://b/other"), "{error}");
}

#[tokio::test]
async fn a_client_that_brings_too_much_or_nothing_is_ended() {
    let sandbox = tempfile::tempdir().expect("a directory");
    let limits = FetchLimits { stall: Duration::from_millis(300), max_bytes: 1000 };
    for (script, why) in [
        ("exec cat /dev/zero", "larger than 1000 bytes"),
        ("exec sleep 1000", "wrote nothing"),
        ("kill -9 $$", "signal: 9"),
    ] {
        let (_home, hadoop) = client(script);
        let fetcher = Fetcher::new(limits, None).with_other_schemes(hadoop);
        let error = fetch(&fetcher, sandbox.path(), uri("hdfs://h/x")).await.expect_err("too much");
        assert!(error.contains(why), "{script}: {error}");
    }
    let hadoop = Hadoop::find(Some(Path::new("/nosuch"))).expect("it was told where");
    let fetcher = Fetcher::new(limits, None).with_other_schemes(Arc::new(hadoop));
    let error = fetch(&fetcher, sandbox.path(), uri("hdfs://h/x")).await.expect_err("no client there");
    assert!(error.contains("cannot run '/nosuch/bin/hadoop'"), "{error}");
}

/// Brings the URI itself.
struct Echo;

impl Scheme for Echo {
    fn fetch<'a>(&'a self, uri: &'a str, _user: Option<&'a User>, sink: &'a mut Sink<'_>) -> Fetching<'a> {
        Box::pin(async move { Ok(sink.write(uri.as_bytes()).await?) })
    }
}

#[tokio::test]
async fn a_scheme_can_be_added() {
    let sandbox = tempfile::tempdir().expect("a directory");
    let fetcher = Fetcher::new(FetchLimits::default(), None).with_scheme("echo", Arc::new(Echo));
    fetch(&fetcher, sandbox.path(), uri("echo://a/b")).await.expect("fetched");
    assert_eq!(std::fs::read(sandbox.path().join("b")).expect("there"), b"echo://a/b");
    assert!(fetch(&fetcher, sandbox.path(), uri("other://a/b")).await.is_err());
}
