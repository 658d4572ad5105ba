//! A Telegram bot on the Python package: real py-tgcalls and its engine play real audio, Telegram is answered
//! from memory.

use std::{
    cell::{Cell, RefCell},
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{self, Receiver},
    },
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::{
    patience::{PATIENCE, eventually},
    stage::{Return, Stage},
};

stories!(Telegram);

const CHAT: &str = "777";
/// How the daemon names that chat.
const CHANNEL: &str = "-1000000000777";

pub struct Telegram {
    bot: Child,
    lines: RefCell<ChildStdin>,
    told: Receiver<Value>,
    way: Way,
    joined: Vec<u32>,
    next: u32,
    /// Whether it plays, as far as it has told.
    plays: Cell<bool>,
    /// Since the listeners there are have joined.
    stopped: Cell<bool>,
}

/// One address for the bot, wherever the daemon is after a restart.
struct Way {
    address: SocketAddr,
    daemon: Arc<Mutex<Option<SocketAddr>>>,
}

impl Way {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let daemon = Arc::<Mutex<Option<SocketAddr>>>::default();
        let to = Arc::clone(&daemon);
        thread::spawn(move || {
            for bot in listener.incoming().flatten() {
                let Some(daemon) = to.lock().unwrap().and_then(|address| TcpStream::connect(address).ok()) else {
                    continue;
                };
                for (mut from, mut to) in [(bot.try_clone().unwrap(), daemon.try_clone().unwrap()), (daemon, bot)] {
                    thread::spawn(move || {
                        let _ = std::io::copy(&mut from, &mut to);
                        let _ = to.shutdown(std::net::Shutdown::Write);
                    });
                }
            }
        });
        Self { address, daemon }
    }
}

/// Whether a process is gone, or only waits for its parent to notice.
fn has_ended(pid: u64) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    status.map_or(true, |status| status.rsplit(')').next().unwrap().trim_start().starts_with('Z'))
}

impl Telegram {
    fn say(&self, line: &str) {
        writeln!(self.lines.borrow_mut(), "{line}").unwrap();
    }

    fn note(&self, told: &Value) {
        match told["event"].as_str() {
            Some("playing") => {
                assert_eq!(told["channel_id"], CHANNEL);
                assert!(!told["ffmpeg"].as_array().unwrap().is_empty(), "nothing plays: {told}");
                self.plays.set(true);
            }
            Some("stopped") => {
                for player in told["ffmpeg"].as_array().unwrap() {
                    // It has been told to end, and need not have done so within the same moment.
                    eventually("the player to end", || has_ended(player.as_u64().unwrap()).then_some(()));
                }
                self.plays.set(false);
                self.stopped.set(true);
            }
            Some("error") => panic!("{told}"),
            _ => {}
        }
    }

    fn hear(&self) {
        while let Ok(told) = self.told.try_recv() {
            self.note(&told);
        }
    }

    fn until(&self, event: &str) {
        loop {
            let told = self.told.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("the bot never told of {event}"));
            self.note(&told);
            if told["event"] == event {
                return;
            }
        }
    }
}

impl Stage for Telegram {
    const RETURN: Return = Return::AsAnother;

    fn open() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/python");
        let python = folder.join(".venv-py-tgcalls-3.0.0-telethon/bin/python");
        assert!(
            python.exists(),
            "py-tgcalls is not installed: run `make test` or scripts/test-python.sh, which install it"
        );
        let way = Way::open();
        let mut bot = Command::new(python)
            .arg(folder.join("tests/telegram_stand.py"))
            .arg(format!("http://{}", way.address))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = RefCell::new(bot.stdin.take().unwrap());
        let (tell, told) = mpsc::channel();
        let said = BufReader::new(bot.stdout.take().unwrap());
        thread::spawn(move || {
            for line in said.lines().map_while(Result::ok) {
                if let Ok(told) = serde_json::from_str(&line)
                    && tell.send(told).is_err()
                {
                    return;
                }
            }
        });
        let stage = Self {
            bot,
            lines,
            told,
            way,
            joined: Vec::new(),
            next: 1,
            plays: Cell::new(false),
            stopped: Cell::new(false),
        };
        stage.until("ready");
        stage
    }

    fn config(&self) -> String {
        String::new()
    }

    fn channel(&self) -> &'static str {
        CHANNEL
    }

    fn meet(&mut self, daemon: SocketAddr) {
        *self.way.daemon.lock().unwrap() = Some(daemon);
    }

    fn publish(&mut self) {
        self.say(&format!("play {CHAT}"));
        self.until("playing");
    }

    fn publish_again_and_again(&mut self) {
        self.say(&format!("restart {CHAT}"));
        self.until("playing");
    }

    fn join(&mut self) {
        self.say(&format!("join {}", self.next));
        self.until("joined");
        self.stopped.set(false);
        self.joined.push(self.next);
        self.next += 1;
    }

    fn leave(&mut self) {
        let last = self.joined.pop().unwrap();
        self.say(&format!("leave {last}"));
        self.until("left");
    }

    /// A listener hears nothing more when the bot has left.
    fn everyone_is_connected(&mut self) -> bool {
        self.hear();
        !self.stopped.get()
    }

    fn is_live(&mut self) -> bool {
        self.hear();
        self.plays.get()
    }
}

impl Drop for Telegram {
    fn drop(&mut self) {
        // It ends its players with itself when it is asked to.
        let _ = writeln!(self.lines.borrow_mut(), "quit");
        for _ in 0..50 {
            if self.bot.try_wait().is_ok_and(|status| status.is_some()) {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
        let _ = self.bot.kill();
        let _ = self.bot.wait();
    }
}
