//! Command lines and what they become.

use super::*;
use crate::control::{CleanWhat, InstallSource, LogChoice, Request, Until};
use crate::fsm::command::Command;
use crate::fsm::resource::{ResourceName, Value};
use crate::fsm::state::Role;
use clap::CommandFactory;
use proptest::prelude::*;

fn words(line: &str) -> Vec<OsString> {
    let line = format!("safekit {line}");
    shlex::split(&line).unwrap().into_iter().map(OsString::from).collect()
}

fn job(line: &str) -> Result<Job, CliError> {
    parse(&words(line), &Context::default())
}

fn request(line: &str) -> Request {
    match job(line) {
        Ok(Job::Ask(ask)) => ask.request,
        other => panic!("{line}: {other:?}"),
    }
}

fn am() -> crate::ids::ModuleName {
    "mirror".parse().unwrap()
}

#[test]
fn the_tree_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_has_an_example_in_its_help() {
    fn visit(command: &clap::Command, path: &str) {
        for sub in command.get_subcommands().filter(|c| !c.is_hide_set()) {
            let path = format!("{path} {}", sub.get_name());
            if sub.has_subcommands() && sub.get_name() != "sandbox" {
                visit(sub, &path);
            } else {
                let help = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains(&path), "{path}: {help}");
            }
        }
    }
    visit(&Cli::command(), "safekit");
}

/// The whole table is in `snapshots/`: one line for each form that spec/cli.md gives.
#[test]
fn command_lines_of_the_guide() {
    let table: String = include_str!("lines.txt")
        .lines()
        .map(|line| match job(line) {
            Ok(job) => format!("{line}\n    {job:?}\n"),
            Err(e) => panic!("{line}: {e}"),
        })
        .collect();
    insta::assert_snapshot!(table);
}

#[test]
fn control_commands() {
    let control = |command, identity: Option<&str>, user: Option<&str>| Request::Control {
        module: am(),
        command,
        identity: identity.map(str::to_owned),
        user: user.map(str::to_owned),
    };
    for (line, wanted) in [
        ("start -m mirror", control(Command::Start, None, None)),
        ("swap nosync -m mirror", control(Command::Swap { nosync: true }, None, None)),
        ("swap -m mirror", control(Command::Swap { nosync: false }, None, None)),
        ("second -m mirror fullsync", control(Command::Second { fullsync: true }, None, None)),
        ("prim -m mirror -u web@10.0.0.103", {
            control(Command::Prim { fullsync: false }, None, Some("web@10.0.0.103"))
        }),
        ("restart -m mirror -i customscript", control(Command::Restart, Some("customscript"), None)),
        ("checker off -m mirror", control(Command::Checker(false), None, None)),
        ("waitstate -m mirror PRIM", { Request::Wait { module: am(), until: Until::State(Role::Prim) } }),
        ("clean -m mirror", Request::Clean { module: Some(am()), what: CleanWhat::All }),
    ] {
        assert_eq!(request(line), wanted, "{line}");
    }
}

#[test]
fn the_table_of_commands_names_them_as_they_are_typed() {
    let others = [Command::PrimForce, Command::SecondForce { after: 1_456_833_600 }];
    for command in Command::MENU.into_iter().chain(others) {
        let more = match command {
            Command::StopWait => " -i checker",
            Command::SecondForce { .. } => " -d 2016-03-01T12:00:00Z",
            _ => "",
        };
        let line = format!("{}{more} -m mirror", command.known().typed);
        assert!(
            matches!(request(&line), Request::Control { command: found, .. } if found == command),
            "{line}"
        );
    }
}

#[test]
fn set_takes_any_value() {
    let set = |value: &str, log| Request::Set {
        module: am(),
        resource: ResourceName::new("custom", "my.res"),
        value: Value::from(value),
        log,
        identity: None,
    };
    assert_eq!(request("set -r custom.my.res -v up -m mirror"), set("up", LogChoice::Default));
    assert_eq!(request("set -m mirror -r custom.my.res -v -5 -n"), set("-5", LogChoice::Never));
    assert_eq!(request("set -m mirror -r custom.my.res -v down -l"), set("down", LogChoice::Always));
}

#[test]
fn safemodule_stands_for_m() {
    let context = Context { module: Some("mirror".to_owned()) };
    for (line, module) in
        [("incloop -i h", "mirror"), ("stop -m other", "other"), ("state", "mirror"), ("clean", "mirror")]
    {
        match parse(&words(line), &context) {
            Ok(Job::Ask(ask)) => assert_eq!(ask.request.module().unwrap().as_str(), module, "{line}"),
            other => panic!("{line}: {other:?}"),
        }
    }
    let bad = Context { module: Some("../x".to_owned()) };
    assert!(
        parse(&words("stop"), &bad).unwrap_err().to_string().starts_with("environment variable SAFEMODULE")
    );
}

#[test]
fn special_commands_keep_all_their_words() {
    let kept = job("-r boundcmd 5 ls -l --json -H -- x").unwrap();
    let expected = ["boundcmd", "5", "ls", "-l", "--json", "-H", "--", "x"].map(OsString::from);
    assert!(matches!(kept, Job::Special(words) if words == expected));
}

#[test]
fn a_file_is_attached_a_name_is_a_template() {
    let Job::Ask(ask) = job("module install -m web -M 5 -r /tmp/web.safe").unwrap() else { panic!() };
    assert_eq!(ask.attach.as_deref(), Some(std::path::Path::new("/tmp/web.safe")));
    let Job::Ask(ask) = job("module install -m web").unwrap() else { panic!() };
    assert_eq!(ask.attach, None);
    let source = InstallSource::Template("web.safe".to_owned());
    assert!(matches!(ask.request, Request::ModuleInstall { source: s, id: None, .. } if s == source));
}

#[test]
fn wrong_lines() {
    for (line, code, text) in [
        ("start", 2, "which module?"),
        ("start -m ../etc", 2, "is not a module name"),
        ("frobnicate", 2, "unrecognized subcommand"),
        ("state -m mirror -l", 2, "-q"),
        ("state -m mirror -v -lq", 2, "cannot be used with"),
        ("swap fullsync -m mirror", 2, "invalid value"),
        ("waitstate -m mirror READY", 2, "invalid value"),
        ("checker -m mirror", 2, "required"),
        ("set -m mirror -r custom -v up", 2, "is not a resource name"),
        ("set -m mirror -r custom.x", 2, "-v"),
        ("set -m mirror -r custom.x -v up -n -l", 2, "cannot be used with"),
        ("stopwait -m mirror", 2, "-i"),
        ("logsave -m mirror f.txt", 2, "absolute path"),
        ("module package -m mirror m.safe", 2, "absolute path"),
        ("module install -m mirror -M 0", 2, "0 is not in"),
        ("module getports", 2, "which module?"),
        ("boot on", 2, "which module?"),
        ("cluster config /tmp/cluster.txt", 2, ".xml or .zip"),
        ("cluster config /tmp/a.xml locked", 2, "lock or unlock"),
        ("-r", 2, "special command"),
        ("-p state", 2, "cannot be used"),
        ("errd suspend -m mirror", 1, "not supported yet: safekit errd suspend"),
        ("kill -name=\"x\" -level=\"9\"", 1, "not supported yet: safekit kill"),
        ("secondforce -d 2024 -m mirror", 2, "write YYYY-MM-DD"),
        ("secondforce -m mirror", 2, "-d"),
        ("rfssync external -m mirror", 2, "rfssync external prim|second <uid>"),
        ("rfssync prim monday -m mirror", 2, "rfssync -d prim|second <uid>"),
        ("rfssync -d full -m mirror", 2, "write rfssync"),
        ("rfssync external both monday -m mirror", 2, "neither prim nor second"),
        ("rfssync external prim \"two words\" -m mirror", 2, "without blanks"),
        ("rfssync full", 2, "which module?"),
        ("boot snmpstatus", 1, "not supported on Linux: safekit boot snmpstatus"),
        ("safeagent start", 1, "not supported on Linux: safekit safeagent"),
    ] {
        let error = job(line).map(|job| panic!("{line}: {job:?}")).unwrap_err();
        let shown = error.to_string();
        assert!(shown.contains(text), "{line}: {shown}");
        let found = match &error {
            CliError::Clap(e) => e.exit_code(),
            CliError::Usage(_) => 2,
            _ => 1,
        };
        assert_eq!(found, code, "{line}");
    }
}

#[test]
fn messages_are_one_line() {
    let Request::Print { text, .. } = request("printe -m mirror \" a\nb \"") else { panic!() };
    assert_eq!(text, "a b");
}

proptest! {
    #[test]
    fn arbitrary_words_never_panic(words in proptest::collection::vec("[-a-zA-Z./ ]{0,12}", 0..6)) {
        let args: Vec<OsString> =
            ["safekit".into()].into_iter().chain(words.into_iter().map(OsString::from)).collect();
        let _ = parse(&args, &Context::default());
    }
}
