//! The text of each kind of answer.

use super::table::{clean, table};
use crate::control::{
    BootRow, CheckRow, CheckStatus, ClusterNodeRow, ClusterStateRow, CommandRow, ConfInfo, ExplainReport,
    Failure, LevelReport, LogLine, ModuleRow, PortRow, Reply, ResourceRow, RfsReport, StateReport,
};
use crate::fsm::state::Readiness;
use crate::node::rfssync::{self, Policy};
use serde::Serialize;

/// For people.
pub fn text(reply: &Reply) -> String {
    match reply {
        Reply::Text(text) if text.is_empty() || text.ends_with('\n') => text.clone(),
        Reply::Text(text) | Reply::Error(Failure { text, .. }) | Reply::Progress(text) => format!("{text}\n"),
        Reply::Level(level) => show_level(level),
        Reply::State(states) => show_states(states),
        Reply::Log(lines) => lines.iter().map(show_log).collect(),
        Reply::Commands(rows) => rows.iter().map(show_command).collect(),
        Reply::Explain(report) => show_explain(report),
        Reply::Loop(l) => format!("Loop counter: {}, limit: {}\n", l.count, l.limit),
        Reply::Rfs(report) => show_rfs(report),
        Reply::Rescue(report) => super::rescue::show(report),
        Reply::Farm(report) => super::farm::show(report),
        Reply::Modules(rows) => {
            let rows: Vec<_> = rows.iter().map(|m| [m.module.to_string(), m.id.to_string()]).collect();
            table(None, &rows)
        }
        Reply::Ports(rows) => show_ports(rows),
        Reply::ConfInfo(info) => show_confinfo(info),
        Reply::ClusterNodes(rows) => show_cluster_nodes(rows),
        Reply::ClusterState(rows) => show_cluster_state(rows),
        Reply::Checks(rows) => show_checks(rows),
        Reply::Boot(rows) => show_boot(rows),
        // What goes with them is told as text.
        Reply::Faults(_) | Reply::Conflict { .. } | Reply::Saved { .. } | Reply::End { .. } => String::new(),
        // Asked by the console only.
        Reply::Overview(_)
        | Reply::History(_)
        | Reply::Nodes(_)
        | Reply::Certificate(_)
        | Reply::Cluster(_)
        | Reply::Templates(_)
        | Reply::Configurations(_)
        | Reply::UserLogs(_) => json(reply),
    }
}

/// Only the main thing, for scripts.
pub fn bare(reply: &Reply) -> String {
    match reply {
        Reply::Modules(rows) => rows.iter().map(|ModuleRow { module, .. }| format!("{module}\n")).collect(),
        Reply::Boot(rows) => rows.iter().map(|row| format!("{}\n", on_off(row.on))).collect(),
        other => text(other),
    }
}

/// For programs: one JSON value a line. The log and the command log have one line an entry.
pub fn json(reply: &Reply) -> String {
    match reply {
        Reply::Log(lines) => lines.iter().map(one).collect(),
        Reply::Commands(rows) => rows.iter().map(one).collect(),
        Reply::Level(v) => one(v),
        Reply::State(v) => one(v),
        Reply::Explain(v) => one(v),
        Reply::Loop(v) => one(v),
        Reply::Rfs(v) => one(v),
        Reply::Rescue(v) => one(v),
        Reply::Farm(v) => one(v),
        Reply::Modules(v) => one(v),
        Reply::Ports(v) => one(v),
        Reply::ConfInfo(v) => one(v),
        Reply::ClusterNodes(v) => one(v),
        Reply::ClusterState(v) => one(v),
        Reply::Checks(v) => one(v),
        Reply::Boot(v) => one(v),
        Reply::Overview(v) => one(v),
        Reply::History(v) => one(v),
        Reply::Nodes(v) => one(v),
        Reply::Certificate(v) => one(v),
        Reply::Cluster(v) => one(v),
        Reply::Templates(v) => one(v),
        Reply::Faults(v) => one(v),
        Reply::Configurations(v) => one(v),
        Reply::UserLogs(v) => one(v),
        Reply::Conflict { .. } => one(reply),
        Reply::Text(_) | Reply::Error(_) | Reply::Progress(_) => one(reply),
        Reply::Saved { .. } | Reply::End { .. } => String::new(),
    }
}

fn one(value: &impl Serialize) -> String {
    // These types have string keys only: their JSON cannot fail.
    serde_json::to_string(value).map(|line| line + "\n").unwrap_or_default()
}

/// CLI-080.
fn show_level(level: &LevelReport) -> String {
    let mut text = String::new();
    for (name, value) in
        [("Host", &level.host), ("OS", &level.os), ("SafeKit", &level.safekit), ("License", &level.license)]
    {
        text += &format!("{name} : {}\n", clean(value));
    }
    text + &script(&level.module)
}

/// CLI-081, CLI-082; the reason of a module that is not Ready points to `explain`.
fn show_states(states: &[StateReport]) -> String {
    let rows: Vec<_> = states
        .iter()
        .map(|s| {
            let state = format!("{} {}", s.role, s.readiness);
            let remote = s.remote.clone().unwrap_or_else(|| "-".to_owned());
            [s.module.to_string(), s.mode.clone(), state, remote, s.since.clone()]
        })
        .collect();
    let mut text = table(Some(["Module", "Mode", "Local state", "Remote state", "Since"]), &rows);
    for s in states {
        if let Some(reason) = s.reason.as_ref().filter(|_| s.readiness != Readiness::Ready) {
            text += &format!("{}: {} (see safekit explain -m {})\n", s.module, clean(reason), s.module);
        }
        if !s.resources.is_empty() {
            text += &format!("\n{}", show_resources(&s.resources));
        }
        text += &script(&s.script);
    }
    text
}

fn show_resources(rows: &[ResourceRow]) -> String {
    let rows: Vec<_> = rows
        .iter()
        .map(|r| {
            let date = r.date.clone().unwrap_or_else(|| "-".to_owned());
            [r.resource.to_string(), r.value.to_string(), date, r.label.clone()]
        })
        .collect();
    table(Some(["Resource", "Value", "Date", "Label"]), &rows)
}

fn script(output: &Option<String>) -> String {
    output.as_ref().map(|o| format!("\n{}\n", o.trim_end())).unwrap_or_default()
}

/// MSG-L-01.
fn show_log(line: &LogLine) -> String {
    format!("| {} | {} | {} | {}\n", line.date, clean(&line.origin), line.level, clean(&line.text))
}

/// MSG-CMD-01.
fn show_command(row: &CommandRow) -> String {
    let CommandRow { date, kind, module, pid, event, text } = row;
    format!("| {date} | {kind} | {module} | {pid} | {event} | {}\n", clean(text))
}

fn show_explain(report: &ExplainReport) -> String {
    let mut text = format!("{}: {} since {}\n", report.module, report.state, report.since);
    if !report.reasons.is_empty() {
        text += "Why:\n";
    }
    for reason in &report.reasons {
        text += &format!("  - {}\n", clean(reason));
    }
    if !report.advice.is_empty() {
        text += "What to do:\n";
    }
    for (i, advice) in report.advice.iter().enumerate() {
        text += &format!("  {}. {}\n", i + 1, clean(advice));
    }
    text
}

/// CLI-118.
fn show_rfs(report: &RfsReport) -> String {
    match report {
        RfsReport::Policy(policy) => {
            let rows = rfssync::resources(policy)
                .map(|(name, value)| [name.trim_start_matches("rfssync").to_owned(), value.to_owned()]);
            let mut text = table(Some(["Synchronization", "Policy"]), &rows);
            if matches!(policy, Policy::External { detect: false, .. }) {
                text += "Modifications before the start of the module are not detected (-d)\n";
            }
            text
        }
        RfsReport::Different(files) => {
            files.iter().map(|f| format!("{}: {}\n", clean(&f.path), clean(&f.what))).collect()
        }
        RfsReport::Verified { examined, different } => {
            format!("{examined} files compared, different: {different}\n")
        }
        RfsReport::Diff { files, bytes, seconds, rate, known } => {
            let how = if *known { "at" } else { "nothing was synchronized yet: assumed" };
            let time = format!("{seconds} s ({how} {rate} KB/s)");
            let rows = [
                ["Modified files".to_owned(), files.to_string()],
                ["To copy".to_owned(), format!("{} KB", bytes.div_ceil(1024))],
                ["Estimated duration".to_owned(), time],
            ];
            table(None, &rows)
        }
    }
}

/// CLI-099: the process stands over its ports.
fn show_ports(ports: &[PortRow]) -> String {
    let mut rows = Vec::new();
    let mut process = "";
    for port in ports {
        if port.process != process {
            process = &port.process;
            rows.push([process.to_owned(), String::new()]);
        }
        rows.push([port.name.clone(), format!("{} {}", port.protocol, port.port)]);
    }
    format!("List of the ports used by SafeKit\n\n{}", table(Some(["Process", "Ports"]), &rows))
}

/// CLI-093.
fn show_confinfo(info: &ConfInfo) -> String {
    let row = |name: &str, stamp: Option<&crate::control::Stamp>| {
        let none = || "-".to_owned();
        let signature = stamp.map_or_else(none, |s| s.signature.clone());
        [name.to_owned(), signature, stamp.map_or_else(none, |s| s.date.to_string())]
    };
    let rows = [row("active", info.active.as_ref()), row("current", Some(&info.current))];
    let text = table(Some(["Configuration", "Signature", "Date"]), &rows);
    if info.active.as_ref().is_some_and(|a| a.signature == info.current.signature) {
        return text;
    }
    text + "The current configuration is not applied: run safekit config\n"
}

/// CLI-044.
fn show_cluster_nodes(rows: &[ClusterNodeRow]) -> String {
    let rows: Vec<_> = rows
        .iter()
        .map(|r| {
            let lock = if r.lock { "1" } else { "0" };
            [r.node.to_string(), r.signature.clone(), r.date.clone(), lock.to_owned()]
        })
        .collect();
    table(Some(["Node", "Signature", "Date", "Lock"]), &rows)
}

/// CLI-046.
fn show_cluster_state(rows: &[ClusterStateRow]) -> String {
    let rows: Vec<_> = rows
        .iter()
        .map(|r| {
            let (node, module, id) = (r.node.to_string(), r.module.to_string(), r.id.to_string());
            [node, module, r.mode.clone(), id, r.date.clone(), r.signature.clone()]
        })
        .collect();
    table(Some(["Node", "Module", "Mode", "Id", "Date", "Signature"]), &rows)
}

fn show_checks(rows: &[CheckRow]) -> String {
    let mut text = String::new();
    for row in rows {
        let result = match row.status {
            CheckStatus::Ok => "ok  ",
            CheckStatus::Warning => "warn",
            CheckStatus::Error => "FAIL",
        };
        text += &format!("{result} {}: {}\n", clean(&row.check), clean(&row.found));
        if let Some(advice) = row.advice.as_ref().filter(|_| row.status != CheckStatus::Ok) {
            text += &format!("       -> {}\n", clean(advice));
        }
    }
    text
}

/// CLI-033.
fn show_boot(rows: &[BootRow]) -> String {
    let rows: Vec<_> = rows
        .iter()
        .map(|r| {
            let ruled = r.configured.as_ref().map(|b| format!("(boot=\"{b}\" in userconfig.xml)"));
            [r.module.to_string(), on_off(r.on).to_owned(), ruled.unwrap_or_default()]
        })
        .collect();
    table(None, &rows)
}

fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

#[cfg(test)]
#[path = "show_tests.rs"]
mod tests;
