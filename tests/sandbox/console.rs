use super::services::with_programs;
use super::{Cluster, eventually};
use safekit::sandbox::{Options, Sandbox, WEB};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

/// Says which node it is, and who it runs as.
const WEB_SERVER: &str = r#"#!/usr/bin/env python3
import os, pwd, http.server
class Here(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = f"{os.environ['SAFEKIT_NODE']} {pwd.getpwuid(os.getuid()).pw_name} {os.getgroups()}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
http.server.ThreadingHTTPServer(("127.0.0.1", 9010), Here).serve_forever()
"#;

/// The body of what a console answers; none if it does not.
fn get(url: &str) -> Option<String> {
    let mut stream = TcpStream::connect(url.strip_prefix("http://")?.trim_end_matches('/')).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    Some(text.split_once("\r\n\r\n")?.1.to_owned())
}

#[test]
fn each_node_has_a_console_that_this_machine_reaches() {
    let (dir, mut options) = with_programs("console", "#!/bin/sh\nexec sleep 1000\n");
    let program = dir.path().join(WEB);
    fs::write(&program, WEB_SERVER).expect("write");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("make it executable");
    options.password = Some("a word".to_owned());
    let cluster = Cluster::up(&options);
    let (sandbox, state) = Sandbox::open(&options.dir, &options.name).expect("it is there");
    let status = sandbox.status().expect("its status");
    assert_eq!(status.password, "a word");
    let names: Vec<_> = status.consoles.iter().map(|c| c.node.as_str()).collect();
    assert_eq!(names, ["node1", "node2"]);
    for console in &status.consoles {
        let wanted = format!("{} safekit []", console.node);
        let answered = || get(&console.url).is_some_and(|text| text == wanted);
        eventually("the console answers", answered);
    }
    power_and_service(&cluster, &status.consoles[0].url);
    passwords(&cluster, &state.account);
    let listening = sandbox.dir().join("console.json");
    let listening: serde_json::Value =
        serde_json::from_slice(&fs::read(listening).expect("it listens")).expect("it is JSON");
    let pid = i32::try_from(listening["pid"].as_i64().expect("a pid")).expect("a pid");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL)
        .expect("kill it");
    eventually("no console is shown", || sandbox.status().expect("its status").consoles.is_empty());
    let again = sandbox.consoles().expect("another process");
    eventually("the new one answers", || get(&again[1].url).is_some_and(|text| text.starts_with("node2")));
    drop(cluster);
    assert!(TcpStream::connect(again[1].url.trim_start_matches("http://").trim_end_matches('/')).is_err());
}

/// `/root` and the like: nothing is made where the web service could not start.
#[test]
fn a_directory_that_lets_nobody_through_is_refused() {
    let (programs, options) = with_programs("closed", "#!/bin/sh\nexec sleep 1000\n");
    fs::write(programs.path().join(WEB), WEB_SERVER).expect("write");
    let closed = tempfile::tempdir().expect("a directory");
    fs::set_permissions(closed.path(), fs::Permissions::from_mode(0o700)).expect("close it");
    let options = Options { dir: closed.path().join("boxes"), ..options };
    let refused = Sandbox::up(&options).expect_err("it is refused").to_string();
    let (dir, advice) = (closed.path().display(), format!("run \"chmod o+x {}\"", closed.path().display()));
    assert!(
        refused.contains(&format!("user safekit, who is not let through {dir} (mode 0700)")),
        "{refused}"
    );
    assert!(refused.contains(&advice) && refused.contains("--dir"), "{refused}");
    assert_eq!(fs::read_dir(closed.path()).expect("list").count(), 0, "nothing is left");
}

/// A console goes with its node and its service, and comes back with them.
fn power_and_service(cluster: &Cluster, url: &str) {
    let (sandbox, node1) = (&cluster.sandbox, cluster.machine("node1"));
    let answers = || get(url).is_some_and(|text| text.starts_with("node1"));
    node1.stop_service(WEB).expect("stop it");
    assert!(!answers());
    sandbox.poweroff("node1").expect("power off");
    assert!(!answers());
    sandbox.poweron("node1").expect("power on");
    eventually("the console is back", answers);
    let manager = |line: &str| {
        let script = format!(
            "python3 -c 'import os,socket;s=socket.socket(socket.AF_UNIX);s.connect(os.environ[\"SAFEKIT_SUPERVISOR\"]);s.send(b\"{line}\\n\");print(s.recv(4096).decode())'"
        );
        cluster.says("node1", &script)
    };
    assert!(manager(&format!("disable {WEB}")).contains("\"boot\":false"));
    sandbox.poweroff("node1").expect("power off");
    sandbox.poweron("node1").expect("power on");
    let web = || node1.services().expect("list").into_iter().find(|s| s.name == WEB).expect("it is known");
    assert_eq!((web().pid, web().starts, web().boot), (None, 0, false));
    manager(&format!("enable {WEB}"));
    assert!(web().boot);
}

/// The files of the web service belong to it, and nobody else reads them.
fn passwords(cluster: &Cluster, account: &safekit::sandbox::Account) {
    let conf = cluster.machine("node1").safe().join("web/conf");
    for (name, mode) in [("", 0o750), ("user.conf", 0o440), ("rcmd.conf", 0o440), ("httpd.conf", 0o640)] {
        let meta = conf.join(name).metadata().expect("it is there");
        let found = (meta.uid(), meta.gid(), meta.mode() & 0o777);
        assert_eq!(found, (account.uid, account.gid, mode), "{name}");
    }
    let read = |node: &str, name: &str| {
        fs::read(cluster.machine(node).safe().join("web/conf").join(name)).expect("it is there")
    };
    assert_eq!(read("node1", "rcmd.conf"), read("node2", "rcmd.conf"), "one secret for all nodes");
    assert_eq!(read("node1", "user.conf"), read("node2", "user.conf"));
    assert_eq!(cluster.says("node1", "getent group safekit | cut -d: -f3"), account.gid.to_string());
    let state = cluster.sandbox.dir().join("sandbox.json");
    assert_eq!(Path::new(&state).metadata().expect("it is there").mode() & 0o777, 0o600);
}
