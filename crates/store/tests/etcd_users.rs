//! An etcd that wants a user and a password: with them all goes on, also when the server forgets its tokens and when
//! somebody's rights change; without them one line says what is wrong.

#[path = "services/etcd_api.rs"]
mod etcd_api;
mod services;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use services::etcd::{Certificates, Etcd};
use store::kv::{Candidacy, EtcdStore, Expect, Fence, KeyValue, KvError, Observer, Options, Standing};
use tokio::time::timeout;

/// How long anything may take on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The operator's side.
struct Admin {
    address: SocketAddr,
    token: String,
}

impl Admin {
    /// Makes a user that may do everything below `/m`, and has everybody authenticate from now on.
    fn enable(address: SocketAddr) -> Self {
        let mut admin = Self { address, token: String::new() };
        for (user, password, role) in [("root", "r", "root"), ("meseta", "secret", "masters")] {
            admin.call("auth/user/add", &json!({ "name": user, "password": password }));
            admin.call("auth/role/add", &json!({ "name": role }));
            admin.call("auth/user/grant", &json!({ "user": user, "role": role }));
        }
        admin.grant("/m/");
        admin.call("auth/enable", &json!({}));
        admin.log_in();
        admin
    }

    fn log_in(&mut self) {
        self.token.clear();
        let answer = self.call("auth/authenticate", &json!({ "name": "root", "password": "r" }));
        self.token = answer["token"].as_str().expect("a token").to_owned();
    }

    /// Gives the masters' role one right more.
    fn grant(&self, prefix: &str) {
        let end = prefix.replace('/', "0").replacen('0', "/", prefix.matches('/').count() - 1);
        let [key, range_end] = [prefix, &end].map(|text| STANDARD.encode(text));
        let right = json!({ "permType": "READWRITE", "key": key, "range_end": range_end });
        self.call("auth/role/grant", &json!({ "name": "masters", "perm": right }));
    }

    fn call(&self, what: &str, body: &Value) -> Value {
        etcd_api::post(self.address, &self.token, what, body)
    }
}

fn client(credentials: &str, address: SocketAddr) -> Arc<dyn KeyValue> {
    let url = format!("etcd://{credentials}{address}/m").parse().expect("a URL");
    Arc::new(EtcdStore::new(&url, Options { session_timeout: Duration::from_secs(30), ..Options::default() }))
}

async fn elected(candidacy: &mut Candidacy) -> Fence {
    timeout(PATIENCE, candidacy.elected()).await.expect("in time").expect("elected")
}

async fn sees(observer: &mut Observer, leader: &str) {
    let named =
        |seen: &store::kv::Observed| seen.leader().is_some_and(|found| found.value == leader.as_bytes());
    timeout(PATIENCE, observer.when(named)).await.expect("in time");
}

/// Writes until it is done: what fails on the way may pass.
async fn write(store: &dyn KeyValue, value: &str, fence: &Fence) {
    let writing = async {
        loop {
            match store.put("t/a", value, Expect::Anything, Some(fence)).await {
                Ok(_) => return,
                Err(error) => assert!(error.is_transient(), "{error}"),
            }
        }
    };
    timeout(PATIENCE, writing).await.expect("in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_user_and_password_all_goes_on_whatever_becomes_of_tokens_and_rights() {
    let mut server = Etcd::start();
    let mut admin = Admin::enable(server.address());
    let store = client("meseta:secret@", server.address());
    let mut observer = store.observe("json.info");
    let mut candidacy = store.campaign("json.info", b"first".to_vec());
    let fence = elected(&mut candidacy).await;
    sees(&mut observer, "first").await;
    write(&*store, "1", &fence).await;

    admin.grant("/other/");
    write(&*store, "2", &fence).await;
    server.process.kill();
    server.restart();
    admin.log_in();
    write(&*store, "3", &fence).await;
    admin.grant("/another/");
    let mut second = store.campaign("json.info", b"second".to_vec());
    assert_eq!(candidacy.standing(), Standing::Leading(fence), "it led all the time");
    candidacy.resign().await;
    elected(&mut second).await;
    sees(&mut observer, "second").await;
    let read = store.get("t/a").await.expect("read").expect("written");
    assert_eq!(read.value, b"3");
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_tokens_are_renewed_when_they_are_old_or_rights_have_changed() {
    let certificates = Certificates::make();
    let server = Etcd::start_signing(&certificates, 2);
    let mut admin = Admin::enable(server.address());
    let store = client("meseta:secret@", server.address());
    let mut candidacy = store.campaign("json.info", b"first".to_vec());
    let fence = elected(&mut candidacy).await;
    for number in 0..12 {
        admin.log_in();
        admin.grant(&format!("/other-{number}/"));
        store
            .put("t/a", "x", Expect::Anything, Some(&fence))
            .await
            .expect("a right that changes is no failure");
        // A few times as long as a token holds, with them in every age.
        tokio::time::sleep(Duration::from_millis(250)).await;
        store.put("t/a", "y", Expect::Anything, Some(&fence)).await.expect("an old token is no failure");
    }
    assert_eq!(candidacy.standing(), Standing::Leading(fence), "it led all the time");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_is_told_so_in_one_line() {
    let server = Etcd::start();
    let admin = Admin::enable(server.address());
    for (credentials, expected) in [
        ("", "it wants a user and a password"),
        ("meseta:wrong@", "authentication failed, invalid user ID or password"),
        ("nobody:secret@", "authentication failed, invalid user ID or password"),
    ] {
        let store = client(credentials, server.address());
        let told = |error: KvError| {
            let text = error.to_string();
            assert!(matches!(error, KvError::Denied { .. }), "{text}");
            assert!(text.contains(expected) && !text.contains('\n') && !text.contains("secret"), "{text}");
        };
        told(timeout(PATIENCE, store.get("t/a")).await.expect("in time").expect_err("who are you?"));
        told(timeout(PATIENCE, store.list("t/")).await.expect("in time").expect_err("who are you?"));
        let mut candidacy = store.campaign("json.info", b"x".to_vec());
        timeout(PATIENCE, candidacy.elected()).await.expect("in time").expect_err("it may not");
        let Standing::Refused(error) = candidacy.standing() else { panic!("{:?}", candidacy.standing()) };
        told(error);
    }
    // Whose rights end before our keys begin.
    admin.call("auth/user/add", &json!({ "name": "guest", "password": "g" }));
    let guest = client("guest:g@", server.address());
    let error = timeout(PATIENCE, guest.get("t/a")).await.expect("in time").expect_err("it may not");
    assert!(error.to_string().ends_with("permission denied"), "{error}");
}
