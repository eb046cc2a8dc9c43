//! Whose certificates are believed: those that the authorities have signed which this machine trusts, as any other client on it
//! does. A cluster's own server of artifacts needs nothing but its authority among those of the machine.

use std::error::Error;
use std::io;
use std::sync::Arc;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};

/// The authorities of this machine, or those in the file that `SSL_CERT_FILE` and the directory that `SSL_CERT_DIR` names.
pub(super) fn authorities() -> Vec<CertificateDer<'static>> {
    let found = rustls_native_certs::load_native_certs();
    for error in found.errors {
        tracing::warn!(%error, "cannot read all authorities whose certificates are to be believed");
    }
    found.certs
}

/// Connects to servers with a certificate of one of these authorities; where there are none, of one of those that browsers
/// trust.
pub(super) fn connector(
    http: HttpConnector,
    authorities: Vec<CertificateDer<'static>>,
) -> HttpsConnector<HttpConnector> {
    let builder = HttpsConnectorBuilder::new();
    let builder = match trusting(authorities) {
        Some(config) => builder.with_tls_config(config),
        None => builder.with_webpki_roots(),
    };
    builder.https_or_http().enable_http1().wrap_connector(http)
}

fn trusting(authorities: Vec<CertificateDer<'static>>) -> Option<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(authorities);
    if usable == 0 {
        return None;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().ok()?;
    Some(builder.with_root_certificates(roots).with_no_client_auth())
}

/// What is wrong with a server's certificate, if that is why it could not be asked.
pub(super) fn distrusted(error: &(dyn Error + 'static)) -> Option<String> {
    match error.downcast_ref() {
        Some(rustls::Error::InvalidCertificate(why)) => Some(why.to_string()),
        Some(_) => None,
        // The system's errors carry it without having it as their cause.
        None => distrusted(error.downcast_ref::<io::Error>()?.get_ref()?),
    }
}
