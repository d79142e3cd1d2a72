//! Control of a module: start, stop, roles, resources, loop counter (spec/cli.md 5 and 8).

use super::args::{IdentityArg, ModuleArg};
use super::job::{CliError, Context, Job};
use crate::control::{LogChoice, LoopOp, Request};
use crate::fsm::command::Command;
use crate::fsm::resource::{ResourceName, Value};
use clap::{Args, Subcommand, ValueEnum};

/// Commands that act on a module.
#[derive(Debug, Subcommand)]
pub enum ControlCommand {
    /// Start a module
    #[command(after_help = "Example:\n  safekit start -m mirror")]
    Start(ControlArgs),
    /// Stop a module
    #[command(after_help = "Example:\n  safekit stop -m mirror")]
    Stop(ControlArgs),
    /// Stop a module even if some of its resources are frozen
    #[command(after_help = "Example:\n  safekit forcestop -m mirror")]
    Forcestop(ControlArgs),
    /// Stop and start the application only, without failover
    #[command(after_help = "Example:\n  safekit restart -m mirror")]
    Restart(ControlArgs),
    /// Stop a module entirely, then start it; a primary fails over
    #[command(after_help = "Example:\n  safekit stopstart -m mirror")]
    Stopstart(ControlArgs),
    /// Stop a module to the state WAIT, as the wait() of a failover rule
    #[command(after_help = "Example:\n  safekit stopwait -m mirror -i customchecker")]
    Stopwait(StopwaitArgs),
    /// Exchange the roles of primary and secondary
    #[command(after_help = "Examples:\n  safekit swap -m mirror\n  safekit swap nosync -m mirror")]
    Swap(SwapArgs),
    /// Force a stopped module to start as primary
    #[command(after_help = "Example:\n  safekit prim -m mirror")]
    Prim(SyncArgs),
    /// Force a stopped module to start as primary even with inconsistent data
    #[command(after_help = "Example:\n  safekit primforce -m mirror")]
    Primforce(ControlArgs),
    /// Force a stopped module to start as secondary
    #[command(after_help = "Examples:\n  safekit second -m mirror\n  safekit second fullsync -m mirror")]
    Second(SyncArgs),
    /// Stop or start all checkers of a running module
    #[command(after_help = "Example:\n  safekit checker off -m mirror")]
    Checker(SwitchArgs),
    /// Set automatic failover on or off; do it on all nodes
    #[command(after_help = "Example:\n  safekit failover off -m mirror")]
    Failover(SwitchArgs),
    /// Set a resource
    #[command(after_help = "Example:\n  safekit set -r custom.web -v up -i webchecker -m mirror")]
    Set(SetArgs),
    /// Increment the loop counter; exit status 1 when the limit has been reached
    #[command(after_help = "Example:\n  safekit incloop -m mirror -i handler")]
    Incloop(LoopArgs),
    /// Set the loop counter to 0
    #[command(after_help = "Example:\n  safekit resetloop -m mirror")]
    Resetloop(LoopArgs),
    /// Exit status 1 if the loop counter is at its limit, else 0
    #[command(after_help = "Example:\n  safekit checkloop -m mirror")]
    Checkloop(LoopArgs),
}

/// Arguments of every control command.
#[derive(Args, Debug)]
pub struct ControlArgs {
    #[command(flatten)]
    module: ModuleArg,
    #[command(flatten)]
    identity: IdentityArg,
    /// Remote user on whose behalf the command is given (CLI-006).
    #[arg(short = 'u', hide = true, value_name = "USER@IP")]
    user: Option<String>,
}

/// Arguments of `stopwait`, which is no command of an administrator.
#[derive(Args, Debug)]
pub struct StopwaitArgs {
    #[command(flatten)]
    module: ModuleArg,
    /// Detector or script that calls
    #[arg(short = 'i', value_name = "IDENTITY")]
    identity: String,
}

/// Arguments of `swap`.
#[derive(Args, Debug)]
pub struct SwapArgs {
    /// Do not synchronize the replicated directories
    #[arg(value_enum)]
    nosync: Option<Nosync>,
    #[command(flatten)]
    control: ControlArgs,
}

/// Arguments of `prim` and `second`.
#[derive(Args, Debug)]
pub struct SyncArgs {
    /// Synchronize the replicated directories of the secondary in full
    #[arg(value_enum)]
    fullsync: Option<Fullsync>,
    #[command(flatten)]
    control: ControlArgs,
}

/// Arguments of `checker` and `failover`.
#[derive(Args, Debug)]
pub struct SwitchArgs {
    /// The new setting
    #[arg(value_enum)]
    switch: Switch,
    #[command(flatten)]
    control: ControlArgs,
}

/// Word of `swap`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Nosync {
    /// Without synchronization.
    Nosync,
}

/// Word of `prim` and `second`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Fullsync {
    /// Full synchronization.
    Fullsync,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

/// Arguments of `set`.
#[derive(Args, Debug)]
pub struct SetArgs {
    #[command(flatten)]
    module: ModuleArg,
    /// The resource
    #[arg(short = 'r', value_name = "CLASS.ID")]
    resource: ResourceName,
    /// Its value: up, down, init or a text
    #[arg(short = 'v', value_name = "VALUE", allow_hyphen_values = true)]
    value: String,
    /// Do not log the assignment
    #[arg(short = 'n', conflicts_with = "log")]
    nolog: bool,
    /// Log the assignment
    #[arg(short = 'l')]
    log: bool,
    #[command(flatten)]
    identity: IdentityArg,
}

/// Arguments of the commands on the loop counter.
#[derive(Args, Debug)]
pub struct LoopArgs {
    #[command(flatten)]
    module: ModuleArg,
    #[command(flatten)]
    identity: IdentityArg,
}

impl ControlCommand {
    /// The job of this command.
    pub fn job(self, context: &Context) -> Result<Job, CliError> {
        let (command, args) = match self {
            ControlCommand::Start(args) => (Command::Start, args),
            ControlCommand::Stop(args) => (Command::Stop, args),
            ControlCommand::Forcestop(args) => (Command::ForceStop, args),
            ControlCommand::Restart(args) => (Command::Restart, args),
            ControlCommand::Stopstart(args) => (Command::StopStart, args),
            ControlCommand::Stopwait(StopwaitArgs { module, identity }) => {
                let identity = IdentityArg { identity: Some(identity) };
                (Command::StopWait, ControlArgs { module, identity, user: None })
            }
            ControlCommand::Swap(a) => (Command::Swap { nosync: a.nosync.is_some() }, a.control),
            ControlCommand::Prim(a) => (Command::Prim { fullsync: a.fullsync.is_some() }, a.control),
            ControlCommand::Primforce(args) => (Command::PrimForce, args),
            ControlCommand::Second(a) => (Command::Second { fullsync: a.fullsync.is_some() }, a.control),
            ControlCommand::Checker(a) => (Command::Checker(a.switch == Switch::On), a.control),
            ControlCommand::Failover(a) => (Command::Failover(a.switch == Switch::On), a.control),
            ControlCommand::Set(args) => return args.job(context),
            ControlCommand::Incloop(args) => return args.job(LoopOp::Inc, context),
            ControlCommand::Resetloop(args) => return args.job(LoopOp::Reset, context),
            ControlCommand::Checkloop(args) => return args.job(LoopOp::Check, context),
        };
        let module = args.module.required(context)?;
        let (identity, user) = (args.identity.identity, args.user);
        Ok(Job::text(Request::Control { module, command, identity, user }))
    }
}

impl SetArgs {
    fn job(self, context: &Context) -> Result<Job, CliError> {
        let log = match (self.nolog, self.log) {
            (true, _) => LogChoice::Never,
            (false, true) => LogChoice::Always,
            (false, false) => LogChoice::Default,
        };
        Ok(Job::text(Request::Set {
            module: self.module.required(context)?,
            resource: self.resource,
            value: Value::from(self.value),
            log,
            identity: self.identity.identity,
        }))
    }
}

impl LoopArgs {
    fn job(self, op: LoopOp, context: &Context) -> Result<Job, CliError> {
        let module = self.module.required(context)?;
        Ok(Job::text(Request::Loop { module, op, identity: self.identity.identity }))
    }
}
