//! Configuration and view of the cluster (spec/cli.md 4).

use super::args::JsonArg;
use super::job::{Ask, CliError, Job, Print};
use crate::control::{ClusterSource, Request};
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};

const CONFIG_HELP: &str = "\
A .xml file is applied with new keys; a .zip file holds cluster.xml and keys; without a file
the configuration stays and gets new keys. All nodes must then have the same.

Examples:
  safekit cluster config /tmp/cluster.xml
  safekit cluster config /tmp/cluster.zip lock
  safekit cluster config unlock";

/// `safekit cluster ...`
#[derive(Args, Debug)]
pub struct ClusterArgs {
    #[command(subcommand)]
    command: ClusterCommand,
}

/// Commands on the cluster.
#[derive(Debug, Subcommand)]
enum ClusterCommand {
    /// Apply a cluster configuration, or new keys
    #[command(after_help = CONFIG_HELP, override_usage = "safekit cluster config [FILE] [lock|unlock]")]
    Config {
        /// The file and what becomes of the lock, either may be left out
        #[arg(value_name = "FILE|lock|unlock", num_args = 0..=2)]
        words: Vec<PathBuf>,
    },
    /// Check a cluster.xml without applying it
    #[command(after_help = "Example:\n  safekit cluster confcheck /tmp/cluster.xml")]
    Confcheck {
        /// The file
        file: PathBuf,
    },
    /// Configuration of the cluster on each active node: all must have the same signature
    #[command(after_help = "Example:\n  safekit cluster confinfo")]
    Confinfo(JsonArg),
    /// Remove the cluster configuration and its key
    #[command(after_help = "Example:\n  safekit cluster deconfig")]
    Deconfig,
    /// Modules of each node
    #[command(after_help = "Example:\n  safekit cluster state")]
    State(JsonArg),
    /// Create the key of the cluster; counts once all nodes have it
    #[command(after_help = "Example:\n  safekit cluster genkey")]
    Genkey,
    /// Erase the key of the cluster; counts once no node has it
    #[command(after_help = "Example:\n  safekit cluster delkey")]
    Delkey,
    /// Examine the cluster from this node and say what is wrong
    #[command(after_help = "Example:\n  safekit cluster check")]
    Check(JsonArg),
}

impl ClusterArgs {
    /// The job of this command.
    pub fn job(self) -> Result<Job, CliError> {
        match self.command {
            ClusterCommand::Config { words } => config(&words),
            ClusterCommand::Confcheck { file } => Ok(Job::Ask(Ask {
                request: Request::ClusterConfCheck,
                attach: Some(file),
                print: Print::Text,
            })),
            ClusterCommand::Confinfo(json) => Ok(Job::json(Request::ClusterConfInfo, json.json)),
            ClusterCommand::Deconfig => Ok(Job::text(Request::ClusterDeconfig)),
            ClusterCommand::State(json) => Ok(Job::json(Request::ClusterState, json.json)),
            ClusterCommand::Genkey => Ok(Job::text(Request::ClusterGenKey)),
            ClusterCommand::Delkey => Ok(Job::text(Request::ClusterDelKey)),
            ClusterCommand::Check(json) => Ok(Job::json(Request::ClusterCheck, json.json)),
        }
    }
}

/// `[file] [lock | unlock]` (CLI-041, CLI-042).
fn config(words: &[PathBuf]) -> Result<Job, CliError> {
    let lock = |word: &Path| match word.to_str() {
        Some("lock") => Some(true),
        Some("unlock") => Some(false),
        _ => None,
    };
    let (file, lock) = match words {
        [] => (None, None),
        [word] => match lock(word) {
            None => (Some(word), None),
            setting => (None, setting),
        },
        [file, word] => match lock(word) {
            None => return Err(CliError::usage(format!("\"{}\" is not lock or unlock", word.display()))),
            setting => (Some(file), setting),
        },
        _ => return Err(CliError::usage("give one file and lock or unlock at most")),
    };
    let source = match file.map(|f| f.extension().and_then(|e| e.to_str())) {
        None => ClusterSource::Keep,
        Some(Some("xml")) => ClusterSource::Xml,
        Some(Some("zip")) => ClusterSource::Zip,
        Some(_) => return Err(CliError::usage("the file of a cluster configuration ends with .xml or .zip")),
    };
    let request = Request::ClusterConfig { source, lock, if_signature: None };
    Ok(Job::Ask(Ask { request, attach: file.cloned(), print: Print::Text }))
}
