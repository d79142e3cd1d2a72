//! One node of a cluster under test: its commands, states and logs.

use super::process::{Output, run};
use super::wait::eventually;
use safekit::sandbox::{self, State};
use serde_json::Value;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// `handle_time` of the scenarios' modules.
const HANDLE_TIME: Duration = Duration::from_millis(400);
/// Evaluations after which something that has not happened does not.
const EVALUATIONS: u32 = 10;

/// A machine of the sandbox.
pub struct Node {
    machine: sandbox::Node,
    state: State,
}

impl Node {
    pub(super) fn new(machine: sandbox::Node, state: State) -> Node {
        Node { machine, state }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.machine.name()
    }

    /// The machine of the sandbox.
    pub fn inside(&self) -> &sandbox::Node {
        &self.machine
    }

    pub(super) fn has_daemons(&self) -> bool {
        self.state.daemons && self.machine.is_node()
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = self.machine.command(&self.state, program);
        command.args(arguments);
        run(command)
    }

    /// `safekit ARGUMENTS` on this node.
    pub fn safekit(&self, arguments: &[&str]) -> Output {
        self.run("safekit", arguments)
    }

    /// The same, which must succeed; what it prints.
    #[track_caller]
    pub fn ok(&self, arguments: &[&str]) -> String {
        let output = self.safekit(arguments);
        assert_eq!(output.code, 0, "safekit {} on {}: {output:?}", arguments.join(" "), self.name());
        output.stdout
    }

    /// A shell script on this node.
    pub fn sh(&self, script: &str) -> Output {
        self.run("sh", &["-c", script])
    }

    /// Whether it has the address on an interface.
    pub fn has_address(&self, address: &str) -> bool {
        self.sh("ip -o addr show").stdout.contains(&format!(" {address}/"))
    }

    /// Waits until `safeadmin` answers.
    pub fn wait_admin(&self) {
        eventually(&format!("safeadmin on {}", self.name()), || {
            (self.safekit(&["state"]).code == 0).then_some(())
        });
    }

    /// Installs a module from an archive, as a user would, under a fixed id.
    pub fn unpack(&self, module: &str, id: usize, userconfig: &str, scripts: &[(&str, &str)]) {
        let archive = self.machine.dir().join(format!("{module}.safe"));
        pack(&archive, userconfig, scripts).unwrap_or_else(|e| panic!("{}: {e}", archive.display()));
        let path = archive.to_string_lossy();
        self.ok(&["module", "install", "-m", module, "-M", &id.to_string(), "-r", &path]);
    }

    /// The same, and configures it.
    pub fn install(&self, module: &str, id: usize, userconfig: &str, scripts: &[(&str, &str)]) {
        self.unpack(module, id, userconfig, scripts);
        self.ok(&["config", "-m", module]);
    }

    /// Edits the userconfig.xml of an installed module; `config` is to be run then.
    pub fn edit(&self, module: &str, userconfig: &str) {
        let file = self.machine.safe().join("modules").join(module).join("conf/userconfig.xml");
        std::fs::write(&file, userconfig).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    }

    /// A file that the module's scripts have written in SAFEUSERVAR; empty if there is none.
    pub fn written(&self, module: &str, name: &str) -> String {
        let file = self.machine.safevar().join("modules").join(module).join(name);
        std::fs::read_to_string(file).unwrap_or_default()
    }

    /// What a command prints with `--json`.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        let text = self.ok(&[arguments, &["--json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e} in {text}"))
    }

    /// Process of `safeadmin`, as the machine numbers it.
    pub fn safeadmin(&self) -> Option<i32> {
        let services = self.machine.services().expect("the machine answers");
        services.into_iter().find(|service| service.name == "safeadmin").and_then(|service| service.pid)
    }

    /// Has the failover rules evaluated again and again, each assignment once, for longer than an action
    /// must be selected to be applied (`handle_time`).
    pub fn evaluate(&self, module: &str) {
        let end = Instant::now() + HANDLE_TIME * 3;
        for count in 0.. {
            if count >= EVALUATIONS && Instant::now() >= end {
                return;
            }
            let count = count.to_string();
            self.ok(&["set", "-m", module, "-r", "test.evaluations", "-v", &count, "-n"]);
        }
    }

    /// The state, by the exit code of `state -lq` (CLI-052): `STOP`, `WAIT`, `ALONE`, `PRIM` or `SECOND`
    /// (a farm's UP is `ALONE`); `?` if there is none.
    pub fn state(&self, module: &str) -> &'static str {
        let names = ["STOP", "WAIT", "ALONE", "PRIM", "SECOND"];
        let output = self.safekit(&["state", "-m", module, "-lq"]);
        // Code 1 is also that of a command that fails.
        if output.code == 1 && !output.stdout.contains("WAIT") {
            return "?";
        }
        usize::try_from(output.code).ok().and_then(|code| names.get(code).copied()).unwrap_or("?")
    }

    /// Waits until the module is in this state and stays there: Ready, or NotReady in STOP and WAIT.
    #[track_caller]
    pub fn wait_state(&self, module: &str, wanted: &str) {
        let output = self.safekit(&["waitstate", wanted, "-m", module]);
        let now = self.safekit(&["state", "-m", module]).stdout;
        assert_eq!(output.code, 0, "{module} is not {wanted} on {}: {output:?}; now {now}", self.name());
    }

    /// The value of a resource; `None` if it is not there.
    pub fn resource(&self, module: &str, name: &str) -> Option<String> {
        let modules = self.json(&["state", "-v", "-m", module]);
        let resources = modules[0]["resources"].as_array()?;
        let resource = resources.iter().find(|resource| resource["resource"] == name)?;
        resource["value"].as_str().map(str::to_owned)
    }

    /// The messages of the whole log, oldest first.
    pub fn log(&self, module: &str) -> Vec<String> {
        messages(&self.ok(&["log", "-A", "-s", "5000", "-m", module]))
    }

    /// How many messages there are at present: expectations may begin there.
    pub fn mark(&self, module: &str) -> usize {
        self.log(module).len()
    }

    /// Waits until the log has these texts in this order, after the mark `from`.
    pub fn wait_log(&self, module: &str, from: usize, texts: &[&str]) {
        let what = format!("log of {module} on {}: {texts:?}", self.name());
        eventually(&what, || {
            let log = self.log(module);
            missing(log.get(from..).unwrap_or_default(), texts).is_none().then_some(())
        });
    }

    /// Fails unless the log has these texts in this order, after the mark `from`.
    #[track_caller]
    pub fn assert_log(&self, module: &str, from: usize, texts: &[&str]) {
        let log = self.log(module);
        let new = log.get(from..).unwrap_or_default();
        if let Some(text) = missing(new, texts) {
            panic!(
                "not in the log of {module} on {}, or not in order: {text}\n{}",
                self.name(),
                new.join("\n")
            );
        }
    }

    /// Fails if the log has a text after the mark `from`.
    #[track_caller]
    pub fn assert_not_logged(&self, module: &str, from: usize, text: &str) {
        let log = self.log(module);
        let found = log.iter().skip(from).find(|message| message.contains(text));
        assert!(found.is_none(), "in the log of {module} on {}: {found:?}", self.name());
    }
}

/// The texts of log lines (MSG-L-01: `| date | origin | level | message`).
fn messages(output: &str) -> Vec<String> {
    let text = |line: &str| {
        line.splitn(5, '|').nth(4).map(|text| text.trim().trim_end_matches('|').trim().to_owned())
    };
    output.lines().filter_map(text).collect()
}

/// The first of `texts` that does not follow the one before it.
fn missing<'a>(log: &[String], texts: &[&'a str]) -> Option<&'a str> {
    let mut rest = log.iter();
    texts.iter().copied().find(|text| !rest.any(|message| message.contains(text)))
}

fn pack(archive: &Path, userconfig: &str, scripts: &[(&str, &str)]) -> zip::result::ZipResult<()> {
    let mut zip = ZipWriter::new(File::create(archive)?);
    let file = SimpleFileOptions::default();
    zip.start_file("conf/userconfig.xml", file.unix_permissions(0o644))?;
    zip.write_all(userconfig.as_bytes())?;
    for (name, body) in scripts {
        zip.start_file(format!("bin/{name}"), file.unix_permissions(0o755))?;
        zip.write_all(format!("#!/bin/sh\n{body}\n").as_bytes())?;
    }
    zip.finish()?;
    Ok(())
}

#[test]
fn texts_must_follow_each_other_in_the_log() {
    let log = messages(
        "| 2026-01-01 10:00:00.000001 | heart | S | Local state PRIM Ready\n\
         | 2026-01-01 10:00:00.000002 | user | U | echo a | b\nnot a line of the log\n",
    );
    assert_eq!(log, ["Local state PRIM Ready", "echo a | b"]);
    assert_eq!(missing(&log, &["PRIM", "a | b"]), None);
    assert_eq!(missing(&log, &["a | b", "PRIM"]), Some("PRIM"));
    assert_eq!(missing(&log, &["PRIM", "PRIM"]), Some("PRIM"));
}
