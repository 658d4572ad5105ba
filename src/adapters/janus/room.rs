//! Who in a room is its streamer, and who hears it. Pure.

use super::answer::{Id, Participant};

/// Whom the configuration knows.
#[derive(Clone, Debug, Default)]
pub struct Known {
    pub displays: Vec<String>,
    pub ids: Vec<String>,
}

impl Known {
    fn has(&self, participant: &Participant) -> bool {
        let display = participant.display.as_ref();
        display.is_some_and(|display| self.displays.contains(display)) || self.ids.contains(&participant.id.to_string())
    }
}

/// A room with its streamer in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// Who seems to stream, at least one.
    pub streamers: Vec<Id>,
    pub listeners: Option<u32>,
}

/// Nothing while the streamer is not there. In doubt a participant is a listener.
pub fn live(participants: &[Participant], streamers: &Known, ignored: &Known) -> Option<Live> {
    let (streaming, others): (Vec<_>, Vec<_>) = participants.iter().partition(|p| streamers.has(p));
    if streaming.is_empty() {
        return None;
    }
    let mut streamers: Vec<Id> = streaming.into_iter().map(|p| p.id.clone()).collect();
    streamers.sort();
    // Of two who call themselves the streamer one may be a listener.
    let is_sure = streamers.len() == 1;
    let listeners = others.into_iter().filter(|p| !ignored.has(p)).count();
    Some(Live { streamers, listeners: u32::try_from(listeners).ok().filter(|_| is_sure) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(displays: &[&str], ids: &[&str]) -> Known {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        Known { displays: owned(displays), ids: owned(ids) }
    }

    fn room(participants: &[(u64, &str)]) -> Option<Live> {
        let participant = |&(id, display): &(u64, &str)| Participant {
            id: Id::Number(id),
            display: (!display.is_empty()).then(|| display.to_owned()),
        };
        let participants: Vec<_> = participants.iter().map(participant).collect();
        live(&participants, &known(&["radio"], &["7"]), &known(&["recorder"], &["99"]))
    }

    fn heard(streamer: u64, listeners: u32) -> Option<Live> {
        Some(Live { streamers: vec![Id::Number(streamer)], listeners: Some(listeners) })
    }

    #[test]
    fn the_streamer_is_known_by_its_name_or_its_id_and_is_no_listener() {
        assert_eq!(room(&[(1, "radio")]), heard(1, 0));
        assert_eq!(room(&[(7, "whatever"), (8, "anna"), (9, "")]), heard(7, 2));
    }

    #[test]
    fn without_its_streamer_a_room_is_no_stream() {
        assert_eq!(room(&[]), None);
        assert_eq!(room(&[(8, "anna"), (9, "Radio"), (77, "")]), None);
    }

    #[test]
    fn bots_and_recorders_are_no_listeners_and_everyone_else_is() {
        assert_eq!(room(&[(1, "radio"), (2, "recorder"), (99, "x"), (3, "recorder "), (990, "Recorder")]), heard(1, 2));
    }

    #[test]
    fn of_two_who_call_themselves_the_streamer_nobody_knows_who_listens() {
        let live = room(&[(9, "radio"), (3, "radio")]).unwrap();
        assert_eq!(live, Live { streamers: vec![Id::Number(3), Id::Number(9)], listeners: None });
        assert_eq!(room(&[(7, "x"), (3, "radio")]).unwrap().listeners, None);
    }

    #[test]
    fn a_streamer_named_among_the_bots_is_the_streamer() {
        let streamer = [Participant { id: Id::Number(7), display: Some("recorder".into()) }];
        assert_eq!(live(&streamer, &known(&[], &["7"]), &known(&["recorder"], &[])), heard(7, 0));
    }
}
