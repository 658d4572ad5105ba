//! How this daemon calls other servers: http or https, without following redirects.

use std::{sync::LazyLock, time::Duration};

use awc::{
    Client, Connector,
    http::header::{HeaderMap, RETRY_AFTER},
};
use rustls::{ClientConfig, RootCertStore, crypto::ring};

/// Who calls.
pub const AGENT: &str = concat!("sattva-monitor/", env!("CARGO_PKG_VERSION"));

/// TLS as the host trusts it (`SSL_CERT_FILE` and `SSL_CERT_DIR` change that).
static TLS: LazyLock<Option<std::sync::Arc<ClientConfig>>> = LazyLock::new(|| {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "some certificates of this host cannot be read; https to servers that need them fails");
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    let config = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .inspect_err(|error| tracing::error!(%error, "https is not possible"))
        .ok()?;
    Some(config.with_root_certificates(roots).with_no_client_auth().into())
});

/// A client whose requests take no longer than this, answer and all. It lives on the arbiter it was made on.
pub fn client(time_limit: Duration) -> Client {
    let connector = Connector::new().timeout(time_limit);
    let connector = match &*TLS {
        Some(config) => connector.rustls_0_23(config.clone()),
        None => connector,
    };
    Client::builder().connector(connector).timeout(time_limit).disable_redirects().finish()
}

/// How long whoever answered asks to be left alone; a date is not read.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}
