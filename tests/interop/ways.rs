//! The ways to the daemon: straight, and through proxies as one puts them in front of it.

use std::{
    fmt,
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::{patience::eventually, process::program};

/// One way to the daemon.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    name: &'static str,
    pub address: SocketAddr,
    /// Whether what a client offers reaches the daemon.
    pub lets_offers_pass: bool,
}

pub struct Ways {
    daemon: SocketAddr,
    proxies: [Proxy; 2],
}

/// A proxy with two doors: at one of them offers are taken off.
struct Proxy {
    name: &'static str,
    doors: [SocketAddr; 2],
    child: Child,
    house: TempDir,
}

impl Ways {
    pub fn to(daemon: SocketAddr) -> Self {
        let doors = free_addresses::<4>();
        Self { daemon, proxies: [nginx([doors[0], doors[1]], daemon), haproxy([doors[2], doors[3]], daemon)] }
    }

    pub fn all(&self) -> Vec<Way> {
        let through = self.proxies.iter().flat_map(|Proxy { name, doors: [passing, stripping], .. }| {
            [
                Way { name, address: *passing, lets_offers_pass: true },
                Way { name, address: *stripping, lets_offers_pass: false },
            ]
        });
        [Way { name: "straight", address: self.daemon, lets_offers_pass: true }].into_iter().chain(through).collect()
    }

    /// Those at which nothing is taken off.
    pub fn passing(&self) -> Vec<Way> {
        self.all().into_iter().filter(|way| way.lets_offers_pass).collect()
    }
}

impl Way {
    pub fn url(&self, query: &str) -> String {
        format!("ws://{}/ws/stats{query}", self.address)
    }

    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let offers = if self.lets_offers_pass { "" } else { " without offers" };
        write!(f, "{}{offers}", self.name)
    }
}

/// On a loopback address that belongs to this process: what is free there stays free.
fn free_addresses<const N: usize>() -> [SocketAddr; N] {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    let own = Ipv4Addr::new(127, 0x80 | high, middle, low);
    let held: [TcpListener; N] = std::array::from_fn(|_| TcpListener::bind((own, 0)).unwrap());
    held.map(|listener| listener.local_addr().unwrap())
}

fn nginx(doors: [SocketAddr; 2], daemon: SocketAddr) -> Proxy {
    let [passing, stripping] = doors.map(|door| door.to_string());
    let location = format!(
        "proxy_pass http://{daemon};
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $upgraded;"
    );
    let config = format!(
        "daemon off;
master_process off;
pid nginx.pid;
error_log stderr warn;
events {{}}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    map $http_upgrade $upgraded {{
        default upgrade;
        '' '';
    }}
    server {{
        listen {passing};
        location / {{
            {location}
        }}
    }}
    server {{
        listen {stripping};
        location / {{
            {location}
            proxy_set_header Sec-WebSocket-Extensions '';
        }}
    }}
}}
"
    );
    Proxy::start("nginx", doors, &config, |house, config| {
        let mut nginx = Command::new(program("nginx"));
        nginx.arg("-p").arg(house).arg("-c").arg(config).args(["-e", "stderr"]);
        nginx
    })
}

fn haproxy(doors: [SocketAddr; 2], daemon: SocketAddr) -> Proxy {
    let [passing, stripping] = doors.map(|door| door.to_string());
    let config = format!(
        "defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout tunnel 1h
frontend passing
    bind {passing}
    default_backend daemon
frontend stripping
    bind {stripping}
    http-request del-header Sec-WebSocket-Extensions
    default_backend daemon
backend daemon
    server daemon {daemon}
"
    );
    Proxy::start("haproxy", doors, &config, |_, config| {
        let mut haproxy = Command::new(program("haproxy"));
        haproxy.arg("-db").arg("-f").arg(config);
        haproxy
    })
}

impl Proxy {
    fn start(
        name: &'static str,
        doors: [SocketAddr; 2],
        config: &str,
        command: impl FnOnce(&Path, &Path) -> Command,
    ) -> Self {
        let house = TempDir::new().unwrap();
        let path = house.path().join("config");
        fs::write(&path, config).unwrap();
        let said = File::create(house.path().join("said")).unwrap();
        let child = command(house.path(), &path)
            .current_dir(house.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said)
            .spawn()
            .unwrap();
        let mut proxy = Self { name, doors, child, house };
        for door in doors {
            eventually(name, || {
                if let Some(status) = proxy.child.try_wait().unwrap() {
                    panic!("{name} ended, {status}: {}", proxy.said());
                }
                TcpStream::connect(door).ok()
            });
        }
        proxy
    }

    fn said(&self) -> String {
        fs::read_to_string(self.house.path().join("said")).unwrap_or_default()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("{} said: {}", self.name, self.said());
        }
    }
}
