//! The node: boot, shutdown, cleaning, firewall, and what a later version will have.

use super::args::{JsonArg, ModuleArg};
use super::job::{Ask, CliError, Context, Job, Print};
use crate::control::{BootOp, CleanWhat, FirewallOp, Request, WebserverOp};
use crate::ids::ModuleName;
use clap::{Args, Subcommand, ValueEnum};

/// Commands on the node.
#[derive(Debug, Subcommand)]
pub enum NodeCommand {
    /// Boot start of a module; without -m the setting of all
    #[command(after_help = "Examples:\n  safekit boot status\n  safekit boot -m mirror on")]
    Boot(BootArgs),
    /// Stop all running modules
    #[command(after_help = "Example:\n  safekit shutdown")]
    Shutdown,
    /// Clean the log, the resources or the processes of a module
    #[command(after_help = "Examples:\n  safekit clean log -m mirror\n  safekit clean all -m mirror")]
    Clean(CleanArgs),
    /// Open or close the ports of SafeKit or of a module in the local firewall
    #[command(after_help = "Examples:\n  safekit firewallcfg add\n  safekit firewallcfg add mirror")]
    Firewallcfg(FirewallArgs),
    /// Start, stop or restart the web service, or print whether it runs
    #[command(after_help = "Examples:\n  safekit webserver restart\n  safekit webserver status")]
    Webserver {
        /// The operation; start and restart end when it answers
        #[arg(value_enum, default_value = "status")]
        op: WebserverWord,
    },
    /// Completion script of a shell
    #[command(after_help = "Example:\n  safekit completions bash > /etc/bash_completion.d/safekit")]
    Completions {
        /// bash, zsh or fish
        shell: clap_complete::Shell,
    },
    /// Processes monitoring.
    #[command(hide = true)]
    Errd(Later),
    /// Kill of monitored processes.
    #[command(hide = true)]
    Kill(Later),
    /// Snapshot for the support.
    #[command(hide = true)]
    Snapshot(Later),
    /// Dump for the support.
    #[command(hide = true)]
    Dump(Later),
    /// Removal of the package.
    #[command(hide = true)]
    Uninstall(Later),
    /// SNMP agent of Windows.
    #[command(hide = true)]
    Safeagent(Later),
}

/// Arguments of `boot`.
#[derive(Args, Debug)]
pub struct BootArgs {
    #[command(flatten)]
    module: ModuleArg,
    /// The operation
    #[arg(value_enum, default_value = "status")]
    op: BootWord,
    #[command(flatten)]
    json: JsonArg,
}

/// Word of `boot`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BootWord {
    /// Start the module at boot
    On,
    /// Do not start it
    Off,
    /// Print the setting
    Status,
    /// Start the web service at boot
    Webon,
    /// Do not start it
    Weboff,
    /// Print the setting of the web service
    Webstatus,
    /// SNMP agent on.
    #[value(hide = true)]
    Snmpon,
    /// SNMP agent off.
    #[value(hide = true)]
    Snmpoff,
    /// SNMP agent status.
    #[value(hide = true)]
    Snmpstatus,
}

/// Word of `webserver`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WebserverWord {
    /// Start it
    Start,
    /// Stop it
    Stop,
    /// Stop and start it
    Restart,
    /// Print running or stopped
    Status,
}

impl WebserverWord {
    fn op(self) -> WebserverOp {
        match self {
            WebserverWord::Start => WebserverOp::Start,
            WebserverWord::Stop => WebserverOp::Stop,
            WebserverWord::Restart => WebserverOp::Restart,
            WebserverWord::Status => WebserverOp::Status,
        }
    }
}

/// Arguments of `clean`.
#[derive(Args, Debug)]
pub struct CleanArgs {
    #[command(flatten)]
    module: ModuleArg,
    /// What to clean
    #[arg(value_enum, default_value = "all")]
    what: CleanWhat,
}

/// Arguments of `firewallcfg`.
#[derive(Args, Debug)]
pub struct FirewallArgs {
    /// The operation
    #[arg(value_enum)]
    op: FirewallOp,
    /// The module; without it the ports of safeadmin and the web service
    #[arg(value_name = "AM")]
    module: Option<ModuleName>,
}

/// Arguments of a command that is not there yet: whatever they are, the answer is the same.
#[derive(Args, Debug)]
pub struct Later {
    /// Its arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

impl NodeCommand {
    /// The job of this command.
    pub fn job(self, context: &Context) -> Result<Job, CliError> {
        let later = |command: &str, later: Later| {
            let first = later.words.first().filter(|w| !w.starts_with('-'));
            let words: Vec<&str> = [command].into_iter().chain(first.map(String::as_str)).collect();
            Err(CliError::NotYet(words.join(" ")))
        };
        match self {
            NodeCommand::Boot(args) => args.job(context),
            NodeCommand::Shutdown => Ok(Job::text(Request::Shutdown)),
            NodeCommand::Clean(args) => {
                Ok(Job::text(Request::Clean { module: args.module.optional(context)?, what: args.what }))
            }
            NodeCommand::Firewallcfg(args) => {
                Ok(Job::text(Request::Firewall { op: args.op, module: args.module }))
            }
            NodeCommand::Webserver { op } => Ok(Job::text(Request::Webserver { op: op.op() })),
            NodeCommand::Completions { shell } => Ok(Job::Completions(shell)),
            NodeCommand::Errd(words) => later("errd", words),
            NodeCommand::Kill(words) => later("kill", words),
            NodeCommand::Snapshot(words) => later("snapshot", words),
            NodeCommand::Dump(words) => later("dump", words),
            NodeCommand::Uninstall(words) => later("uninstall", words),
            NodeCommand::Safeagent(_) => Err(CliError::NotLinux("safeagent".to_owned())),
        }
    }
}

impl BootArgs {
    fn job(self, context: &Context) -> Result<Job, CliError> {
        let web = |op| Ok(Job::text(Request::Webserver { op }));
        let not_linux = |word: &str| Err(CliError::NotLinux(format!("boot {word}")));
        let op = match self.op {
            BootWord::On => BootOp::On,
            BootWord::Off => BootOp::Off,
            BootWord::Status => BootOp::Status,
            BootWord::Webon => return web(WebserverOp::BootOn),
            BootWord::Weboff => return web(WebserverOp::BootOff),
            BootWord::Webstatus => return web(WebserverOp::BootStatus),
            BootWord::Snmpon => return not_linux("snmpon"),
            BootWord::Snmpoff => return not_linux("snmpoff"),
            BootWord::Snmpstatus => return not_linux("snmpstatus"),
        };
        let module = match op {
            BootOp::Status => self.module.optional(context)?,
            BootOp::On | BootOp::Off => Some(self.module.required(context)?),
        };
        let print = match (self.json.json, &module) {
            (true, _) => Print::Json,
            (false, Some(_)) => Print::Bare,
            (false, None) => Print::Text,
        };
        Ok(Job::Ask(Ask { request: Request::Boot { module, op }, attach: None, print }))
    }
}
