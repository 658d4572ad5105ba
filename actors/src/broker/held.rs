//! What is published while snapshots are gathered: pure. It is kept once for all sessions that wait, each
//! of which is owed everything from its own position on.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::encoded::Encoded;
use crate::{identity::ChannelId, protocol::Replaces, wire::MessageType};

/// A live message, encoded.
#[derive(Clone, Debug)]
pub struct Live {
    pub kind: MessageType,
    pub channel: Option<ChannelId>,
    pub replaces: Option<Replaces>,
    pub frames: Encoded,
}

#[derive(Debug)]
pub struct Held {
    /// Messages kept, replaced ones not counted. Past it the oldest goes, and who is owed it has lost something.
    most: usize,
    messages: BTreeMap<u64, Arc<Live>>,
    /// Where the one message stands that a newer one would replace.
    replaceable: HashMap<Replaces, u64>,
    end: u64,
    /// From here on nothing is missing but what was replaced.
    whole_from: u64,
}

impl Held {
    pub fn new(most: usize) -> Self {
        Self { most, messages: BTreeMap::new(), replaceable: HashMap::new(), end: 0, whole_from: 0 }
    }

    /// The position of the next message.
    pub fn end(&self) -> u64 {
        self.end
    }

    pub fn push(&mut self, message: Arc<Live>) {
        if let Some(key) = &message.replaces
            && let Some(older) = self.replaceable.insert(key.clone(), self.end)
        {
            self.messages.remove(&older);
        }
        self.messages.insert(self.end, message);
        self.end += 1;
        if self.messages.len() > self.most
            && let Some((position, oldest)) = self.messages.pop_first()
        {
            if let Some(key) = &oldest.replaces {
                self.replaceable.remove(key);
            }
            self.whole_from = position + 1;
        }
    }

    /// Everything since a position, in its order; `None` if some of it is gone.
    pub fn since(&self, position: u64) -> Option<impl Iterator<Item = &Arc<Live>>> {
        (position >= self.whole_from).then(|| self.messages.range(position..).map(|(_, message)| message))
    }

    /// Nobody is owed anything from before this position.
    pub fn forget_before(&mut self, position: u64) {
        self.messages = self.messages.split_off(&position);
        self.replaceable.retain(|_, at| *at >= position);
        self.whole_from = self.whole_from.max(position);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 1000;

    fn message(text: &'static str, replaces: Option<Replaces>) -> Arc<Live> {
        Arc::new(Live {
            kind: MessageType::StreamUpdate,
            channel: None,
            replaces,
            frames: Encoded { plain: text.into(), deflated: None },
        })
    }

    fn listeners(channel: &str) -> Option<Replaces> {
        Some(Replaces::Listeners(ChannelId::new(channel).unwrap()))
    }

    fn since(held: &Held, position: u64) -> Option<String> {
        Some(held.since(position)?.map(|m| String::from_utf8_lossy(&m.frames.plain).into_owned()).collect())
    }

    #[test]
    fn everybody_gets_what_came_since_in_its_order() {
        let mut held = Held::new(MOST);
        held.push(message("a", None));
        let position = held.end();
        held.push(message("b", None));
        held.push(message("c", None));
        assert_eq!(since(&held, 0).as_deref(), Some("abc"));
        assert_eq!(since(&held, position).as_deref(), Some("bc"));
        assert_eq!(since(&held, held.end()).as_deref(), Some(""));
    }

    #[test]
    fn only_what_may_be_replaced_gives_way_to_something_newer() {
        let mut held = Held::new(MOST);
        held.push(message("1", listeners("jazz")));
        held.push(message("w", None));
        held.push(message("r", listeners("rock")));
        held.push(message("2", listeners("jazz")));
        held.push(message("w", None));
        assert_eq!(since(&held, 0).as_deref(), Some("wr2w"));
    }

    #[test]
    fn replaced_messages_take_no_room() {
        let mut held = Held::new(MOST);
        held.push(message("w", None));
        for _ in 0..MOST * 2 {
            held.push(message("1", listeners("jazz")));
        }
        assert_eq!(since(&held, 0).as_deref(), Some("w1"));
    }

    #[test]
    fn past_the_bound_who_is_owed_the_oldest_has_lost_something_and_nobody_else() {
        let mut held = Held::new(MOST);
        for _ in 0..=MOST {
            held.push(message("x", None));
        }
        assert_eq!(since(&held, 0), None);
        assert_eq!(since(&held, 1).map(|text| text.len()), Some(MOST));
    }

    #[test]
    fn what_nobody_is_owed_is_forgotten() {
        let mut held = Held::new(MOST);
        held.push(message("1", listeners("jazz")));
        held.forget_before(held.end());
        held.push(message("2", listeners("jazz")));
        assert_eq!(since(&held, 0), None);
        assert_eq!(since(&held, 1).as_deref(), Some("2"));
    }
}
