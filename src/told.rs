//! Texts for people, in every language that there is (WEB-21). Who asks says which one he reads.

pub mod attempt;

use crate::log::Lang;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A text in each language. Prints as English.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub struct Told {
    en: String,
    fr: String,
}

/// As it may stand in what an earlier release has left: a text alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum Stored {
    Both { en: String, fr: String },
    Alone(String),
}

impl From<Stored> for Told {
    fn from(stored: Stored) -> Told {
        match stored {
            Stored::Both { en, fr } => Told { en, fr },
            Stored::Alone(text) => Told::same(text),
        }
    }
}

impl Told {
    /// Both texts; [`told!`](crate::told::told) fills in what they name.
    pub fn new(en: String, fr: String) -> Told {
        Told { en, fr }
    }

    /// What is the same in every language: names, what the system or a program has said. Not a `From`: that
    /// a text has no French one must be seen where it is written.
    pub fn same(text: impl Into<String>) -> Told {
        let text = text.into();
        Told { en: text.clone(), fr: text }
    }

    /// The text in a language.
    pub fn of(&self, lang: Lang) -> &str {
        match lang {
            Lang::En => &self.en,
            Lang::Fr => &self.fr,
        }
    }

    /// The same text, alone.
    pub fn into(self, lang: Lang) -> String {
        match lang {
            Lang::En => self.en,
            Lang::Fr => self.fr,
        }
    }

    /// The text changed alike in every language.
    pub fn map(&self, change: impl Fn(&str) -> String) -> Told {
        Told { en: change(&self.en), fr: change(&self.fr) }
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.en.is_empty()
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.en)
    }
}

impl std::ops::Add for Told {
    type Output = Told;

    fn add(mut self, more: Told) -> Told {
        self += more;
        self
    }
}

impl std::ops::AddAssign for Told {
    fn add_assign(&mut self, more: Told) {
        self.en += &more.en;
        self.fr += &more.fr;
    }
}

/// An error that users read; it prints in English.
pub trait Tell: fmt::Display {
    /// Its text in French.
    fn french(&self) -> String;

    /// Both texts.
    fn told(&self) -> Told {
        Told::new(self.to_string(), self.french())
    }

    /// Its text in a language.
    fn text(&self, lang: Lang) -> String {
        match lang {
            Lang::En => self.to_string(),
            Lang::Fr => self.french(),
        }
    }
}

/// Words that are no variables: English, then French.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words(pub &'static str, pub &'static str);

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

impl Tell for Words {
    fn french(&self) -> String {
        self.1.to_owned()
    }
}

/// The English and the French text, each with the variables that it names in braces.
macro_rules! told {
    ($en:literal, $fr:literal $(,)?) => {
        $crate::told::Told::new(
            ::std::fmt::format(::std::format_args!($en)),
            ::std::fmt::format(::std::format_args!($fr)),
        )
    };
}
pub(crate) use told;

/// What a text in two languages must be, for the tests of whoever has such texts.
#[cfg(test)]
pub mod proof {
    use super::*;

    /// English words that are no French ones.
    const ENGLISH: [&str; 20] = [
        "the", "is", "are", "not", "and", "cannot", "must", "with", "this", "that", "has", "have", "from",
        "which", "there", "been", "of", "what", "its", "be",
    ];

    /// What stands for itself in every language: numbers, paths, tags, attributes, names of states and resources.
    fn names(text: &str) -> Vec<&str> {
        let punctuation: &[char] = &[',', ';', ':', '.', '(', ')', '"', '\'', '`', '?', '!'];
        let named = |word: &&str| {
            word.chars().any(|c| c.is_ascii_digit() || "_/=<%@&\\".contains(c))
                || word.contains('.')
                || word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase())
        };
        text.split_whitespace().map(|word| word.trim_matches(punctuation)).filter(named).collect()
    }

    /// The French text is there, is no English, names all that the English one names, and has its spaces as
    /// French has them.
    #[track_caller]
    pub fn assert_translated(told: &Told) {
        let (english, french) = (told.of(Lang::En), told.of(Lang::Fr));
        assert!(!french.is_empty() && english != french, "no French: {english}");
        for name in names(english) {
            assert!(french.contains(name), "{name} is lost: {english}\n{french}");
        }
        let words: Vec<&str> = french.split(|c: char| !c.is_alphabetic()).collect();
        let left = words.iter().find(|word| ENGLISH.contains(word));
        assert!(left.is_none(), "{left:?} is English: {french}");
        for (at, _) in french.match_indices(": ").chain(french.match_indices("; ")) {
            let word = french[..=at].rsplit(char::is_whitespace).next().unwrap_or_default();
            // What the system or a program has said stands in both.
            let bare = word.chars().count() > 1 && !english.contains(word);
            assert!(!bare, "no space in \"{word}\": {french}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_language_has_its_text() {
        let node = "node1";
        let text = told!("{node} is silent", "{node} est silencieux");
        assert_eq!(text.of(Lang::Fr), "node1 est silencieux");
        assert_eq!(text.to_string(), "node1 is silent");
    }

    #[test]
    fn what_an_earlier_release_has_stored_is_read() {
        let both = told!("gone", "parti");
        let read = |text: &str| serde_json::from_str::<Told>(text).unwrap();
        assert_eq!(read(&serde_json::to_string(&both).unwrap()), both);
        assert_eq!(read("\"gone\""), Told::same("gone"));
    }

    #[test]
    fn a_bad_translation_is_found() {
        let bad = [
            told!("node1 is silent", "node1 is silent"),
            told!("4 nodes are silent", "les nœuds sont silencieux"),
            told!("stop it: now", "arrêtez-le: maintenant"),
            told!("it is gone", "il est gone, which est rare"),
        ];
        for told in bad {
            assert!(std::panic::catch_unwind(|| proof::assert_translated(&told)).is_err(), "{told:?}");
        }
        proof::assert_translated(&told!("no <rfs> on 2 nodes", "pas de <rfs> sur 2 nœuds"));
    }

    #[test]
    fn what_has_no_french_text_is_told_as_it_is() {
        let mut text = Told::same("EIO");
        text += told!("; try again", " ; réessayez");
        assert_eq!((text.of(Lang::En), text.of(Lang::Fr)), ("EIO; try again", "EIO ; réessayez"));
    }
}
