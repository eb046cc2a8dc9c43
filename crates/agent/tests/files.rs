//! Sandboxes seen from outside: what Mesos' `files_tests` and the tests of `READ_FILE` and `LIST_FILES` protect.

mod common;

use std::path::{Path, PathBuf};

use agent::AgentServer;
use common::api::{ask, of};
use common::{FRAMEWORK_ID, FakeMaster, command_task, exchange, http, json, options};
use proto::v1::agent::{call, response};
use serde_json::{Value, json};

/// An agent with a task, in whose sandbox are `file`, `one/two`, `one/three/four` and `empty/`.
struct Scene {
    _work_dir: tempfile::TempDir,
    _master: FakeMaster,
    agent: AgentServer,
    sandbox: PathBuf,
}

/// The sandbox by the name that is easiest to know.
fn short() -> String {
    format!("/frameworks/{FRAMEWORK_ID}/executors/t/runs/latest")
}

async fn scene() -> Scene {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let agent = master.agent(options(master.address, work_dir.path())).await;
    master.run(command_task("t", "sleep 1000"));
    while master.status().await.state() != proto::v1::TaskState::TaskRunning {}
    let debug = json(agent.address(), "/files/debug").await;
    let sandbox = PathBuf::from(debug[short()].as_str().expect("attached"));
    std::fs::write(sandbox.join("file"), "body").expect("ours");
    std::fs::create_dir_all(sandbox.join("one/three")).expect("ours");
    std::fs::create_dir(sandbox.join("empty")).expect("ours");
    std::fs::write(sandbox.join("one/two"), "two").expect("ours");
    std::fs::write(sandbox.join("one/three/four"), "four").expect("ours");
    Scene { _work_dir: work_dir, _master: master, agent, sandbox }
}

impl Scene {
    async fn get(&self, what: &str, query: &str) -> (u16, String) {
        http(self.agent.address(), "GET", &format!("/files/{what}?{query}"), None).await
    }

    /// What `/files/read` answers, of which it must be able to make something.
    async fn read(&self, query: &str) -> Value {
        let (status, body) = self.get("read", query).await;
        assert_eq!(status, 200, "{query}: {body}");
        serde_json::from_str(&body).expect("JSON")
    }

    /// The size of a file and a part of it, by the operator API.
    async fn read_v1(&self, path: &Path, offset: u64, length: Option<u64>) -> Result<(u64, String), u16> {
        let read_file = call::ReadFile { path: path.display().to_string(), offset, length };
        let call = proto::v1::agent::Call { read_file: Some(read_file), ..of(call::Type::ReadFile) };
        let answer = ask(self.agent.address(), &call).await.map_err(|(status, _)| status)?;
        let read = answer.read_file.expect("its part");
        Ok((read.size, String::from_utf8(read.data.to_vec()).expect("text")))
    }

    /// The names of what is in a directory, by the operator API.
    async fn list_v1(&self, path: &Path) -> Result<Vec<proto::v1::FileInfo>, u16> {
        let list_files = call::ListFiles { path: path.display().to_string() };
        let call = proto::v1::agent::Call { list_files: Some(list_files), ..of(call::Type::ListFiles) };
        let answer = ask(self.agent.address(), &call).await.map_err(|(status, _)| status)?;
        assert_eq!(answer.r#type(), response::Type::ListFiles);
        Ok(answer.list_files.unwrap_or_default().file_infos)
    }
}

/// After `FilesTest.ReadTest`.
#[tokio::test(flavor = "multi_thread")]
async fn parts_of_files_are_read() {
    let scene = scene().await;
    let path = format!("{}/file", short());
    let whole = json!({ "offset": 0, "data": "body" });
    assert_eq!(scene.read(&format!("path={path}&offset=0")).await, whole);
    assert_eq!(scene.read(&format!("path={}/file&offset=0", scene.sandbox.display())).await, whole);
    // Pagers ask so to learn how long it is, and then for a part.
    assert_eq!(scene.read(&format!("path={path}&offset=-1")).await, json!({ "offset": 4, "data": "" }));
    assert_eq!(scene.read(&format!("path={path}")).await, json!({ "offset": 4, "data": "" }));
    assert_eq!(scene.read(&format!("path={path}&length=-1&offset=0")).await, whole);
    let part = json!({ "offset": 0, "data": "bo" });
    assert_eq!(scene.read(&format!("path={path}&offset=0&length=2")).await, part);
    let end = json!({ "offset": 9, "data": "" });
    assert_eq!(scene.read(&format!("path={path}&offset=9&length=2")).await, end);
    assert_eq!(scene.get("read", &format!("path={path}&offset=0&jsonp=f")).await.1.find("f({"), Some(0));
    for (query, status, text) in [
        (String::new(), 400, "Expecting 'path=value' in query.\n"),
        ("path=".to_owned(), 400, "Expecting 'path=value' in query.\n"),
        (
            "path=none&offset=hello".to_owned(),
            400,
            "Failed to parse offset: Failed to convert 'hello' to number.\n",
        ),
        (
            "path=none&length=hello".to_owned(),
            400,
            "Failed to parse length: Failed to convert 'hello' to number.\n",
        ),
        (format!("path={path}&length=-2"), 400, "Negative length provided: -2.\n"),
        (format!("path={path}&offset=-2"), 400, "Negative offset provided: -2.\n"),
        ("path=missing".to_owned(), 404, ""),
        (format!("path={path}/more"), 404, ""),
    ] {
        assert_eq!(scene.get("read", &query).await, (status, text.to_owned()), "{query}");
    }
    scene.agent.shutdown().await;
}

/// After `AgentAPITest.ReadFile` and `ReadFileInvalidPath`.
#[tokio::test(flavor = "multi_thread")]
async fn parts_of_files_are_read_by_the_operator_api() {
    let scene = scene().await;
    let read = async |offset, length| scene.read_v1(&scene.sandbox.join("file"), offset, length).await;
    let is = |text: &str| Ok((4, text.to_owned()));
    assert_eq!(read(1, Some(2)).await, is("od"));
    assert_eq!(read(5, Some(2)).await, is(""));
    assert_eq!(read(0, None).await, is("body"));
    assert_eq!(read(1, Some(6)).await, is("ody"));
    assert_eq!(scene.read_v1(Path::new("myname"), 1, Some(2)).await, Err(404));
    assert_eq!(scene.read_v1(&scene.sandbox, 0, None).await, Err(400));
    scene.agent.shutdown().await;
}

/// After `FilesTest.ResolveTest` and `QueryWithEncodedSequence`.
#[tokio::test(flavor = "multi_thread")]
async fn a_path_is_found_however_it_is_written_and_never_leads_out() {
    let scene = scene().await;
    let (short, four) = (short(), json!({ "offset": 0, "data": "four" }));
    let encoded = short.replace('/', "%2F");
    for path in [
        format!("{short}/one/three/four"),
        format!("{short}//one/./three/four"),
        format!("{short}/one/../one/three/four"),
        format!("{encoded}%2Fone%2Fthree%2Ffour"),
        format!("{}/one/three/four", scene.sandbox.display()),
    ] {
        assert_eq!(scene.read(&format!("path={path}&offset=0")).await, four, "{path}");
    }
    for directory in ["", "/", "/one", "/one/", "/one/three/"] {
        let answer = scene.get("read", &format!("path={short}{directory}")).await;
        assert_eq!(answer, (400, "Cannot read a directory.\n".to_owned()), "{directory}");
    }
    for outside in ["../latest/file", "one/../../x", "../../../../../../../../../../etc/passwd"] {
        let text = format!("'{}/{outside}' is inaccessible.\n", scene.sandbox.display());
        for what in ["read", "browse", "download"] {
            let answer = scene.get(what, &format!("path={short}/{outside}")).await;
            assert_eq!(answer, (400, text.clone()), "{what} {outside}");
        }
    }
    // What is decoded once is not decoded again.
    std::fs::write(scene.sandbox.join("foo%3Abar"), "body").expect("ours");
    let read = scene.read(&format!("path={short}/foo%253Abar&offset=0")).await;
    assert_eq!(read["data"], "body");
    assert_eq!(scene.get("read", &format!("path={short}/foo%3Abar")).await.0, 404);
    scene.agent.shutdown().await;
}

/// After `FilesTest.BrowseTest`, `AgentAPITest.ListFiles` and `ListFilesInvalidPath`.
#[tokio::test(flavor = "multi_thread")]
async fn directories_are_listed_by_name_with_what_ls_says() {
    let scene = scene().await;
    let short = short();
    let browse = async |path: &str| {
        let (status, body) = scene.get("browse", &format!("path={path}")).await;
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str::<Value>(&body).expect("JSON")
    };
    let listed = browse(&format!("{short}/one")).await;
    let paths: Vec<&str> = listed.as_array().expect("a list").iter().map(|e| text(&e["path"])).collect();
    assert_eq!(paths, [format!("{short}/one/three"), format!("{short}/one/two")]);
    let (three, two) = (&listed[0], &listed[1]);
    assert_eq!((text(&three["mode"]).starts_with("drwx"), &two["size"]), (true, &json!(3)));
    assert_eq!((text(&two["mode"]), &two["nlink"]), ("-rw-r--r--", &json!(1)));
    assert!(two["mtime"].as_i64() > Some(1_500_000_000) && two["uid"].is_string() && two["gid"].is_string());
    for path in [format!("{short}/one/"), format!("{short}%2Fone%2F")] {
        let same = browse(&path).await;
        assert_eq!(same.as_array().map(Vec::len), Some(2), "{path}");
        assert_eq!(text(&same[1]["path"]), format!("{short}/one/two"));
    }
    assert_eq!(browse(&format!("{short}/empty")).await, json!([]));
    assert_eq!(browse(&format!("{short}/file")).await, json!([]), "a file has nothing in it");
    assert_eq!(scene.get("browse", "path=missing").await, (404, String::new()));
    assert_eq!(scene.get("browse", "").await, (400, "Expecting 'path=value' in query.\n".to_owned()));

    let infos = scene.list_v1(&scene.sandbox.join("one")).await.expect("a listing");
    let names: Vec<_> = infos.iter().map(|info| PathBuf::from(&info.path)).collect();
    assert_eq!(names, ["one/three", "one/two"].map(|name| scene.sandbox.join(name)));
    let info = &infos[1];
    assert_eq!((info.size, info.nlink, info.mode), (Some(3), Some(1), Some(0o100_644)));
    assert_eq!((info.uid.as_deref(), info.gid.as_deref()), (Some(text(&two["uid"])), two["gid"].as_str()));
    let nanoseconds = info.mtime.as_ref().expect("a time").nanoseconds;
    assert_eq!(nanoseconds / 1_000_000_000, two["mtime"].as_i64().expect("seconds"));
    assert_eq!(scene.list_v1(Path::new("five/")).await, Err(404));
    scene.agent.shutdown().await;
}

/// After `FilesTest.DownloadTest`.
#[tokio::test(flavor = "multi_thread")]
async fn files_are_downloaded_as_what_they_are() {
    let scene = scene().await;
    let gif = *b"GIF87a\x01\x00\x01\x00\x91\x00\x00\xff\xff\xff\x00\x00\x00";
    std::fs::write(scene.sandbox.join("black.gif"), gif).expect("ours");
    for (name, kind, content) in
        [("file", "application/octet-stream", &b"body"[..]), ("black.gif", "image/gif", &gif[..])]
    {
        let path = format!("/files/download?path={}/{name}", short());
        let (status, head, body) = exchange(scene.agent.address(), "GET", &path, &[], b"").await;
        assert_eq!((status, &body[..]), (200, content), "{name}");
        assert!(head.contains(&format!("content-type: {kind}\r\n")), "{head}");
        let disposition = format!("content-disposition: attachment; filename=\"{name}\"");
        assert!(head.contains(&disposition), "{head}");
    }
    let missing = scene.get("download", &format!("path={}/nope", short())).await;
    assert_eq!(missing, (404, "404 Not Found.".to_owned()));
    let directory = scene.get("download", &format!("path={}/one", short())).await;
    assert_eq!(directory, (400, "Cannot download a directory.\n".to_owned()));
    assert_eq!(scene.get("download", "").await, (400, "Expecting 'path=value' in query.\n".to_owned()));
    scene.agent.shutdown().await;
}

/// After `FilesTest.DebugTest` and `AttachTest`.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_is_told() {
    let scene = scene().await;
    let address = scene.agent.address();
    let debug = json(address, "/files/debug").await;
    let sandbox = scene.sandbox.display().to_string();
    let latest = scene.sandbox.with_file_name("latest").display().to_string();
    let expected = json!({ &*short(): sandbox, &*latest: sandbox, &*sandbox: sandbox });
    assert_eq!(debug, expected);
    assert_eq!(json(address, "/files/debug.json").await, expected);
    let (status, script) = scene.get("debug", "jsonp=f").await;
    assert_eq!((status, script.starts_with("f({"), script.ends_with("});")), (200, true, true), "{script}");
    scene.agent.shutdown().await;
}

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}
