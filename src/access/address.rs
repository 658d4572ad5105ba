//! Where a request comes from, past the proxies that are trusted to tell.

use core::net::IpAddr;

use ipnet::IpNet;

/// A proxy's address, or a network of them: `127.0.0.1`, `10.0.0.0/8`.
///
/// # Errors
/// What is wrong with it.
pub fn parse_network(text: &str) -> Result<IpNet, String> {
    let wrong = || format!("`{}` is neither an IP address nor a network such as 10.0.0.0/8", text.escape_debug());
    match text.parse::<IpAddr>() {
        Ok(address) => Ok(address.into()),
        Err(_) => text.parse().map_err(|_| wrong()),
    }
}

/// The client's address. What `X-Forwarded-For` says is believed as far as trusted proxies have written it: each adds who
/// it was asked by at the end, so it is read from there, and the first one who is no trusted proxy is the client.
pub fn client<'a>(peer: IpAddr, forwarded_for: impl DoubleEndedIterator<Item = &'a str>, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
    let mut nearest = peer.to_canonical();
    if !is_trusted(nearest) {
        return nearest;
    }
    let hops = forwarded_for.flat_map(|line| line.split(',')).rev();
    for hop in hops {
        // What cannot be read was not written by a proxy of ours.
        let Some(address) = address(hop.trim()) else { return nearest };
        nearest = address;
        if !is_trusted(nearest) {
            return nearest;
        }
    }
    nearest
}

/// As proxies write it: with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let plain = text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<core::net::SocketAddr>().ok().map(|address| address.ip());
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    plain.or_else(with_port).or_else(in_brackets).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, headers: &[&str], trusted: &[&str]) -> String {
        let trusted: Vec<IpNet> = trusted.iter().map(|text| parse_network(text).unwrap()).collect();
        client(peer.parse().unwrap(), headers.iter().copied(), &trusted).to_string()
    }

    #[test]
    fn a_header_from_anybody_else_than_a_trusted_proxy_says_nothing() {
        assert_eq!(seen("192.0.2.1", &["203.0.113.9"], &[]), "192.0.2.1");
        assert_eq!(seen("192.0.2.1", &["203.0.113.9"], &["10.0.0.0/8"]), "192.0.2.1");
    }

    #[test]
    fn of_a_trusted_proxy_the_last_word_counts_and_what_the_client_wrote_before_it_does_not() {
        assert_eq!(seen("127.0.0.1", &["203.0.113.9"], &["127.0.0.1"]), "203.0.113.9");
        assert_eq!(seen("127.0.0.1", &["1.2.3.4, 203.0.113.9"], &["127.0.0.1"]), "203.0.113.9");
        assert_eq!(seen("127.0.0.1", &["1.2.3.4", "203.0.113.9"], &["127.0.0.1"]), "203.0.113.9");
        assert_eq!(seen("127.0.0.1", &["1.2.3.4, 203.0.113.9, 10.1.1.1"], &["127.0.0.1", "10.0.0.0/8"]), "203.0.113.9");
    }

    #[test]
    fn what_cannot_be_read_is_not_believed_and_the_nearest_known_stands() {
        assert_eq!(seen("127.0.0.1", &["rubbish"], &["127.0.0.1"]), "127.0.0.1");
        assert_eq!(seen("127.0.0.1", &["203.0.113.9, , 10.1.1.1"], &["127.0.0.1", "10.0.0.0/8"]), "10.1.1.1");
        assert_eq!(seen("127.0.0.1", &[], &["127.0.0.1"]), "127.0.0.1");
    }

    #[test]
    fn both_families_ports_and_mapped_addresses_are_understood() {
        assert_eq!(seen("::1", &["[2001:db8::7]:443"], &["::1"]), "2001:db8::7");
        assert_eq!(seen("::1", &["[2001:db8::7]"], &["::1"]), "2001:db8::7");
        assert_eq!(seen("::1", &["203.0.113.9:5123"], &["::1"]), "203.0.113.9");
        assert_eq!(seen("::ffff:127.0.0.1", &["203.0.113.9"], &["127.0.0.1"]), "203.0.113.9");
    }
}
