//! Commands on other nodes: `-H`, `-G` and `-E` (CLI-010 to CLI-020).
//!
//! All nodes are asked at the same time; what they say is printed in the order of the nodes. A node
//! that does not answer never hides what the others say.

use super::job::{Ask, CliError, Job, Print};
use super::local::{put, read_file, write_file};
use super::show;
use super::table::clean;
use crate::config::paths::Paths;
use crate::control::async_client::{self, Answer, Finished};
use crate::control::client::Client as LocalClient;
use crate::control::{Access, Behalf, Failure, FailureKind, Reply, Request, RfsRequest, WebserverOp};
use crate::ids::ModuleName;
use crate::log::Lang;
use crate::node::cluster;
use crate::web::remote::client::Client;
use crate::web::remote::deploy::{self, AT_ONCE, Expected, Outcome, Reach, Terms};
use crate::web::remote::secret::Secret;
use crate::web::remote::target::{self, Service, Target};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::timeout;

/// How long a node may take for a command that ends by itself.
const PATIENCE: Duration = Duration::from_secs(600);

/// A command for other nodes.
#[derive(Debug, PartialEq, Eq)]
pub enum Remote {
    /// `-H <urls> <command>`.
    Command {
        /// The nodes.
        hosts: String,
        /// The command.
        ask: Ask,
    },
    /// `-G` (CLI-018).
    Cluster {
        /// The nodes; those of default_cluster.txt without.
        hosts: Option<String>,
        /// `--json`.
        json: bool,
    },
    /// `-E <module>` (CLI-017).
    Module {
        /// The nodes; those of default_cluster.txt without.
        hosts: Option<String>,
        /// The module.
        module: ModuleName,
        /// `--json`.
        json: bool,
    },
}

/// The job on these nodes, if it can be done on other nodes (CLI-016).
pub fn distribute(hosts: String, job: Job) -> Result<Job, CliError> {
    let local = match job {
        Job::Ask(ask) => match local_only(&ask.request) {
            None => return Ok(Job::Remote(Remote::Command { hosts, ask })),
            Some(name) => name,
        },
        Job::Environment => "-p",
        Job::Special(_) => "-r",
        _ => "this command",
    };
    let hint = if local.starts_with("cluster") { "; -G gives its result to other nodes" } else { "" };
    Err(CliError::usage(format!("-H cannot be used with {local}: it is for this node only{hint}")))
}

/// Whether it is `-H <urls> -r ...`: clap would take -r for an option of a command.
pub fn is_special(args: &[OsString]) -> bool {
    let hosts = |word: &OsString| word.as_encoded_bytes().starts_with(b"-H");
    let behind = if args.get(1).is_some_and(|word| word == "-H") { 3 } else { 2 };
    args.get(1).is_some_and(hosts) && args.get(behind).is_some_and(|word| word == "-r")
}

fn local_only(request: &Request) -> Option<&'static str> {
    match request {
        Request::Log { follow: true, .. } => Some("logview"),
        Request::ClusterConfig { .. } => Some("cluster config"),
        Request::ClusterConfCheck => Some("cluster confcheck"),
        Request::ClusterGenKey => Some("cluster genkey"),
        Request::ClusterDelKey => Some("cluster delkey"),
        Request::Firewall { .. } => Some("firewallcfg"),
        // The answer would go with the service that carries it.
        Request::Webserver { op: WebserverOp::Stop } => Some("webserver stop"),
        Request::Webserver { op: WebserverOp::Restart } => Some("webserver restart"),
        _ => None,
    }
}

/// Carries it out and returns the exit code: 0 if all nodes have 0, else the highest.
pub fn run(remote: Remote) -> Result<i32, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(CliError::Runtime)?.block_on(async {
        let paths = Paths::from_env()?;
        match remote {
            Remote::Command { hosts, ask } => command(&paths, &hosts, &ask).await,
            Remote::Cluster { hosts, json } => {
                let fleet = Fleet::new(&paths, &targets(&paths, hosts, "-G")?)?;
                let here = here(&paths)?;
                let given = deploy::give_cluster(&here, &fleet.nodes, &Expected::Anything).await;
                print_outcomes(&fleet.nodes, given, json)
            }
            Remote::Module { hosts, module, json } => {
                let fleet = Fleet::new(&paths, &targets(&paths, hosts, "-E")?)?;
                let here = here(&paths)?;
                let given = deploy::give_module(&here, &module, false, &fleet.nodes, &Terms::default()).await;
                print_outcomes(&fleet.nodes, given, json)
            }
        }
    })
}

/// The nodes of `-H`, else those of SAFEVAR/default_cluster.txt (AMB-13).
fn targets(paths: &Paths, hosts: Option<String>, option: &str) -> Result<String, CliError> {
    if let Some(hosts) = hosts {
        return Ok(hosts);
    }
    let listed = cluster::default_targets(paths).map_err(|e| CliError::Here(e.to_string()))?;
    if listed.is_empty() {
        let file = paths.safevar.join("default_cluster.txt");
        let file = file.display();
        return Err(CliError::usage(format!(
            "{option} on which nodes? Give them with -H, e.g. -H \"*\", or write their names or URLs in {file}"
        )));
    }
    Ok(listed.join(","))
}

/// Nodes to ask.
struct Fleet {
    nodes: Vec<Far>,
}

/// A node and all that is needed to ask it.
struct Far {
    target: Target,
    client: Client,
    secret: Secret,
    behalf: Behalf,
    patience: Duration,
}

impl Fleet {
    fn new(paths: &Paths, hosts: &str) -> Result<Fleet, CliError> {
        let service = Service::here(paths).map_err(|e| CliError::Here(e.to_string()))?;
        let config = match cluster::load(paths) {
            Ok(Some(config)) => Ok(config),
            Ok(None) => Err("the cluster is not configured on this node: give URLs".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        let targets = target::parse(hosts, service, &config)?;
        let (client, secret) = (Client::new(paths), Secret::load(paths)?);
        let behalf = Behalf { user: caller(), access: Access::Admin, lang: Lang::En };
        let patience = patience()?;
        let far = |target| Far {
            target,
            client: client.clone(),
            secret: secret.clone(),
            behalf: behalf.clone(),
            patience,
        };
        Ok(Fleet { nodes: targets.into_iter().map(far).collect() })
    }
}

/// Who gives the command, as the logs of the other nodes name him: `root@node1` (CLI-008).
fn caller() -> String {
    let user = nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten();
    let user = user.map_or_else(|| nix::unistd::getuid().to_string(), |user| user.name);
    let host = nix::unistd::gethostname().map(|host| host.to_string_lossy().into_owned()).unwrap_or_default();
    format!("{user}@{host}")
}

fn patience() -> Result<Duration, CliError> {
    match std::env::var("SAFEKIT_REMOTE_WAIT_S") {
        Err(_) => Ok(PATIENCE),
        Ok(text) => text.parse().map(Duration::from_secs).map_err(|_| {
            CliError::usage(format!("SAFEKIT_REMOTE_WAIT_S=\"{text}\" is not a number of seconds"))
        }),
    }
}

impl Reach for Far {
    fn name(&self) -> String {
        self.target.name.clone()
    }

    fn lang(&self) -> Lang {
        Lang::En
    }

    async fn ask(&self, request: Request, attachment: Bytes) -> Result<Answer, Failure> {
        let call =
            self.client.call(&self.target, &self.secret, Some(self.behalf.clone()), &request, attachment);
        call.await.map_err(|e| Failure { kind: FailureKind::Busy, text: e.to_string() })
    }
}

impl Far {
    /// The whole answer, within the time that a command may take.
    async fn whole(&self, request: &Request, attachment: Bytes) -> Result<Finished, Failure> {
        let asking = deploy::ask(self, request.clone(), attachment);
        if waits(request) {
            return asking.await;
        }
        timeout(self.patience, asking).await.unwrap_or_else(|_| {
            let (target, patience) = (&self.target, self.patience.as_secs());
            let text = format!("{target}: the command has not ended within {patience} s and goes on there");
            Err(Failure { kind: FailureKind::Busy, text })
        })
    }
}

/// Whether it lasts as long as it lasts: the node gives signs of life.
fn waits(request: &Request) -> bool {
    matches!(
        request,
        Request::Wait { .. } | Request::Rfs { request: RfsRequest::Verify | RfsRequest::Diff, .. }
    )
}

/// This node, by its local socket.
struct Here(PathBuf);

fn here(paths: &Paths) -> Result<Here, CliError> {
    let socket = paths.admin_socket();
    // Says what every command says while safeadmin is not there (CLI-003).
    let client = LocalClient::connect(&socket, super::patience()?, || eprintln!("Waiting for safeadmin"))?;
    let mut there = client.call(&Request::Ping, None)?;
    while there.next_reply()?.is_some() {}
    Ok(Here(socket))
}

impl Reach for Here {
    fn name(&self) -> String {
        "this node".to_owned()
    }

    fn lang(&self) -> Lang {
        Lang::En
    }

    async fn ask(&self, request: Request, attachment: Bytes) -> Result<Answer, Failure> {
        async_client::call(&self.0, None, &request, &attachment).await.map_err(|e| e.failure(self.lang()))
    }
}

/// `-H <urls> <command>`.
async fn command(paths: &Paths, hosts: &str, ask: &Ask) -> Result<i32, CliError> {
    let attachment = ask.attach.as_deref().map(read_file).transpose()?.unwrap_or_default();
    let attachment = Bytes::from(attachment);
    let Fleet { nodes } = Fleet::new(paths, hosts)?;
    let mut answers =
        stream::iter(&nodes).map(|far| far.whole(&ask.request, attachment.clone())).buffered(AT_ONCE);
    let mut codes = Vec::new();
    for far in &nodes {
        let Some(answer) = answers.next().await else { break };
        codes.push((far.name(), print_answer(&far.target, answer, ask)?));
    }
    summary(&codes, ask.print == Print::Json)
}

/// Prints what a node says and returns its exit code.
fn print_answer(target: &Target, answer: Result<Finished, Failure>, ask: &Ask) -> Result<i32, CliError> {
    let Finished { replies, attachment, code } = match answer {
        Ok(finished) => finished,
        Err(failure) => Finished { replies: vec![Reply::Error(failure)], attachment: Vec::new(), code: 1 },
    };
    let (errors, said): (Vec<Reply>, Vec<Reply>) = replies
        .into_iter()
        .filter(|reply| !matches!(reply, Reply::Progress(_)))
        .partition(|reply| matches!(reply, Reply::Error(_)));
    let mut errors: Vec<String> =
        errors.iter().flat_map(|e| show::text(e).lines().map(clean).collect::<Vec<_>>()).collect();
    let mut code = role_code(&said, ask, code);
    if ask.print == Print::Json {
        return print_json(target, code, said.iter().flat_map(values).collect(), &errors);
    }
    let mut text = format!("{}\n", header(target));
    for reply in &said {
        text += &match &ask.print {
            Print::Bare => show::bare(reply),
            Print::Role => role(reply),
            Print::Save(_) if matches!(reply, Reply::Log(_)) => String::new(),
            _ => show::text(reply),
        };
    }
    if let (Print::Save(path), 0) = (&ask.print, code) {
        let path = of_node(path, &target.name);
        match save(&path, &said, &attachment, ask) {
            Ok(()) => text += &format!("saved in {}\n", path.display()),
            // The files of the other nodes are still to be written.
            Err(error) => {
                errors.push(error.to_string());
                code = 1;
            }
        }
    }
    put(text.as_bytes())?;
    for error in errors {
        eprintln!("Error: {error}");
    }
    Ok(code)
}

/// The log or what came attached, into a file.
fn save(path: &Path, said: &[Reply], attachment: &[u8], ask: &Ask) -> Result<(), CliError> {
    if !matches!(ask.request, Request::Log { .. }) {
        return write_file(path, attachment);
    }
    let log: String = said.iter().filter(|reply| matches!(reply, Reply::Log(_))).map(show::text).collect();
    write_file(path, log.as_bytes())
}

fn header(target: &Target) -> String {
    let url = target.url();
    if target.name == url { format!("---- {url} ----") } else { format!("---- {} {url} ----", target.name) }
}

/// Exit code: with `state -lq` that of the role (CLI-052).
fn role_code(said: &[Reply], ask: &Ask, code: i32) -> i32 {
    let role = said.iter().find_map(|reply| match reply {
        Reply::State(states) => states.first().map(|state| state.role.exit_code()),
        _ => None,
    });
    if ask.print == Print::Role && code == 0 { role.unwrap_or(code) } else { code }
}

fn role(reply: &Reply) -> String {
    match reply {
        Reply::State(states) => states.iter().take(1).map(|state| format!("{}\n", state.role)).collect(),
        other => show::text(other),
    }
}

/// The file of a node: its name goes before the ending, `/tmp/f_node1.txt`.
fn of_node(path: &Path, node: &str) -> PathBuf {
    let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' };
    let node: String = node.chars().map(safe).collect();
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let name = match path.extension() {
        Some(ending) => format!("{stem}_{node}.{}", ending.to_string_lossy()),
        None => format!("{stem}_{node}"),
    };
    path.with_file_name(name)
}

/// What `--json` prints without `-H`, as values.
fn values(reply: &Reply) -> Vec<Value> {
    show::json(reply).lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn print_json(target: &Target, code: i32, answer: Vec<Value>, errors: &[String]) -> Result<i32, CliError> {
    let object = json!({
        "node": target.name, "url": target.url(), "code": code, "answer": answer, "errors": errors,
    });
    put(format!("{object}\n").as_bytes())?;
    Ok(code)
}

/// Results of `-G` and `-E`.
fn print_outcomes(
    nodes: &[Far],
    outcomes: Result<Vec<Outcome>, Failure>,
    json: bool,
) -> Result<i32, CliError> {
    let outcomes = outcomes.map_err(|failure| CliError::Here(failure.text))?;
    let mut codes = Vec::new();
    for (Far { target, .. }, outcome) in nodes.iter().zip(&outcomes) {
        let Outcome { code, output, errors, .. } = outcome;
        codes.push((target.name.clone(), *code));
        if json {
            let lines = output.iter().map(|line| json!({ "text": line })).collect();
            print_json(target, *code, lines, errors)?;
            continue;
        }
        let lines: String = output.iter().map(|line| format!("{}\n", clean(line))).collect();
        put(format!("{}\n{lines}", header(target)).as_bytes())?;
        for error in errors {
            eprintln!("Error: {}", clean(error));
        }
    }
    summary(&codes, json)
}

/// The last line, and the exit code of all.
fn summary(codes: &[(String, i32)], json: bool) -> Result<i32, CliError> {
    let failed: Vec<String> =
        codes.iter().filter(|(_, code)| *code != 0).map(|(node, code)| format!("{node} ({code})")).collect();
    if !json {
        let line = match failed.as_slice() {
            [] => format!("---- {} of {} nodes: exit status 0 ----\n", codes.len(), codes.len()),
            failed => format!(
                "---- exit status not 0 on {} of {} nodes: {} ----\n",
                failed.len(),
                codes.len(),
                failed.join(", ")
            ),
        };
        put(line.as_bytes())?;
    }
    let highest = codes.iter().map(|(_, code)| *code).max().unwrap_or(1);
    Ok(if failed.is_empty() { 0 } else { highest.max(1) })
}

#[cfg(test)]
#[path = "remote_tests.rs"]
mod tests;
