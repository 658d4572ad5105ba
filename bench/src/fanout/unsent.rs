//! What the kernel holds for a server's clients: sent by the server, not yet taken by them.

use std::{fs, net::SocketAddr};

use anyhow::{Context, Result};

const TABLE: &str = "/proc/net/tcp";

/// Bytes in the send queues of all of a server's connections.
pub fn bytes(server: SocketAddr) -> Result<u64> {
    let table = fs::read_to_string(TABLE).context(TABLE)?;
    Ok(table.lines().filter_map(|line| queue(line, server.port())).sum())
}

/// The send queue of a connection whose own end has this port.
fn queue(line: &str, port: u16) -> Option<u64> {
    let mut fields = line.split_whitespace().skip(1);
    let own = fields.next()?.rsplit(':').next()?;
    let queues = fields.nth(2)?.split(':').next()?;
    (u16::from_str_radix(own, 16) == Ok(port)).then(|| u64::from_str_radix(queues, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::queue;

    #[test]
    fn only_a_servers_own_ends_count() {
        let line = "   1: 0100007F:1F90 0200007F:8001 01 000012AB:00000007 00:00000000 00000000     0        0 1";
        assert_eq!(queue(line, 8080), Some(0x12ab));
        assert_eq!(queue(line, 0x8001), None);
        assert_eq!(queue("  sl  local_address rem_address   st tx_queue rx_queue", 8080), None);
    }
}
