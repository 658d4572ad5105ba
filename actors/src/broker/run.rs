//! Messages that leave together: what one group of sessions gets of them, in one piece.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::{held::Live, subscriptions::Filter};
use crate::{protocol::Replaces, session::deflate::Encoding, wire::MessageType};

/// How many of a type, and their bytes.
pub type Figures = [[(u64, u64); MessageType::ALL.len()]; Encoding::ALL.len()];

#[derive(Clone, Debug, Default)]
pub struct Run {
    frames: Vec<(Bytes, Option<Replaces>)>,
    /// All frames, one behind the other.
    together: Bytes,
    pub figures: Figures,
}

impl Run {
    pub fn of<'a>(messages: impl IntoIterator<Item = &'a Arc<Live>>, filter: &Filter, agreed: Encoding) -> Self {
        let mut run = Self::default();
        for message in messages {
            if filter.wants(message.kind, message.channel.as_ref()) {
                let (frame, encoding) = message.frames.of(agreed);
                let (count, bytes) = &mut run.figures[encoding as usize][message.kind as usize];
                *count += 1;
                *bytes += frame.len() as u64;
                run.frames.push((frame.clone(), message.replaces.clone()));
            }
        }
        run.together = match run.frames.as_slice() {
            [] => Bytes::new(),
            // One alone is shared, not copied.
            [(frame, _)] => frame.clone(),
            many => {
                let mut together = BytesMut::with_capacity(many.iter().map(|(frame, _)| frame.len()).sum());
                many.iter().for_each(|(frame, _)| together.extend_from_slice(frame));
                together.freeze()
            }
        };
        run
    }

    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    pub fn together(&self) -> &Bytes {
        &self.together
    }

    /// What is left after so many bytes: the rest of a frame that has been begun, and the frames after it.
    pub fn after(&self, mut taken: usize) -> (Bytes, &[(Bytes, Option<Replaces>)]) {
        for (index, (frame, _)) in self.frames.iter().enumerate() {
            if taken == 0 {
                return (Bytes::new(), &self.frames[index..]);
            }
            if taken < frame.len() {
                return (frame.slice(taken..), &self.frames[index + 1..]);
            }
            taken -= frame.len();
        }
        (Bytes::new(), &[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{broker::encoded::Encoded, identity::ChannelId};

    fn live(text: &'static str, kind: MessageType, channel: Option<&str>) -> Arc<Live> {
        Arc::new(Live {
            kind,
            channel: channel.map(|channel| ChannelId::new(channel).unwrap()),
            replaces: None,
            frames: Encoded { plain: text.into(), deflated: Some("z".into()) },
        })
    }

    fn three() -> [Arc<Live>; 3] {
        [
            live("one", MessageType::StreamUpdate, Some("jazz")),
            live("two", MessageType::Stats, None),
            live("three", MessageType::StreamUpdate, Some("rock")),
        ]
    }

    #[test]
    fn what_is_wanted_is_together_in_its_order_and_counted() {
        let all = Run::of(&three(), &Filter::default(), Encoding::Plain);
        assert_eq!(all.together(), "onetwothree");
        assert_eq!(all.figures[Encoding::Plain as usize][MessageType::StreamUpdate as usize], (2, 8));
        let jazz = Filter::parse(Some(["jazz"]), None::<[&str; 0]>).unwrap();
        assert_eq!(Run::of(&three(), &jazz, Encoding::Plain).together(), "onetwo");
        assert_eq!(Run::of(&three(), &jazz, Encoding::Deflate).together(), "zz");
        let nothing = Filter::parse(Some(["soul"]), Some(["auto_end"])).unwrap();
        assert!(Run::of(&three(), &nothing, Encoding::Plain).is_empty());
    }

    #[test]
    fn what_is_left_begins_with_the_rest_of_a_frame_in_part() {
        let run = Run::of(&three(), &Filter::default(), Encoding::Plain);
        let left = |taken| {
            let (begun, rest) = run.after(taken);
            (begun, rest.iter().map(|(frame, _)| frame.clone()).collect::<Vec<_>>())
        };
        assert_eq!(left(0), (Bytes::new(), vec!["one".into(), "two".into(), "three".into()]));
        assert_eq!(left(1), ("ne".into(), vec!["two".into(), "three".into()]));
        assert_eq!(left(3), (Bytes::new(), vec!["two".into(), "three".into()]));
        assert_eq!(left(8), ("ree".into(), vec![]));
        assert_eq!(left(11), (Bytes::new(), vec![]));
    }
}
