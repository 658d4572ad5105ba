//! The house of one run: daemons, and what they rest on. That is a disk; or a Redis, and a network of its own between
//! each of them and the Redis.

use std::{
    fmt::Write,
    path::PathBuf,
    thread::sleep,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{
    clock::WallClock,
    daemon::{Daemon, Door},
    fleet::Fleet,
    proxy::Proxy,
    redis_server::RedisServer,
    small_disk::SmallDisk,
};

/// How long a stream must be empty.
pub const TIMEOUT: Duration = Duration::from_secs(4);
/// Enough for all that a run writes, and soon full.
const DISK_KIB: usize = 4_096;
const STARTS_WITHIN: Duration = Duration::from_secs(20);

pub struct World {
    // Dropped in this order: nobody outlives what it speaks with.
    pub daemons: Vec<Daemon>,
    pub networks: Vec<Proxy>,
    pub redis: Option<RedisServer>,
    /// Of the daemon that is alone, where a disk of its own can be mounted.
    pub disk: Option<SmallDisk>,
    house: TempDir,
}

impl World {
    pub fn start(fleet: Fleet) -> Self {
        let house = TempDir::new().unwrap();
        let alone = fleet == Fleet::Alone;
        let redis = (!alone).then(|| RedisServer::start(house.path()));
        let network = |redis: &RedisServer| (0..fleet.daemons()).map(|_| Proxy::to(&redis.socket())).collect();
        let networks: Vec<Proxy> = redis.as_ref().map(network).unwrap_or_default();
        let disk = alone.then(small_disk).flatten();
        let start = |n: usize| {
            let mut config = format!("[auto_end]\ntimeout = {}\nwarnings = [1]\n", TIMEOUT.as_secs());
            if let Some(network) = networks.get(n) {
                let _ = write!(
                    config,
                    "[store]\nredis_url = \"redis://{}/0\"\nredis_lease = \"2s\"\nredis_sharing = \"{fleet}\"\n",
                    network.address
                );
            }
            let name = format!("daemon-{n}");
            let clock = WallClock::new(house.path(), &name);
            Daemon::start(house.path().join(name), clock, &config, disk.as_ref().map(SmallDisk::path))
        };
        let daemons = (0..fleet.daemons()).map(start).collect();
        let mut world = Self { daemons, networks, redis, disk, house };
        let began = Instant::now();
        while !world.daemons.iter_mut().all(|daemon| daemon.look().unwrap()) {
            assert!(began.elapsed() < STARTS_WITHIN, "the daemons do not start");
            sleep(Duration::from_millis(10));
        }
        world
    }

    pub fn redis(&mut self) -> &mut RedisServer {
        self.redis.as_mut().expect("Redis fails only where there is one")
    }

    /// False where it is no disk of its own.
    pub fn fill_the_disk(&mut self) -> bool {
        let Some(disk) = &self.disk else { return false };
        disk.fill_but(0);
        self.daemons.iter_mut().for_each(|daemon| daemon.set_ill(true));
        true
    }

    pub fn make_room(&mut self) {
        let Some(disk) = &self.disk else { return };
        disk.make_room();
        self.daemons.iter_mut().for_each(|daemon| daemon.set_ill(false));
    }

    pub fn doors(&self) -> Vec<Door> {
        self.daemons.iter().map(|daemon| daemon.door.clone()).collect()
    }

    /// Leaves the logs where they are, for whoever looks for what went wrong.
    pub fn keep_logs(&mut self) -> PathBuf {
        self.house.disable_cleanup(true);
        self.house.path().to_owned()
    }
}

/// Says loudly why there is none, if so: then it cannot be full.
fn small_disk() -> Option<SmallDisk> {
    let refused = |refusal| eprintln!("NO TMPFS CAN BE MOUNTED HERE ({refusal}): no disk will be full");
    SmallDisk::mounted(DISK_KIB).map_err(refused).ok()
}
