//! The house of one run: a Redis, three daemons, and a network of its own between each of them and the Redis.

use std::{
    path::PathBuf,
    thread::sleep,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{
    daemon::{Daemon, Door},
    proxy::Proxy,
    redis_server::RedisServer,
};

pub const DAEMONS: usize = 3;
/// How long a stream must be empty.
pub const TIMEOUT: Duration = Duration::from_secs(4);
const STARTS_WITHIN: Duration = Duration::from_secs(20);

pub struct World {
    // Dropped in this order: nobody outlives what it speaks with.
    pub daemons: Vec<Daemon>,
    pub networks: Vec<Proxy>,
    pub redis: RedisServer,
    house: TempDir,
}

impl World {
    pub fn start(sharing: &str) -> Self {
        let house = TempDir::new().unwrap();
        let redis = RedisServer::start(house.path());
        let networks: Vec<Proxy> = (0..DAEMONS).map(|_| Proxy::to(&redis.socket())).collect();
        let start = |(n, network): (usize, &Proxy)| {
            let config = format!(
                "[auto_end]\ntimeout = {}\nwarnings = [1]\n[store]\nredis_url = \"redis://{}/0\"\nredis_lease = \"2s\"\n\
                 redis_sharing = \"{sharing}\"\n",
                TIMEOUT.as_secs(),
                network.address
            );
            Daemon::start(house.path().join(format!("daemon-{n}")), &config)
        };
        let daemons = networks.iter().enumerate().map(start).collect();
        let mut world = Self { daemons, networks, redis, house };
        let began = Instant::now();
        while !world.daemons.iter_mut().all(|daemon| daemon.look().unwrap()) {
            assert!(began.elapsed() < STARTS_WITHIN, "the daemons do not start");
            sleep(Duration::from_millis(10));
        }
        world
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
