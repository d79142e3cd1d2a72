//! What comes from outside is not trusted.

use super::super::beneath::{TreePath, open_dir};
use super::super::meta::{Entry, Meta, Verdict};
use super::super::wire::{Blob, Piece, Request, Response, Which, decode, encode};
use super::super::*;
use super::world::World;
use proptest::prelude::*;
use std::fs;
use std::os::fd::AsFd;

fn requests() -> Vec<Request> {
    let path = TreePath::default().join(b"a").join(b"b");
    let file = Which { path: path.clone(), key: (1, 2) };
    vec![
        Request::Hello { version: 1, acl: true },
        Request::Round { first: true, hold: false, again: Vec::new() },
        Request::More,
        Request::List { path: path.clone() },
        Request::Stat { path: path.clone(), id: None },
        Request::Xattrs { path },
        Request::Hashes { file: file.clone(), offset: 5, block: 0 },
        Request::Read { file, offset: u64::MAX, end: 0, most: u32::MAX },
        Request::Resume,
        Request::Finish,
    ]
}

fn responses() -> Vec<Response> {
    let meta = Meta {
        ino: 1,
        birth: 2,
        mode: 3,
        uid: 4,
        gid: 5,
        size: 6,
        mtime: (-7, 8),
        rdev: (9, 10),
        nlink: 11,
        ctime: 0,
    };
    let verdict = Verdict::Zones(vec![(1, 2)]);
    let entry = Entry { name: b"x".to_vec(), meta: meta.clone(), target: vec![1], xattrs: 77, verdict };
    vec![
        Response::Done,
        Response::Changed { dirs: vec![TreePath::default()], files: vec![], overflow: true, more: true },
        Response::Entries { dir: meta, xattrs: 1, entries: vec![entry], more: false },
        Response::Xattrs(vec![(b"user.x".to_vec(), Blob(vec![1, 2]))]),
        Response::Pieces {
            pieces: vec![Piece::Hole(9), Piece::Hash(1, [2; 32]), Piece::Bytes(Blob(vec![3; 9]))],
            next: Some(1),
        },
        Response::Gone,
        Response::Refused("no".into()),
    ]
}

#[test]
fn messages_come_back_as_they_were() {
    for request in requests() {
        assert_eq!(decode::<Request>(&encode(&request).unwrap()).unwrap(), request);
    }
    for response in responses() {
        assert_eq!(decode::<Response>(&encode(&response).unwrap()).unwrap(), response);
    }
    assert!(decode::<Request>(&vec![0; MESSAGE_MOST + 1]).is_err());
    assert!(encode(&Response::Refused("x".repeat(MESSAGE_MOST))).is_err());
}

/// Feeds a source with bytes and drops what it says.
struct Script(Vec<Vec<u8>>);

impl Channel for Script {
    fn send(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }
    fn receive(&mut self) -> io::Result<Vec<u8>> {
        self.0.pop().ok_or(io::ErrorKind::UnexpectedEof.into())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn damaged_messages_are_refused_or_answered(
        which in 0usize..17, flips in prop::collection::vec((0usize..200, any::<u8>()), 0..6), cut in 0usize..300,
    ) {
        let all: Vec<Vec<u8>> = requests().iter().map(|r| encode(r).unwrap())
            .chain(responses().iter().map(|r| encode(r).unwrap())).collect();
        let mut bytes = all[which].clone();
        for (at, with) in flips {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= with;
            }
        }
        bytes.truncate(cut);
        let _ = decode::<Response>(&bytes);
        let world = World::new();
        fs::create_dir(world.p.join("a")).unwrap();
        fs::write(world.p.join("a/b"), "x").unwrap();
        let hello = encode(&requests()[0]).unwrap();
        let _ = Source::new(&world.alone).serve(&mut Script(vec![bytes, hello]));
        // Whatever was said, nothing is held afterwards.
        world.alone.modify(|_| ());
    }
}

#[test]
fn no_path_leaves_the_tree() {
    let world = World::new();
    fs::write(world.dir.path().join("secret"), "x").unwrap();
    std::os::unix::fs::symlink("..", world.p.join("up")).unwrap();
    let root = open_root(&world.p).unwrap();
    for bad in [&b".."[..], b"up", b"../s", b"up/secret"] {
        assert!(open_dir(root.as_fd(), &TreePath::default().join(bad)).is_err());
        let path = TreePath::default().join(bad).join(b"secret");
        assert!(matches!(
            ask(&world, Request::Stat { path, id: None }),
            Response::Gone | Response::Refused(_)
        ));
    }
    let silent = Source::new(&world.alone).serve(&mut Script(vec![encode(&Request::More).unwrap()]));
    assert!(!silent.unwrap());
}

fn ask(world: &World, request: Request) -> Response {
    struct Last(Script, Vec<u8>);
    impl Channel for Last {
        fn send(&mut self, msg: &[u8]) -> io::Result<()> {
            self.1 = msg.to_vec();
            Ok(())
        }
        fn receive(&mut self) -> io::Result<Vec<u8>> {
            self.0.receive()
        }
    }
    let asked = vec![encode(&request).unwrap(), encode(&requests()[0]).unwrap()];
    let mut channel = Last(Script(asked), Vec::new());
    Source::new(&world.alone).serve(&mut channel).unwrap();
    decode(&channel.1).unwrap()
}
