//! Looking at modules and waiting for them (spec/cli.md 5 and 6).

use super::args::{JsonArg, ModuleArg, ReadArgs};
use super::job::{Ask, CliError, Context, Job, Print};
use crate::control::{Request, Until};
use crate::fsm::state::Role;
use clap::{Args, Subcommand, ValueEnum};

/// Lines of the command log that are shown.
const LINES: u32 = 1000;

const STATE_HELP: &str = "\
With -lq the exit status is the state: STOP 0, WAIT 1, ALONE 2, UP 2, PRIM 3, SECOND 4.

Examples:
  safekit state
  safekit state -m mirror -v
  safekit state -m mirror -lq";

/// Commands that change nothing.
#[derive(Debug, Subcommand)]
pub enum MonitorCommand {
    /// State of all modules, or of one
    #[command(after_help = STATE_HELP)]
    State(StateArgs),
    /// Why a module is in its state, since when, and what to do
    #[command(after_help = "Example:\n  safekit explain -m mirror")]
    Explain(ReadArgs),
    /// Version of SafeKit and license; with a module, its own level too
    #[command(after_help = "Examples:\n  safekit level\n  safekit level -m mirror")]
    Level(ReadArgs),
    /// Wait until the start of a module has ended
    #[command(after_help = "Example:\n  safekit start -m mirror && safekit waitstart -m mirror")]
    Waitstart(WaitArgs),
    /// Wait until a module is stopped
    #[command(after_help = "Example:\n  safekit stop -m mirror && safekit waitstop -m mirror")]
    Waitstop(WaitArgs),
    /// Wait until a module is in a stable state
    #[command(after_help = "Example:\n  safekit waitstate -m mirror PRIM")]
    Waitstate(WaitstateArgs),
    /// Command log of this node
    #[command(after_help = "Examples:\n  safekit cmdlog\n  safekit cmdlog -s 20 --follow")]
    Cmdlog(CmdlogArgs),
}

/// Arguments of `state`.
#[derive(Args, Debug)]
pub struct StateArgs {
    #[command(flatten)]
    module: ModuleArg,
    /// With all resources and the state of the application
    #[arg(short = 'v', conflicts_with_all = ["list", "quiet"])]
    verbose: bool,
    /// With -q: only the state, also as exit status
    #[arg(short = 'l', requires = "quiet", conflicts_with = "json")]
    list: bool,
    /// With -l: only the state, also as exit status
    #[arg(short = 'q', requires = "list")]
    quiet: bool,
    #[command(flatten)]
    json: JsonArg,
}

/// Arguments of `cmdlog`.
#[derive(Args, Debug)]
pub struct CmdlogArgs {
    /// Show the last lines only, at most this many
    #[arg(short = 's', default_value_t = LINES)]
    count: u32,
    /// Go on with new lines
    #[arg(long)]
    follow: bool,
    #[command(flatten)]
    json: JsonArg,
}

/// Arguments of `waitstart` and `waitstop`.
#[derive(Args, Debug)]
pub struct WaitArgs {
    #[command(flatten)]
    module: ModuleArg,
}

/// Arguments of `waitstate`.
#[derive(Args, Debug)]
pub struct WaitstateArgs {
    #[command(flatten)]
    module: ModuleArg,
    /// The state to wait for: NotReady for STOP and WAIT, Ready for the others
    #[arg(value_enum, ignore_case = true)]
    state: RoleArg,
}

/// A role as it is typed.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "UPPER")]
pub enum RoleArg {
    /// Stopped.
    Stop,
    /// Waiting.
    Wait,
    /// Primary without secondary.
    Alone,
    /// Running farm.
    Up,
    /// Primary.
    Prim,
    /// Secondary.
    Second,
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Role {
        match role {
            RoleArg::Stop => Role::Stop,
            RoleArg::Wait => Role::Wait,
            RoleArg::Alone => Role::Alone,
            RoleArg::Up => Role::Up,
            RoleArg::Prim => Role::Prim,
            RoleArg::Second => Role::Second,
        }
    }
}

impl MonitorCommand {
    /// The job of this command.
    pub fn job(self, context: &Context) -> Result<Job, CliError> {
        let wait = |module: ModuleArg, until| {
            Ok(Job::text(Request::Wait { module: module.required(context)?, until }))
        };
        match self {
            MonitorCommand::State(args) => args.job(context),
            MonitorCommand::Explain(args) => {
                Ok(Job::json(Request::Explain { module: args.module.required(context)? }, args.json.json))
            }
            MonitorCommand::Level(args) => {
                Ok(Job::json(Request::Level { module: args.module.optional(context)? }, args.json.json))
            }
            MonitorCommand::Waitstart(args) => wait(args.module, Until::Start),
            MonitorCommand::Waitstop(args) => wait(args.module, Until::Stop),
            MonitorCommand::Waitstate(args) => wait(args.module, Until::State(args.state.into())),
            MonitorCommand::Cmdlog(args) => {
                let request = Request::CmdLog { count: Some(args.count), follow: args.follow };
                Ok(Job::json(request, args.json.json))
            }
        }
    }
}

impl StateArgs {
    fn job(self, context: &Context) -> Result<Job, CliError> {
        if self.quiet {
            let module = Some(self.module.required(context)?);
            let request = Request::State { module, verbose: false };
            return Ok(Job::Ask(Ask { request, attach: None, print: Print::Role }));
        }
        let module = self.module.optional(context)?;
        Ok(Job::json(Request::State { module, verbose: self.verbose }, self.json.json))
    }
}
