//! The top of the clap tree and the arguments that commands share.

use super::cluster::ClusterArgs;
use super::control::ControlCommand;
use super::farm::FarmCommand;
use super::job::{CliError, Context, Job};
use super::log::LogCommand;
use super::module::ModuleFamily;
use super::monitor::MonitorCommand;
use super::node::NodeCommand;
use super::remote::{self, Remote};
use super::rescue::RescueCommand;
use super::rfs::RfsCommand;
use super::sandbox::SandboxCommand;
use crate::ids::ModuleName;
use clap::{Args, Parser, Subcommand};

const HELP: &str = "\
Also: safekit -r <special command> [<args>]   run a command of SAFEBIN with the environment of SafeKit

Examples:
  safekit state
  safekit start -m mirror
  safekit explain -m mirror
  safekit logview -m mirror
  safekit -H \"*\" level
  safekit -H \"node1,node2\" -E mirror

Exit status: 0 success, 1 failure, 2 wrong command line; state -lq: see its help.";

const SANDBOX_HELP: &str = "\
Examples:
  safekit sandbox up
  safekit sandbox exec node1 -- safekit state
  safekit sandbox down";

const RESCUE_HELP: &str = "\
Examples:
  safekit rescue list -m mirror
  safekit rescue diff -m mirror
  safekit rescue restore --to /root/rescued -m mirror";

/// SafeKit: high availability of an application on two servers
#[derive(Debug, Parser)]
#[command(name = "safekit", version, after_help = HELP, arg_required_else_help = true)]
#[command(disable_help_subcommand = true, max_term_width = 110)]
pub struct Cli {
    /// Print the environment: SAFE, SAFEVAR, SAFEBIN
    #[arg(short = 'p')]
    environment: bool,
    /// Run the command on these nodes: names, URLs, or "*" for all
    #[arg(short = 'H', global = true, value_name = "NODES", help_heading = "Other nodes")]
    hosts: Option<String>,
    /// Give the cluster configuration of this node to others
    #[arg(short = 'G', help_heading = "Other nodes", conflicts_with = "deploy_module")]
    deploy_cluster: bool,
    /// Give a module of this node to others
    #[arg(short = 'E', value_name = "AM", help_heading = "Other nodes")]
    deploy_module: Option<ModuleName>,
    /// Print the results of -G and -E as JSON
    #[arg(long, hide = true)]
    json: bool,
    #[command(subcommand)]
    family: Option<Family>,
}

/// All commands, by family.
#[derive(Debug, Subcommand)]
enum Family {
    #[command(flatten)]
    Control(ControlCommand),
    #[command(flatten)]
    Rfs(RfsCommand),
    /// Files that were kept before they were overwritten: after a split brain, or prim on old data
    #[command(subcommand, after_help = RESCUE_HELP)]
    Rescue(RescueCommand),
    /// How a farm shares its clients
    #[command(subcommand)]
    Farm(FarmCommand),
    #[command(flatten)]
    Monitor(MonitorCommand),
    #[command(flatten)]
    Log(LogCommand),
    #[command(flatten)]
    Module(ModuleFamily),
    /// Configure and examine the cluster
    Cluster(ClusterArgs),
    #[command(flatten)]
    Node(NodeCommand),
    /// Clusters of network namespaces on this machine
    #[command(after_help = SANDBOX_HELP)]
    Sandbox(SandboxCommand),
}

impl Cli {
    /// The job of this command line.
    pub fn job(self, context: &Context) -> Result<Job, CliError> {
        let Cli { environment, hosts, deploy_cluster, deploy_module, json, family } = self;
        let Some(family) = family else {
            return match (deploy_cluster, deploy_module, environment) {
                (true, None, false) => Ok(Job::Remote(Remote::Cluster { hosts, json })),
                (false, Some(module), false) => Ok(Job::Remote(Remote::Module { hosts, module, json })),
                (false, None, true) => on(hosts, Job::Environment),
                (false, None, false) => Err(CliError::usage("no command: see safekit --help")),
                _ => Err(CliError::usage("-p, -G and -E cannot be used together")),
            };
        };
        for (given, option) in
            [(environment, "-p"), (deploy_cluster, "-G"), (deploy_module.is_some(), "-E"), (json, "--json")]
        {
            if given {
                return Err(CliError::usage(format!("{option} cannot be used with a command behind it")));
            }
        }
        on(hosts, family.job(context)?)
    }
}

/// The job, on other nodes if they are named.
fn on(hosts: Option<String>, job: Job) -> Result<Job, CliError> {
    match hosts {
        None => Ok(job),
        Some(hosts) => remote::distribute(hosts, job),
    }
}

impl Family {
    fn job(self, context: &Context) -> Result<Job, CliError> {
        match self {
            Family::Control(c) => c.job(context),
            Family::Rfs(c) => c.job(context),
            Family::Rescue(c) => c.job(context),
            Family::Farm(c) => c.job(context),
            Family::Monitor(c) => c.job(context),
            Family::Log(c) => c.job(context),
            Family::Module(c) => c.job(context),
            Family::Cluster(c) => c.job(),
            Family::Node(c) => c.job(context),
            Family::Sandbox(c) => Ok(Job::Sandbox(c)),
        }
    }
}

/// `-m AM`.
#[derive(Args, Clone, Debug)]
pub struct ModuleArg {
    /// Name of the module; SAFEMODULE of the environment if left out
    #[arg(short = 'm', value_name = "AM")]
    module: Option<ModuleName>,
}

impl ModuleArg {
    /// The module, for a command that needs none.
    pub fn optional(self, context: &Context) -> Result<Option<ModuleName>, CliError> {
        match (self.module, &context.module) {
            (Some(module), _) => Ok(Some(module)),
            (None, None) => Ok(None),
            (None, Some(text)) => text
                .parse()
                .map(Some)
                .map_err(|e| CliError::usage(format!("environment variable SAFEMODULE: {e}"))),
        }
    }

    /// The module, for a command that needs one.
    pub fn required(self, context: &Context) -> Result<ModuleName, CliError> {
        self.optional(context)?
            .ok_or_else(|| CliError::usage("which module? Give it with -m AM or in SAFEMODULE"))
    }
}

/// `-i <identity>`.
#[derive(Args, Clone, Debug)]
pub struct IdentityArg {
    /// Detector or script that calls: moves the loop counter, and is named in the log
    #[arg(short = 'i', value_name = "IDENTITY")]
    pub identity: Option<String>,
}

/// `--json`.
#[derive(Args, Clone, Copy, Debug)]
pub struct JsonArg {
    /// Print JSON for programs
    #[arg(long)]
    pub json: bool,
}

/// Arguments of commands that print something of a module.
#[derive(Args, Debug)]
pub struct ReadArgs {
    /// The module.
    #[command(flatten)]
    pub module: ModuleArg,
    /// The form.
    #[command(flatten)]
    pub json: JsonArg,
}
