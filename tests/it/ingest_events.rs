//! Reports as CloudEvents, the same as any others.

use serde_json::json;

use crate::daemon::Daemon;

#[test]
fn a_batch_of_cloud_events_is_taken_in_and_answered_like_any_other_request() {
    let daemon = Daemon::start("");
    let event = |seq: u32, listeners: u32| {
        json!({ "specversion": "1.0", "id": seq.to_string(), "source": "radio-1", "type": "sattva.report",
            "data": { "channel_id": "jazz", "session": "s", "seq": seq, "state": "live", "listeners": listeners } })
    };
    let post = |body: serde_json::Value| {
        let url = format!("http://{}/api/v1/ingest", daemon.address());
        let request = ureq::post(url).header("content-type", "application/cloudevents-batch+json");
        let mut answer = request.config().http_status_as_error(false).build().send(body.to_string()).unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        (answer.status().as_u16(), serde_json::from_str::<serde_json::Value>(&text).unwrap())
    };
    let (status, answer) = post(json!([event(1, 0), event(2, 3), event(2, 3)]));
    assert_eq!((status, &answer["accepted"], &answer["duplicates"]), (200, &json!(2), &json!(1)), "{answer}");
    assert_eq!(daemon.stream("jazz")["listeners"], 3);
    let (status, answer) = post(json!([event(3, 0), { "specversion": "1.0" }]));
    assert_eq!((status, &answer["code"]), (400, &json!("bad_report")), "{answer}");
    assert!(answer["field"].as_str().unwrap().starts_with("[1]"), "{answer}");
    assert_eq!(daemon.stream("jazz")["listeners"], 3);
}
