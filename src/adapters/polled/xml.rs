//! A server's XML, element by element: bounded, and refused as a whole unless it is well-formed to its end. Pure.

use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};

/// Elements within elements; no server here needs more than six.
const DEPTH_MAX: usize = 32;
/// Text of one element that is kept; the rest is dropped.
pub const TEXT_MAX: usize = 1024;

/// Why a document is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadXml {
    /// Its outermost element is another one.
    #[error("the answer is something else")]
    Foreign,
    #[error("the answer ends in the middle")]
    Truncated,
    #[error("the answer is not well-formed XML: {0}")]
    Malformed(String),
}

/// What a walk through a document meets. The outermost element has depth 0.
pub enum Step<'a> {
    Begin {
        depth: usize,
        element: &'a BytesStart<'a>,
    },
    /// With its text, unless there are elements in it.
    End {
        depth: usize,
        name: &'a [u8],
        text: String,
    },
}

pub fn malformed(error: &dyn std::fmt::Display) -> BadXml {
    // What a foreign server sent must not fill the log.
    BadXml::Malformed(error.to_string().chars().filter(|c| !c.is_control()).take(120).collect())
}

/// Walks through a whole document. Entities a document defines itself are never expanded.
pub fn walk<E: From<BadXml>>(
    body: &[u8],
    root: &[u8],
    mut visit: impl FnMut(Step<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let document = String::from_utf8_lossy(body);
    let mut reader = Reader::from_str(&document);
    let (mut depth, mut complete) = (0usize, false);
    // The text of the element that began last, while nothing has ended since.
    let mut leaf: Option<String> = None;
    loop {
        let event = reader.read_event().map_err(|e| malformed(&e))?;
        match event {
            Event::Start(ref element) | Event::Empty(ref element) => {
                if depth == 0 && (complete || element.name().as_ref() != root) {
                    return Err(BadXml::Foreign.into());
                }
                if depth == DEPTH_MAX {
                    return Err(BadXml::Malformed("it is nested too deep".to_owned()).into());
                }
                visit(Step::Begin { depth, element })?;
                if matches!(event, Event::Empty(_)) {
                    visit(Step::End { depth, name: element.name().as_ref(), text: String::new() })?;
                    leaf = None;
                    complete |= depth == 0;
                } else {
                    leaf = Some(String::new());
                    depth += 1;
                }
            }
            Event::End(ref element) => {
                depth = depth.checked_sub(1).ok_or(BadXml::Foreign)?;
                let (name, text) = (element.name(), leaf.take().unwrap_or_default());
                visit(Step::End { depth, name: name.as_ref(), text })?;
                complete |= depth == 0;
            }
            Event::Text(ref piece) => keep(&mut leaf, &piece.decode().map_err(|e| malformed(&e))?),
            Event::CData(ref piece) => keep(&mut leaf, &piece.decode().map_err(|e| malformed(&e))?),
            Event::GeneralRef(ref reference) => {
                let named = match &reference[..] {
                    b"lt" => Some('<'),
                    b"gt" => Some('>'),
                    b"amp" => Some('&'),
                    b"quot" => Some('"'),
                    b"apos" => Some('\''),
                    _ => None,
                };
                // An unknown entity, or a character that does not exist, is shown as such.
                let c = named.or_else(|| reference.resolve_char_ref().ok().flatten());
                keep(&mut leaf, c.unwrap_or(char::REPLACEMENT_CHARACTER).encode_utf8(&mut [0; 4]));
            }
            Event::Eof if complete => return Ok(()),
            Event::Eof if depth > 0 => return Err(BadXml::Truncated.into()),
            Event::Eof => return Err(BadXml::Foreign.into()),
            _ => {}
        }
    }
}

fn keep(leaf: &mut Option<String>, piece: &str) {
    if let Some(text) = leaf {
        let room = TEXT_MAX.saturating_sub(text.len());
        let end = (0..=piece.len().min(room)).rev().find(|i| piece.is_char_boundary(*i)).unwrap_or(0);
        text.push_str(&piece[..end]);
    }
}
