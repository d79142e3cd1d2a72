//! Words for what was tried with a file, in error texts.

use super::Tell;
use std::fmt;

/// What was tried with a file or directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the word that is printed")]
pub enum Attempt {
    Compare,
    Copy,
    Create,
    Delete,
    Examine,
    Give,
    Make,
    NameBeside,
    Open,
    Pack,
    Protect,
    Read,
    Remove,
    RenameTo,
    Repair,
    Replace,
    Restore,
    Sign,
    Sync,
    Write,
}

impl Attempt {
    /// Its word in English and in French.
    fn word(self) -> (&'static str, &'static str) {
        match self {
            Attempt::Compare => ("compare", "comparer"),
            Attempt::Examine => ("examine", "examiner"),
            Attempt::NameBeside => ("name a new file beside", "nommer un nouveau fichier à côté de"),
            Attempt::Pack => ("pack", "archiver"),
            Attempt::RenameTo => ("rename to", "renommer en"),
            Attempt::Open => ("open", "ouvrir"),
            Attempt::Repair => ("repair", "réparer"),
            Attempt::Restore => ("restore", "restaurer"),
            Attempt::Copy => ("copy", "copier"),
            Attempt::Create => ("create", "créer"),
            Attempt::Delete => ("delete", "supprimer"),
            Attempt::Give => ("give", "attribuer"),
            Attempt::Make => ("make", "créer"),
            Attempt::Protect => ("protect", "protéger"),
            Attempt::Read => ("read", "lire"),
            Attempt::Remove => ("remove", "supprimer"),
            Attempt::Replace => ("replace", "remplacer"),
            Attempt::Sign => ("sign", "signer"),
            Attempt::Sync => ("sync", "synchroniser"),
            Attempt::Write => ("write", "écrire"),
        }
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word().0)
    }
}

impl Tell for Attempt {
    fn french(&self) -> String {
        self.word().1.to_owned()
    }
}
