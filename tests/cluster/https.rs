//! HTTPS with the SafeKit PKI: certificates from the CA server, the switch there and back, users with
//! certificates.

use crate::support::{Cluster, MODULE, Mirror, Node, Output, SCRIPTS, eventually, set_https};
use serde_json::Value;
use std::path::PathBuf;

/// Of `CA_admin`, as in the guide.
const PASSWORD: &str = "PasW0rD";

/// A command of SAFE/web/bin.
fn web(node: &Node, command: &str) -> Output {
    node.sh(&format!("\"$SAFE/web/bin/\"{command}"))
}

#[track_caller]
fn web_ok(node: &Node, command: &str) -> String {
    let output = web(node, command);
    assert_eq!(output.code, 0, "{command} on {}: {output:?}", node.name());
    output.stdout
}

/// What the console's address says of who asks; `options` are those of curl.
fn session(from: &Node, url: &str, options: &str) -> Option<Value> {
    let output = from.sh(&format!("curl -sS -m 10 {options} {url}/api/v1/session"));
    serde_json::from_str(&output.stdout).ok()
}

/// SHA-256 fingerprint of the CA, as `checkcert` prints it.
fn fingerprint(node: &Node) -> String {
    let said = web_ok(node, "checkcert -t CA");
    let (_, fingerprint) = said.trim().rsplit_once("SHA-256 ").unwrap_or_else(|| panic!("{said}"));
    fingerprint.to_owned()
}

/// Turns HTTPS on; a copy of the authority's certificate for clients.
fn enable(cluster: &Cluster, more: &str) -> String {
    for node in cluster.nodes() {
        set_https(node, true, more);
    }
    let authority = cluster.dir().join("cacert.crt");
    let installed = cluster.node(1).inside().safe().join("web/conf/cacert.crt");
    std::fs::copy(installed, &authority).unwrap_or_else(|e| panic!("{e}"));
    format!("--cacert {}", authority.display())
}

fn listens(from: &Node, address: &str, port: u16) -> bool {
    from.sh(&format!("curl -s -m 5 -o /dev/null telnet://{address}:{port} </dev/null; test $? -ne 7")).code
        == 0
}

/// A firewall that only remembers whether port 9001 is open: by this file.
fn firewall(node: &Node) -> PathBuf {
    let script = "#!/bin/sh\n\
        case \"$*\" in\n\
        *' -S '*) exit 0 ;;\n\
        *' -C '*) test -e \"$SAFEVAR/open\" ;;\n\
        *' -I INPUT -p tcp --dport 9001 '*) touch \"$SAFEVAR/open\" ;;\n\
        *' -D INPUT -p tcp --dport 9001 '*) rm \"$SAFEVAR/open\" ;;\n\
        *) exit 1 ;;\n\
        esac\n";
    let program = node.inside().safe().join("private/bin/iptables");
    std::fs::write(&program, script).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(node.sh(&format!("chmod 755 {}", program.display())).code, 0);
    node.inside().safevar().join("open")
}

#[test]
fn w_11b_certificates_from_the_ca_server() {
    let cluster = Cluster::new("w_11b");
    let (ca, other, client) = (cluster.node(1), cluster.node(2), cluster.client());
    let open = firewall(ca);
    let said = web_ok(ca, &format!("startcaserv -passwd {PASSWORD}"));
    assert!(said.contains("no certification authority yet") && said.contains("9001 is open"), "{said}");
    assert!(open.exists());
    let again = web(ca, &format!("startcaserv -passwd {PASSWORD}"));
    assert!(again.code == 1 && again.stderr.contains("runs already, since"), "{again:?}");
    let early = web(other, &format!("initssl req https://10.77.1.1:9001 CA_admin:{PASSWORD}"));
    assert!(early.stderr.contains("run initssl sca there first"), "{early:?}");
    web_ok(ca, "initssl sca");
    let fingerprint = fingerprint(ca);
    let request =
        |user: &str, more: &str| web(other, &format!("initssl req https://10.77.1.1:9001 {user} {more}"));
    // Nothing is sent to a server that nobody has confirmed.
    let unconfirmed = request(&format!("CA_admin:{PASSWORD}"), "</dev/null");
    assert!(unconfirmed.code == 1 && unconfirmed.stderr.contains("--fingerprint"), "{unconfirmed:?}");
    let wrong = request(&format!("CA_admin:{PASSWORD}"), "--fingerprint AB:CD");
    assert!(wrong.code == 1 && wrong.stderr.contains("somebody else answers there"), "{wrong:?}");
    let wrong = request("CA_admin:wrong", &format!("--fingerprint {fingerprint}"));
    assert!(wrong.code == 1 && wrong.stderr.contains("refuses the user or the password"), "{wrong:?}");
    assert_ne!(web(other, "checkcert -t all").code, 0, "nothing is installed yet");
    // Asked, as at a terminal.
    let asked = other.sh(&format!(
        "printf 'yes\\n{PASSWORD}\\n' | \"$SAFE/web/bin/initssl\" req https://10.77.1.1:9001 CA_admin"
    ));
    assert_eq!(asked.code, 0, "{asked:?}");
    assert!(asked.stderr.contains(&fingerprint), "{asked:?}");
    for (node, address) in [(ca, "10.77.1.1"), (other, "10.77.1.2")] {
        web_ok(node, "checkcert -t all");
        web_ok(node, &format!("checkcert -i {address}"));
        web_ok(node, &format!("checkcert -h {}", node.name()));
        assert_eq!(web(node, "checkcert -h wrongname").code, 1);
    }
    // A second request knows the authority.
    let again = request(&format!("CA_admin:{PASSWORD}"), "</dev/null");
    assert_eq!(again.code, 0, "{again:?}");
    let trust = enable(&cluster, "");
    for address in ["10.77.1.1", "10.77.1.2"] {
        let url = format!("https://{address}:9453");
        let found = eventually(&url, || session(client, &url, &trust));
        assert_eq!((&found["authenticated"], &found["https"]), (&false.into(), &true.into()), "{found}");
        let version =
            client.sh(&format!("curl -sS -m 10 {trust} -o /dev/null -w '%{{http_version}}' {url}/"));
        assert_eq!(version.stdout, "2", "browsers have many requests on one connection");
        let over =
            client.sh(&format!("curl -sS -m 10 -o /dev/null -w '%{{redirect_url}}' http://{address}:9010/"));
        assert!(over.stdout.starts_with(&format!("https://{address}:9453/")), "{over:?}");
        let old = client.sh(&format!("curl -sS -m 10 {trust} --tls-max 1.1 --tlsv1.0 {url}/"));
        assert_ne!(old.code, 0, "TLS 1.1 is refused");
    }
    commands_go_over_https(&cluster);
    let said = web_ok(ca, "stopcaserv");
    assert!(said.contains("it had been up for") && said.contains("9001 is closed"), "{said}");
    assert!(!listens(client, "10.77.1.1", 9001));
    assert!(!open.exists());
    assert!(web_ok(ca, "stopcaserv").contains("does not run"));
}

/// Without a word of it on the command line: `*` is what the switch of this node says (CLI-011).
fn commands_go_over_https(cluster: &Cluster) {
    let wanted = [1, 2].map(|n| format!("---- node{n} https://10.77.1.{n}:9453 ----"));
    for node in cluster.nodes() {
        for hosts in ["*", "node1,node2", "[https],*", "[https:9453],*"] {
            let output = node.safekit(&["-H", hosts, "level"]);
            let headers: Vec<&str> = output.stdout.lines().filter(|line| line.contains("https://")).collect();
            assert_eq!((output.code, headers.as_slice()), (0, &wanted.each_ref().map(String::as_str)[..]));
            assert_eq!(output.stdout.matches("SafeKit : ").count(), 2, "{hosts}: {output:?}");
        }
    }
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    node1.unpack(MODULE, 3, &Mirror::default().xml(), &SCRIPTS);
    node1.ok(&["config", "-m", MODULE]);
    node1.ok(&["-H", "node2", "-E", MODULE]);
    assert!(node2.inside().safe().join("modules").join(MODULE).join("conf/userconfig.xml").exists());
    node2.ok(&["cluster", "config"]);
    let signatures = || cluster.nodes().iter().map(own_signature).collect::<Vec<_>>();
    assert_ne!(signatures()[0], signatures()[1]);
    node2.ok(&["-H", "*", "-G"]);
    assert_eq!(signatures()[0], signatures()[1]);
}

/// Of the cluster configuration.
fn own_signature(node: &Node) -> Value {
    let rows = node.json(&["cluster", "confinfo"]);
    let own = rows.as_array().and_then(|rows| rows.iter().find(|row| row["node"] == node.name()));
    own.map(|row| row["signature"].clone()).unwrap_or_else(|| panic!("{rows}"))
}

#[test]
fn t_7_2_3_back_to_http_and_users_with_certificates() {
    let cluster = Cluster::new("t_7_2_3");
    let (node, client) = (cluster.node(1), cluster.client());
    let (http, https) = ("http://10.77.1.1:9010", "https://10.77.1.1:9453");
    for node in cluster.nodes() {
        web_ok(node, "initssl sca");
    }
    for (user, role) in [("boss", "Admin"), ("watcher", "Monitor")] {
        let made = node.sh(&format!("printf 'p\\np\\n' | \"$SAFE/web/bin/makeusercert\" {user} {role}"));
        assert_eq!(made.code, 0, "{made:?}");
    }
    let trust = enable(&cluster, "Define clientcertificates");
    let found = eventually(https, || session(client, https, &trust));
    assert_eq!(found["authenticated"], false, "{found}");
    let ca = node.inside().safe().join("web/conf/ca");
    let shown = |user: &str| {
        let (ca, trust) = (ca.display(), &trust);
        format!("{trust} --cert {ca}/certs/{user}.cert --key {ca}/private/{user}.key")
    };
    for (user, name, role) in
        [("user_Admin_boss", "boss", "Admin"), ("user_Monitor_watcher", "watcher", "Monitor")]
    {
        let found = session(client, https, &shown(user)).unwrap_or_default();
        assert_eq!((&found["user"], &found["role"]), (&name.into(), &role.into()), "{found}");
    }
    // Nothing but certificates: who shows none is nobody, whatever role everybody would have over HTTP.
    let conf = node.inside().safe().join("web/conf/httpd.conf");
    let before = std::fs::read_to_string(&conf).unwrap_or_else(|e| panic!("{e}"));
    let set = |text: &str| std::fs::write(&conf, text).unwrap_or_else(|e| panic!("{e}"));
    set("Define clientcertificates\nDefine httpadmin\n");
    node.ok(&["webserver", "restart"]);
    let found = eventually(https, || session(client, https, &trust));
    assert_eq!((&found["authenticated"], &found["role"]), (&false.into(), &Value::Null), "{found}");
    let refused =
        client.sh(&format!("curl -s {trust} -o /dev/null -w '%{{http_code}}' {https}/api/v1/tokens"));
    assert_eq!(refused.stdout, "401");
    let found = session(client, https, &shown("user_Admin_boss")).unwrap_or_default();
    assert_eq!(found["role"], "Admin", "{found}");
    // Nobody at all would need to log in: refused, and what runs goes on.
    set("Define httpadmin\n");
    let refused = node.safekit(&["webserver", "restart"]);
    assert!(refused.code == 1 && refused.stderr.contains("for HTTP only"), "{refused:?}");
    assert!(session(client, https, &trust).is_some());
    set(&before);
    node.ok(&["webserver", "restart"]);
    // Health checks are answered on both ports (NET-51): nobody who asks is sent elsewhere.
    for (url, options) in [(http, ""), (https, trust.as_str())] {
        let asked = format!("curl -s {options} -w ' %{{http_code}}' {url}/var/modules/mirror/ready.txt");
        let answered = eventually(url, || {
            Some(client.sh(&asked).stdout).filter(|said| said.contains("404") || said.contains("200"))
        });
        assert_eq!(answered, "NOT FOUND 404", "{url}");
    }
    // A renewed certificate is served without a restart.
    let serial =
        "openssl s_client -connect 10.77.1.1:9453 </dev/null 2>/dev/null | openssl x509 -noout -serial";
    let before = client.sh(serial).stdout;
    web_ok(node, "initssl rca");
    eventually("the new certificate", || {
        let now = client.sh(serial).stdout;
        (now.starts_with("serial=") && now != before).then_some(())
    });
    set_https(node, false, "");
    let found = eventually(http, || session(client, http, ""));
    assert_eq!(found["https"], false, "{found}");
    assert!(!listens(client, "10.77.1.1", 9453));
}
