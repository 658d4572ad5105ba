use proptest::prelude::*;

use super::*;

fn document(servers: &str) -> String {
    format!("<?xml version=\"1.0\" encoding=\"utf-8\" ?>\n<rtmp>\n<pid>7</pid>\n<uptime>5</uptime>{servers}</rtmp>\n")
}

fn live(streams: &str) -> String {
    document(&format!(
        "<server><application><name>live</name><live>{streams}<nclients>9</nclients></live></application></server>"
    ))
}

fn stream(name: &str, clients: &str, count: usize) -> String {
    format!(
        "<stream><name>{name}</name><time>1</time>{clients}<nclients>{count}</nclients><publishing/><active/></stream>"
    )
}

const PUBLISHER: &str = "<client><id>2</id><address>127.0.0.1</address><time>3497</time>\
    <flashver>FMLE/3.0 (compatible; Lavf59.27</flashver><publishing/><active/></client>";
const PLAYER: &str = "<client><id>5</id><address>127.0.0.1</address><time>99</time>\
    <flashver>LNX 9,0,124,2</flashver><active/></client>";

fn only(document: &str) -> Stream {
    let streams = parse(document.as_bytes()).unwrap().streams;
    assert_eq!(streams.len(), 1);
    streams.into_iter().next().unwrap()
}

#[test]
fn an_answer_of_nginx_rtmp_1_1_4_is_read_in_full() {
    let body = br#"<?xml version="1.0" encoding="utf-8" ?>
<rtmp>
<nginx_version>1.22.1</nginx_version>
<nginx_rtmp_version>1.1.4</nginx_rtmp_version>
<built>Feb 13 2023 11:56:56</built>
<pid>23490</pid>
<uptime>5</uptime>
<naccepted>3</naccepted>
<server>
<application>
<name>live</name>
<live>
<stream>
<name>a</name>
<time>3312</time><bw_in>0</bw_in>
<client><id>5</id><address>127.0.0.1</address><time>2399</time><flashver>LNX 9,0,124,2</flashver><dropped>0</dropped><avsync>3274</avsync><timestamp>3274</timestamp><active/></client>
<client><id>3</id><address>127.0.0.1:29360/live</address><time>3312</time><flashver>ngx-local-relay</flashver><dropped>0</dropped><active/></client>
<client><id>2</id><address>127.0.0.1</address><time>3497</time><flashver>FMLE/3.0 (compatible; Lavf59.27</flashver><dropped>0</dropped><publishing/><active/></client>
<meta><video><width>0</width></video><audio><codec>AAC</codec><profile>LC</profile></audio></meta>
<nclients>3</nclients>
<publishing/>
<active/>
</stream>
<nclients>3</nclients>
</live>
</application>
</server>
<server>
<application>
<name>live</name>
<live>
<nclients>0</nclients>
</live>
</application>
</server>
</rtmp>
"#;
    let stat = parse(body).unwrap();
    assert_eq!((stat.pid, stat.uptime), (Some(23490), Some(Duration::from_secs(5))));
    assert_eq!(stat.version, [1, 1, 4]);
    let [stream] = stat.streams.as_slice() else { panic!("{stat:?}") };
    assert_eq!((stream.server, &*stream.application, &*stream.name, stream.counted), (0, "live", "a", Some(3)));
    let publishing: Vec<_> = stream.clients.iter().map(|client| (client.id, client.publishes)).collect();
    assert_eq!(publishing, [(Some(5), false), (Some(3), false), (Some(2), true)]);
    assert_eq!(stream.clients[2].connected, Some(Duration::from_millis(3497)));
    assert_eq!(
        (&*stream.clients[1].address, &*stream.clients[1].flashver),
        ("127.0.0.1:29360/live", "ngx-local-relay")
    );
}

#[test]
fn streams_of_several_servers_and_applications_are_told_apart() {
    let application = |name: &str| {
        let stream = stream("a", PUBLISHER, 1);
        format!("<application><name>{name}</name><live>{stream}</live></application>")
    };
    let servers = format!("<server>{}{}</server><server>{0}</server>", application("x"), application("y"));
    let streams = parse(document(&servers).as_bytes()).unwrap().streams;
    let places: Vec<_> = streams.iter().map(|s| (s.server, &*s.application)).collect();
    assert_eq!(places, [(0, "x"), (0, "y"), (1, "x")]);
}

#[test]
fn files_that_are_played_on_demand_are_no_streams() {
    let stream = stream("film", PLAYER, 1);
    let play = format!("<server><application><name>vod</name><play>{stream}</play></application></server>");
    assert!(parse(document(&play).as_bytes()).unwrap().streams.is_empty());
}

#[test]
fn a_stream_whose_clients_are_not_listed_makes_the_whole_doubtful() {
    assert_eq!(parse(live(&stream("a", "", 3)).as_bytes()), Err(BadStat::NoClients));
    assert_eq!(parse(live("<stream><name>a</name></stream>").as_bytes()), Err(BadStat::NoClients));
    assert_eq!(only(&live(&stream("a", "", 0))).clients, []);
}

#[test]
fn a_stream_without_a_name_makes_the_whole_doubtful() {
    assert_eq!(parse(live(&stream("", PUBLISHER, 1)).as_bytes()), Err(BadStat::Nameless));
    let twice = live(&format!("<stream><name>a</name><name>b</name>{PUBLISHER}<nclients>1</nclients></stream>"));
    assert_eq!(parse(twice.as_bytes()), Err(BadStat::Nameless));
    let nowhere =
        document(&format!("<server><application><live>{}</live></application></server>", stream("a", PUBLISHER, 1)));
    assert_eq!(parse(nowhere.as_bytes()), Err(BadStat::Nameless));
}

#[test]
fn a_count_that_is_no_number_or_there_twice_is_none() {
    for count in ["<nclients>x</nclients>", "<nclients>1</nclients><nclients>1</nclients>", "<nclients/>"] {
        let stream = only(&live(&format!("<stream><name>a</name>{PUBLISHER}{count}</stream>")));
        assert_ne!(stream.counted, Some(stream.clients.len()), "{count}");
    }
}

#[test]
fn what_stands_within_something_else_says_nothing_of_a_client() {
    let client = "<client><id>2</id><x><publishing/></x><time>5</time></client>";
    assert!(!only(&live(&stream("a", client, 1))).clients[0].publishes);
    let meta = "<meta><name>z</name><nclients>0</nclients><publishing/></meta>";
    let stream = only(&live(&stream("a", &format!("{PUBLISHER}{meta}"), 1)));
    assert_eq!((&*stream.name, stream.counted), ("a", Some(1)));
}

#[test]
fn a_name_keeps_every_quote() {
    let name = only(&live(&stream("&quot;q&quot; &lt;b&gt; &amp; \\ &apos;", PUBLISHER, 1))).name;
    assert_eq!(name, "\"q\" <b> & \\ '");
}

#[test]
fn a_document_cut_off_anywhere_is_not_believed() {
    let whole = live(&(stream("a", &format!("{PUBLISHER}{PLAYER}"), 2) + &stream("b", PUBLISHER, 1)));
    for end in 0..whole.trim_end().len() {
        assert!(parse(&whole.as_bytes()[..end]).is_err(), "{end}");
    }
    assert_eq!(parse(whole.as_bytes()).unwrap().streams.len(), 2);
}

#[test]
fn what_is_no_statistics_is_not_believed() {
    let page = "<html><body>404</body></html>";
    for body in ["", " ", "ok", page, "<icestats></icestats>", "<rtmp></rtmp><rtmp></rtmp>", "{}", "</rtmp>"] {
        assert!(parse(body.as_bytes()).is_err(), "{body}");
    }
    assert_eq!(parse(page.as_bytes()), Err(BadStat::NotRtmp));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn no_markup_makes_it_panic(text in "[<>/&;a-z\"'= !\\[\\]?-]{0,200}") {
        let _ = parse(live(&text).as_bytes());
        let _ = parse(live(&stream("a", &text, 1)).as_bytes());
    }

    #[test]
    fn elements_in_any_order_and_depth_make_no_listener_of_nothing(
        names in proptest::collection::vec(proptest::sample::select(
            vec!["server", "application", "live", "stream", "client", "name", "id", "publishing", "nclients"]), 0..40)
    ) {
        let mut text = String::new();
        for pair in names.chunks(2) {
            text += &format!("<{}>", pair[0]);
            text += pair.get(1).map_or("1", |_| "2");
        }
        for pair in names.chunks(2).rev() {
            text += &format!("</{}>", pair[0]);
        }
        let _ = parse(document(&text).as_bytes());
        let _ = parse(live(&text).as_bytes());
    }
}
