//! Names a radio could have: channels, the studios that run them, and what they play.

use sattva_actors::wire::Track;

const CHANNELS: [&str; 20] = [
    "jazz-fm",
    "lofi-beats",
    "night-drive",
    "morning-ragas",
    "deep-house",
    "classic-vinyl",
    "ambient-rain",
    "synthwave-84",
    "bossa-nova",
    "indie-garage",
    "piano-room",
    "reggae-roots",
    "techno-bunker",
    "folk-tales",
    "soul-kitchen",
    "drum-and-bass",
    "opera-house",
    "chillout-lounge",
    "metal-forge",
    "talk-at-dawn",
];

/// Each runs a share of the channels and reports them together.
pub const STUDIOS: [&str; 3] = ["studio-north", "studio-harbour", "studio-hill"];

const ARTISTS: [&str; 16] = [
    "Mira Solano",
    "The Paper Boats",
    "Onyx Quartet",
    "Lena Ahlberg",
    "Kite & Anchor",
    "Тихий Океан",
    "Nadia Ferreira",
    "Blue Tram",
    "Hollow Pines",
    "Yuki Arata",
    "Saint Velvet",
    "Ravi Anand Trio",
    "Polar Static",
    "Copper Street Band",
    "Amélie Durand",
    "Echo Department",
];

const TITLES: [&str; 24] = [
    "Slow Morning",
    "Paper Lanterns",
    "Last Train Home",
    "Glass Harbour",
    "Под дождём",
    "Satellite Garden",
    "Seven Rivers",
    "A Letter Unsent",
    "Midnight Orchard",
    "Northern Line",
    "Velvet Hours",
    "Tidal",
    "The Long Way Round",
    "Amber Room",
    "Half Asleep",
    "Dust and Honey",
    "Rooftops",
    "Winter Sun",
    "Café Lumière",
    "Open Windows",
    "Undertow",
    "Small Fires",
    "Cartographer",
    "Afterglow",
];

/// The name of the `index`th channel: the well-known ones first, then numbered.
pub fn channel_name(index: usize) -> String {
    CHANNELS.get(index).map_or_else(|| format!("channel-{}", index + 1), |name| (*name).to_owned())
}

/// The studio that runs the `index`th channel.
pub const fn studio_of(index: usize) -> usize {
    index % STUDIOS.len()
}

/// The track a number stands for, without its start.
pub fn track(number: u64, seconds: u64) -> Track {
    let pick = |from: &[&str], number: u64| from[(number % from.len() as u64) as usize].into();
    Track {
        id: Some(format!("track-{number}").into()),
        title: pick(&TITLES, number),
        artist: Some(pick(&ARTISTS, number / TITLES.len() as u64 + number)),
        url: None,
        duration_seconds: Some(seconds as f64),
        started_at: None,
    }
}
