//! A stop as spans: one of the whole, from its decision to its end, and in it one of each command.

use super::{CommandState, Stop};
use crate::{
    clock::Timestamp,
    identity::ChannelId,
    protocol::{StopCommand, StopReason},
    traces::{Context, Kind, Span},
};

/// Of a command: within the trace of its stop, which all its commands name.
fn context(id: &str, decided_at: Timestamp) -> Context {
    Context::named(&stop_of(id, decided_at), id)
}

/// The moment tells it from one of the same name, of a daemon that began anew with an empty store.
fn stop_of(id: &str, decided_at: Timestamp) -> String {
    let behind_channel = id.find('/').map_or(0, |slash| slash + 1);
    let end = id[behind_channel..].find(".r").map_or(id.len(), |end| behind_channel + end);
    format!("{}@{}", &id[..end], decided_at.as_micros())
}

impl StopCommand {
    /// Its span, which whoever carries it out is a part of.
    pub fn context(&self) -> Context {
        context(&self.id, self.decided_at)
    }
}

impl Stop {
    /// Of one that is over.
    pub fn spans(&self, channel: &ChannelId, now: Timestamp, outcome: &'static str) -> Vec<Span> {
        if self.commands.is_empty() {
            return Vec::new();
        }
        let stop = stop_of(&self.id(channel, 0), self.decided_at);
        let whole = Span {
            context: Context::named(&stop, &stop),
            parent: None,
            name: "stop".into(),
            kind: Kind::Internal,
            began: self.decided_at,
            ended: now,
            attributes: vec![
                ("sattva.channel.id", channel.to_string().into()),
                ("sattva.stop.reason", StopReason::of(self.reason).as_str().into()),
                ("sattva.stop.outcome", outcome.into()),
            ],
            events: Vec::new(),
            failed: outcome == CommandState::Failed.as_str(),
        };
        let command = |index: usize| {
            let (held, id) = (&self.commands[index], self.id(channel, index));
            let answer = held.outcome.map(|answer| ("sattva.command.answer", answer.as_str().into()));
            let delivered = held.delivered_at.map(|at| ("delivered", at));
            let acked = held.acked_at.map(|at| ("acknowledged", at));
            Span {
                context: context(&id, self.decided_at),
                parent: Some(whole.context.span),
                name: "stop command".into(),
                kind: Kind::Producer,
                began: self.decided_at,
                ended: now,
                attributes: [
                    ("sattva.channel.id", channel.to_string().into()),
                    ("sattva.source", held.source.to_string().into()),
                    ("sattva.command.id", id.into()),
                    ("sattva.command.state", held.state.as_str().into()),
                ]
                .into_iter()
                .chain(answer)
                .collect(),
                events: delivered.into_iter().chain(acked).collect(),
                failed: held.state == CommandState::Failed,
            }
        };
        let commands: Vec<Span> = (0..self.commands.len()).map(command).collect();
        std::iter::once(whole).chain(commands).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_commands_of_a_stop_are_of_one_trace_and_no_other_stop_is() {
        let at = Timestamp::from_secs(7);
        let trace = |id: &str, at| context(id, at).trace;
        let first = trace("my.radio:1/g3.f2-9.r0/a.r/b", at);
        assert_eq!(first, trace("my.radio:1/g3.f2-9.r1/another", at));
        for other in ["my.radio:1/g4.f2-9.r0/a", "my.radio:1/g3.f2-8.r0/a", "my.radio:2/g3.f2-9.r0/a"] {
            assert_ne!(first, trace(other, at), "{other}");
        }
        assert_ne!(first, trace("my.radio:1/g3.f2-9.r0/a.r/b", Timestamp::from_secs(8)));
        assert_ne!(context("a/g0.f1-1.r0/s", at).span, context("a/g0.f1-1.r1/s", at).span);
    }
}
