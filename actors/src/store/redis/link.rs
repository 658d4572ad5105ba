//! How a Redis is reached: an address or the Sentinels that know it, TLS, a user, a password from a file; and what
//! its refusals mean.

use std::{
    path::PathBuf,
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use redis::{
    Client, Connection, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo, ProtocolVersion, PushInfo,
    RedisError, RedisResult, ServerErrorKind, TlsCertificates,
};

use super::wishes;
use crate::{secret_file::first_line, store::StoreError};

/// An answer, or a connection, is waited for so long.
const PATIENCE: Duration = Duration::from_secs(2);
/// A Sentinel is waited for so long; then the next one is asked.
const SENTINELS_PATIENCE: Duration = Duration::from_secs(1);

#[derive(Clone, Debug)]
pub struct Link {
    /// With Sentinels, the host is the name they know it by.
    pub info: ConnectionInfo,
    /// Read at each connection, so that a new password is used without a restart.
    pub password_file: Option<PathBuf>,
    /// Whose certificates are believed; absent = the system's authorities.
    pub ca_file: Option<PathBuf>,
    /// Host and port of each.
    pub sentinels: Vec<(String, u16)>,
}

/// An open connection, and what Redis tells of keys that others have changed.
pub struct Line {
    pub connection: Connection,
    pub pushes: Receiver<PushInfo>,
    /// Tells this start of this Redis from any other.
    pub server: String,
    /// By which rule it drops keys when it is full; `None` where it drops none.
    pub eviction: Option<String>,
}

/// One field of what INFO says.
fn told<'a>(info: &'a str, field: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')).map(str::trim)
}

impl Link {
    /// The server behind a URL such as `rediss://user@redis.example:6379/0`.
    pub fn to(url: &str) -> Result<Self, String> {
        let info = url.into_connection_info().map_err(|error| error.to_string())?;
        Ok(Self { info, password_file: None, ca_file: None, sentinels: Vec::new() })
    }

    /// Where it is, without user and password.
    pub fn address(&self) -> String {
        self.info.addr().to_string()
    }

    pub fn connect(&self) -> Result<Line, StoreError> {
        let connection = self.dial()?;
        Self::listen(connection).map_err(|error| StoreError::Failed(self.explain(&error)))
    }

    /// A connection that is only spoken on.
    pub fn dial(&self) -> Result<Connection, StoreError> {
        let mut settings = self.info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        if let Some(path) = &self.password_file {
            let password = first_line(path, "the password of the Redis").map_err(StoreError::Failed)?;
            settings = settings.set_password(password);
        }
        let info = self.info.clone().set_redis_settings(settings);
        let info =
            if self.sentinels.is_empty() { info } else { info.clone().set_addr(self.ask_sentinels(info.addr())?) };
        let opened = self.open(info).map_err(|error| StoreError::Failed(self.explain(&error)))?;
        Ok(opened)
    }

    fn open(&self, info: ConnectionInfo) -> RedisResult<Connection> {
        if matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
            // Somebody else may have chosen one before, which does as well.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let client = match &self.ca_file {
            Some(path) => {
                let pem = std::fs::read(path)?;
                Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert: Some(pem) })?
            }
            None => Client::open(info)?,
        };
        let connection = client.get_connection_with_timeout(PATIENCE)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        connection.set_write_timeout(Some(PATIENCE))?;
        Ok(connection)
    }

    /// On which Redis tells what others change.
    fn listen(mut connection: Connection) -> RedisResult<Line> {
        let (sender, pushes) = channel();
        connection.set_push_sender(sender);
        // Of this connection's own changes nothing is told.
        let mut tracking = redis::cmd("CLIENT");
        tracking.arg("TRACKING").arg("ON").arg("BCAST").arg("PREFIX").arg(wishes::PREFIX).arg("NOLOOP");
        tracking.query::<()>(&mut connection)?;
        let (about, memory): (String, String) =
            redis::pipe().cmd("INFO").arg("server").cmd("INFO").arg("memory").query(&mut connection)?;
        let server = told(&about, "run_id").unwrap_or_default().to_owned();
        let eviction = told(&memory, "maxmemory_policy").filter(|policy| *policy != "noeviction").map(str::to_owned);
        Ok(Line { connection, pushes, server, eviction })
    }

    /// The first Sentinel that answers says where the primary is.
    fn ask_sentinels(&self, name: &ConnectionAddr) -> Result<ConnectionAddr, StoreError> {
        let master = match name {
            ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } => host,
            _ => return Err(StoreError::Failed("with Sentinels, the URL's host is the name they know it by".into())),
        };
        let mut refusals = Vec::new();
        for (host, port) in &self.sentinels {
            let ask = || -> RedisResult<Option<(String, u16)>> {
                let client = Client::open(ConnectionAddr::Tcp(host.clone(), *port).into_connection_info()?)?;
                let mut connection = client.get_connection_with_timeout(SENTINELS_PATIENCE)?;
                connection.set_read_timeout(Some(SENTINELS_PATIENCE))?;
                redis::cmd("SENTINEL").arg("get-master-addr-by-name").arg(master).query(&mut connection)
            };
            match ask() {
                Ok(Some((host, port))) => {
                    let mut addr = name.clone();
                    match &mut addr {
                        ConnectionAddr::Tcp(at, p) | ConnectionAddr::TcpTls { host: at, port: p, .. } => {
                            (*at, *p) = (host, port)
                        }
                        _ => {}
                    }
                    return Ok(addr);
                }
                Ok(None) => refusals.push(format!("{host}:{port} knows no {master:?}")),
                Err(error) => refusals.push(format!("{host}:{port}: {error}")),
            }
        }
        Err(StoreError::Failed(format!("no Sentinel says where the Redis is: {}", refusals.join("; "))))
    }

    /// What went wrong, and what is to be done about it.
    pub fn explain(&self, error: &RedisError) -> String {
        let todo = match error.kind() {
            ErrorKind::Server(ServerErrorKind::ReadOnly) => {
                "it is a replica and takes no writes; give the primary's address, or its Sentinels"
            }
            ErrorKind::Server(ServerErrorKind::BusyLoading) => "it is loading its data",
            ErrorKind::Server(ServerErrorKind::CrossSlot | ServerErrorKind::Moved | ServerErrorKind::Ask) => {
                "it is a Redis Cluster, which is not supported; give a single Redis, or one with Sentinels"
            }
            ErrorKind::AuthenticationFailed => "see store.redis_password_file and the user in store.redis_url",
            _ => match error.code() {
                Some("OOM") => "it is full; give it more memory (maxmemory), and the policy noeviction",
                Some("MISCONF") => "it cannot save its data; see its log and its disk",
                Some("NOAUTH" | "WRONGPASS") => "see store.redis_password_file and the user in store.redis_url",
                Some("NOPERM") => "its user may not do this; it needs +@all ~sattva:* ~auto_end:*",
                _ if error.is_timeout() => "it is paused, too slow or too far away",
                _ if error.is_connection_refusal() => "is it running, and is this its address?",
                _ => "see its log",
            },
        };
        format!("the Redis at {} failed: {error}; {todo}", self.address())
    }
}
