//! Certification authorities of the tests' own, and HTTPS with what they sign.

use super::{Cluster, Node};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use std::ops::Range;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// Days from now in which a usual certificate is valid.
pub const VALID: Range<i64> = -1..365;

/// An authority.
pub struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// One of this name.
    pub fn new(name: &str) -> Authority {
        let key = KeyPair::generate().expect("a key");
        let mut params = params(name, VALID);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).expect("a certificate").pem();
        let issuer = Issuer::from_ca_cert_pem(&pem, key).expect("an authority");
        Authority { pem, issuer }
    }

    /// Installs a certificate for a node: for these names and addresses, valid in these days from now on.
    pub fn certify(&self, node: &Node, names: &[&str], days: Range<i64>) {
        let key = KeyPair::generate().expect("a key");
        let mut params =
            CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
                .expect("names and addresses");
        let CertificateParams { not_before, not_after, .. } = validity(days);
        (params.not_before, params.not_after) = (not_before, not_after);
        params.distinguished_name.push(DnType::CommonName, node.name());
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate").pem();
        // The key first: a pair that does not fit together is not taken.
        put(node, "server.key", &key.serialize_pem());
        put(node, "server.crt", &certificate);
    }

    /// Makes it the authority that a node trusts.
    pub fn trusted_by(&self, node: &Node) {
        put(node, "cacert.crt", &self.pem);
    }
}

fn params(name: &str, days: Range<i64>) -> CertificateParams {
    let mut params = validity(days);
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn validity(days: Range<i64>) -> CertificateParams {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let at = |day: i64| match u32::try_from(day) {
        Ok(days) => epoch + now + DAY * days,
        Err(_) => epoch + now - DAY * u32::try_from(-day).expect("few days"),
    };
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    (params.not_before, params.not_after) = (at(days.start), at(days.end));
    params
}

/// A file of SAFE/web/conf as the web service must have it, in one step.
fn put(node: &Node, name: &str, text: &str) {
    let path = node.inside().safe().join("web/conf").join(name);
    let fresh = path.with_extension("new");
    std::fs::write(&fresh, text).expect("the disk of the node");
    let (path, fresh) = (path.display(), fresh.display());
    let given = node.sh(&format!("chown safekit:safekit {fresh} && chmod 0440 {fresh} && mv {fresh} {path}"));
    assert_eq!(given.code, 0, "{given:?}");
}

/// Turns HTTPS of a node on, with one more setting, or off.
pub fn set_https(node: &Node, on: bool, setting: &str) {
    let conf = "\"$SAFE/web/conf/httpd.conf\"";
    if let Some(name) = setting.split(' ').nth(1) {
        let set = node.sh(&format!("sed -i '/^Define {name}/d' {conf} && echo '{setting}' >>{conf}"));
        assert_eq!(set.code, 0, "{set:?}");
    }
    let switch = "\"$SAFE/web/conf/ssl/httpd.webconsolessl.conf\"";
    let set = node.sh(&match on {
        true => format!(
            "cp \"$SAFE/web/conf/httpd.webconsolessl.conf\" {switch} && chmod 0440 {switch} && chown safekit:safekit {switch}"
        ),
        false => format!("rm {switch}"),
    });
    assert_eq!(set.code, 0, "{set:?}");
    node.ok(&["webserver", "restart"]);
}

impl Cluster {
    /// HTTPS on all nodes, with certificates of an authority for their addresses and `more` ones.
    pub fn with_https(&self, authority: &Authority, more: &[&str], setting: &str) {
        for node in self.nodes() {
            let address = node.inside().address(1);
            authority.certify(node, &[&[address.as_str(), "127.0.0.1"], more].concat(), VALID);
            authority.trusted_by(node);
            set_https(node, true, setting);
        }
    }
}
