use std::path::PathBuf;

use super::*;

struct Desk {
    _dir: tempfile::TempDir,
    path: PathBuf,
}

impl Desk {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokens.toml");
        Self { _dir: dir, path }
    }

    fn hand_out(&self, name: &str, role: Role) -> Token {
        let token = Token::random().unwrap();
        add(&self.path, entry(name, role, &token)).unwrap();
        token
    }

    fn book(&self) -> Book {
        Book::load(Some(&self.path)).unwrap()
    }
}

fn entry(name: &str, role: Role, token: &Token) -> Entry {
    Entry {
        name: name.to_owned(),
        role,
        sha256: token.digest(),
        sources: Vec::new(),
        channels: Vec::new(),
        created_at: Moment(NOW),
        expires_at: None,
    }
}

const NOW: WallTime = WallTime::from_millis(1_800_000_000_000);

#[test]
fn tokens_that_are_made_at_the_same_moment_are_all_in_the_file() {
    let desk = Desk::new();
    std::thread::scope(|all| {
        for number in 0..20 {
            let desk = &desk;
            all.spawn(move || desk.hand_out(&format!("radio-{number}"), Role::Streamer));
        }
    });
    assert_eq!(list(&desk.path).unwrap().len(), 20);
}

#[test]
fn who_holds_a_token_is_known_until_it_is_revoked_and_the_file_never_had_the_token() {
    let desk = Desk::new();
    let (anna, radio) = (desk.hand_out("anna", Role::Operator), desk.hand_out("radio-1", Role::Streamer));
    let book = desk.book();
    assert_eq!(book.holder(&anna, NOW).unwrap().name, "anna");
    assert_eq!(book.holder(&radio, NOW).unwrap().role, Role::Streamer);
    assert_eq!(book.holder(&Token::random().unwrap(), NOW), Err(Unknown::NoSuchToken));
    let text = fs::read_to_string(&desk.path).unwrap();
    assert!(!text.contains(&anna.as_str()[super::super::token::PREFIX.len()..]), "{text}");

    let held = book.holder(&anna, NOW).unwrap();
    revoke(&desk.path, "anna").unwrap();
    assert_eq!(desk.book().holder(&anna, NOW), Err(Unknown::NoSuchToken));
    assert!(book.still_has(&held, NOW) && !desk.book().still_has(&held, NOW));
    assert!(desk.book().holder(&radio, NOW).is_ok());
}

#[test]
fn a_token_opens_nothing_from_the_moment_it_expires() {
    let desk = Desk::new();
    let token = Token::random().unwrap();
    let until = WallTime::from_millis(NOW.as_millis() + 1000);
    add(&desk.path, Entry { expires_at: Some(Moment(until)), ..entry("guest", Role::Viewer, &token) }).unwrap();
    let book = desk.book();
    let held = book.holder(&token, WallTime::from_millis(until.as_millis() - 1)).unwrap();
    assert_eq!(book.holder(&token, until), Err(Unknown::Expired));
    assert!(!book.still_has(&held, until));
}

#[test]
fn without_a_file_the_house_is_open_and_with_an_empty_one_it_is_shut() {
    assert!(Book::load(None).unwrap().is_open());
    let desk = Desk::new();
    assert!(matches!(Book::load(Some(&desk.path)), Err(BookError::Absent { .. })));
    fs::write(&desk.path, "").unwrap();
    assert!(!desk.book().is_open());
}

#[test]
fn a_file_that_is_not_right_to_the_letter_lets_nobody_in() {
    let desk = Desk::new();
    desk.hand_out("anna", Role::Operator);
    let good = fs::read_to_string(&desk.path).unwrap();
    let twice = format!("{good}\n{}", &good[good.find("[[token]]").unwrap()..]);
    let broken = [
        good.replace("role = \"operator\"", "role = \"admin\""),
        good.replace("name = \"anna\"", "name = \"a b\""),
        good.replace("created_at", "made_at"),
        good.replace("role = \"operator\"", "role = \"operator\"\nchannels = [\"jazz\"]"),
        good.replace("role = \"operator\"", "role = \"operator\"\nexpires_at = \"tomorrow\""),
        good.replace("sha256 = \"", "sha256 = \"zz"),
        twice.clone(),
        twice.replacen("anna", "eve", 1),
        "token = 3".to_owned(),
    ];
    for text in broken {
        assert_ne!(text, good);
        fs::write(&desk.path, &text).unwrap();
        let refused = Book::load(Some(&desk.path)).unwrap_err().to_string();
        assert!(refused.contains("is not a file of tokens") && !refused.contains('\n'), "{text}\n{refused}");
    }
}

#[test]
fn nothing_in_a_damaged_file_reaches_the_terminal_of_whoever_is_told() {
    let desk = Desk::new();
    for text in ["name = \u{1b}[2J", "[[token]]\nrole = \"\\u001b[31m\"", "sattva_\0\0"] {
        fs::write(&desk.path, text).unwrap();
        let refused = Book::load(Some(&desk.path)).unwrap_err().to_string();
        assert!(!refused.contains(char::is_control), "{refused:?}");
    }
}

#[test]
fn names_are_not_given_twice_and_what_is_not_there_cannot_be_revoked() {
    let desk = Desk::new();
    desk.hand_out("anna", Role::Operator);
    let again = add(&desk.path, entry("anna", Role::Viewer, &Token::random().unwrap()));
    assert!(matches!(again, Err(BookError::Taken(_))));
    assert!(matches!(revoke(&desk.path, "eve"), Err(BookError::NoSuchName(_))));
    assert_eq!(list(&desk.path).unwrap().len(), 1);
}

#[test]
fn a_streamers_token_is_for_its_own_name_unless_it_lists_others() {
    let token = Token::random().unwrap();
    let own = entry("radio-1", Role::Streamer, &token);
    assert!(own.covers_source("radio-1") && !own.covers_source("radio-2") && own.covers_channel("jazz"));
    let wide = Entry { sources: vec!["bot-*".into()], channels: vec!["jazz".into()], ..own };
    assert!(wide.covers_source("bot-7") && !wide.covers_source("radio-1"));
    assert!(wide.covers_channel("jazz") && !wide.covers_channel("jazz-2"));
}
