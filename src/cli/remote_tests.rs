use super::*;
use crate::cli::{Context, parse};
use crate::control::{LevelReport, ModuleRow};
use std::ffi::OsString;

fn job(line: &str) -> Result<Job, CliError> {
    let words = shlex::split(&format!("safekit {line}")).unwrap();
    parse(&words.into_iter().map(OsString::from).collect::<Vec<_>>(), &Context::default())
}

fn remote(line: &str) -> Remote {
    match job(line) {
        Ok(Job::Remote(remote)) => remote,
        other => panic!("{line}: {other:?}"),
    }
}

/// CLI-015: before the command, after it, and glued to its option.
#[test]
fn the_nodes_stand_anywhere() {
    let wanted = remote("-H node1,node2 config -m mirror");
    assert!(matches!(&wanted, Remote::Command { hosts, .. } if hosts == "node1,node2"));
    for line in [
        "config -H node1,node2 -m mirror",
        "config -m mirror -H node1,node2",
        "-Hnode1,node2 config -m mirror",
    ] {
        assert_eq!(remote(line), wanted, "{line}");
    }
    let Remote::Command { ask, .. } = remote("module list --json -H \"*\"") else { panic!() };
    assert_eq!((ask.request, ask.print), (Request::ModuleList, Print::Json));
}

#[test]
fn what_is_given_to_other_nodes() {
    let (hosts, module) = (Some("*".to_owned()), "mirror".parse().unwrap());
    assert_eq!(remote("-H \"*\" -G"), Remote::Cluster { hosts: hosts.clone(), json: false });
    assert_eq!(remote("-G --json"), Remote::Cluster { hosts: None, json: true });
    assert_eq!(remote("-E mirror -H \"*\""), Remote::Module { hosts, module, json: false });
    for line in ["-G -E mirror", "-p -G", "-G state", "-E mirror state", "--json state", "-E ../x"] {
        assert!(job(line).is_err(), "{line}");
    }
}

/// CLI-016.
#[test]
fn local_commands_stay_on_this_node() {
    for (line, name) in [
        ("-H \"*\" logview -m mirror", "logview"),
        ("logview -m mirror -H \"*\"", "logview"),
        ("-H \"*\" -p", "-p"),
        ("-p -H \"*\"", "-p"),
        ("-H \"*\" -r processtree list all", "-r"),
        ("-Hnode1 -r processtree list all", "-r"),
        ("-H \"*\" cluster config /tmp/cluster.xml", "cluster config"),
        ("-H \"*\" cluster confcheck /tmp/cluster.xml", "cluster confcheck"),
        ("-H \"*\" cluster genkey", "cluster genkey"),
        ("-H \"*\" cluster delkey", "cluster delkey"),
        ("-H \"*\" firewallcfg add", "firewallcfg"),
        ("-H \"*\" webserver restart", "webserver restart"),
        ("-H \"*\" sandbox status", "this command"),
        ("-H \"*\" completions bash", "this command"),
    ] {
        let error = job(line).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&format!("-H cannot be used with {name}:")), "{line}: {text}");
        assert_eq!(error.report(), 2);
    }
    // What follows -r belongs to the special command.
    assert!(
        matches!(job("-r boundcmd 5 safekit -H \"*\" level"), Ok(Job::Special(words)) if words.len() == 6)
    );
}

#[test]
fn each_node_has_its_file() {
    for (path, node, wanted) in [
        ("/tmp/f.txt", "node1", "/tmp/f_node1.txt"),
        ("/tmp/m", "node2", "/tmp/m_node2"),
        ("/tmp/m.safe", "http://[fd00::1]:9010", "/tmp/m_http____fd00__1__9010.safe"),
        ("/tmp/m.safe", "../../etc/x", "/tmp/m_.._.._etc_x.safe"),
    ] {
        assert_eq!(of_node(Path::new(path), node), Path::new(wanted), "{path} {node}");
    }
}

#[test]
fn the_exit_code_of_all_is_the_highest() {
    let code = |codes: &[i32]| {
        let codes: Vec<_> = codes.iter().map(|code| ("n".to_owned(), *code)).collect();
        summary(&codes, true).unwrap()
    };
    assert_eq!([code(&[0, 0]), code(&[0, 1]), code(&[3, 1, 0]), code(&[-1, 0])], [0, 1, 3, 1]);
}

#[test]
fn json_has_what_each_node_says_as_values() {
    let level = LevelReport {
        host: "n".into(),
        os: "o".into(),
        safekit: "s".into(),
        license: "l".into(),
        module: None,
    };
    let rows = vec![ModuleRow { module: "m".parse().unwrap(), id: 1, mode: None, configured: true }];
    let values = [Reply::Level(level), Reply::Modules(rows)].iter().flat_map(values).collect::<Vec<_>>();
    assert_eq!(values[0]["host"], "n");
    assert_eq!(values[1][0]["module"], "m");
}
