//! TLS: the certificate and key that are shown to clients, which a reload may replace while connections last.

use std::{
    fs,
    io::Cursor,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;
use prometheus::{IntGauge, Registry};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use crate::config::{Config, ConfigError, Problem};

/// Neither file is larger.
const FILE_BYTES: u64 = 1 << 20;
/// Only HTTP/1.1 is spoken: a WebSocket is opened by it.
const PROTOCOL: &[u8] = b"http/1.1";

/// A certificate with its key, as it was read.
#[derive(Clone, Debug)]
pub struct Identity {
    key: Arc<CertifiedKey>,
    /// When it expires, in seconds since 1970.
    expires: i64,
}

/// Shows whichever identity is in force.
#[derive(Debug)]
pub struct Shown {
    identity: ArcSwap<CertifiedKey>,
    expiry: IntGauge,
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.identity.load_full())
    }
}

impl Shown {
    /// For new connections; those that last keep theirs.
    pub fn show(&self, identity: Identity) {
        self.expiry.set(identity.expires);
        self.identity.store(identity.key);
    }
}

/// What the configuration names; `None` where the daemon speaks plain HTTP.
///
/// # Errors
/// When a file cannot be read, is not what it should be, or the two do not belong together.
pub fn identity(config: &Config) -> Result<Option<Identity>, ConfigError> {
    let http = &config.http;
    let (Some(certificate), Some(key)) = (&http.tls_certificate_file, &http.tls_key_file) else { return Ok(None) };
    Identity::read(certificate, key).map(Some).map_err(|(setting, what)| ConfigError::from(Problem::new(setting, what)))
}

impl Identity {
    fn read(certificate_file: &Path, key_file: &Path) -> Result<Self, (&'static str, String)> {
        let at = |path: &Path, what: String| format!("{}: {what}", path.display());
        let of_certificate = |what: String| ("http.tls_certificate_file", at(certificate_file, what));
        let of_key = |what: String| ("http.tls_key_file", at(key_file, what));
        let chain = bytes(certificate_file).map_err(of_certificate)?;
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_reader_iter(Cursor::new(chain))
            .collect::<Result<_, _>>()
            .map_err(|error| of_certificate(format!("it is not PEM: {error}")))?;
        let first = chain.first().ok_or_else(|| of_certificate("there is no certificate in it (PEM)".to_owned()))?;
        let (_, parsed) = x509_parser::parse_x509_certificate(first)
            .map_err(|error| of_certificate(format!("its first certificate cannot be read: {error}")))?;
        let expires = parsed.validity().not_after.timestamp();
        let key = bytes(key_file).map_err(of_key)?;
        let key = PrivateKeyDer::from_pem_reader(Cursor::new(key))
            .map_err(|error| of_key(format!("there is no private key in it (PEM): {error}")))?;
        let key = CertifiedKey::from_der(chain, key, &ring::default_provider())
            .map_err(|error| of_key(format!("it does not belong to the certificate: {error}")))?;
        Ok(Self { key: Arc::new(key), expires })
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>, String> {
    let read = || -> std::io::Result<Vec<u8>> {
        let length = fs::metadata(path)?.len();
        if length > FILE_BYTES {
            return Err(std::io::Error::other(format!("it is larger than {FILE_BYTES} bytes")));
        }
        fs::read(path)
    };
    read().map_err(|error| {
        format!("it cannot be read: {error}; let the daemon's user read it, or hand it over with LoadCredential=")
    })
}

/// A key that others of this host may read, if it is one.
pub fn loose_key(config: &Config) -> Option<PathBuf> {
    let key = config.http.tls_key_file.clone()?;
    let mode = fs::metadata(&key).ok()?.permissions().mode();
    (mode & 0o004 != 0).then_some(key)
}

/// How the daemon speaks TLS, and where the identity is replaced.
///
/// # Errors
/// When the metric cannot be registered.
pub fn server(identity: Identity, registry: &Registry) -> prometheus::Result<(ServerConfig, Arc<Shown>)> {
    let expiry = IntGauge::new(
        "sattva_tls_certificate_expiry_timestamp_seconds",
        "When the certificate shown to clients expires, in seconds since 1970.",
    )?;
    registry.register(Box::new(expiry.clone()))?;
    expiry.set(identity.expires);
    let shown = Arc::new(Shown { identity: ArcSwap::new(identity.key), expiry });
    let builder = ServerConfig::builder_with_provider(ring::default_provider().into());
    let builder = builder
        .with_safe_default_protocol_versions()
        .map_err(|error| prometheus::Error::Msg(format!("TLS is not possible: {error}")))?;
    let mut server = builder.with_no_client_auth().with_cert_resolver(Arc::clone(&shown) as _);
    server.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok((server, shown))
}
