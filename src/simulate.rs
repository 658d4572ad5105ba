//! `sattva-monitor simulate`: streams that do not exist, reported as a real streamer would, for a
//! dashboard to look at and a daemon to be tried on.

mod catalogue;
mod channel;
mod studio;
mod world;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use awc::Client;
use sattva_actors::{clock::Clock, secret_file::first_line};
use tokio::signal::unix::{SignalKind, signal};
use url::Url;

use self::{
    studio::{Answer, Studio},
    world::World,
};

/// How often the world goes on and changes are reported.
const TICK: Duration = Duration::from_millis(250);
/// A request without an answer is given up.
const PATIENCE: Duration = Duration::from_secs(5);
/// Time for the last words.
const FAREWELL: Duration = Duration::from_secs(2);
/// An answer is never longer.
const ANSWER_MAX: usize = 8 << 20;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The daemon to report to.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: Url,
    /// How many streams there are.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    channels: u32,
    /// Listeners that come or go, per second, over all streams.
    #[arg(long, default_value_t = 4.0, value_parser = rate)]
    rate: f64,
    /// The same seed tells the same story.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// File whose first line is a streamer's token, where the daemon wants one; made with `--source '*'`.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// End after this long, such as 60s; without it Ctrl-C does.
    #[arg(long, value_parser = humantime::parse_duration)]
    duration: Option<Duration>,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if (0.0..=100_000.0).contains(&rate) => Ok(rate),
        _ => Err("not a number from 0 to 100000".to_owned()),
    }
}

/// Runs the story until its end or a signal.
pub async fn run(args: Args) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let channels = args.channels as usize;
    let mut client = Client::builder().timeout(PATIENCE);
    if let Some(file) = &args.token_file {
        client = client.bearer_auth(first_line(file, "a streamer's token").map_err(std::io::Error::other)?);
    }
    let mut stage = Stage {
        client: client.finish(),
        ingest: args.url.join("api/v1/ingest").unwrap_or(args.url).into(),
        world: World::new(args.seed, channels, args.rate),
        studios: Vec::new(),
        began: Instant::now(),
    };
    let run = Clock::System.now().wall;
    stage.studios = (0..catalogue::STUDIOS.len()).map(|studio| Studio::new(studio, channels, run)).collect();
    tracing::info!(channels, rate = args.rate, seed = args.seed, to = %stage.ingest, "simulating");

    let the_end = async {
        match args.duration {
            Some(duration) => tokio::time::sleep(duration).await,
            None => std::future::pending().await,
        }
    };
    let play = async {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            stage.act().await;
        }
    };
    tokio::select! {
        () = the_end => {}
        () = play => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    if tokio::time::timeout(FAREWELL, stage.say_goodbye()).await.is_err() {
        tracing::warn!("the daemon did not hear that the streams are over; their counts become unknown");
    }
    tracing::info!("the simulation is over");
    Ok(())
}

struct Stage {
    client: Client,
    ingest: String,
    world: World,
    studios: Vec<Studio>,
    began: Instant,
}

impl Stage {
    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// One tick: the world goes on, and whoever has something to say says it.
    async fn act(&mut self) {
        let events = self.world.step(self.now());
        self.note(&events);
        for index in 0..self.studios.len() {
            self.report(index).await;
        }
    }

    async fn say_goodbye(&mut self) {
        let events = self.world.end(self.now());
        self.note(&events);
        for index in 0..self.studios.len() {
            self.studios[index].hurry();
            self.report(index).await;
        }
    }

    fn note(&mut self, events: &[world::Event]) {
        for event in events {
            if studio::is_worth_a_line(event.what) {
                tracing::debug!(channel_id = %self.world.channel(event.channel).name, what = ?event.what);
            }
            self.studios[catalogue::studio_of(event.channel)].note(event);
        }
    }

    /// Sends until a studio has nothing left to say, or is not heard.
    async fn report(&mut self, index: usize) {
        while let Some(body) = self.studios[index].request(&self.world, self.began.elapsed()) {
            let sent = Instant::now();
            let outcome = self.post(body).await;
            let now = self.now();
            let studio = &mut self.studios[index];
            match outcome {
                Ok(answer) => {
                    if studio.is_cut_off() {
                        tracing::info!(studio = studio.name(), "the daemon is back");
                    }
                    studio.accepted(&mut self.world, now, sent.elapsed(), answer);
                    let events = self.world.step(now);
                    self.note(&events);
                }
                Err(why) => {
                    if studio.failed(now) {
                        tracing::warn!(studio = studio.name(), why, "a report did not get through; trying again");
                    }
                    return;
                }
            }
        }
    }

    async fn post(&self, body: Vec<u8>) -> Result<Answer, String> {
        let request = self.client.post(&self.ingest).content_type("application/json");
        let mut response = request.send_body(body).await.map_err(|error| error.to_string())?;
        let status = response.status();
        let body = response.body().limit(ANSWER_MAX).await.map_err(|error| error.to_string())?;
        if !status.is_success() {
            return Err(format!("{status}: {}", String::from_utf8_lossy(&body)));
        }
        serde_json::from_slice(&body).map_err(|error| format!("an answer that makes no sense: {error}"))
    }
}
