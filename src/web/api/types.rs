//! What only the API says; all the rest is said in the words of the local protocol.

use crate::control::{Fault, ModuleOverview};
use crate::fsm::command::Command;
use crate::ids::{ModuleId, ModuleName, NodeName};
use crate::web::remote::deploy::Expected;
pub use crate::web::remote::deploy::Outcome;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{IntoParams, PartialSchema, ToSchema};

/// Ends of an action on several nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Outcomes {
    /// One a node, in the order that was asked.
    pub results: Vec<Outcome>,
}

/// cluster.xml of a node.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ClusterFile {
    /// The node is in a cluster.
    pub configured: bool,
    /// Its text; empty when it is not configured.
    pub xml: String,
    /// Signature, for a later change.
    pub signature: String,
    /// When it was applied.
    pub date: String,
    /// Locked against changes.
    pub lock: bool,
    /// Names of the nodes.
    pub nodes: Vec<NodeName>,
    /// Why this node takes no part in it, if so.
    pub trouble: Option<String>,
}

/// A cluster.xml to check.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClusterText {
    /// Its text.
    pub xml: String,
}

/// A cluster.xml to apply.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClusterChange {
    /// Its text.
    pub xml: String,
    /// Signature of the configuration that it replaces, empty if there was none; without it whatever is
    /// there is replaced.
    pub signature: Option<String>,
    /// Where it is deployed; to all its nodes without it.
    pub nodes: Option<Vec<NodeName>>,
    /// What the other nodes may hold now.
    #[schema(value_type = Option<std::collections::HashMap<String, Vec<String>>>)]
    pub expected: Option<Holding>,
}

/// Signatures of what nodes may hold for it to be replaced, by node; an empty one: it holds nothing. A node
/// that holds something else, or is not named, is left as it is, and told as a `conflict`. Without all this
/// whatever is there is replaced.
pub type Holding = BTreeMap<NodeName, Vec<String>>;

/// The condition for nodes that are given something.
pub(super) fn expected(holding: Option<Holding>) -> Expected {
    holding.map_or(Expected::Anything, Expected::ByNode)
}

/// Where a cluster configuration is deployed.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClusterDeploy {
    /// Names of the nodes; all without it.
    pub nodes: Option<Vec<NodeName>>,
    /// What they may hold now.
    #[schema(value_type = Option<std::collections::HashMap<String, Vec<String>>>)]
    pub expected: Option<Holding>,
}

/// Where a module is deployed.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ModuleDeploy {
    /// Names of the nodes; all without it.
    pub nodes: Option<Vec<NodeName>>,
    /// Signature of the files that are deployed: those of this node must have it. Without it they are
    /// deployed whatever they are.
    pub signature: Option<String>,
    /// What the other nodes may hold now.
    #[schema(value_type = Option<std::collections::HashMap<String, Vec<String>>>)]
    pub expected: Option<Holding>,
}

/// Of what is applied, or gets another key.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Meant {
    /// Signature that the files with their key must have; without it it is done whatever they are.
    pub signature: Option<String>,
}

impl Meant {
    /// The same as the local protocol has it.
    pub(super) fn list(self) -> Option<Vec<String>> {
        self.signature.map(|signature| vec![signature])
    }
}

/// Some nodes, as a parameter.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct NodeList {
    /// Their names, with commas between; all without it.
    pub nodes: Option<String>,
}

/// Faults of a file; empty if there are none.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Faults {
    /// By line.
    pub faults: Vec<Fault>,
    /// What the check said besides.
    pub output: Vec<String>,
}

/// An address to look at.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProbeTarget {
    /// Address or name.
    pub address: String,
}

/// What is at an address.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Probed {
    /// A web service of this product answers there and knows the same secret.
    pub reachable: bool,
    /// Its host name.
    pub hostname: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// Why not.
    pub error: Option<String>,
}

/// A module to install.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewModule {
    /// Its name.
    pub module: ModuleName,
    /// Its number; the lowest free one without it.
    pub id: Option<ModuleId>,
    /// File below SAFE/Application_Modules.
    pub template: String,
}

/// How an uploaded archive is installed.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Upload {
    /// Number of the module; the lowest free one without it.
    pub id: Option<ModuleId>,
    /// Install over an existing module.
    #[serde(default)]
    pub reinstall: bool,
}

/// A file of a module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Below SAFE/modules/AM, e.g. `conf/userconfig.xml`.
    pub path: String,
    /// Its content, if that is text.
    pub text: Option<String>,
    /// Its content in base64, if it is not.
    pub base64: Option<String>,
    /// It can be run. Told, not taken: what is saved below `bin` can be run, nothing else.
    #[serde(default)]
    pub executable: bool,
}

/// All files of a module but its keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// Signature of what is there; to save only over it.
    pub signature: Option<String>,
    /// The files, by path.
    pub files: Vec<File>,
}

/// A userconfig.xml to check; SAFE/modules/AM as it is without it.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckText {
    /// Its text.
    pub userconfig: Option<String>,
}

/// One of the last successful configurations.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreName {
    /// Its name.
    pub name: String,
    /// Signature of the files that it replaces; without it they are replaced whatever they are.
    pub signature: Option<String>,
}

/// A control command.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ModuleCommand {
    /// As it is typed after `safekit`, e.g. `start`, `swap nosync`, `checker off` (only `wait` is typed
    /// `stopwait`); those that make sense now are the `commands` of the module in an overview.
    pub command: CommandName,
}

/// A command by its name in the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct CommandName(pub Command);

impl TryFrom<String> for CommandName {
    type Error = String;

    fn try_from(name: String) -> Result<CommandName, String> {
        Command::named(&name)
            .map(CommandName)
            .ok_or_else(|| format!("command \"{name}\" is not one of the API"))
    }
}

impl PartialSchema for CommandName {
    fn schema() -> RefOr<Schema> {
        let names = Command::MENU.map(|command| command.known().name);
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).into()
    }
}

impl ToSchema for CommandName {}

/// A value of a resource.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewValue {
    /// `up`, `down`, `init`, or any text for resources of your own.
    pub value: String,
}

/// How many, of lists.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Count {
    /// How many of the last, 10,000 at most; 300 without it.
    pub count: Option<u32>,
}

/// How many, of a history.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct HistoryCount {
    /// How many of the last values, 2,000 at most, and no more than 128 KiB of them; 300 without it.
    pub count: Option<u32>,
}

/// What is wanted of a state.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct StateQuery {
    /// Run the module's `state` script too.
    #[serde(default)]
    pub script: bool,
}

/// What is wanted of a log.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct LogQuery {
    /// How many of the last messages, 10,000 at most; 300 without it.
    pub count: Option<u32>,
    /// Verbose messages too.
    #[serde(default)]
    pub all: bool,
    /// `en` or `fr`.
    pub lang: Option<String>,
    /// Only messages before the one with this id.
    pub before: Option<i64>,
    /// Only messages of these levels, e.g. `C,E`; those of W, I and D need `all`.
    pub levels: Option<String>,
    /// Only messages that have each word of it in their origin or text, whatever the case.
    pub text: Option<String>,
}

/// What is wanted of a log as it grows.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct LiveQuery {
    /// How many of the last messages come first, 2,000 at most; 100 without it.
    pub count: Option<u32>,
    /// Verbose messages too.
    #[serde(default)]
    pub all: bool,
    /// `en` or `fr`.
    pub lang: Option<String>,
}

/// What is wanted of a log as text.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct TextQuery {
    /// How many of the last messages; all of them without it.
    pub count: Option<u32>,
    /// Verbose messages too.
    #[serde(default)]
    pub all: bool,
    /// `en` or `fr`.
    pub lang: Option<String>,
}

/// A client of a farm.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ClientQuery {
    /// Its address.
    #[param(value_type = String)]
    pub client: std::net::IpAddr,
    /// Its port.
    pub port: Option<u16>,
}

/// The modules of a node.
pub type Modules = Vec<ModuleOverview>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_one_of_the_table() {
        let read = |name: &str| {
            serde_json::from_value::<ModuleCommand>(serde_json::json!({ "command": name }))
                .map(|c| c.command.0)
        };
        assert_eq!(read("swap nosync").unwrap(), Command::Swap { nosync: true });
        for name in ["primforce", "shutdown", "stopwait", "checker_off", ""] {
            assert!(read(name).is_err(), "{name}");
        }
    }
}
