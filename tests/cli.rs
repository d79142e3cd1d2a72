//! The `safekit` program against a scripted daemon: exit codes, outputs, files.

// A test may fail where it stands.
#![allow(clippy::unwrap_used)]

use safekit::control::frame::{self, Hello, Kind};
use safekit::control::{FailureKind, Reply, Request, StateReport};
use safekit::fsm::state::{Readiness, Role};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Output};
use std::thread::JoinHandle;

/// A SAFEVAR and SAFE for one test.
struct Node(tempfile::TempDir);

/// What the daemon is to answer.
struct Script {
    replies: Vec<Reply>,
    attachment: Vec<u8>,
    code: i32,
}

fn script(replies: Vec<Reply>, code: i32) -> Script {
    Script { replies, attachment: Vec::new(), code }
}

impl Node {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("var/run")).unwrap();
        Node(dir)
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn safekit(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_safekit"))
            .args(args)
            .env("SAFE", self.path("safe"))
            .env("SAFEVAR", self.path("var"))
            .env("SAFEKIT_WAIT_MS", "60")
            .env_remove("SAFEMODULE")
            .output()
            .unwrap()
    }

    /// Answers one command; gives back what was asked and attached.
    fn daemon(&self, script: Script) -> JoinHandle<(Request, Vec<u8>)> {
        let path = self.path("var/run/safeadmin.sock");
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(path).unwrap();
        std::thread::spawn(move || serve(listener.accept().unwrap().0, &script))
    }
}

fn serve(mut stream: UnixStream, script: &Script) -> (Request, Vec<u8>) {
    assert_eq!(frame::read(&mut stream).unwrap().json::<Hello>().unwrap(), Hello::ours());
    let request: Request = frame::read(&mut stream).unwrap().json().unwrap();
    let mut attachment = Vec::new();
    while request.has_attachment() {
        let frame = frame::read(&mut stream).unwrap();
        if frame.kind == Kind::LastChunk {
            break;
        }
        attachment.extend(frame.payload);
    }
    let mut wire = frame::encode_json(&Hello::ours()).unwrap();
    for reply in &script.replies {
        wire.extend(frame::encode_json(reply).unwrap());
    }
    for frame in frame::encode_attachment(&script.attachment) {
        wire.extend(frame.unwrap());
    }
    wire.extend(frame::encode_json(&Reply::End { code: script.code }).unwrap());
    frame::write(&mut stream, &wire).unwrap();
    (request, attachment)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn state(role: Role) -> Reply {
    Reply::State(vec![StateReport {
        module: "mirror".parse().unwrap(),
        mode: "mirror".to_owned(),
        role,
        readiness: Readiness::Ready,
        remote: None,
        since: "2024-02-13 09:03:12".to_owned(),
        reason: None,
        resources: Vec::new(),
        script: None,
    }])
}

/// I-4.1.1.
#[test]
fn the_environment_is_printed_without_the_daemon() {
    let out = Command::new(env!("CARGO_BIN_EXE_safekit"))
        .arg("-p")
        .env_remove("SAFE")
        .env_remove("SAFEVAR")
        .output()
        .unwrap();
    let expected = "SAFE=/opt/safekit\nSAFEVAR=/var/safekit\nSAFEBIN=/opt/safekit/private/bin\n";
    assert_eq!(text(&out.stdout), expected);
}

/// I-4.1.3a.
#[test]
fn without_the_daemon_commands_fail() {
    let node = Node::new();
    for args in [
        &["level"][..],
        &["state"],
        &["start", "-m", "mirror"],
        &["state", "-m", "mirror", "-lq"],
        &["module", "list"],
        &["cluster", "confinfo"],
        &["boot", "status"],
    ] {
        let out = node.safekit(args);
        let expected = "Waiting for safeadmin\nError: safeadmin administrator daemon not running\n";
        assert_eq!((text(&out.stderr).as_str(), out.status.code()), (expected, Some(1)), "{args:?}");
    }
}

/// CLI-052, D-9.4.
#[test]
fn the_state_is_the_exit_code() {
    let node = Node::new();
    for (role, code) in [
        (Role::Stop, 0),
        (Role::Wait, 1),
        (Role::Alone, 2),
        (Role::Up, 2),
        (Role::Prim, 3),
        (Role::Second, 4),
    ] {
        let daemon = node.daemon(script(vec![state(role)], 0));
        let out = node.safekit(&["state", "-m", "mirror", "-lq"]);
        assert_eq!((text(&out.stdout), out.status.code()), (format!("{role}\n"), Some(code)));
        daemon.join().unwrap();
    }
}

#[test]
fn errors_and_codes_of_the_daemon_come_through() {
    let node = Node::new();
    let refusal = Reply::error(FailureKind::Refused, "module mirror is in state STOP\nstart it first");
    let daemon = node.daemon(script(vec![Reply::Text("one".to_owned()), refusal], 1));
    let out = node.safekit(&["swap", "-m", "mirror"]);
    assert_eq!(text(&out.stdout), "one\n");
    assert_eq!(text(&out.stderr), "Error: module mirror is in state STOP\nError: start it first\n");
    assert_eq!(out.status.code(), Some(1));
    daemon.join().unwrap();
}

#[test]
fn progress_is_not_shown_on_pipes() {
    let node = Node::new();
    let daemon = node.daemon(script(vec![Reply::Progress("SECOND Transient".to_owned())], 0));
    let out = node.safekit(&["waitstate", "-m", "mirror", "PRIM"]);
    assert_eq!((text(&out.stdout), text(&out.stderr)), (String::new(), String::new()));
    daemon.join().unwrap();
}

#[test]
fn files_of_the_user_are_read_and_written_by_the_command() {
    let node = Node::new();
    let safe = node.path("web.safe");
    std::fs::write(&safe, b"archive").unwrap();
    let daemon = node.daemon(script(vec![], 0));
    assert!(node.safekit(&["module", "install", "-m", "web", &safe]).status.success());
    assert_eq!(daemon.join().unwrap().1, b"archive");

    let packed = node.path("new.safe");
    let args = ["module", "package", "-m", "web", packed.as_str()];
    let daemon = node.daemon(Script { replies: vec![], attachment: b"packed".to_vec(), code: 0 });
    assert!(node.safekit(&args).status.success());
    daemon.join().unwrap();
    assert_eq!(std::fs::read(&packed).unwrap(), b"packed");

    // A failure leaves the file as it was.
    let daemon = node.daemon(script(vec![], 1));
    assert_eq!(node.safekit(&args).status.code(), Some(1));
    daemon.join().unwrap();
    assert_eq!(std::fs::read(&packed).unwrap(), b"packed");

    let missing = node.safekit(&["cluster", "confcheck", &node.path("none.xml")]);
    assert!(text(&missing.stderr).contains("none.xml: No such file"));
}

/// The daemon refuses before it has read everything: the command must live to say why.
#[test]
fn a_refusal_is_shown_though_the_daemon_hung_up() {
    let node = Node::new();
    let big = node.path("big.safe");
    std::fs::write(&big, vec![0; 8 << 20]).unwrap();
    let listener = UnixListener::bind(node.path("var/run/safeadmin.sock")).unwrap();
    let daemon = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut wire = frame::encode_json(&Hello::ours()).unwrap();
        wire.extend(frame::encode_json(&Reply::error(FailureKind::Denied, "permission denied")).unwrap());
        wire.extend(frame::encode_json(&Reply::End { code: 1 }).unwrap());
        frame::write(&mut stream, &wire).unwrap();
    });
    let out = node.safekit(&["module", "install", "-m", "web", &big]);
    assert_eq!((text(&out.stderr).as_str(), out.status.code()), ("Error: permission denied\n", Some(1)));
    daemon.join().unwrap();
}

#[test]
fn a_saved_log_is_a_file() {
    let node = Node::new();
    let line = safekit::control::LogLine {
        id: 1,
        date: "2021-08-06 08:40:20.909224".to_owned(),
        origin: "heart".to_owned(),
        level: safekit::log::Level::E,
        text: "Local state STOP NotReady".to_owned(),
    };
    let daemon = node.daemon(script(vec![Reply::Log(vec![line.clone()]), Reply::Log(vec![line])], 0));
    let file = node.path("f.txt");
    let out = node.safekit(&["logsave", "-m", "mirror", &file]);
    assert!(out.status.success() && out.stdout.is_empty());
    daemon.join().unwrap();
    let one = "| 2021-08-06 08:40:20.909224 | heart | E | Local state STOP NotReady\n";
    assert_eq!(std::fs::read_to_string(&file).unwrap(), one.repeat(2));
}

#[test]
fn special_commands_have_the_environment_and_their_code() {
    use std::os::unix::fs::PermissionsExt;
    let node = Node::new();
    let bin = node.path("safe/private/bin");
    std::fs::create_dir_all(&bin).unwrap();
    let tool = Path::new(&bin).join("tool");
    std::fs::write(&tool, "#!/bin/sh\necho $SAFEVAR $SAFEBIN \"$@\"\nexit 7\n").unwrap();
    std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
    let out = node.safekit(&["-r", "tool", "-l", "--json"]);
    assert_eq!(text(&out.stdout), format!("{} {bin} -l --json\n", node.path("var")));
    assert_eq!(out.status.code(), Some(7));
}

#[test]
fn completions_know_the_commands() {
    let node = Node::new();
    for shell in ["bash", "zsh", "fish"] {
        let out = node.safekit(&["completions", shell]);
        assert!(out.status.success() && text(&out.stdout).contains("primforce"), "{shell}");
    }
}

/// The units are those of systemd, as an installation has them; where systemd is.
#[test]
fn the_units_are_good() {
    let tree = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dir = tempfile::tempdir().unwrap();
    let (build, root) = (dir.path().join("build"), dir.path().join("root"));
    fs::create_dir(&build).unwrap();
    for program in ["safekit", "safeadmin", "safeguard", "safewebserver", "rfsbox"] {
        let path = build.join(program);
        fs::write(&path, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut install = Command::new(tree.join("scripts/install.sh"));
    let installed = install.arg("--build").arg(&build).arg("--root").arg(&root).output().unwrap();
    assert!(installed.status.success(), "{}", text(&installed.stderr));
    for alias in safekit::cli::ALIASES {
        let file = root.join("opt/safekit").join(alias);
        assert!(file.exists(), "install.sh does not make {alias}");
    }
    let systemd = Path::new("/usr/lib/systemd/system");
    if !systemd.is_dir() || Command::new("systemd-analyze").arg("--version").output().is_err() {
        eprintln!("no systemd here: the units are not verified");
        return;
    }
    let beside = root.join("usr/lib/systemd");
    fs::create_dir_all(&beside).unwrap();
    assert!(Command::new("cp").arg("-a").arg(systemd).arg(&beside).status().unwrap().success());
    let mut verify = Command::new("systemd-analyze");
    verify.arg("verify").arg(format!("--root={}", root.display()));
    let units = ["safeguard.service", "safeadmin.service", "safewebserver.service"];
    let out = verify.args(units).output().unwrap();
    assert_eq!((text(&out.stderr).as_str(), out.status.code()), ("", Some(0)));
}
