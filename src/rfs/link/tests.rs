use super::*;
use crate::rfs::op::{FileId, Op};
use crate::rfs::wire::{self, DATA_MOST, Frame};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;

pub(crate) type Halves = (Reader, Writer);

pub(crate) fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

pub(crate) fn options(key: Option<Key>) -> Options {
    Options { key, send_timeout: Duration::from_secs(10) }
}

/// A link between two sets of options: what connects, and what accepts.
pub(crate) fn pair(
    client: &Options,
    server: Options,
) -> (Result<Halves, LinkError>, Result<Halves, LinkError>) {
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), server).unwrap();
    let address = listener.address().unwrap();
    thread::scope(|scope| {
        let accepting = scope.spawn(|| listener.accept()?.handshake(soon()));
        let connected = Link::connect(address, Some("127.0.0.1".parse().unwrap()), client, soon());
        (connected, accepting.join().unwrap())
    })
}

/// A link that works.
pub(crate) fn linked(key: Option<Key>) -> (Halves, Halves) {
    let (client, server) = pair(&options(key), options(key));
    (client.unwrap(), server.unwrap())
}

fn write(number: u64, data: Vec<u8>) -> Frame {
    Frame::Op { seq: number, op: Op::Write { id: FileId(2), offset: 0, data: data.into(), sync: false } }
}

#[test]
fn frames_cross_in_both_directions_at_once_plain_and_sealed() {
    for key in [None, Some([7; 32])] {
        let (client, server) = pair(&options(key), options(key));
        let data: Vec<u8> = (0..DATA_MOST).map(|i| (i % 251) as u8).collect();
        thread::scope(|scope| {
            for (mut reader, mut writer) in [client.unwrap(), server.unwrap()] {
                let data = &data;
                scope.spawn(move || {
                    for number in 0..20 {
                        writer.frame(&write(number, data.clone())).unwrap();
                        writer.frame(&Frame::Ack { seq: number }).unwrap();
                    }
                });
                scope.spawn(move || {
                    for number in 0..20 {
                        assert_eq!(reader.frame().unwrap(), write(number, data.clone()));
                        assert_eq!(reader.frame().unwrap(), Frame::Ack { seq: number });
                    }
                    assert!(matches!(reader.frame(), Err(LinkError::Closed | LinkError::Broken(_))));
                });
            }
        });
    }
}

#[test]
fn another_key_is_refused_on_both_sides() {
    let (client, server) = pair(&options(Some([1; 32])), options(Some([2; 32])));
    assert!(matches!(client, Err(LinkError::Handshake(_))));
    assert!(matches!(server, Err(LinkError::Handshake(_))));
}

#[test]
fn a_key_on_one_side_only_is_refused() {
    // The client speaks first, in the clear.
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), options(Some([1; 32]))).unwrap();
    let (_, mut writer) = Link::connect(listener.address().unwrap(), None, &options(None), soon()).unwrap();
    writer.frame(&Frame::Ping(1)).unwrap();
    let refused = listener.accept().unwrap().handshake(soon());
    assert!(matches!(refused, Err(LinkError::Handshake(_))));

    // The client has the key, the server has none.
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), options(None)).unwrap();
    let address = listener.address().unwrap();
    thread::scope(|scope| {
        let client = scope.spawn(|| Link::connect(address, None, &options(Some([1; 32])), soon()));
        let (mut reader, writer) = listener.accept().unwrap().handshake(soon()).unwrap();
        assert!(matches!(reader.frame(), Err(LinkError::Handshake(_))));
        drop((reader, writer));
        assert!(matches!(client.join().unwrap(), Err(LinkError::Handshake(_))));
    });
}

#[test]
fn a_recorded_handshake_does_not_get_in() {
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), options(Some([1; 32]))).unwrap();
    let mut stranger = TcpStream::connect(listener.address().unwrap()).unwrap();
    let incoming = listener.accept().unwrap();
    stranger.write_all(&[0x16, 3, 1, 0, 4, 1, 0, 0, 0]).unwrap();
    assert!(matches!(incoming.handshake(soon()), Err(LinkError::Handshake(_))));
}

#[test]
fn a_peer_that_says_nothing_ends_at_the_deadline() {
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), options(Some([1; 32]))).unwrap();
    let silent = TcpStream::connect(listener.address().unwrap()).unwrap();
    let deadline = Instant::now() + Duration::from_millis(50);
    assert!(matches!(listener.accept().unwrap().handshake(deadline), Err(LinkError::Timeout)));
    assert!(Instant::now() >= deadline);
    drop(silent);
}

#[test]
fn shutdown_wakes_the_reader_the_writer_and_who_accepts() {
    for key in [None, Some([7; 32])] {
        let (client, server) = pair(&options(key), options(key));
        let ((mut reader, mut writer), _server) = (client.unwrap(), server.unwrap());
        let closer = reader.closer();
        thread::scope(|scope| {
            let reading = scope.spawn(move || reader.frame().is_err());
            // Nobody reads: it ends only when it is ended.
            let writing = scope.spawn(move || while writer.frame(&write(1, vec![0; DATA_MOST])).is_ok() {});
            closer.shutdown();
            assert!(reading.join().unwrap());
            writing.join().unwrap();
        });
    }
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), options(None)).unwrap();
    thread::scope(|scope| {
        let accepting = scope.spawn(|| listener.accept().map(|_| ()));
        listener.shutdown();
        assert!(matches!(accepting.join().unwrap(), Err(LinkError::Closed)));
    });
}

#[test]
fn a_peer_that_takes_nothing_breaks_the_link_in_time() {
    let short = Options { key: None, send_timeout: Duration::from_millis(50) };
    let (client, server) = pair(&short, options(None));
    let ((_reader, mut writer), _server) = (client.unwrap(), server.unwrap());
    let error = loop {
        if let Err(error) = writer.frame(&write(1, vec![0; DATA_MOST])) {
            break error;
        }
    };
    assert!(matches!(error, LinkError::Timeout | LinkError::Broken(_)), "{error}");
}

#[test]
fn a_quiet_link_goes_on_where_it_was() {
    let (client, server) = pair(&options(None), options(None));
    let ((mut reader, _w), (_r, mut writer)) = (client.unwrap(), server.unwrap());
    reader.set_timeout(Some(Duration::from_millis(1))).unwrap();
    let bytes = crate::rfs::wire::bytes(&Frame::Ping(9)).unwrap();
    writer.send(&bytes[..5], &[]).unwrap();
    assert!(matches!(reader.frame(), Err(LinkError::Quiet)));
    writer.send(&bytes[5..], &[]).unwrap();
    let frame = loop {
        match reader.frame() {
            Err(LinkError::Quiet) => {}
            frame => break frame.unwrap(),
        }
    };
    assert_eq!(frame, Frame::Ping(9));
}

#[test]
fn raw_bytes_cross_for_protocols_with_frames_of_their_own() {
    let (client, server) = pair(&options(Some([3; 32])), options(Some([3; 32])));
    let ((_, mut writer), (mut reader, _)) = (client.unwrap(), server.unwrap());
    writer.write_all(b"tree").unwrap();
    let mut read = [0; 4];
    reader.read_exact(&mut read).unwrap();
    assert_eq!(&read, b"tree");
}

#[test]
fn what_is_offered_and_not_taken_goes_before_what_follows() {
    for key in [None, Some([7; 32])] {
        let ((_, mut writer), (mut reader, _peer)) = linked(key);
        let bytes = |number| {
            let mut head = Vec::new();
            let tail = wire::encode(&write(number, vec![3; 16 << 10]), &mut head).unwrap();
            [head.as_slice(), &tail].concat()
        };
        // The peer reads nothing: sooner or later the kernel takes no more.
        let mut sent = 0;
        while writer.offer(&bytes(sent)).unwrap() {
            sent += 1;
        }
        thread::scope(|scope| {
            scope.spawn(|| {
                for number in 0..=sent {
                    assert_eq!(reader.frame().unwrap(), write(number, vec![3; 16 << 10]));
                }
                assert_eq!(reader.frame().unwrap(), Frame::Ack { seq: 1 });
            });
            writer.frame(&Frame::Ack { seq: 1 }).unwrap();
        });
    }
}

#[test]
fn what_comes_with_the_end_of_the_handshake_is_read() {
    let options = options(Some([1; 32]));
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), options.clone()).unwrap();
    let server = listener.address().unwrap();
    let door = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = door.local_addr().unwrap();
    let (sent, all) = std::sync::mpsc::channel();
    thread::scope(|scope| {
        let accepting = scope.spawn(|| listener.accept()?.handshake(soon()));
        // Passes on the client's first words, and later the end of its handshake and a frame, in one piece.
        scope.spawn(move || {
            let (mut client, _) = door.accept().unwrap();
            let mut server = TcpStream::connect(server).unwrap();
            let (mut down, mut up) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            scope.spawn(move || std::io::copy(&mut down, &mut up));
            let mut bytes = vec![0; 1 << 16];
            let first = client.read(&mut bytes).unwrap();
            server.write_all(&bytes[..first]).unwrap();
            all.recv().unwrap();
            let mut rest = Vec::new();
            client.read_to_end(&mut rest).unwrap();
            server.write_all(&rest).unwrap();
            // Until the server has read what it should.
            all.recv().unwrap();
        });
        let (reader, mut writer) = Link::connect(address, None, &options, soon()).unwrap();
        writer.frame(&Frame::Ping(1)).unwrap();
        drop(writer);
        sent.send(()).unwrap();
        let (mut at_server, _writer) = accepting.join().unwrap().unwrap();
        at_server.set_timeout(Some(Duration::from_secs(5))).unwrap();
        let read = at_server.frame();
        sent.send(()).unwrap();
        drop(reader);
        assert!(matches!(read, Ok(Frame::Ping(1))), "{read:?}");
    });
}
