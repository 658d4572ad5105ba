//! What is asked of the Redis: each question bounded in time and in size.

use std::{collections::BTreeSet, time::Duration};

use redis::{
    Client, Cmd, IntoConnectionInfo, RedisError, Value,
    aio::{ConnectionManager, ConnectionManagerConfig},
    cmd, pipe,
};

use super::{
    status::{CONTROL, QUEUE_PREFIX, STATUS_PREFIX},
    watch::Found,
};

const TIME_LIMIT: Duration = Duration::from_secs(5);
/// Channels that are watched of one Redis.
pub const CHANNELS_MAX: usize = 10_000;
/// Keys a step of the search goes through, and channels that are read together.
const SCAN_STEP: usize = 1000;
const TOGETHER: usize = 500;
/// A look at everything is given up after this.
const LOOK_LIMIT: Duration = Duration::from_secs(10);
/// The largest status that is read.
const STATUS_MAX: usize = 64 << 10;
/// Publishes only while the status is still the one that was judged: -1 where it is not.
const PUBLISH_IF: &str = "if redis.call('GETRANGE', KEYS[1], 0, 65536) == ARGV[1] then return redis.call('PUBLISH', ARGV[2], ARGV[3]) end return -1";

#[derive(Clone)]
pub struct Server(ConnectionManager);

#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("{0}")]
    Redis(#[from] RedisError),
    #[error("no answer within {} s", TIME_LIMIT.as_secs())]
    Slow,
    #[error("it has more than {CHANNELS_MAX} channels; name those to watch in the configuration")]
    TooMany,
    #[error("it answers what was not asked")]
    Odd,
}

impl Server {
    /// Connects with the first question. Made on the arbiter it lives on.
    pub fn new(url: &str, password: Option<&str>) -> Result<Self, Failure> {
        let mut info = url.into_connection_info()?;
        if let Some(password) = password {
            let settings = info.redis_settings().clone().set_password(password);
            info = info.set_redis_settings(settings);
        }
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(TIME_LIMIT))
            .set_response_timeout(Some(TIME_LIMIT))
            .set_max_delay(TIME_LIMIT)
            .set_number_of_retries(1);
        Ok(Self(ConnectionManager::new_lazy_with_config(Client::open(info)?, config)?))
    }

    /// Every channel with a status; those named in `only`, or all there are.
    pub async fn look(self, only: Vec<String>) -> Result<Vec<Found>, Failure> {
        tokio::time::timeout(LOOK_LIMIT, self.look_at(only)).await.unwrap_or(Err(Failure::Slow))
    }

    async fn look_at(mut self, only: Vec<String>) -> Result<Vec<Found>, Failure> {
        let ids = if only.is_empty() { self.search().await? } else { only };
        let mut found = Vec::with_capacity(ids.len());
        for ids in ids.chunks(TOGETHER) {
            let mut pipe = pipe();
            for id in ids {
                pipe.getrange(format!("{STATUS_PREFIX}{id}"), 0, STATUS_MAX as isize)
                    .llen(format!("{QUEUE_PREFIX}{id}"));
            }
            let answers = self.0.send_packed_commands(&pipe, 0, ids.len() * 2);
            let answers = tokio::time::timeout(TIME_LIMIT, answers).await.map_err(|_| Failure::Slow)??;
            for (id, answer) in ids.iter().zip(answers.chunks(2)) {
                let [status, queue] = answer else { return Err(Failure::Odd) };
                let raw = match status {
                    // As one that is not there.
                    Value::BulkString(raw) if raw.is_empty() => continue,
                    Value::BulkString(raw) if raw.len() > STATUS_MAX => Err("its status is larger than 64 KiB"),
                    Value::BulkString(raw) => Ok(raw.clone()),
                    _ => Err("its key is no text"),
                };
                let queue = match queue {
                    Value::Int(length) => u32::try_from(*length).ok(),
                    _ => None,
                };
                found.push(Found { id: id.clone(), raw, queue });
            }
        }
        Ok(found)
    }

    async fn search(&mut self) -> Result<Vec<String>, Failure> {
        let mut ids = BTreeSet::new();
        let mut cursor = 0_u64;
        loop {
            let pattern = format!("{STATUS_PREFIX}*");
            let step = cmd("SCAN").arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(SCAN_STEP).to_owned();
            let (next, keys): (u64, Vec<Vec<u8>>) = self.ask(step).await?;
            let keys = keys.iter().filter_map(|key| std::str::from_utf8(key).ok()?.strip_prefix(STATUS_PREFIX));
            ids.extend(keys.map(str::to_owned));
            if ids.len() > CHANNELS_MAX {
                return Err(Failure::TooMany);
            }
            if next == 0 {
                return Ok(ids.into_iter().collect());
            }
            cursor = next;
        }
    }

    pub async fn status(mut self, id: String) -> Result<Option<Vec<u8>>, Failure> {
        let raw: Vec<u8> =
            self.ask(cmd("GETRANGE").arg(format!("{STATUS_PREFIX}{id}")).arg(0).arg(STATUS_MAX).to_owned()).await?;
        Ok(Some(raw).filter(|raw| !raw.is_empty()))
    }

    /// How many heard it; `None` if the status is another by now.
    pub async fn publish(mut self, id: &str, raw: &[u8], message: String) -> Result<Option<u64>, Failure> {
        let key = format!("{STATUS_PREFIX}{id}");
        let publish = cmd("EVAL").arg(PUBLISH_IF).arg(1).arg(key).arg(raw).arg(CONTROL).arg(message).to_owned();
        let heard: i64 = self.ask(publish).await?;
        Ok(u64::try_from(heard).ok())
    }

    async fn ask<T: redis::FromRedisValue>(&mut self, question: Cmd) -> Result<T, Failure> {
        let answer = self.0.send_packed_command(&question);
        let answer = tokio::time::timeout(TIME_LIMIT, answer).await.map_err(|_| Failure::Slow)??;
        let answer = answer.extract_error()?;
        T::from_redis_value(answer).map_err(|_| Failure::Odd)
    }
}
