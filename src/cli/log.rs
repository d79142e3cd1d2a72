//! The log of a module (spec/cli.md 6).

use super::args::{JsonArg, ModuleArg};
use super::job::{Ask, CliError, Context, Job, Print};
use super::local::absolute;
use crate::control::{PrintLevel, Request};
use crate::log::{Lang, LogFilter};
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Messages that `log` prints (CLI-083).
const COUNT: u32 = 300;
/// Messages that `logview` begins with when `-s` is left out: about a screen.
const SCREEN: u32 = 20;

/// Commands on the log.
#[derive(Debug, Subcommand)]
pub enum LogCommand {
    /// Last messages of a module
    #[command(after_help = "Examples:\n  safekit log -m mirror\n  safekit log -m mirror -s 50 -A -l fr")]
    Log(LogArgs),
    /// Follow the messages of a module
    #[command(after_help = "Examples:\n  safekit logview -m mirror\n  safekit logview -m mirror -s 300 -A")]
    Logview(LogArgs),
    /// Save the messages of a module in a file
    #[command(after_help = "Example:\n  safekit logsave -m mirror /tmp/f.txt")]
    Logsave(LogsaveArgs),
    /// Write a message of level I in the log of a module
    #[command(after_help = "Example:\n  safekit printi -m mirror \"backup begins\"")]
    Printi(PrintArgs),
    /// Write a message of level E in the log of a module
    #[command(after_help = "Example:\n  safekit printe -m mirror \"backup failed\"")]
    Printe(PrintArgs),
}

/// What is common to the readers of the log.
#[derive(Args, Debug)]
pub struct LogArgs {
    #[command(flatten)]
    module: ModuleArg,
    /// Number of messages; default: 300 for log, 20 to begin with for logview
    #[arg(short = 's', value_name = "NB")]
    count: Option<u32>,
    /// All messages, also internal and debug ones
    #[arg(short = 'A')]
    all: bool,
    /// Language
    #[arg(short = 'l', value_enum, default_value = "en")]
    lang: LangArg,
    #[command(flatten)]
    json: JsonArg,
}

/// Arguments of `logsave`.
#[derive(Args, Debug)]
pub struct LogsaveArgs {
    #[command(flatten)]
    module: ModuleArg,
    /// All messages, also internal and debug ones
    #[arg(short = 'A')]
    all: bool,
    /// Language
    #[arg(short = 'l', value_enum, default_value = "en")]
    lang: LangArg,
    /// Absolute path of the file
    file: PathBuf,
}

/// Arguments of `printi` and `printe`.
#[derive(Args, Debug)]
pub struct PrintArgs {
    #[command(flatten)]
    module: ModuleArg,
    /// The message
    #[arg(allow_hyphen_values = true)]
    message: String,
}

/// A language as it is typed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LangArg {
    /// English
    En,
    /// French
    Fr,
}

impl From<LangArg> for Lang {
    fn from(lang: LangArg) -> Lang {
        match lang {
            LangArg::En => Lang::En,
            LangArg::Fr => Lang::Fr,
        }
    }
}

impl LogCommand {
    /// The job of this command.
    pub fn job(self, context: &Context) -> Result<Job, CliError> {
        match self {
            LogCommand::Log(args) => args.job(false, COUNT, context),
            LogCommand::Logview(args) => args.job(true, SCREEN, context),
            LogCommand::Logsave(args) => args.job(context),
            LogCommand::Printi(args) => args.job(PrintLevel::Info, context),
            LogCommand::Printe(args) => args.job(PrintLevel::Event, context),
        }
    }
}

impl LogArgs {
    fn job(self, follow: bool, default: u32, context: &Context) -> Result<Job, CliError> {
        let module = self.module.required(context)?;
        let count = Some(self.count.unwrap_or(default));
        let request = Request::Log {
            module,
            count,
            all: self.all,
            lang: self.lang.into(),
            follow,
            before: None,
            filter: LogFilter::default(),
        };
        Ok(Job::json(request, self.json.json))
    }
}

impl LogsaveArgs {
    fn job(self, context: &Context) -> Result<Job, CliError> {
        let module = self.module.required(context)?;
        let (all, lang) = (self.all, self.lang.into());
        let request = Request::Log {
            module,
            count: None,
            all,
            lang,
            follow: false,
            before: None,
            filter: LogFilter::default(),
        };
        Ok(Job::Ask(Ask { request, attach: None, print: Print::Save(absolute(self.file)?) }))
    }
}

impl PrintArgs {
    fn job(self, level: PrintLevel, context: &Context) -> Result<Job, CliError> {
        let module = self.module.required(context)?;
        // A message is one line; scripts pass the output of other commands.
        let text = self.message.trim().replace(char::is_control, " ");
        Ok(Job::text(Request::Print { module, level, text }))
    }
}
