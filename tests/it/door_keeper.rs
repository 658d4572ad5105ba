//! Answers in an Icecast server's place, lets nobody in and remembers the credentials it was shown.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex},
    thread,
};

pub struct DoorKeeper {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl DoorKeeper {
    pub fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let seen = Arc::clone(&requests);
        // Ends with the test's process.
        thread::spawn(move || {
            for mut socket in listener.incoming().flatten() {
                let mut request = [0; 4096];
                let length = socket.read(&mut request).unwrap_or(0);
                seen.lock().unwrap().push(String::from_utf8_lossy(&request[..length]).into_owned());
                // The client may well have gone.
                let _ = socket.write_all(b"HTTP/1.0 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
            }
        });
        Self { address, requests }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Whether a request came with these as its basic credentials.
    pub fn was_shown(&self, credentials: &str) -> bool {
        let wanted = format!("Basic {}", base64(credentials.as_bytes()));
        self.requests.lock().unwrap().iter().any(|request| request.contains(&wanted))
    }

    pub fn forget(&self) {
        self.requests.lock().unwrap().clear();
    }
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let sextet = (bits >> (18 - 6 * place)) & 0x3f;
            text.push(if place <= three.len() { ALPHABET[sextet as usize].into() } else { '=' });
        }
    }
    text
}
