//! Who serves whom in a farm.

use super::args::{JsonArg, ModuleArg};
use super::job::{CliError, Context, Job};
use super::table::table;
use crate::control::{FarmReport, OwnerRow, Request};
use clap::{Args, Subcommand};
use std::net::{IpAddr, SocketAddr};

/// Commands on the clients of a farm.
#[derive(Debug, Subcommand)]
pub enum FarmCommand {
    /// Which node answers a client, by each load balancing rule
    #[command(after_help = OWNER_HELP)]
    Owner(OwnerArgs),
}

const OWNER_HELP: &str = "\
A rule with filter=\"on_port\" needs the port of the client too.

Examples:
  safekit farm owner -m farm 10.0.0.7
  safekit farm owner -m farm 10.0.0.7:51234
  safekit farm owner -m farm [fd00::7]:51234 --json";

/// Arguments of `farm owner`.
#[derive(Args, Debug)]
pub struct OwnerArgs {
    #[command(flatten)]
    module: ModuleArg,
    /// Address of the client, or address:port; IPv6 with a port in brackets
    #[arg(value_name = "CLIENT", value_parser = client)]
    client: (IpAddr, Option<u16>),
    #[command(flatten)]
    json: JsonArg,
}

impl FarmCommand {
    /// The job of this command.
    pub fn job(self, context: &Context) -> Result<Job, CliError> {
        let FarmCommand::Owner(OwnerArgs { module, client: (client, port), json }) = self;
        let module = module.required(context)?;
        Ok(Job::json(Request::FarmOwner { module, client, port }, json.json))
    }
}

fn client(text: &str) -> Result<(IpAddr, Option<u16>), String> {
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    if let Ok(addr) = bare.parse() {
        return Ok((addr, None));
    }
    let full: Result<SocketAddr, _> = text.parse();
    full.map(|client| (client.ip(), Some(client.port()))).map_err(|_| {
        "write an IPv4 or IPv6 address, or one with its port: 10.0.0.7:51234, [fd00::7]:51234".into()
    })
}

/// For people.
pub fn show(report: &FarmReport) -> String {
    match report {
        FarmReport::Bitmaps(rows) => {
            rows.iter().map(|r| format!("Bitmap {}:{}\n", r.rank, r.bitmap)).collect()
        }
        FarmReport::Owners(rows) => {
            let rows: Vec<_> = rows.iter().map(owner).collect();
            table(Some(["Group", "Virtual IP", "Port", "Proto", "Filter", "Bucket", "Node"]), &rows)
        }
    }
}

fn owner(row: &OwnerRow) -> [String; 7] {
    let node = match (&row.node, &row.established, &row.unknown) {
        (Some(node), None, _) => node.to_string(),
        (Some(node), Some(old), _) => format!("{node} (established connections: {old})"),
        (None, _, why) => format!("- ({})", why.as_deref().unwrap_or("nobody")),
    };
    let bucket = row.bucket.map_or_else(|| "-".to_owned(), |bucket| bucket.to_string());
    let text = [&row.group, &row.virtual_addr, &row.port, &row.proto, &row.filter].map(Clone::clone);
    let [group, addr, port, proto, filter] = text;
    [group, addr, port, proto, filter, bucket, node]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::BitmapRow;

    #[test]
    fn a_client_is_an_address_with_or_without_port() {
        let at = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(client("10.0.0.7"), Ok((at("10.0.0.7"), None)));
        assert_eq!(client("10.0.0.7:80"), Ok((at("10.0.0.7"), Some(80))));
        assert_eq!(client("fd00::7"), Ok((at("fd00::7"), None)));
        assert_eq!(client("[fd00::7]"), Ok((at("fd00::7"), None)));
        assert_eq!(client("[fd00::7]:80"), Ok((at("fd00::7"), Some(80))));
        for bad in ["", "host", "10.0.0", "10.0.0.7:", "10.0.0.7:70000", "[10.0.0.7"] {
            assert!(client(bad).is_err(), "{bad}");
        }
    }

    /// NET-40.
    #[test]
    fn bitmaps_are_printed_as_the_guide_does() {
        let row = BitmapRow {
            module: "farm".parse().unwrap(),
            group: "FarmProto".to_owned(),
            rank: 2,
            bitmap: crate::fsm::bucket::Bitmap::from_iter(128..=255).to_string(),
        };
        let wanted = "Bitmap 2:ffffffff:ffffffff:ffffffff:ffffffff:00000000:00000000:00000000:00000000\n";
        assert_eq!(show(&FarmReport::Bitmaps(vec![row])), wanted);
    }

    #[test]
    fn owners_are_a_table() {
        let row = |filter: &str, bucket, node: Option<&str>, established: Option<&str>, why: Option<&str>| {
            OwnerRow {
                group: "FarmProto".to_owned(),
                virtual_addr: "*".to_owned(),
                port: "80".to_owned(),
                proto: "tcp".to_owned(),
                filter: filter.to_owned(),
                bucket,
                node: node.map(|n| n.parse().unwrap()),
                established: established.map(|n| n.parse().unwrap()),
                unknown: why.map(str::to_owned),
            }
        };
        let rows = vec![
            row("on_addr", Some(7), Some("node1"), None, None),
            row("on_addr", Some(200), Some("node1"), Some("node2"), None),
            row("on_port", None, None, None, Some("give the port of the client too")),
        ];
        assert_eq!(
            show(&FarmReport::Owners(rows)),
            "\
Group      Virtual IP  Port  Proto  Filter   Bucket  Node
FarmProto  *           80    tcp    on_addr  7       node1
FarmProto  *           80    tcp    on_addr  200     node1 (established connections: node2)
FarmProto  *           80    tcp    on_port  -       - (give the port of the client too)
"
        );
    }
}
