use super::*;
use proptest::prelude::*;
use std::os::unix::fs::PermissionsExt;

const CONF: (&str, &[u8]) = (USERCONFIG, b"<safe/>");

/// A zip with these files.
fn zip_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Replaces a name everywhere: the writer refuses what an attacker would not.
fn renamed(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes.to_vec();
    for i in 0..bytes.len() - from.len() {
        if &bytes[i..i + from.len()] == from.as_bytes() {
            bytes[i..i + from.len()].copy_from_slice(to.as_bytes());
        }
    }
    bytes
}

/// Unpacks into an empty directory; refusals must leave it empty.
fn refused(bytes: &[u8], limits: &Limits) -> String {
    let dir = tempfile::tempdir().unwrap();
    let error = unpack(bytes, &dir.path().join("m"), limits).unwrap_err().to_string();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "{error}: left something behind");
    error
}

#[test]
fn a_tree_comes_back_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to, safe) = (dir.path().join("a"), dir.path().join("b"), dir.path().join("a.safe"));
    for (path, content) in
        [("conf/userconfig.xml", "<safe/>"), ("bin/start_prim", "#!/bin/sh"), ("web/x/index.html", "")]
    {
        fs::create_dir_all(from.join(path).parent().unwrap()).unwrap();
        fs::write(from.join(path), content).unwrap();
    }
    pack(&from, &safe).unwrap();
    pack(&from, &safe).unwrap();
    let packed = fs::read(&safe).unwrap();
    assert_eq!(packed, bytes(&from).unwrap());
    unpack(&packed, &to, &Limits::default()).unwrap();
    let mode = |name: &str| fs::metadata(to.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("bin/start_prim") & 0o111 != 0, mode("conf/userconfig.xml") & 0o111), (true, 0));
    fs::set_permissions(from.join("bin/start_prim"), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(signature::of_module(&from).unwrap(), signature::of_module(&to).unwrap());
    let why = unpack(&packed, &to, &Limits::default()).unwrap_err();
    assert!(matches!(why, ArchiveError::Exists(_)));
    let mut left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["a", "a.safe", "b"]);
}

#[test]
fn a_file_is_left_out_and_another_put_in() {
    let all = zip_of(&[(USERCONFIG, b"<safe/>"), ("conf/key", b"old"), ("bin/a", b"a")]);
    let rest = without(all.clone(), &["conf/key", "conf/none"]).unwrap();
    let has = |bytes: &[u8], name: &str| {
        ZipArchive::new(Cursor::new(bytes)).unwrap().index_for_name(name).is_some()
    };
    for name in [USERCONFIG, "bin/a"] {
        assert!(has(&rest, name), "{name}");
    }
    assert!(!has(&rest, "conf/key"));
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("m");
    unpack(&with_file(rest, "conf/key", b"new").unwrap(), &to, &Limits::default()).unwrap();
    assert_eq!(fs::read(to.join("conf/key")).unwrap(), b"new");
    assert_eq!(without(all.clone(), &["conf/none"]).unwrap(), all);
}

#[test]
fn a_link_is_not_packed() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("conf")).unwrap();
    fs::write(dir.path().join(USERCONFIG), "").unwrap();
    std::os::unix::fs::symlink("/etc/shadow", dir.path().join("conf/x")).unwrap();
    assert!(bytes(dir.path()).unwrap_err().to_string().contains("\"conf/x\" is a link"));
    fs::remove_file(dir.path().join(USERCONFIG)).unwrap();
    assert!(matches!(bytes(dir.path()), Err(ArchiveError::NoUserconfig)));
}

#[test]
fn what_unpack_refuses_is_not_packed() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("conf")).unwrap();
    fs::write(dir.path().join(USERCONFIG), vec![0; 3 << 20]).unwrap();
    assert!(matches!(bytes(dir.path()), Err(ArchiveError::Ratio(200))));
    fs::write(dir.path().join("conf/a\\b"), "").unwrap();
    assert!(bytes(dir.path()).unwrap_err().to_string().contains("backslash"));
}

#[test]
fn paths_that_lead_out_are_refused() {
    let good = zip_of(&[CONF, ("bin/aa/passwd", b"x")]);
    for name in [
        "/etc/x/passwd",
        "../../x/passw",
        "bin/../passwd",
        "bin/./apasswd",
        "bin//a/passwd",
        "bin\\aa\\passwd",
        "bin/a\n/passwd",
    ] {
        let error = refused(&renamed(&good, "bin/aa/passwd", name), &Limits::default());
        assert!(error.starts_with("refused archive: entry"), "{name}: {error}");
    }
}

#[test]
fn links_and_devices_are_refused() {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file(USERCONFIG, SimpleFileOptions::default()).unwrap();
    zip.add_symlink("bin/link", "/etc/shadow", SimpleFileOptions::default()).unwrap();
    assert!(refused(&zip.finish().unwrap().into_inner(), &Limits::default()).contains("is a link or device"));
    // A block device: mode 0o060644 in the upper half of the external attributes.
    let mut bytes = zip_of(&[CONF]);
    let central = bytes.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    bytes[central + 40..central + 42].copy_from_slice(&0o060_644u16.to_le_bytes());
    bytes[central + 5] = 3;
    assert!(refused(&bytes, &Limits::default()).contains("is a link or device"));
}

#[test]
fn names_given_twice_are_refused() {
    let same = renamed(&zip_of(&[CONF, ("bin/a", b"1"), ("bin/b", b"2")]), "bin/b", "bin/a");
    assert!(matches!(refused(&same, &Limits::default()).as_str(), "refused archive: a name is given twice"));
    for files in [[CONF, ("bin", b"1"), ("bin/a", b"2")], [CONF, ("bin/a", b"2"), ("bin", b"1")]] {
        assert_eq!(refused(&zip_of(&files), &Limits::default()), "refused archive: a name is given twice");
    }
}

#[test]
fn too_much_is_refused_whatever_the_headers_say() {
    let zeros = vec![0; 3 << 20];
    let bomb = zip_of(&[CONF, ("bin/zeros", &zeros)]);
    assert!(refused(&bomb, &Limits::default()).contains("200 times its size"));
    let small = Limits { unpacked: 2 << 20, ratio: u64::MAX, ..Limits::default() };
    assert!(refused(&bomb, &small).contains("more than 2097152 bytes"));
    // The directory claims one byte: it is counted all the same, or found damaged.
    let mut lying = bomb.clone();
    let central = lying.windows(4).rposition(|w| w == b"PK\x01\x02").unwrap();
    lying[central + 24..central + 28].copy_from_slice(&1u32.to_le_bytes());
    refused(&lying, &small);
    let many = Limits { entries: 1, ..Limits::default() };
    assert!(refused(&bomb, &many).contains("more than 1 entries"));
}

#[test]
fn no_module_is_refused() {
    assert!(refused(&zip_of(&[("bin/a", b"")]), &Limits::default()).contains("conf/userconfig.xml"));
    assert!(refused(b"PK", &Limits::default()).contains("not a readable .safe archive"));
    let mut damaged = zip_of(&[CONF, ("bin/a", b"0123456789012345678901234567890123456789")]);
    let start = damaged.windows(5).position(|w| w == b"bin/a").unwrap() + 8;
    damaged[start] ^= 0xff;
    refused(&damaged, &Limits::default());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn damaged_archives_never_panic_nor_leave_anything(flips in proptest::collection::vec((0..400usize, any::<u8>()), 1..6)) {
        let mut bytes = zip_of(&[CONF, ("bin/start_prim", b"#!/bin/sh\nexit 0\n"), ("web/a/b", b"x")]);
        for (i, b) in flips {
            let i = i % bytes.len();
            bytes[i] = b;
        }
        let dir = tempfile::tempdir().unwrap();
        let dest = dir.path().join("m");
        let done = unpack(&bytes, &dest, &Limits::default());
        let left = fs::read_dir(dir.path()).unwrap().count();
        prop_assert_eq!(left, usize::from(done.is_ok()));
    }
}
