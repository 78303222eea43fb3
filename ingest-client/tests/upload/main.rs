//! The uploader against servers that misbehave, and processes that die.
mod processes;
mod rig;
mod server;
mod tls;

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use ingest_client::{
    Endpoint, FlushReport, UploadCounter, UploadError, Uploaded, UploaderConfig, upload_bytes,
    upload_file,
};
use rig::{FOREVER, Rig, hasty, metadata, noise};
use server::{Act, Server};

/// Larger than what the sockets of both sides hold, so that a server which does not read stops the sender.
const LARGE: usize = 6_000_000;

/// For large profiles: packing them is another test's matter.
fn stored() -> UploaderConfig {
    let mut config = hasty();
    config.gzip_level = 0;
    config
}

/// An address where nobody listens.
fn nowhere() -> (TcpListener, String) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

#[test]
fn an_upload_is_what_datakit_wants_and_leaves_nothing_behind() {
    let server = Server::start(&[Act::status(200)]);
    let rig = Rig::start(&server.url(), hasty());
    let profile = [b"FLR\0".to_vec(), noise(300_000)].concat();
    rig.submit(1_760_000_000_000_000_000, &profile);
    rig.wait_for(UploadCounter::Sent, 1);

    let [request] = &server.requests()[..] else {
        panic!("one request")
    };
    assert_eq!(request.line, "POST /profiling/v1/input HTTP/1.1");
    assert_eq!(
        request.header("content-length"),
        Some(request.body.len().to_string().as_str())
    );
    assert_eq!(request.header("content-encoding"), None);
    assert_eq!(request.header("transfer-encoding"), None);
    assert_eq!(request.header("expect"), None);
    assert_eq!(
        request.header("user-agent"),
        Some(concat!("jprof/", env!("CARGO_PKG_VERSION")))
    );
    let heads = request.parts().map(|(head, _)| head);
    assert_eq!(
        heads,
        [
            "Content-Disposition: form-data; name=\"event\"; filename=\"event.json\"\r\nContent-Type: application/json",
            "Content-Disposition: form-data; name=\"main\"; filename=\"main.jfr\"\r\nContent-Type: application/octet-stream",
        ]
    );
    assert_eq!(
        request.event_json(),
        metadata(1_760_000_000_000_000_000).to_event_json()
    );
    assert_eq!(request.parts()[1].1[..2], [0x1f, 0x8b]);
    assert_eq!(request.profile(), profile);
    assert_eq!(
        rig.count(UploadCounter::SentBytes),
        request.parts()[1].1.len() as u64
    );
    rig::wait_until(|| rig.files().is_empty(), "an empty spool");
    assert_eq!(rig.count(UploadCounter::SpoolBytes), 0);
}

#[test]
fn any_2xx_is_a_success() {
    let acts = [
        Act::status(200),
        Act::status(202),
        Act::Answer(299, "", "{}".to_owned()),
    ];
    let server = Server::start(&acts);
    let rig = Rig::start(&server.url(), hasty());
    (1..=3).for_each(|start| rig.commit(start, b"x"));
    assert_eq!(rig.flush(FOREVER), FlushReport { sent: 3, left: 0 });
    assert_eq!(server.connections(), 3);
}

#[test]
fn what_may_pass_is_tried_again_until_it_is_taken() {
    let cases: [(&[Act], UploadCounter); 8] = [
        (
            &[Act::status(500), Act::status(500), Act::status(503)],
            UploadCounter::RetriedServerError,
        ),
        (
            &[Act::status(408), Act::status(425), Act::status(429)],
            UploadCounter::RetriedBusy,
        ),
        (
            &[Act::Answer(
                429,
                "Retry-After: 1000\r\n",
                "slow down".to_owned(),
            )],
            UploadCounter::RetriedBusy,
        ),
        (
            &[Act::ResetMidBody, Act::ResetMidBody],
            UploadCounter::RetriedReset,
        ),
        (&[Act::Close], UploadCounter::RetriedReset),
        (&[Act::Babble], UploadCounter::RetriedReset),
        (&[Act::AnswerEarly(200)], UploadCounter::RetriedReset),
        (&[Act::AnswerEarly(503)], UploadCounter::RetriedServerError),
    ];
    let large = noise(LARGE);
    for (acts, counter) in cases {
        // An answer before the end counts as early only while there is something left to send.
        let is_early = matches!(acts, [Act::AnswerEarly(_)]);
        let profile = if is_early { &large } else { &large[..100_000] };
        let server = Server::start(&[acts, &[Act::status(200)]].concat());
        let rig = Rig::start(&server.url(), stored());
        rig.submit(7, profile);
        rig.wait_for(UploadCounter::Sent, 1);
        assert_eq!(rig.count(counter), acts.len() as u64, "{acts:?}");
        assert_eq!(server.connections(), acts.len() + 1, "{acts:?}");
        let requests = server.requests();
        let taken = requests.last().unwrap();
        assert!(taken.profile() == profile, "{acts:?}");
        assert!(
            requests
                .iter()
                .all(|request| request.parts() == taken.parts()),
            "{acts:?}"
        );
    }
}

#[test]
fn a_server_that_accepts_and_does_not_read_is_left_when_the_try_is_over() {
    let server = Server::start(&[Act::Accept, Act::status(200)]);
    let mut config = stored();
    config.try_timeout = Duration::from_secs(2);
    let rig = Rig::start(&server.url(), config);
    rig.submit(7, &noise(LARGE));
    rig.wait_for(UploadCounter::Sent, 1);
    assert!(rig.count(UploadCounter::RetriedTimeout) >= 1);
}

#[test]
fn a_server_that_does_not_answer_in_time_is_left_and_tried_again() {
    for act in [Act::Stall, Act::Drip] {
        let server = Server::start(&[act, Act::status(200)]);
        let mut config = hasty();
        config.response_timeout = Duration::from_millis(300);
        let rig = Rig::start(&server.url(), config);
        rig.submit(7, b"x");
        rig.wait_for(UploadCounter::Sent, 1);
        // On a machine that is busy with other things the good answer may come too late once, too.
        assert!(rig.count(UploadCounter::RetriedTimeout) >= 1);
        assert!(
            server
                .requests()
                .iter()
                .all(|request| request.profile() == b"x")
        );
    }
}

#[test]
fn what_will_not_pass_is_dropped_and_the_next_one_tried() {
    for (status, counter) in [
        (400, UploadCounter::Rejected400),
        (413, UploadCounter::Rejected413),
        (415, UploadCounter::RejectedOther),
    ] {
        let server = Server::start(&[Act::status(status), Act::status(200)]);
        let rig = Rig::start(&server.url(), hasty());
        (1..=2).for_each(|start| rig.commit(start, b"x"));
        assert_eq!(rig.flush(FOREVER), FlushReport { sent: 1, left: 0 });
        assert_eq!(rig.count(counter), 1);
        let starts: Vec<u64> = server
            .requests()
            .iter()
            .map(|request| request.metadata().start_unix_nanos)
            .collect();
        assert_eq!(starts, [1, 2]);
    }
}

#[test]
fn an_answer_before_the_end_of_the_body_is_heard() {
    for act in [Act::AnswerEarly(413), Act::AnswerEarlyAndHold(413)] {
        let server = Server::start(&[act, Act::status(200)]);
        let rig = Rig::start(&server.url(), stored());
        rig.commit(1, &noise(LARGE));
        rig.submit(2, b"x");
        rig.wait_for(UploadCounter::Sent, 1);
        assert_eq!(rig.count(UploadCounter::Rejected413), 1);
        assert_eq!(server.connections(), 2);
    }
}

#[test]
fn a_setting_that_somebody_must_change_pauses_the_uploads_even_for_a_flush() {
    for (status, counter) in [
        (401, UploadCounter::Rejected401),
        (403, UploadCounter::Rejected403),
        (404, UploadCounter::Rejected404),
    ] {
        let server = Server::start(&[Act::status(status)]);
        let rig = Rig::start(&server.url(), hasty());
        (1..=3).for_each(|start| rig.commit(start, b"x"));
        assert_eq!(
            rig.flush(Duration::from_secs(600)),
            FlushReport { sent: 0, left: 2 }
        );
        assert_eq!(rig.count(counter), 1);
        assert_eq!(server.connections(), 1);
    }
}

#[test]
fn a_redirect_is_not_followed_and_costs_no_profile() {
    let elsewhere = Server::start(&[Act::status(200)]);
    for status in [301, 302, 303, 307, 308] {
        let headers: &'static str = format!("Location: {}/\r\n", elsewhere.url()).leak();
        let server = Server::start(&[Act::Answer(status, headers, String::new())]);
        let rig = Rig::start(&server.url(), hasty());
        rig.commit(1, b"x");
        assert_eq!(
            rig.flush(Duration::from_secs(600)),
            FlushReport { sent: 0, left: 1 }
        );
        assert_eq!(rig.count(UploadCounter::RetriedRedirect), 1);
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[test]
fn a_datakit_that_comes_back_gets_everything_in_order() {
    let (listener, url) = nowhere();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let rig = Rig::start(&url, hasty());
    for start in 1..=4 {
        rig.submit(start, &start.to_string().into_bytes());
        rig.wait_for(UploadCounter::RetriedConnect, 3 * start);
    }
    let server = Server::start_on(TcpListener::bind(address).unwrap(), &[Act::status(200)]);
    rig.wait_for(UploadCounter::Sent, 4);
    let got: Vec<(u64, Vec<u8>)> = server
        .requests()
        .iter()
        .map(|request| (request.metadata().start_unix_nanos, request.profile()))
        .collect();
    let expected = (1..=4).map(|start: u64| (start, start.to_string().into_bytes()));
    assert_eq!(got, expected.collect::<Vec<_>>());
}

#[test]
fn a_flush_reports_by_its_deadline_whatever_the_server_does() {
    for act in [
        Act::Accept,
        Act::Stall,
        Act::Drip,
        Act::ResetMidBody,
        Act::status(500),
    ] {
        let server = Server::start(std::slice::from_ref(&act));
        let rig = Rig::start(&server.url(), stored());
        // The try is under way when the flush comes in; nothing but the flush bounds it.
        rig.submit(1, &noise(LARGE));
        rig::wait_until(|| server.connections() > 0, "a connection");
        let report = rig.flush(Duration::from_millis(200));
        assert_eq!(report, FlushReport { sent: 0, left: 1 }, "{act:?}");
        assert_eq!(rig.spool.waiting(), 1, "{act:?}");
    }
}

#[test]
fn a_flush_does_not_wait_for_a_server_that_is_not_there() {
    let (listener, url) = nowhere();
    drop(listener);
    let rig = Rig::start(&url, hasty());
    (1..=2).for_each(|start| rig.commit(start, b"x"));
    assert_eq!(rig.flush(FOREVER), FlushReport { sent: 0, left: 2 });
}

#[test]
fn a_flush_ends_a_pause_of_our_own_but_not_one_that_the_server_asked_for() {
    let mut config = hasty();
    config.backoff_base = FOREVER;
    config.backoff_cap = FOREVER;
    for (headers, expected) in [
        ("", FlushReport { sent: 1, left: 0 }),
        ("Retry-After: 3000\r\n", FlushReport { sent: 0, left: 1 }),
    ] {
        let server = Server::start(&[Act::Answer(503, headers, String::new()), Act::status(200)]);
        let rig = Rig::start(&server.url(), config.clone());
        rig.submit(1, b"x");
        rig.wait_for(UploadCounter::RetriedServerError, 1);
        assert_eq!(rig.flush(Duration::from_secs(600)), expected);
    }
}

#[test]
fn an_empty_spool_flushes_at_once_and_each_flush_gets_its_report() {
    let server = Server::start(&[Act::Stall]);
    let rig = Rig::start(&server.url(), hasty());
    assert_eq!(rig.flush(FOREVER), FlushReport::default());
    rig.submit(1, b"x");
    rig::wait_until(|| server.connections() > 0, "a connection");
    let reports = [
        rig.ask_flush(Duration::from_millis(50)),
        rig.ask_flush(Duration::from_millis(150)),
    ];
    for report in reports {
        let report = report.recv_timeout(FOREVER).unwrap();
        assert_eq!(report, FlushReport { sent: 0, left: 1 });
    }
}

#[test]
fn stop_ends_the_thread_in_the_middle_of_anything() {
    for act in [Act::Accept, Act::Stall, Act::Drip] {
        let server = Server::start(&[act]);
        let mut rig = Rig::start(&server.url(), stored());
        rig.submit(1, &noise(LARGE));
        rig::wait_until(|| server.connections() > 0, "a connection");
        rig.stop();
        assert_eq!(rig.count(UploadCounter::RetriedCut), 1);
        assert_eq!(rig.spool.waiting(), 1);
    }
}

#[test]
fn an_address_that_swallows_everything_is_left_when_the_flush_is_over() {
    // A listener whose queue is full answers no SYN.
    let (listener, url) = nowhere();
    let address = listener.local_addr().unwrap();
    socket2::SockRef::from(&listener).listen(0).unwrap();
    let _waiting: Vec<_> = (0..4)
        .map(|_| {
            let socket =
                socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            let _ = socket.connect(&address.into());
            socket
        })
        .collect();
    let rig = Rig::start(&url, hasty());
    rig.commit(1, b"x");
    assert_eq!(
        rig.flush(Duration::from_millis(100)),
        FlushReport { sent: 0, left: 1 }
    );
    assert_eq!(rig.count(UploadCounter::RetriedCut), 1);
}

#[test]
fn a_name_that_nobody_has_is_looked_up_in_bounded_time() {
    let mut config = hasty();
    config.resolve_timeout = Duration::from_millis(500);
    // RFC 6761 keeps this name from ever being given to a host.
    let rig = Rig::start("http://datakit.invalid:9529", config);
    rig.submit(1, b"x");
    let tries =
        || rig.count(UploadCounter::RetriedConnect) + rig.count(UploadCounter::RetriedTimeout);
    rig::wait_until(|| tries() >= 2, "two tries");
    let report = rig.flush(Duration::from_millis(100));
    assert_eq!(report, FlushReport { sent: 0, left: 1 });
}

#[test]
fn a_profile_too_large_for_datakit_is_dropped_unsent() {
    let server = Server::start(&[Act::status(200)]);
    let mut config = hasty();
    config.max_profile_bytes = 10_000;
    let rig = Rig::start(&server.url(), config);
    rig.commit(1, &noise(10_000));
    rig.commit(2, &[0; 10_000]);
    assert_eq!(rig.flush(FOREVER), FlushReport { sent: 1, left: 0 });
    assert_eq!(rig.count(UploadCounter::DroppedTooLarge), 1);
}

#[test]
fn files_that_vanish_cost_only_themselves() {
    let server = Server::start(&[Act::status(200)]);
    let rig = Rig::start(&server.url(), hasty());
    rig.commit(1, b"x");
    for folder in std::fs::read_dir(&rig.root).unwrap() {
        let path = folder.unwrap().path();
        if path.is_dir() {
            std::fs::remove_dir_all(path).unwrap();
        }
    }
    rig.commit(2, b"y");
    assert_eq!(rig.flush(FOREVER), FlushReport { sent: 1, left: 0 });
    assert_eq!(rig.count(UploadCounter::DroppedUnreadable), 1);
    assert_eq!(server.requests()[0].profile(), b"y");
}

#[test]
fn a_single_upload_says_what_became_of_it() {
    let server = Server::start(&[
        Act::Answer(200, "X-DataKit: 1.84.1/host\r\n", String::new()),
        Act::status(200),
        Act::Answer(404, "", "<html>".to_owned()),
        Act::Answer(500, "", "unable to push request to disk queue".to_owned()),
    ]);
    let endpoint = Endpoint::parse(&server.url()).unwrap();
    let config = UploaderConfig::default();
    let profile = noise(1000);
    let Uploaded {
        status,
        profile_bytes,
        datakit,
    } = upload_bytes(&endpoint, &profile, &metadata(1), &config).unwrap();
    assert_eq!((status, datakit.as_deref()), (200, Some("1.84.1/host")));
    assert_eq!(
        profile_bytes,
        server.requests()[0].parts()[1].1.len() as u64
    );

    // A file that is gzip already is sent as it is.
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), server.requests()[0].parts()[1].1).unwrap();
    upload_file(&endpoint, file.path(), &metadata(1), &config).unwrap();
    assert_eq!(server.requests()[1].profile(), profile);

    let text = |error: UploadError| error.to_string();
    assert_eq!(
        text(upload_bytes(&endpoint, b"x", &metadata(1), &config).unwrap_err()),
        format!(
            "{endpoint} answered 404: DataKit's profile input is not enabled: enable it (conf.d/profile/profile.conf) and restart DataKit, or check the url's path"
        )
    );
    assert_eq!(
        text(upload_bytes(&endpoint, b"x", &metadata(1), &config).unwrap_err()),
        format!(
            "{endpoint} answered 500 (unable to push request to disk queue): the server has a trouble of its own"
        )
    );
    let missing = upload_file(
        &endpoint,
        std::path::Path::new("/nonexistent"),
        &metadata(1),
        &config,
    );
    assert!(text(missing.unwrap_err()).starts_with("cannot read /nonexistent: "));
}
