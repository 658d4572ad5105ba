//! Causes and reasons as programs and as people read them.

use super::auto_end::{Cause, Reason, StopFailure};

/// A name for programs and a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    pub reason: &'static str,
    pub because: String,
}

impl Words {
    pub fn new(reason: &'static str, because: impl Into<String>) -> Self {
        Self { reason, because: because.into() }
    }
}

impl From<Cause> for Words {
    fn from(cause: Cause) -> Self {
        let (reason, because) = match cause {
            Cause::Listener => ("listener", "somebody listens"),
            Cause::CameAndWent => ("came_and_went", "somebody came and went"),
            Cause::StreamPaused => ("stream_paused", "the streamer is paused"),
            Cause::StreamEnded => ("stream_ended", "the stream ended by itself"),
            Cause::NewSession => ("new_session", "a new session began"),
            Cause::OperatorPaused => ("operator_paused", "an operator paused auto-end"),
            Cause::KeptAlive => ("kept_alive", "an operator keeps it alive"),
            Cause::Disabled => ("disabled", "the configuration switched auto-end off"),
            Cause::Refused => ("refused", "the streamer refused: somebody is there"),
            Cause::NotDurable => ("not_durable", "the stop could not be stored"),
            Cause::Undelivered => ("undelivered", "the stop could not be delivered in time"),
        };
        Self::new(reason, because)
    }
}

impl From<Reason> for Words {
    fn from(reason: Reason) -> Self {
        let (reason, because) = match reason {
            Reason::NeverJoined => ("never_joined", "nobody has joined since it started"),
            Reason::AllLeft => ("all_left", "the last listener left"),
            Reason::StopFailed => ("stop_failed", "an earlier stop failed"),
            Reason::Operator => ("operator", "an operator asked for it"),
        };
        Self::new(reason, because)
    }
}

impl From<&StopFailure> for Words {
    fn from(failure: &StopFailure) -> Self {
        match failure {
            StopFailure::Unconfirmed => Self::new("unconfirmed", "the stream was not seen gone within 60 s"),
            StopFailure::Reported(detail) => Self::new("reported", detail),
        }
    }
}
