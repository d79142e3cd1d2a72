//! The `.safe` files of SAFE/Application_Modules, from which modules are installed (WEB-26).

use super::record::{self, RecordError};
use super::tree;
use crate::config::archive;
use crate::config::module::{self, Mode};
use crate::config::paths::Paths;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use utoipa::ToSchema;

/// Levels of sub-directories in which templates are searched.
pub const LEVELS: u32 = 3;
/// Largest archive that is read.
pub const LARGEST: u64 = 64 * 1024 * 1024;
/// Templates that are listed.
const MOST: usize = 500;
/// Longest description, characters.
const LONGEST: usize = 600;

/// Where a template comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TemplateKind {
    /// Delivered: `generic`, `demo` and `published`.
    Main,
    /// Kept of a module that was uninstalled: `backup`.
    Backup,
    /// Anything else, e.g. `other`.
    Other,
}

/// A template.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct TemplateRow {
    /// Where it comes from.
    pub kind: TemplateKind,
    /// Name of the file without its ending.
    pub name: String,
    /// The file below SAFE/Application_Modules; what an install takes as template.
    pub file: String,
    /// `mirror`, `farm` or `light`; none if its configuration cannot be read.
    pub mode: Option<String>,
    /// The comment before `<safe>` of its configuration; empty without one.
    pub description: String,
}

/// The templates, the delivered ones first, then by name. One that cannot be read is there without mode.
pub fn list(paths: &Paths) -> Result<Vec<TemplateRow>, RecordError> {
    let root = paths.application_modules();
    let mut files = Vec::new();
    search(&root, LEVELS, &mut files)?;
    files.truncate(MOST);
    let mut found: Vec<TemplateRow> = files.iter().filter_map(|path| template(&root, path)).collect();
    found.sort();
    Ok(found)
}

fn search(dir: &Path, levels: u32, found: &mut Vec<PathBuf>) -> Result<(), RecordError> {
    for entry in tree::entries(dir)? {
        let ending = entry.extension().and_then(|e| e.to_str());
        if entry.is_dir() && levels > 0 {
            search(&entry, levels - 1, found)?;
        } else if entry.is_file() && matches!(ending, Some("safe" | "zip")) {
            found.push(entry);
        }
    }
    Ok(())
}

fn template(root: &Path, path: &Path) -> Option<TemplateRow> {
    let file = path.strip_prefix(root).ok()?.to_str()?.to_owned();
    let name = path.file_stem()?.to_str()?.to_owned();
    let kind = match file.split('/').next() {
        Some("generic" | "demo" | "published") => TemplateKind::Main,
        Some("backup") => TemplateKind::Backup,
        _ => TemplateKind::Other,
    };
    let text = match record::load_bytes(path, LARGEST).map(|bytes| archive::userconfig(&bytes?).ok()) {
        Ok(text) => text.unwrap_or_default(),
        Err(error) => {
            tracing::warn!(%error, "the template cannot be read");
            String::new()
        }
    };
    Some(TemplateRow {
        kind,
        name,
        file,
        mode: mode(&text).map(|m| m.to_string()),
        description: description(&text),
    })
}

fn mode(text: &str) -> Option<Mode> {
    let env = |name: &str| std::env::var(name).ok();
    module::load(text, "userconfig.xml", &env, None).ok().map(|config| config.service.mode)
}

/// The comment before the first element, on one line.
fn description(text: &str) -> String {
    let head = text.find("<safe").map_or(text, |at| &text[..at]);
    let comment = head.split_once("<!--").and_then(|(_, rest)| rest.split_once("-->"));
    let words = comment.map_or("", |(comment, _)| comment).split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_say_what_they_are() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path().join("safe"), root.path().join("var"));
        let module = root.path().join("module");
        std::fs::create_dir_all(module.join("conf")).unwrap();
        let text = "<?xml version=\"1.0\"?>\n<!-- web: an application\n   on one node. -->\n\
                    <safe><!-- not this --><service mode='light'/></safe>";
        std::fs::write(module.join("conf/userconfig.xml"), text).unwrap();
        let bytes = archive::bytes(&module).unwrap();
        let dir = paths.application_modules();
        for (file, bytes) in [
            ("generic/web.safe", bytes.as_slice()),
            ("backup/old.safe", &bytes),
            ("other/sub/broken.zip", b"no zip"),
            ("generic/readme.txt", b"text"),
        ] {
            std::fs::create_dir_all(dir.join(file).parent().unwrap()).unwrap();
            std::fs::write(dir.join(file), bytes).unwrap();
        }
        let found = list(&paths).unwrap();
        let files: Vec<&str> = found.iter().map(|t| t.file.as_str()).collect();
        assert_eq!(files, ["generic/web.safe", "backup/old.safe", "other/sub/broken.zip"]);
        assert_eq!((found[0].kind, found[0].name.as_str()), (TemplateKind::Main, "web"));
        assert_eq!(found[0].mode.as_deref(), Some("light"));
        assert_eq!(found[0].description, "web: an application on one node.");
        assert_eq!((found[2].mode.as_deref(), found[2].description.as_str()), (None, ""));
    }

    #[test]
    fn without_the_directory_there_is_no_template() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path().join("safe"), root.path().join("var"));
        assert!(list(&paths).unwrap().is_empty());
    }
}
