use super::*;
use crate::fsm::sync::Backup;
use crate::rfs::op::{Attrs, FileId, Name, Owner, Time};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

fn id() -> impl Strategy<Value = FileId> {
    any::<u64>().prop_map(FileId)
}

fn name() -> impl Strategy<Value = Name> {
    vec(any::<u8>(), 1..=255).prop_filter_map("a name", |bytes| Name::new(&bytes))
}

fn owner() -> impl Strategy<Value = Owner> {
    any::<(u32, u32, u32)>().prop_map(|(mode, uid, gid)| Owner { mode, uid, gid })
}

fn place() -> impl Strategy<Value = u64> {
    0..=(i64::MAX as u64) - DATA_MOST as u64
}

fn time() -> impl Strategy<Value = Time> {
    (any::<i64>(), 0..1_000_000_000u32).prop_map(|(secs, nanos)| Time { secs, nanos })
}

fn attrs() -> impl Strategy<Value = Attrs> {
    (of(any::<u32>()), of(any::<u32>()), of(any::<u32>()), of(time()), of(time()))
        .prop_map(|(mode, uid, gid, atime, mtime)| Attrs { mode, uid, gid, atime, mtime })
}

fn names() -> impl Strategy<Value = Op> {
    let target = vec(1..=255u8, 1..=4095);
    prop_oneof![
        (id(), id(), name()).prop_map(|(id, parent, name)| Op::Bind { id, parent, name }),
        (id(), id(), name(), owner(), any::<u64>()).prop_map(|(id, parent, name, owner, rdev)| Op::Create {
            id,
            parent,
            name,
            owner,
            rdev
        }),
        (id(), id(), name(), target, owner()).prop_map(|(id, parent, name, target, owner)| Op::Symlink {
            id,
            parent,
            name,
            target,
            owner
        }),
        (id(), id(), owner()).prop_map(|(id, parent, owner)| Op::Tmpfile { id, parent, owner }),
        (id(), id(), name()).prop_map(|(id, parent, name)| Op::Link { id, parent, name }),
        (id(), name(), any::<bool>()).prop_map(|(parent, name, dir)| Op::Unlink { parent, name, dir }),
        (id(), name(), id(), name(), 0..8u32).prop_map(|(parent, name, to_parent, to_name, flags)| {
            Op::Rename { parent, name, to_parent, to_name, flags }
        }),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let bytes = || vec(any::<u8>(), 0..300);
    let xattr = || vec(1..=255u8, 1..=255);
    prop_oneof![
        3 => names(),
        1 => (id(), place(), bytes(), any::<bool>())
            .prop_map(|(id, offset, data, sync)| Op::Write { id, offset, data: data.into(), sync }),
        1 => (id(), place()).prop_map(|(id, size)| Op::Truncate { id, size }),
        1 => (id(), any::<u32>(), place(), place())
            .prop_map(|(id, mode, offset, len)| Op::Allocate { id, mode, offset, len }),
        1 => (id(), attrs()).prop_map(|(id, attrs)| Op::SetAttrs { id, attrs }),
        1 => (id(), xattr(), bytes(), any::<u32>())
            .prop_map(|(id, name, value, flags)| Op::SetXattr { id, name, value, flags }),
        1 => (id(), xattr()).prop_map(|(id, name)| Op::RemoveXattr { id, name }),
        1 => id().prop_map(|id| Op::Fsync { id }),
        1 => vec(id(), 0..20).prop_map(Op::Forget),
    ]
}

fn purpose() -> impl Strategy<Value = Purpose> {
    prop_oneof![Just(Purpose::Stream), Just(Purpose::Resync), Just(Purpose::Verify)]
}

fn offer() -> impl Strategy<Value = Offer> {
    let backup = |(uid, detect)| Offer::Backup(Backup { uid, detect });
    prop_oneof![Just(Offer::Modified), Just(Offer::Full), (".{1,24}", any::<bool>()).prop_map(backup)]
}

fn hello() -> impl Strategy<Value = Hello> {
    (".{0,60}", any::<u16>(), purpose(), any::<u64>(), any::<u64>(), any::<u32>(), any::<[u8; 32]>())
        .prop_map(|(module, directory, purpose, session, generation, node, config)| Hello {
            module,
            directory,
            purpose,
            session,
            generation,
            node,
            config,
        })
}

fn frame() -> impl Strategy<Value = Frame> {
    prop_oneof![
        4 => (any::<u64>(), op()).prop_map(|(seq, op)| Frame::Op { seq, op }),
        1 => hello().prop_map(Frame::Hello),
        1 => (any::<u64>(), any::<u64>(), any::<u32>(), offer()).prop_map(|(session, generation, node, offer)| {
            Frame::Welcome(Welcome { session, generation, node, offer })
        }),
        1 => (any::<bool>(), ".{0,100}").prop_map(|(lasting, text)| Frame::Refuse { lasting, text }),
        1 => any::<u64>().prop_map(|seq| Frame::Ack { seq }),
        1 => (any::<u64>(), any::<i32>(), ".{0,100}")
            .prop_map(|(seq, errno, text)| Frame::Failed { seq, errno, text }),
        1 => any::<u64>().prop_map(Frame::Ping),
        1 => any::<u64>().prop_map(Frame::Pong),
        1 => Just(Frame::Freeze),
        1 => Just(Frame::Frozen),
        1 => Just(Frame::Stale),
    ]
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(frames in vec(frame(), 1..5), cut in any::<prop::sample::Index>()) {
        let all: Vec<u8> = frames.iter().flat_map(|frame| bytes(frame).unwrap()).collect();
        // In two pieces, cut anywhere.
        let cut = cut.index(all.len() + 1);
        let mut buffer = BytesMut::new();
        let mut read = Vec::new();
        for piece in [&all[..cut], &all[cut..]] {
            buffer.extend_from_slice(piece);
            while let Some(frame) = next(&mut buffer).unwrap() {
                read.push(frame);
            }
        }
        prop_assert_eq!(read, frames);
        prop_assert!(buffer.is_empty());
    }

    #[test]
    fn a_damaged_frame_is_refused_or_another_frame(
        frame in frame(), at in any::<prop::sample::Index>(), with in any::<u8>(), end in any::<prop::sample::Index>(),
    ) {
        let whole = bytes(&frame).unwrap().slice(LENGTH..);
        let mut damaged = whole.to_vec();
        let at = at.index(damaged.len());
        damaged[at] = with;
        damaged.truncate(end.index(damaged.len()) + 1);
        if let Ok(read) = decode(damaged.clone().into()) {
            // What is accepted is what it says, to the last byte.
            prop_assert_eq!(&bytes(&read).unwrap()[LENGTH..], &damaged[..]);
        }
    }

    #[test]
    fn any_bytes_are_refused_or_a_frame(raw in vec(any::<u8>(), 0..200)) {
        if let Ok(read) = decode(raw.clone().into()) {
            prop_assert_eq!(&bytes(&read).unwrap()[LENGTH..], &raw[..]);
        }
        let _ = next(&mut BytesMut::from(&raw[..]));
    }
}

#[test]
fn a_length_out_of_bounds_is_refused_before_anything_is_read() {
    for length in [0, 1, FRAME_MOST as u32 + 1, u32::MAX] {
        let buffer = length.to_le_bytes();
        assert_eq!(missing(&buffer), Err(WireError::Length(length as usize)));
        assert_eq!(next(&mut BytesMut::from(&buffer[..])), Err(WireError::Length(length as usize)));
    }
    assert_eq!(missing(&(FRAME_MOST as u32).to_le_bytes()), Ok(Some(FRAME_MOST)));
    assert_eq!(missing(&[2, 0]), Ok(None));
}

#[test]
fn the_data_of_a_write_is_neither_copied_out_nor_in() {
    let data = Bytes::from(vec![7; DATA_MOST]);
    let op = Op::Write { id: FileId(3), offset: 4096, data: data.clone(), sync: true };
    let mut head = Vec::new();
    let tail = encode_op(9, &op, &mut head).unwrap();
    assert_eq!((tail.as_ptr(), tail.len()), (data.as_ptr(), data.len()));
    assert_eq!(head.len(), LENGTH + 2 + 24);

    let mut whole = BytesMut::from(&head[..]);
    whole.extend_from_slice(&tail);
    let place = whole.as_ptr() as usize;
    let Some(Frame::Op { seq: 9, op: Op::Write { data: read, .. } }) = next(&mut whole).unwrap() else {
        panic!("not the write");
    };
    assert_eq!(read, data);
    assert_eq!(read.as_ptr() as usize, place + head.len());
}

#[test]
fn what_is_too_long_is_refused_and_leaves_nothing() {
    let long = |op| {
        let mut out = vec![1];
        let refused = encode_op(1, &op, &mut out).is_err();
        refused && out == [1]
    };
    assert!(long(Op::Write { id: FileId(1), offset: 0, data: vec![0; DATA_MOST + 1].into(), sync: false }));
    assert!(long(Op::RemoveXattr { id: FileId(1), name: vec![b'x'; 256] }));
    assert!(long(Op::Forget(vec![FileId(1); FRAME_MOST / 8 + 1])));
    // A reason is cut instead, at the end of a character.
    let text = "é".repeat(TEXT_MOST);
    let frame = bytes(&Frame::Refuse { lasting: true, text }).unwrap();
    let cut = Frame::Refuse { lasting: true, text: "é".repeat(TEXT_MOST / 2) };
    assert_eq!(decode(frame.slice(LENGTH..)), Ok(cut));
}

#[test]
fn another_version_is_named() {
    let hello = Hello {
        module: "mirror".into(),
        directory: 0,
        purpose: Purpose::Stream,
        session: 1,
        generation: 2,
        node: 0,
        config: [3; 32],
    };
    let mut raw = bytes(&Frame::Hello(hello)).unwrap()[LENGTH..].to_vec();
    raw[6] = 9;
    raw.extend_from_slice(b"what version 9 has in addition");
    assert_eq!(decode(raw.into()), Err(WireError::Version { theirs: 9 }));
}
