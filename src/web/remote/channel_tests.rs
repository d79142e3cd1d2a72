use super::*;
use proptest::prelude::*;

fn pair(secret: &Secret) -> (Channel, Channel) {
    let (offer, first) = Offer::new(secret).unwrap();
    let (server, _, second) = respond(secret, &first, &Greeting::ours(None)).unwrap();
    (offer.accept(&second).unwrap().0, server)
}

fn open(channel: &mut Channel, bytes: &[u8]) -> Result<Vec<u8>, ChannelError> {
    let mut text = Vec::new();
    channel.opener.open(bytes, &mut text).map(|()| text)
}

#[test]
fn both_sides_greet_and_talk() {
    let secret = Secret::random().unwrap();
    let (offer, first) = Offer::new(&secret).unwrap();
    let ours = Greeting::ours(Some("00ff".to_owned()));
    let (mut server, theirs, second) = respond(&secret, &first, &ours).unwrap();
    assert_eq!(theirs, Greeting::ours(None));
    let (mut client, greeting) = offer.accept(&second).unwrap();
    assert_eq!(greeting, ours);
    for (text, length) in [(&b"hello"[..], 1), (&[7; MOST_TEXT], 1), (&[9; 2 * MOST_TEXT + 1], 3), (b"", 0)] {
        let sealed = client.sealer.seal(text).unwrap();
        assert_eq!(sealed.len(), text.len() + length * (LENGTH + TAG));
        assert_eq!(open(&mut server, &sealed).unwrap(), text);
        let back = server.sealer.seal(text).unwrap();
        assert_eq!(open(&mut client, &back).unwrap(), text);
    }
}

#[test]
fn nothing_readable_is_on_the_wire() {
    let secret = Secret::random().unwrap();
    let (offer, first) = Offer::new(&secret).unwrap();
    let (mut server, _, second) = respond(&secret, &first, &Greeting::ours(Some("abcdef".into()))).unwrap();
    offer.accept(&second).unwrap();
    let sealed = server.sealer.seal(b"safekit-key-1 0123456789").unwrap();
    for (bytes, word) in [(first, "protocol"), (second, "abcdef"), (sealed, "safekit-key")] {
        assert!(!bytes.windows(word.len()).any(|w| w == word.as_bytes()), "{word}");
    }
}

#[test]
fn another_secret_opens_nothing() {
    let (ours, theirs) = (Secret::random().unwrap(), Secret::random().unwrap());
    let (offer, first) = Offer::new(&theirs).unwrap();
    assert_eq!(respond(&ours, &first, &Greeting::ours(None)).unwrap_err(), ChannelError::Refused);
    // A server that does not know the secret cannot answer for one that does.
    let (_, answered) = Offer::new(&ours).unwrap();
    let (_, _, second) = respond(&ours, &answered, &Greeting::ours(None)).unwrap();
    assert_eq!(offer.accept(&second).unwrap_err(), ChannelError::Refused);
}

#[test]
fn a_recorded_handshake_gives_a_channel_that_nobody_else_can_use() {
    let secret = Secret::random().unwrap();
    let (offer, first) = Offer::new(&secret).unwrap();
    let (mut server, _, second) = respond(&secret, &first, &Greeting::ours(None)).unwrap();
    let mut client = offer.accept(&second).unwrap().0;
    let request = client.sealer.seal(b"stop").unwrap();
    assert_eq!(open(&mut server, &request).unwrap(), b"stop");
    let (mut again, _, _) = respond(&secret, &first, &Greeting::ours(None)).unwrap();
    assert_eq!(open(&mut again, &request), Err(ChannelError::Refused));
}

#[test]
fn records_count() {
    let secret = Secret::random().unwrap();
    let records = |client: &mut Channel| -> Vec<Vec<u8>> {
        [b"one", b"two"].map(|text| client.sealer.seal(text).unwrap()).to_vec()
    };
    let (mut client, mut server) = pair(&secret);
    let sent = records(&mut client);
    assert_eq!(open(&mut server, &sent[0]).unwrap(), b"one");
    assert_eq!(open(&mut server, &sent[0]), Err(ChannelError::Refused), "replayed");
    let (mut client, mut server) = pair(&secret);
    let sent = records(&mut client);
    assert_eq!(open(&mut server, &sent[1]), Err(ChannelError::Refused), "out of order");
    // What one side has sealed is nothing that the other side could have said.
    let (mut client, _) = pair(&secret);
    let own = client.sealer.seal(b"one").unwrap();
    assert_eq!(open(&mut client, &own), Err(ChannelError::Refused), "sent back");
}

#[test]
fn a_record_that_is_cut_is_not_whole() {
    let (mut client, mut server) = pair(&Secret::random().unwrap());
    let sealed = client.sealer.seal(b"all of it").unwrap();
    for byte in &sealed[..sealed.len() - 1] {
        assert_eq!(open(&mut server, &[*byte]).unwrap(), b"");
        assert!(!server.opener.is_whole());
    }
    assert_eq!(open(&mut server, &sealed[sealed.len() - 1..]).unwrap(), b"all of it");
    assert!(server.opener.is_whole());
}

#[test]
fn another_version_is_named() {
    let secret = Secret::random().unwrap();
    let (_, mut first) = Offer::new(&secret).unwrap();
    first[4] = 9;
    let error = respond(&secret, &first, &Greeting::ours(None)).unwrap_err();
    assert_eq!(error, ChannelError::Version { theirs: 9 });
    assert!(error.to_string().contains("version 9") && error.to_string().contains("this one 1"), "{error}");
}

proptest! {
    #[test]
    fn one_changed_byte_is_refused(at: prop::sample::Index, by in 1u8.., text in "[a-z]{1,40}") {
        let secret = Secret::random().unwrap();
        let (offer, first) = Offer::new(&secret).unwrap();
        let mut bad = first.clone();
        let i = at.index(bad.len());
        bad[i] = bad[i].wrapping_add(by);
        prop_assert!(respond(&secret, &bad, &Greeting::ours(None)).is_err());
        let (mut server, _, second) = respond(&secret, &first, &Greeting::ours(None)).unwrap();
        let mut bad = second.clone();
        let i = at.index(bad.len());
        bad[i] = bad[i].wrapping_add(by);
        let (other, _) = Offer::new(&secret).unwrap();
        prop_assert!(other.accept(&bad).is_err());
        let mut client = offer.accept(&second).unwrap().0;
        let mut sealed = client.sealer.seal(text.as_bytes()).unwrap();
        let i = at.index(sealed.len());
        sealed[i] = sealed[i].wrapping_add(by);
        // A longer length waits for bytes that never come; it never gives a text.
        match open(&mut server, &sealed) {
            Ok(got) => prop_assert!(got.is_empty() && !server.opener.is_whole()),
            Err(error) => prop_assert_eq!(error, ChannelError::Refused),
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let secret = Secret::random().unwrap();
        prop_assert!(respond(&secret, &bytes, &Greeting::ours(None)).is_err());
        let (offer, _) = Offer::new(&secret).unwrap();
        prop_assert!(offer.accept(&bytes).is_err());
        let (_, mut server) = pair(&secret);
        let _ = open(&mut server, &bytes);
    }
}
