//! Texts for people, in every language that there is (WEB-21). Who asks says which one he reads.

use crate::log::Lang;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A text in each language. Prints as English.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Told {
    en: String,
    fr: String,
}

impl Told {
    /// Both texts; [`told!`](crate::told::told) fills in what they name.
    pub fn new(en: String, fr: String) -> Told {
        Told { en, fr }
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

/// What is the same in every language: what the system said, or a text that has no French one.
impl From<String> for Told {
    fn from(text: String) -> Told {
        Told { en: text.clone(), fr: text }
    }
}

impl From<&str> for Told {
    fn from(text: &str) -> Told {
        Told::from(text.to_owned())
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.en)
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
    fn what_has_no_french_text_is_told_as_it_is() {
        let mut text = Told::from("EIO");
        text += told!("; try again", " ; réessayez");
        assert_eq!((text.of(Lang::En), text.of(Lang::Fr)), ("EIO; try again", "EIO ; réessayez"));
    }
}
