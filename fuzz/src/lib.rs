//! What each fuzz target asserts, as plain functions: the fuzzer calls them, and so does `tests/corpus`,
//! which needs neither a fuzzer nor a nightly compiler.

use safekit::config::{archive, cluster as cluster_config, module, plan, signature};
use safekit::fsm::bucket::Bitmap;
use safekit::fsm::group;
use safekit::fsm::rules::parse::{Author, Parsed, parse};
use safekit::rfs::wire as frame;
use safekit::web::remote::channel::{Greeting, Offer, respond};
use safekit::web::remote::secret::Secret;
use safekit::web::remote::target::{self, Service};
use safekit::wire::{Channel, Kind, Received, decode};

/// cluster.xml: any text is read or refused; what is read is written and read again as it was.
pub fn cluster(text: &str) {
    match cluster_config::load(text, "cluster.xml") {
        Ok(mut config) => {
            config.source = config.render();
            assert_eq!(cluster_config::load(&config.source, "again").as_ref(), Ok(&config));
        }
        Err(errors) => assert!(!errors.0.is_empty() && !errors.to_string().is_empty()),
    }
}

/// userconfig.xml: any text is read or refused with at least one fault; what is read is planned.
pub fn userconfig(text: &str) {
    let env = |name: &str| (name == "HOME").then(|| "/root".to_owned());
    match module::load(text, "userconfig.xml", &env, None) {
        Ok(config) => {
            let _ = config.unsupported();
            assert!(plan::changes(&config, &config).is_empty());
        }
        Err(errors) => assert!(!errors.0.is_empty() && !errors.to_string().is_empty()),
    }
}

/// Rules from outside: the parser never panics, and what it accepts survives printing.
pub fn rules(text: &str) {
    let Ok(rules) = parse(text, 1, Author::Product) else { return };
    let printed: String = rules.iter().map(|parsed| format!("{}\n", parsed.rule)).collect();
    let again = match parse(&printed, 1, Author::Product) {
        Ok(again) => again,
        Err(error) => panic!("a printed rule is not a rule: {error:?}\n{printed}"),
    };
    let bare = |list: &[Parsed]| -> Vec<_> { list.iter().map(|parsed| parsed.rule.clone()).collect() };
    assert_eq!(bare(&rules), bare(&again));
}

/// Any datagram, raw or inside a good seal, to a channel with and one without a key.
pub fn datagram(data: &[u8]) {
    for key in [None, Some(&[7; 32])] {
        let mut a = Channel::new(Kind::Heartbeat, 0, key, "fuzz", [1; 16]);
        let mut b = Channel::new(Kind::Heartbeat, 1, key, "fuzz", [2; 16]);
        let raw = b.receive(data, [3; 16]);
        assert!(key.is_none() || matches!(raw, Received::Dropped(_)), "a forged datagram was accepted");

        let Ok(hello) = a.seal(data) else { continue };
        let Received::Reply(challenge) = b.receive(&hello, [4; 16]) else { panic!("no challenge") };
        let Received::Reply(response) = a.receive(&challenge, [5; 16]) else { panic!("no response") };
        assert!(matches!(b.receive(&response, [6; 16]), Received::Met { .. }));
        let Ok(datagram) = a.seal(data) else { continue };
        let Received::Payload(opened) = b.receive(&datagram, [7; 16]) else { panic!("no payload") };
        assert_eq!(opened.payload, data);
    }
    let _ = decode::<(u64, String, Option<Vec<u8>>, i32)>(data);
    if let Ok(message) = decode::<group::Message>(data) {
        farm(message);
    }
}

/// Any message of a farm, from a node of it: what it says of others never panics, nor what is sent then.
fn farm(message: group::Message) {
    let config = group::Config {
        me: 1,
        nodes: 3,
        lans: vec![0],
        pulse_ms: 100,
        leader_lost: 3,
        follower_lost: 6,
        powers: vec![vec![1, 2, 0]],
        grace_ms: 1000,
        fingerprint: message.config,
    };
    let mut node = group::Group::new(config, 1, Vec::new(), vec![Bitmap::EMPTY], 0);
    for now_ms in [10, 1000, 2000] {
        for from in [0, 2, 7] {
            let message = message.clone();
            node.step(group::Event::Received { from, lan: 0, message, now_ms });
        }
        node.step(group::Event::Tick(now_ms));
    }
}

/// .safe archives: what is unpacked lies inside its directory and can be signed and packed again;
/// a refusal leaves nothing.
pub fn safe_zip(bytes: &[u8]) {
    // In memory: what is unpacked is synced, and a disk would be all that this measures.
    let Ok(dir) = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()) else { return };
    let dest = dir.path().join("module");
    let limits = archive::Limits { entries: 50, unpacked: 1 << 16, ..archive::Limits::default() };
    let done = archive::unpack(bytes, &dest, &limits).is_ok();
    let left = std::fs::read_dir(dir.path()).map_or(0, |entries| entries.count());
    assert_eq!(left, usize::from(done));
    if done {
        assert!(signature::of_module(&dest).is_ok());
        assert!(archive::bytes(&dest).is_ok());
    }
}

/// Bytes of a replication stream: frames or a refusal; a frame is encoded to the bytes that it came from.
pub fn replication_frame(data: &[u8]) {
    let mut buffer = bytes::BytesMut::from(data);
    let mut at = 0;
    while let Ok(Some(frame)) = frame::next(&mut buffer) {
        let end = data.len() - buffer.len();
        assert_eq!(frame::bytes(&frame).as_deref(), Ok(&data[at..end]));
        at = end;
    }
    let _ = frame::missing(&buffer);
}

/// Any bytes to both ends of the tunnel between nodes: a handshake, an answer to one, records. Who does not
/// know the secret gets nothing through; who does may send anything.
pub fn tunnel(data: &[u8]) {
    let Ok(secret) = Secret::random() else { return };
    assert!(respond(&secret, data, &Greeting::ours(None)).is_err(), "a forged handshake was accepted");
    let Ok((offer, first)) = Offer::new(&secret) else { return };
    assert!(offer.accept(data).is_err(), "a forged answer was accepted");
    let Ok((mut server, _, second)) = respond(&secret, &first, &Greeting::ours(None)) else {
        panic!("no answer to a handshake")
    };
    // The keys are new for each channel, so this offer cannot take that answer.
    let Ok((offer, _)) = Offer::new(&secret) else { return };
    assert!(offer.accept(&second).is_err(), "the answer to another handshake was accepted");
    let mut text = Vec::new();
    let opened = server.opener.open(data, &mut text);
    assert!(text.is_empty(), "forged records gave a text: {opened:?}");
    let _ = target::parse(
        &String::from_utf8_lossy(data),
        Service { https: false, port: 9010 },
        &Err(String::new()),
    );
}
