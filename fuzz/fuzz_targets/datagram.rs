//! Any datagram, raw or inside a good seal, to a channel with and one without a key.
#![no_main]

use libfuzzer_sys::fuzz_target;
use safekit::wire::{Channel, Kind, Received, decode};

fuzz_target!(|data: &[u8]| {
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
});
