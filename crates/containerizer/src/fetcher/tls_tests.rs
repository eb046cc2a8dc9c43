//! Artifacts of a server that encrypts, whose certificate an authority of the cluster's own has signed.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use base::ContainerId;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::http::HttpClient;
use super::{FetchLimits, FetchRequest, Fetcher, Uri};

/// Makes an authority, and a server's certificate that it has signed, in a directory.
fn make_certificates(directory: &Path) {
    let names = "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n";
    std::fs::write(directory.join("names"), names).expect("written");
    for words in [
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem",
        "req -newkey rsa:2048 -nodes -subj /CN=server -keyout server.key -out server.csr",
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem",
    ] {
        let made = Command::new("openssl").args(words.split(' ')).current_dir(directory).output();
        let made = made.expect("openssl");
        assert!(made.status.success(), "{words}: {}", String::from_utf8_lossy(&made.stderr));
    }
}

fn certificate(directory: &Path, name: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(directory.join(name)).expect("a certificate")
}

/// Serves a text to everybody; the URI of it.
async fn serve(directory: &Path, text: &'static str) -> String {
    let key = PrivateKeyDer::from_pem_file(directory.join("server.key")).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate(directory, "server.pem")], key)
        .expect("they belong together");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let uri = format!("https://{}/artifact", listener.local_addr().expect("bound"));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Who does not trust it goes away before anything is said.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let _ = stream.read(&mut [0; 4096]).await;
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len());
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    uri
}

async fn fetch(fetcher: &Fetcher, sandbox: &Path, value: &str) -> Result<(), String> {
    let uri =
        Uri { value: value.to_owned(), executable: false, extract: false, cache: false, output_file: None };
    let container_id = ContainerId::from("c");
    let request = FetchRequest { container_id, sandbox: sandbox.to_owned(), user: None, uris: vec![uri] };
    let text = |error: &dyn std::error::Error| {
        std::iter::successors(Some(error), |error| error.source())
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(": ")
    };
    fetcher.fetch(request).await.map_err(|error| text(&error))
}

#[tokio::test]
async fn a_server_is_believed_if_its_authority_is() {
    let certificates = tempfile::tempdir().expect("a directory");
    make_certificates(certificates.path());
    let uri = serve(certificates.path(), "of our own").await;
    let sandbox = tempfile::tempdir().expect("a directory");

    // The machine does not know it.
    let stranger = Fetcher::new(FetchLimits::default(), None);
    let error = fetch(&stranger, sandbox.path(), &uri).await.expect_err("not to be trusted");
    let why = "the server's certificate is not to be trusted: UnknownIssuer";
    assert!(error.contains(&uri) && error.contains(why), "{error}");
    let said = std::fs::read_to_string(sandbox.path().join("stderr")).expect("a log");
    assert!(said.contains(why), "{said}");
    let written = std::fs::read_to_string(sandbox.path().join("artifact")).unwrap_or_default();
    assert_eq!(written, "", "nothing came of it");

    let client = HttpClient::trusting(vec![certificate(certificates.path(), "ca.pem")]);
    let knowing = stranger.with_scheme("https", Arc::new(client));
    let sandbox = tempfile::tempdir().expect("a directory");
    fetch(&knowing, sandbox.path(), &uri).await.expect("it is trusted");
    let artifact = std::fs::read_to_string(sandbox.path().join("artifact")).expect("fetched");
    assert_eq!(artifact, "of our own");
    // Its certificate is for that address, and for no other name.
    let other = uri.replace("127.0.0.1", "localhost");
    let error = fetch(&knowing, sandbox.path(), &other).await.expect_err("it is somebody else");
    assert!(error.contains("the server's certificate is not to be trusted"), "{error}");
}
