//! `sattva-monitor webhook-verify`: a receiver to try webhooks with, and to build one's own after.

use std::{
    fs,
    io::{self, Read, Write},
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use sattva_actors::clock::Clock;

use super::signature::{self, BadSecrets, Secrets, Unproven};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// File with the secrets, one a line, the same as the webhook's secret_file.
    #[arg(long, value_name = "FILE")]
    secret_file: PathBuf,
    /// Receive messages here, and print each that is proven; otherwise one message is read from the standard input.
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
    /// The message's webhook-id.
    #[arg(long, required_unless_present = "listen")]
    id: Option<String>,
    /// The message's webhook-timestamp.
    #[arg(long, required_unless_present = "listen")]
    timestamp: Option<String>,
    /// The message's webhook-signature.
    #[arg(long, required_unless_present = "listen")]
    signature: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error("the secret file {path} cannot be read: {error}")]
    SecretFile { path: PathBuf, error: io::Error },
    #[error("the secret file: {0}")]
    Secrets(#[from] BadSecrets),
    #[error("the message is not proven: {0}")]
    Unproven(#[from] Unproven),
    #[error("the message could not be read: {0}")]
    Input(io::Error),
    #[error("cannot receive on {address}: {error}; give another address with --listen")]
    Listen { address: SocketAddr, error: io::Error },
}

pub async fn run(args: Args) -> Result<(), VerifyError> {
    let path = args.secret_file;
    let text = fs::read_to_string(&path).map_err(|error| VerifyError::SecretFile { path, error })?;
    let secrets = Secrets::parse(&text)?;
    if let Some(address) = args.listen {
        return receive(address, secrets).await.map_err(|error| VerifyError::Listen { address, error });
    }
    let mut body = Vec::new();
    io::stdin().read_to_end(&mut body).map_err(VerifyError::Input)?;
    let [id, timestamp, signature] = [args.id, args.timestamp, args.signature].map(Option::unwrap_or_default);
    secrets.prove(&id, &timestamp, &signature, &body, now())?;
    // Whoever reads it may have gone: the exit code says the same.
    let _ = writeln!(io::stdout(), "proven");
    Ok(())
}

/// 204 to what is proven, 401 to all else. A receiver must also drop what it has seen: the id is the same at
/// every try.
async fn receive(address: SocketAddr, secrets: Secrets) -> io::Result<()> {
    let secrets = Arc::new(secrets);
    let server = HttpServer::new(move || {
        let secrets = Arc::clone(&secrets);
        App::new().default_service(web::to(move |request: HttpRequest, body: web::Bytes| {
            let answer = answer(&secrets, &request, &body);
            async move { answer }
        }))
    });
    let server = server.workers(1).bind(address)?;
    for address in server.addrs() {
        eprintln!("receiving webhooks on http://{address}/; end with Ctrl-C");
    }
    server.run().await
}

fn answer(secrets: &Secrets, request: &HttpRequest, body: &[u8]) -> HttpResponse {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let id = header(signature::ID);
    match secrets.prove(id, header(signature::TIMESTAMP), header(signature::SIGNATURE), body, now()) {
        Ok(()) => {
            let line = [id.as_bytes(), b" ", body, b"\n"].concat();
            let mut out = io::stdout().lock();
            // Whoever reads it may have gone; the next message will show.
            let _ = out.write_all(&line).and_then(|()| out.flush());
            HttpResponse::NoContent().finish()
        }
        Err(why) => {
            eprintln!("not proven: {why}");
            HttpResponse::Unauthorized().body(why.to_string())
        }
    }
}

fn now() -> i64 {
    Clock::System.now().wall.as_millis() / 1000
}
