//! Icecast's `/admin/listclients`: who hears one mount, by the names of their players. Pure.

use crate::adapters::polled::xml::{self, BadXml, Step};

/// What each listener's player calls itself; empty where it says nothing.
pub fn parse(body: &[u8]) -> Result<Vec<String>, BadClients> {
    let (mut agents, mut agent) = (Vec::new(), None);
    let mut told = None;
    xml::walk(body, b"icestats", |step| {
        match step {
            Step::Begin { depth: 2, element } if element.name().as_ref() == b"listener" => agent = Some(String::new()),
            Step::End { depth: 3, name: b"UserAgent", text } if agent.is_some() => agent = Some(text),
            Step::End { depth: 2, name: b"listener", .. } => agents.extend(agent.take()),
            Step::End { depth: 2, name: b"Listeners", text } => told = text.trim().parse().ok(),
            _ => {}
        }
        Ok::<_, BadXml>(())
    })?;
    if told == Some(agents.len()) { Ok(agents) } else { Err(BadClients::Incomplete) }
}

/// Why a list is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadClients {
    #[error(transparent)]
    Xml(#[from] BadXml),
    #[error("the answer does not list as many listeners as it tells")]
    Incomplete,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(count: &str, listeners: &str) -> String {
        format!("<icestats><source mount=\"/live.mp3\"><Listeners>{count}</Listeners>{listeners}</source></icestats>")
    }

    fn listener(agent: &str) -> String {
        format!(
            "<listener><IP>127.0.0.1</IP><UserAgent>{agent}</UserAgent><Connected>1</Connected><ID>5</ID></listener>"
        )
    }

    #[test]
    fn each_listener_is_told_by_its_user_agent() {
        let body = list("2", &(listener("player/1") + &listener("a &lt;b&gt;")));
        assert_eq!(parse(body.as_bytes()), Ok(vec!["player/1".into(), "a <b>".into()]));
        let silent = list("1", "<listener><IP>127.0.0.1</IP></listener>");
        assert_eq!(parse(silent.as_bytes()), Ok(vec![String::new()]));
        assert_eq!(parse(list("0", "").as_bytes()), Ok(Vec::new()));
    }

    #[test]
    fn a_list_that_is_not_whole_is_not_believed() {
        for body in [list("2", &listener("x")), list("", ""), list("x", ""), "<icestats/>".into(), "<html/>".into()] {
            assert!(parse(body.as_bytes()).is_err(), "{body}");
        }
        let whole = list("1", &listener("x"));
        for end in 0..whole.len() {
            assert!(parse(&whole.as_bytes()[..end]).is_err(), "{end}");
        }
    }
}
