//! Installation and configuration of modules (spec/cli.md 7).

use super::args::{JsonArg, ModuleArg, ReadArgs};
use super::job::{Ask, CliError, Context, Job, Print};
use super::local::absolute;
use crate::control::{InstallSource, PortsOf, Request};
use crate::ids::{ModuleId, ModuleName};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Commands on the configuration of modules.
#[derive(Debug, Subcommand)]
pub enum ModuleFamily {
    /// Install, package and list modules
    #[command(subcommand)]
    Module(ModuleCommand),
    /// Apply the configuration of a module
    #[command(after_help = "Example:\n  safekit confcheck -m mirror && safekit config -m mirror")]
    Config(OneArgs),
    /// Remove the applied configuration of a module
    #[command(after_help = "Example:\n  safekit deconfig -m mirror")]
    Deconfig(OneArgs),
    /// Check the configuration of a module without applying it
    #[command(after_help = "Example:\n  safekit confcheck -m mirror")]
    Confcheck(OneArgs),
    /// Signatures of the active and the current configuration of a module
    #[command(after_help = "Example:\n  safekit confinfo -m mirror")]
    Confinfo(ReadArgs),
}

/// `safekit module ...`
#[derive(Debug, Subcommand)]
pub enum ModuleCommand {
    /// Install a module from a .safe file
    #[command(after_help = INSTALL_HELP)]
    Install(InstallArgs),
    /// Package a module in a .safe file
    #[command(after_help = "Example:\n  safekit module package -m mirror /tmp/mirror.safe")]
    Package(PackageArgs),
    /// Uninstall a module
    #[command(after_help = "Example:\n  safekit module uninstall -m mirror")]
    Uninstall(OneArgs),
    /// Names of the installed modules
    #[command(after_help = "Example:\n  safekit module list")]
    List(JsonArg),
    /// Names and ids of the installed modules
    #[command(after_help = "Example:\n  safekit module listid")]
    Listid(JsonArg),
    /// Communication ports of a module
    #[command(after_help = "Examples:\n  safekit module getports -m mirror\n  safekit module getports -i 3")]
    Getports(PortsArgs),
    /// Create the key of a module; counts from its next configuration on
    #[command(after_help = "Example:\n  safekit module genkey -m mirror && safekit config -m mirror")]
    Genkey(OneArgs),
    /// Erase the key of a module; counts from its next configuration on
    #[command(after_help = "Example:\n  safekit module delkey -m mirror && safekit config -m mirror")]
    Delkey(OneArgs),
}

const INSTALL_HELP: &str = "\
A file that is no absolute path is looked for below SAFE/Application_Modules; without
a file, AM.safe is.

Examples:
  safekit module install -m mirror
  safekit module install -m web generic/mirror.safe
  safekit module install -m web -r -M 5 /tmp/web.safe";

/// A module and nothing else.
#[derive(Args, Debug)]
pub struct OneArgs {
    #[command(flatten)]
    module: ModuleArg,
}

/// Arguments of `module install`.
#[derive(Args, Debug)]
pub struct InstallArgs {
    #[command(flatten)]
    module: ModuleArg,
    /// Id of the module; the same on all nodes
    #[arg(short = 'M', value_name = "ID", value_parser = clap::value_parser!(u8).range(1..))]
    id: Option<ModuleId>,
    /// Install over an installed module
    #[arg(short = 'r')]
    reinstall: bool,
    /// The .safe file
    file: Option<PathBuf>,
}

/// Arguments of `module package`.
#[derive(Args, Debug)]
pub struct PackageArgs {
    #[command(flatten)]
    module: ModuleArg,
    /// Absolute path of the .safe file to make
    file: PathBuf,
}

/// Arguments of `module getports`.
#[derive(Args, Debug)]
pub struct PortsArgs {
    #[command(flatten)]
    module: ModuleArg,
    /// Ports that a module of this id can use, installed or not
    #[arg(short = 'i', value_name = "ID", conflicts_with = "module")]
    #[arg(value_parser = clap::value_parser!(u8).range(1..))]
    id: Option<ModuleId>,
    #[command(flatten)]
    json: JsonArg,
}

impl ModuleFamily {
    /// The job of this command.
    pub fn job(self, context: &Context) -> Result<Job, CliError> {
        match self {
            ModuleFamily::Module(command) => command.job(context),
            ModuleFamily::Config(one) => {
                one.job(context, |module| Request::Config { module, if_signature: None })
            }
            ModuleFamily::Deconfig(one) => one.job(context, |module| Request::Deconfig { module }),
            ModuleFamily::Confcheck(one) => one.job(context, |module| Request::ConfCheck { module }),
            ModuleFamily::Confinfo(args) => {
                Ok(Job::json(Request::ConfInfo { module: args.module.required(context)? }, args.json.json))
            }
        }
    }
}

impl ModuleCommand {
    fn job(self, context: &Context) -> Result<Job, CliError> {
        match self {
            ModuleCommand::Install(args) => args.job(context),
            ModuleCommand::Package(args) => {
                let request = Request::ModulePackage { module: args.module.required(context)?, keys: true };
                let print = Print::Save(absolute(args.file)?);
                Ok(Job::Ask(Ask { request, attach: None, print }))
            }
            ModuleCommand::Uninstall(one) => one.job(context, |module| Request::ModuleUninstall { module }),
            ModuleCommand::List(json) => {
                let print = if json.json { Print::Json } else { Print::Bare };
                Ok(Job::Ask(Ask { request: Request::ModuleList, attach: None, print }))
            }
            ModuleCommand::Listid(json) => Ok(Job::json(Request::ModuleList, json.json)),
            ModuleCommand::Getports(args) => {
                let of = match args.id {
                    Some(id) => PortsOf::Id(id),
                    None => PortsOf::Module(args.module.required(context)?),
                };
                Ok(Job::json(Request::ModuleGetPorts(of), args.json.json))
            }
            ModuleCommand::Genkey(one) => {
                one.job(context, |module| Request::ModuleGenKey { module, if_signature: None })
            }
            ModuleCommand::Delkey(one) => {
                one.job(context, |module| Request::ModuleDelKey { module, if_signature: None })
            }
        }
    }
}

impl OneArgs {
    fn job(self, context: &Context, request: impl FnOnce(ModuleName) -> Request) -> Result<Job, CliError> {
        Ok(Job::text(request(self.module.required(context)?)))
    }
}

impl InstallArgs {
    fn job(self, context: &Context) -> Result<Job, CliError> {
        let module = self.module.required(context)?;
        let (source, attach) = match self.file {
            None => (InstallSource::Template(format!("{module}.safe")), None),
            Some(file) if file.is_absolute() => (InstallSource::Attachment, Some(file)),
            Some(file) => match file.to_str() {
                Some(name) => (InstallSource::Template(name.to_owned()), None),
                None => return Err(CliError::usage(format!("{}: not a name in UTF-8", file.display()))),
            },
        };
        let (id, reinstall) = (self.id, self.reinstall);
        let request =
            Request::ModuleInstall { module, id, reinstall, source, if_signature: None, keep_key: false };
        Ok(Job::Ask(Ask { request, attach, print: Print::Text }))
    }
}
