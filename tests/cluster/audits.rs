//! Databases whose node loses its power, on disks that lose what was not flushed: every transaction that
//! was acknowledged outside is there afterwards, and the database is whole.

use crate::replication::{DIR, settled, sh};
use crate::support::{Cluster, MODULE, Mirror, Node, VIP, eventually};
use safekit::sandbox::Options;
use std::path::PathBuf;

/// Size in bytes of a node's disk.
const DISK: u64 = 1 << 30;
/// Transactions that are acknowledged before the power goes.
const ENOUGH: usize = 300;

/// A database server: a module that runs it, and how to talk with it.
struct Database {
    /// `<vip>`, `<rfs>` and `<user>` included.
    userconfig: String,
    start_prim: String,
    stop_prim: String,
    /// Reads SQL, prints bare rows.
    client: String,
    /// Complains about a database that is not whole.
    verify: String,
}

fn mirror(rfs: &str) -> String {
    let more = format!(r#"<rfs {rfs}><replicated dir="{DIR}" mode="read_only"/></rfs>"#);
    let user = format!(
        r#"<user nicestoptimeout="30" forcestoptimeout="10"><var name="PGDATA" value="{DIR}/main"/></user>"#
    );
    Mirror { more: &more, user: &user, ..Mirror::default() }.xml()
}

/// The module of the demo.
fn postgresql(rfs: &str) -> Database {
    let options = format!("-h {VIP} -U postgres");
    Database {
        userconfig: mirror(rfs),
        start_prim: include_str!("../../scripts/demo/postgresql/bin/start_prim").into(),
        stop_prim: include_str!("../../scripts/demo/postgresql/bin/stop_prim").into(),
        client: format!("psql -X -qAt -F ' ' -v ON_ERROR_STOP=1 {options} postgres"),
        // Every page has a checksum, which is looked at when it is read.
        verify: format!(
            "$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)/pg_amcheck {options} --install-missing --heapallindexed --all"
        ),
    }
}

/// InnoDB as it comes, but for small files.
fn mariadb() -> Database {
    let start = format!(
        r#"data={DIR}/mariadb
if ! [ -d $data/mysql ]; then
    mariadb-install-db --no-defaults --user=root --datadir=$data --skip-test-db >$SAFEUSERVAR/install.log 2>&1 || exit 1
fi
printf '%s;\n' 'CREATE USER IF NOT EXISTS audit' 'GRANT ALL ON *.* TO audit' 'CREATE DATABASE IF NOT EXISTS audit' >$SAFEUSERVAR/init.sql
mariadbd --no-defaults --user=root --datadir=$data --socket=$SAFEUSERVAR/mariadb.sock --pid-file=$SAFEUSERVAR/mariadb.pid     --port=3306 --bind-address=0.0.0.0 --skip-name-resolve --innodb-buffer-pool-size=32M --innodb-log-file-size=16M     --init-file=$SAFEUSERVAR/init.sql --log-error=$SAFEUSERVAR/mariadb.log </dev/null >/dev/null 2>&1 &
echo $! >$SAFEUSERVAR/mariadb.started"#
    );
    let stop = "read -r pid <$SAFEUSERVAR/mariadb.started && kill $pid; \
                while kill -0 $pid 2>/dev/null; do sleep 0.1; done; true";
    let client = format!("mariadb --no-defaults -h {VIP} -u audit -N -B -n audit");
    Database {
        userconfig: mirror(""),
        start_prim: start,
        stop_prim: stop.into(),
        verify: format!("{client} -e 'CHECK TABLE audit, total EXTENDED' | grep -c 'status.OK' | grep -qx 2"),
        client,
    }
}

/// A cluster with lossy disks that runs the database, node 1 PRIM and node 2 SECOND, and its client.
struct Audit {
    cluster: Cluster,
    database: Database,
    acks: PathBuf,
}

impl Audit {
    fn new(test: &str, database: Database) -> Audit {
        let private = vec!["/data".into()];
        let cluster = Cluster::with(test, |o| Options { private, disk: Some(DISK), ..o });
        for node in cluster.nodes() {
            sh(node, &format!("mkdir -p {DIR} && chmod 755 {DIR}"));
        }
        let scripts =
            [("start_prim", database.start_prim.as_str()), ("stop_prim", database.stop_prim.as_str())];
        cluster.install(MODULE, &database.userconfig, &scripts);
        cluster.node(1).ok(&["prim", "-m", MODULE]);
        // Making an empty database takes long on a busy machine.
        reaches(cluster.node(1), "ALONE");
        let acks = cluster.dir().join("acks");
        let audit = Audit { cluster, database, acks };
        audit.second();
        let client = audit.cluster.client();
        let asks = format!("echo 'SELECT 1;' | {}", audit.database.client);
        eventually("a database that answers", || (client.sh(&asks).code == 0).then_some(()));
        sh(client, &audit.transactions("make"));
        audit
    }

    fn second(&self) {
        self.cluster.node(2).ok(&["second", "-m", MODULE]);
        reaches(self.cluster.node(2), "SECOND");
        reaches(self.cluster.node(1), "PRIM");
    }

    fn transactions(&self, what: &str) -> String {
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/demo/transactions.py");
        let acks = if what == "make" { String::new() } else { self.acks.display().to_string() };
        format!("python3 {program} {what} {acks} -- {}", self.database.client)
    }

    fn acknowledged(&self) -> usize {
        let text = std::fs::read_to_string(&self.acks).unwrap_or_default();
        text.matches('\n').count()
    }

    /// Clients commit; in the middle of it `fail` happens.
    fn during_commits(&self, fail: impl FnOnce()) {
        let (client, write) = (self.cluster.client(), self.transactions("write"));
        std::thread::scope(|scope| {
            scope.spawn(|| client.sh(&write));
            eventually("acknowledged transactions", || (self.acknowledged() >= ENOUGH).then_some(()));
            fail();
            std::fs::write(self.acks.with_extension("end"), "").expect("it is writable");
        });
    }

    /// Every acknowledged transaction is there, and the database is whole.
    fn check(&self) {
        let found = sh(self.cluster.client(), &self.transactions("check"));
        let numbers: Vec<usize> = found.split_whitespace().filter_map(|n| n.parse().ok()).collect();
        let [acknowledged, there] = numbers[..] else { panic!("{found}") };
        assert!((ENOUGH..=there).contains(&acknowledged), "{found}");
        let verified = self.cluster.client().sh(&self.database.verify);
        assert_eq!(verified.code, 0, "{verified:?}");
    }
}

/// Waits until the module is in a state on a node, also where it takes longer than a command may.
#[track_caller]
fn reaches(node: &Node, state: &str) {
    let mut tries = 0;
    while node.safekit(&["waitstate", state, "-m", MODULE]).code != 0 {
        tries += 1;
        assert!(tries < 3, "{} is not {state}: {}", node.name(), node.ok(&["state", "-m", MODULE]));
    }
}

/// The primary loses its power, the secondary serves what was acknowledged, and the old primary becomes
/// the same again.
fn survives(test: &str, database: Database) {
    let audit = Audit::new(test, database);
    let (node1, node2) = (audit.cluster.node(1), audit.cluster.node(2));
    audit.during_commits(|| audit.cluster.poweroff(node1));
    reaches(node2, "ALONE");
    audit.check();
    audit.cluster.poweron(node1);
    reaches(node1, "SECOND");
    reaches(node2, "PRIM");
    settled(&audit.cluster);
    audit.check();
}

#[test]
fn postgresql_survives_a_power_failure() {
    survives("postgresql", postgresql(""));
}

#[test]
fn mariadb_survives_a_power_failure() {
    survives("mariadb", mariadb());
}

/// With async="none" what is acknowledged is on both disks.
#[test]
fn postgresql_survives_a_power_failure_of_both_nodes() {
    let audit = Audit::new("postgresql2", postgresql(r#"async="none""#));
    audit.during_commits(|| audit.cluster.nodes().iter().for_each(|node| audit.cluster.poweroff(node)));
    audit.cluster.nodes().iter().for_each(|node| audit.cluster.poweron(node));
    audit.cluster.wait_pair(MODULE);
    audit.check();
    settled(&audit.cluster);
}
