//! `searchurl`: where and how users are looked for (RFC 2255), e.g.
//! `ldap://host:389/OU=people,DC=example,DC=com?sAMAccountName,memberOf?sub?(objectClass=*)`.

use ldap3::Scope;

/// Longest URL.
const LONGEST: usize = 4096;
/// Extension that asks for StartTLS, by its names.
const STARTTLS: [&str; 3] = ["starttls", "x-starttls", "1.3.6.1.4.1.1466.20037"];

/// Protection of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// `ldap://`: passwords can be read on the network.
    None,
    /// `ldap://` with the extension StartTLS.
    StartTls,
    /// `ldaps://`.
    Tls,
}

/// A search URL, understood.
#[derive(Clone, Debug, PartialEq)]
pub struct SearchUrl {
    /// `ldap://host:port`, for the connection.
    pub server: String,
    /// Protection of the connection.
    pub protection: Protection,
    /// Entry below which users are.
    pub base: String,
    /// Attribute that is the user name.
    pub attribute: String,
    /// How deep below.
    pub scope: Scope,
    /// Which entries are users.
    pub filter: String,
}

impl SearchUrl {
    /// Reads one; `Err` says what is wrong.
    pub fn parse(text: &str) -> Result<SearchUrl, String> {
        if text.len() > LONGEST {
            return Err(format!("longer than {LONGEST} bytes"));
        }
        let (scheme, rest) = text.split_once("://").ok_or("it begins with ldap:// or ldaps://")?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "ldap" => false,
            "ldaps" => true,
            _ => return Err("it begins with ldap:// or ldaps://".into()),
        };
        let (host, path) =
            rest.split_once('/').ok_or("the entry to search below is missing: ldap://host/DC=...")?;
        let host = decode(host)?;
        check_host(&host)?;
        let mut parts = path.split('?');
        let mut next = || parts.next().map(|part| decode(part.trim())).transpose();
        let base = next()?.unwrap_or_default();
        let attributes = next()?.unwrap_or_default();
        let scope = scope(&next()?.unwrap_or_default())?;
        let filter = filter(next()?.unwrap_or_default())?;
        let extensions = next()?.unwrap_or_default();
        if parts.next().is_some() {
            return Err("it has more than four question marks".into());
        }
        if base.is_empty() {
            return Err("the entry to search below is missing: ldap://host/DC=...".into());
        }
        let starttls = starttls(&extensions)?;
        if starttls && tls {
            return Err("ldaps:// and StartTLS exclude each other".into());
        }
        Ok(SearchUrl {
            server: format!("{}://{host}", if tls { "ldaps" } else { "ldap" }),
            protection: match (tls, starttls) {
                (true, _) => Protection::Tls,
                (_, true) => Protection::StartTls,
                _ => Protection::None,
            },
            base,
            attribute: attribute(&attributes)?,
            scope,
            filter,
        })
    }

    /// Name of an entry that is not there.
    pub fn nobody(&self) -> String {
        format!("cn=nobody of SafeKit,{}", self.base)
    }

    /// The filter that finds a user: his name stands for itself, whatever characters it has.
    pub fn filter_for(&self, user: &str) -> String {
        format!("(&{}({}={}))", self.filter, self.attribute, ldap3::ldap_escape(user))
    }
}

/// The first of the attributes is the user name, as in mod_authnz_ldap; `uid` without any.
fn attribute(list: &str) -> Result<String, String> {
    let first = list.split(',').next().unwrap_or_default().trim();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
    match first {
        "" => Ok("uid".to_owned()),
        name if name.bytes().all(plain) => Ok(name.to_owned()),
        name => Err(format!("\"{name}\" is not the name of an attribute")),
    }
}

fn scope(text: &str) -> Result<Scope, String> {
    match text.to_ascii_lowercase().as_str() {
        "" | "sub" => Ok(Scope::Subtree),
        "one" => Ok(Scope::OneLevel),
        "base" => Ok(Scope::Base),
        _ => Err(format!("\"{text}\" is not a scope: write sub, one or base")),
    }
}

fn filter(text: String) -> Result<String, String> {
    let filter = if text.is_empty() { "(objectClass=*)".to_owned() } else { text };
    let filter = if filter.starts_with('(') { filter } else { format!("({filter})") };
    match ldap3::parse_filter(&filter) {
        Ok(_) => Ok(filter),
        Err(_) => Err(format!("\"{filter}\" is not a filter such as (objectClass=person)")),
    }
}

fn starttls(extensions: &str) -> Result<bool, String> {
    let mut found = false;
    for extension in extensions.split(',').map(str::trim).filter(|e| !e.is_empty()) {
        let name = extension.trim_start_matches('!').split('=').next().unwrap_or_default();
        if STARTTLS.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            found = true;
        } else {
            return Err(format!("\"{extension}\" is not supported: the only extension is StartTLS"));
        }
    }
    Ok(found)
}

fn check_host(host: &str) -> Result<(), String> {
    let bad = || Err(format!("\"{host}\" is not a host or host:port"));
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
    if host.is_empty() || !host.bytes().all(allowed) {
        return bad();
    }
    let port = match host.strip_prefix('[') {
        Some(v6) => v6.split_once(']').map(|(_, rest)| rest.strip_prefix(':').unwrap_or(rest)),
        None => Some(host.split_once(':').map_or("", |(_, port)| port)),
    };
    match port {
        Some("") => Ok(()),
        Some(port) if port.parse::<u16>().is_ok_and(|port| port != 0) => Ok(()),
        _ => bad(),
    }
}

/// `%XX` becomes the byte.
fn decode(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
        let (Some(high), Some(low)) = (digit(rest.next()), digit(rest.next())) else {
            return Err(format!("\"{text}\": after % come two hexadecimal digits"));
        };
        // Two digits make one byte.
        bytes.push(u8::try_from(high * 16 + low).unwrap_or_default());
    }
    String::from_utf8(bytes).map_err(|_| format!("\"{text}\" is not UTF-8 when decoded"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_of_the_guide() {
        let text = "ldap://ldaporad.fq.dn:389/OU=searchou, DC=domain, DC=fq, DC=dn?sAMAccountName, memberOf?sub?(objectClass=*)";
        let url = SearchUrl::parse(text).unwrap();
        assert_eq!(url.server, "ldap://ldaporad.fq.dn:389");
        assert_eq!(
            (url.base.as_str(), url.attribute.as_str()),
            ("OU=searchou, DC=domain, DC=fq, DC=dn", "sAMAccountName")
        );
        assert_eq!(
            (url.scope, url.filter.as_str(), url.protection),
            (Scope::Subtree, "(objectClass=*)", Protection::None)
        );
    }

    #[test]
    fn defaults_decoding_and_protection() {
        let url = SearchUrl::parse("ldaps://[::1]:636/o=a%2Cb%20c").unwrap();
        assert_eq!(
            (url.base.as_str(), url.attribute.as_str(), url.protection),
            ("o=a,b c", "uid", Protection::Tls)
        );
        let url = SearchUrl::parse("LDAP://h/dc=x?cn?one?objectClass=person?!StartTLS").unwrap();
        assert_eq!(
            (url.scope, url.filter.as_str(), url.protection),
            (Scope::OneLevel, "(objectClass=person)", Protection::StartTls)
        );
    }

    #[test]
    fn names_cannot_change_the_filter() {
        let url = SearchUrl::parse("ldap://h/dc=x?uid??(objectClass=person)").unwrap();
        assert_eq!(url.filter_for("a*)(uid=*"), "(&(objectClass=person)(uid=a\\2a\\29\\28uid=\\2a))");
        assert_eq!(url.filter_for("a\\\0"), "(&(objectClass=person)(uid=a\\5c\\00))");
    }

    #[test]
    fn faults_are_told() {
        for (bad, wanted) in [
            ("http://h/dc=x", "begins with ldap"),
            ("ldap://h", "search below is missing"),
            ("ldap://h/", "search below is missing"),
            ("ldap:///dc=x", "not a host"),
            ("ldap://h:0/dc=x", "not a host"),
            ("ldap://h:x/dc=x", "not a host"),
            ("ldap://h/dc=x?a b", "not the name of an attribute"),
            ("ldap://h/dc=x??deep", "not a scope"),
            ("ldap://h/dc=x???((", "not a filter"),
            ("ldap://h/dc=x????foo", "only extension"),
            ("ldaps://h/dc=x????StartTLS", "exclude each other"),
            ("ldap://h/dc=x?????", "question marks"),
            ("ldap://h/dc=%4", "hexadecimal"),
            ("ldap://h/dc=%ff", "UTF-8"),
        ] {
            let said = SearchUrl::parse(bad).unwrap_err();
            assert!(said.contains(wanted), "{bad}: {said}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "(ldaps?://)?[^\\x00]{0,60}", user in ".{0,20}") {
            if let Ok(url) = SearchUrl::parse(&text) {
                proptest::prop_assert!(ldap3::parse_filter(url.filter_for(&user)).is_ok());
            }
        }
    }
}
