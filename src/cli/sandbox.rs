//! `safekit sandbox`: clusters on one machine (DESIGN 11). Needs no `safeadmin`.

use crate::sandbox::disk::{self, What, Where, server};
use crate::sandbox::{DEFAULT_DIR, Node, Options, Result, Sandbox, SandboxError, console, exec, init};
use clap::{Args, Subcommand};
use nix::sys::stat::{Mode, umask};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Arguments of `safekit sandbox`.
#[derive(Debug, Args)]
pub struct SandboxCommand {
    /// Name of the sandbox.
    #[arg(long, global = true, default_value = "default")]
    name: String,
    /// Directory in which sandboxes live.
    #[arg(long, global = true, default_value = DEFAULT_DIR)]
    dir: PathBuf,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Bring up a cluster: node1, node2, ... at 10.77.<lan>.<node>, a client at 10.77.<lan>.254 and perhaps
    /// client2, ... at 253 and below.
    Up {
        /// How many nodes.
        #[arg(long, default_value_t = 2)]
        nodes: u8,
        /// How many clients.
        #[arg(long, default_value_t = 1)]
        clients: u8,
        /// Names of the LANs.
        #[arg(long, value_delimiter = ',', default_value = "default,repli")]
        lans: Vec<String>,
        /// A directory of which each node gets its own copy; may be repeated.
        #[arg(long)]
        private: Vec<PathBuf>,
        /// Puts SAFEVAR and the private directories on a disk that forgets, at a power failure, what was
        /// not flushed: lossy, or lossy:SIZE with a unit m or g.
        #[arg(long, value_parser = lossy)]
        disk: Option<u64>,
        /// Network and nodes only: no safeguard, safeadmin and safewebserver.
        #[arg(long)]
        no_daemons: bool,
        /// Password of admin in the web console; otherwise one is made up.
        #[arg(long)]
        password: Option<String>,
    },
    /// Run a command inside a node or the client; its exit code is passed on.
    Exec {
        /// node1, node2, ..., client, client2, ...
        node: String,
        /// The command.
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
    /// Unplug a node from one LAN or from all.
    Cut {
        /// The node.
        node: String,
        /// Only from this LAN.
        #[arg(long)]
        lan: Option<String>,
        /// The node loses its carrier, as with a pulled cable; otherwise it sees nothing but silence.
        #[arg(long)]
        carrier: bool,
    },
    /// Plug it in again.
    Heal {
        /// The node.
        node: String,
        /// Only to this LAN.
        #[arg(long)]
        lan: Option<String>,
    },
    /// Power failure: everything of the node dies at once; its disk stays.
    Poweroff {
        /// The node.
        node: String,
        /// Of what a lossy disk has not flushed a random part survives, drawn from this number.
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Boot a node that is off.
    Poweron {
        /// The node.
        node: String,
    },
    /// Make a lossy disk fail, lie or slow, and heal it.
    Disk {
        /// The node.
        node: String,
        #[command(subcommand)]
        fault: Fault,
    },
    /// Start or stop a program of a node, as systemctl does.
    Service {
        /// The node.
        node: String,
        /// What to do.
        #[arg(value_enum)]
        order: Order,
        /// safeguard, safeadmin or safewebserver.
        program: String,
    },
    /// Where the web consoles of the nodes are for a browser on this machine.
    Console {
        /// Only that of this node.
        node: Option<String>,
    },
    /// Show machines, addresses and programs.
    Status {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Take the sandbox down and remove all of it.
    Down,
    #[command(name = init::BOOT, hide = true)]
    Boot { sandbox: PathBuf, machine: String },
    #[command(name = init::INIT, hide = true)]
    Init { sandbox: PathBuf, machine: String },
    #[command(name = console::CONSOLE, hide = true)]
    ServeConsole { sandbox: PathBuf },
    #[command(name = disk::DISK, hide = true)]
    ServeDisk { sandbox: PathBuf, machine: String },
}

#[derive(Debug, Subcommand)]
enum Fault {
    /// Requests fail with EIO: of the whole disk, or of a part.
    Fail {
        /// Which requests.
        #[arg(value_enum, default_value = "all")]
        what: Requests,
        /// Only from this byte of the disk on, and up to this one: FROM-TO.
        #[arg(long, value_parser = range, conflicts_with = "file")]
        at: Option<(u64, u64)>,
        /// Only where the content of this file lies (of a replicated directory name the renamed one).
        #[arg(long)]
        file: Option<PathBuf>,
    },
    /// Flushes are acknowledged, but a power failure takes what they were to make durable.
    Lie,
    /// Every request takes so many milliseconds longer; a "sync" of this whole machine waits for it too.
    Slow {
        /// How many.
        #[arg(value_parser = clap::value_parser!(u64).range(..=60_000))]
        milliseconds: u64,
    },
    /// All is well again.
    Heal,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Requests {
    Reads,
    Writes,
    All,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Order {
    Start,
    Stop,
}

/// Runs the command and returns the exit code. It must be called before the process has other threads:
/// `exec` moves the process into another machine.
pub fn run(command: SandboxCommand) -> Result<i32> {
    let SandboxCommand { name, dir, action } = command;
    let open = || Sandbox::open(&dir, &name);
    if !matches!(action, Action::Exec { .. }) {
        // Users of the nodes are to be let into what is made, whoever makes it.
        umask(Mode::from_bits_truncate(0o022));
    }
    match action {
        Action::Up { nodes, clients, lans, private, disk, no_daemons, password } => {
            let (daemons, programs) = (!no_daemons, programs()?);
            up(&Options { name, dir, nodes, clients, lans, private, disk, daemons, password, programs })?;
        }
        Action::Exec { node, command } => {
            let (sandbox, state) = open()?;
            return exec(&sandbox.machine_or_switch(&state, &node)?, &state, &command);
        }
        Action::Cut { node, lan, carrier } => open()?.0.cut(&node, lan.as_deref(), carrier)?,
        Action::Heal { node, lan } => open()?.0.heal(&node, lan.as_deref())?,
        Action::Poweroff { node, seed: None } => open()?.0.poweroff(&node)?,
        Action::Poweroff { node, seed: Some(seed) } => open()?.0.poweroff_scattered(&node, seed)?,
        Action::Poweron { node } => open()?.0.poweron(&node)?,
        Action::Disk { node, fault } => {
            let (sandbox, state) = open()?;
            spoil(&sandbox.machine(&state, &node)?, fault)?;
        }
        Action::Service { node, order, program } => {
            let (sandbox, state) = open()?;
            let node = sandbox.machine(&state, &node)?;
            match order {
                Order::Start => node.start_service(&program)?,
                Order::Stop => node.stop_service(&program)?,
            }
        }
        Action::Console { node } => show_consoles(&open()?.0, node.as_deref())?,
        Action::Status { json } => status(&open()?.0, json)?,
        Action::Down => Sandbox::down(&dir, &name)?,
        Action::Boot { sandbox, machine } => init::boot(&sandbox, &machine)?,
        Action::Init { sandbox, machine } => init::run(&sandbox, &machine)?,
        Action::ServeConsole { sandbox } => console::run(&sandbox)?,
        Action::ServeDisk { sandbox, machine } => server::run(&sandbox, &machine)?,
    }
    Ok(0)
}

fn up(options: &Options) -> Result<()> {
    let sandbox = Sandbox::up(options)?;
    print!("{}", sandbox.status()?);
    let chosen = if options.name == "default" { String::new() } else { format!(" --name {}", options.name) };
    println!("look around: safekit sandbox exec{chosen} node1 -- bash");
    println!("clean up:    safekit sandbox down{chosen}");
    Ok(())
}

fn spoil(node: &Node, fault: Fault) -> Result<()> {
    match fault {
        Fault::Fail { what, at, file } => {
            let what = match what {
                Requests::Reads => What::Reads,
                Requests::Writes => What::Writes,
                Requests::All => What::All,
            };
            let place = match (at, file) {
                (_, Some(file)) => Where::File(file),
                (Some((from, to)), None) => Where::Between(from, to),
                (None, None) => Where::Everywhere,
            };
            node.disk_fail(what, &place)
        }
        Fault::Lie => node.disk_lie(),
        Fault::Slow { milliseconds } => node.disk_slow(Duration::from_millis(milliseconds)),
        Fault::Heal => node.disk_heal(),
    }
}

/// The size of `lossy` or `lossy:SIZE` in bytes.
fn lossy(text: &str) -> std::result::Result<u64, String> {
    let size = match text.split_once(':') {
        None if text == "lossy" => return Ok(disk::DEFAULT_SIZE),
        Some(("lossy", size)) => size,
        _ => return Err("\"lossy\" or \"lossy:SIZE\" is expected".into()),
    };
    let unit = |letter: char, shift: u32| {
        let number = size.strip_suffix([letter, letter.to_ascii_uppercase()])?;
        number.parse::<u64>().ok()?.checked_mul(1 << shift)
    };
    unit('m', 20)
        .or_else(|| unit('g', 30))
        .ok_or_else(|| "a size is a number with m or g, as in lossy:512m".into())
}

/// `FROM-TO`.
fn range(text: &str) -> std::result::Result<(u64, u64), String> {
    let ends = text.split_once('-').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
    ends.filter(|(from, to)| from < to)
        .ok_or_else(|| "two numbers of bytes are expected, as in 0-4096".into())
}

fn show_consoles(sandbox: &Sandbox, node: Option<&str>) -> Result<()> {
    let consoles = sandbox.consoles()?;
    let wanted = |name: &str| node.is_none_or(|node| node == name);
    if !consoles.iter().any(|c| wanted(&c.node)) {
        let known = consoles.iter().map(|c| c.node.as_str()).collect::<Vec<_>>().join(", ");
        let (what, name) = ("console", node.unwrap_or("of any node").to_owned());
        return Err(SandboxError::NoSuch { what, name, known });
    }
    for console in consoles.iter().filter(|c| wanted(&c.node)) {
        println!("console of {}: {}", console.node, console.url);
    }
    println!("user admin, password {}", sandbox.status()?.password);
    Ok(())
}

fn status(sandbox: &Sandbox, json: bool) -> Result<()> {
    let status = sandbox.status()?;
    if json {
        let text = serde_json::to_string_pretty(&status)
            .map_err(|e| SandboxError::Io { what: "print the status".into(), source: e.into() })?;
        println!("{text}");
    } else {
        print!("{status}");
    }
    Ok(())
}

/// Where this program is: the others lie beside it.
fn programs() -> Result<PathBuf> {
    let io = |source| SandboxError::Io { what: "find the program safekit".into(), source };
    let program = std::env::current_exe().map_err(io)?;
    Ok(program.parent().unwrap_or(Path::new("/")).to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, Parser};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        sandbox: SandboxCommand,
    }

    fn parse(line: &str) -> SandboxCommand {
        Line::try_parse_from(line.split(' ')).unwrap_or_else(|e| panic!("{e}")).sandbox
    }

    #[test]
    fn the_commands_are_consistent() {
        Line::command().debug_assert();
    }

    #[test]
    fn what_follows_the_dashes_belongs_to_the_command_inside() {
        let command = parse("sandbox exec --name a node1 -- ip --name b -H");
        assert_eq!(command.name, "a");
        let Action::Exec { node, command } = command.action else { panic!("not exec") };
        assert_eq!(
            (node.as_str(), command),
            ("node1", ["ip", "--name", "b", "-H"].map(OsString::from).to_vec())
        );
    }

    #[test]
    fn a_lossy_disk_has_a_size() {
        assert_eq!(lossy("lossy"), Ok(disk::DEFAULT_SIZE));
        assert_eq!(lossy("lossy:512m"), Ok(512 << 20));
        assert_eq!(lossy("lossy:3G"), Ok(3 << 30));
        for bad in
            ["", "lossless", "lossy:", "lossy:512", "lossy:m", "lossy:-1m", "lossy:99999999999999999999g"]
        {
            assert!(lossy(bad).is_err(), "{bad}");
        }
        assert_eq!(range("0-4096"), Ok((0, 4096)));
        for bad in ["", "4096", "5-5", "9-1", "a-b"] {
            assert!(range(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn up_has_the_documented_defaults() {
        let command = parse("sandbox up --private /a --private /b");
        assert_eq!((command.name.as_str(), command.dir.as_path()), ("default", Path::new(DEFAULT_DIR)));
        let Action::Up { nodes, clients, lans, private, disk: None, no_daemons, password: None } =
            command.action
        else {
            panic!("not up")
        };
        assert_eq!((nodes, clients, no_daemons), (2, 1, false));
        assert_eq!(lans, ["default", "repli"]);
        assert_eq!(private, [Path::new("/a"), Path::new("/b")]);
    }
}
