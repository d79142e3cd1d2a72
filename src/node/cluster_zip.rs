//! The zip in which a cluster configuration travels: cluster.xml and, unless the cluster is not
//! encrypted, cluster.key. It is read and written in memory, so the key is in no other file.

use super::cluster::LARGEST_XML;
use super::keys::{CLUSTER_KEY, SecretKey};
use crate::told::Tell;
use std::io::{Cursor, Read, Write};
use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

const CLUSTER_XML: &str = "cluster.xml";

/// Why the zip of a cluster configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ClusterZipError {
    /// Not a zip, or damaged.
    #[error("not a readable zip of a cluster configuration: {0}")]
    Zip(#[from] ZipError),
    /// It holds no configuration.
    #[error("the zip holds no cluster.xml")]
    NoXml,
    /// One of its files is not what it should be.
    #[error("the zip holds a {0} that is too large or not valid")]
    Entry(&'static str),
}

impl Tell for ClusterZipError {
    fn french(&self) -> String {
        match self {
            ClusterZipError::Zip(e) => format!("pas un zip lisible d'une configuration de cluster : {e}"),
            ClusterZipError::NoXml => "le zip ne contient pas de cluster.xml".to_owned(),
            ClusterZipError::Entry(name) => {
                format!("{name}, dans le zip, est trop grand ou n'est pas valide")
            }
        }
    }
}

/// Packs a configuration and its key.
pub fn pack(xml: &str, key: Option<&SecretKey>) -> Result<Vec<u8>, ClusterZipError> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().last_modified_time(zip::DateTime::default());
    zip.start_file(CLUSTER_XML, options)?;
    zip.write_all(xml.as_bytes()).map_err(ZipError::from)?;
    if let Some(key) = key {
        zip.start_file(CLUSTER_KEY, options.unix_permissions(0o600))?;
        zip.write_all(key.to_line().as_bytes()).map_err(ZipError::from)?;
    }
    Ok(zip.finish()?.into_inner())
}

/// Unpacks a configuration and its key; other files are ignored.
pub fn unpack(bytes: &[u8]) -> Result<(String, Option<SecretKey>), ClusterZipError> {
    let mut zip = ZipArchive::new(Cursor::new(bytes))?;
    let xml = entry(&mut zip, CLUSTER_XML)?.ok_or(ClusterZipError::NoXml)?;
    let xml = String::from_utf8(xml).map_err(|_| ClusterZipError::Entry(CLUSTER_XML))?;
    let key = match entry(&mut zip, CLUSTER_KEY)? {
        None => None,
        Some(line) => Some(SecretKey::from_line(&line).ok_or(ClusterZipError::Entry(CLUSTER_KEY))?),
    };
    Ok((xml, key))
}

fn entry(
    zip: &mut ZipArchive<Cursor<&[u8]>>,
    name: &'static str,
) -> Result<Option<Vec<u8>>, ClusterZipError> {
    let file = match zip.by_name(name) {
        Err(ZipError::FileNotFound) => return Ok(None),
        other => other?,
    };
    let mut content = Vec::new();
    // What is unpacked counts, not what the zip says about it.
    file.take(LARGEST_XML + 1).read_to_end(&mut content).map_err(ZipError::from)?;
    if content.len() as u64 > LARGEST_XML { Err(ClusterZipError::Entry(name)) } else { Ok(Some(content)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_configuration_comes_back_with_and_without_key() {
        let key = SecretKey::generate().unwrap();
        let (xml, back) = unpack(&pack("<cluster/>", Some(&key)).unwrap()).unwrap();
        assert_eq!((xml.as_str(), back.unwrap().as_bytes()), ("<cluster/>", key.as_bytes()));
        assert!(unpack(&pack("<cluster/>", None).unwrap()).unwrap().1.is_none());
    }

    #[test]
    fn what_is_no_configuration_is_refused() {
        let huge = pack(&" ".repeat(LARGEST_XML as usize + 1), None).unwrap();
        assert!(matches!(unpack(&huge), Err(ClusterZipError::Entry(CLUSTER_XML))));
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file("other.xml", SimpleFileOptions::default()).unwrap();
        assert!(matches!(unpack(&zip.finish().unwrap().into_inner()), Err(ClusterZipError::NoXml)));
    }

    proptest! {
        #[test]
        fn damaged_bytes_never_panic(at: prop::sample::Index, byte: u8, cut: prop::sample::Index) {
            let mut bytes = pack("<cluster><lans/></cluster>", None).unwrap();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = unpack(&bytes);
            bytes.truncate(cut.index(bytes.len()));
            prop_assert!(unpack(&bytes).is_err());
        }
    }
}
