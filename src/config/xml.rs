//! XML text to a small tree of elements that know their lines.
//!
//! Only what configuration files need: elements, attributes, text, the predefined entities. No
//! DTD, no other entity, and limits on everything, because files come from consoles and archives.

use crate::config::error::{ConfigError, ConfigErrors};
use crate::told::{Told, told};
use quick_xml::Reader;
use quick_xml::errors::{IllFormedError, SyntaxError};
use quick_xml::escape::unescape;
use quick_xml::events::attributes::AttrError;
use quick_xml::events::{BytesStart, Event};

/// Largest file, bytes.
pub const MAX_SIZE: usize = 1 << 20;
/// Deepest nesting.
pub const MAX_DEPTH: usize = 32;
/// Most elements in a file.
pub const MAX_ELEMENTS: usize = 10_000;
/// Most attributes of an element.
pub const MAX_ATTRIBUTES: usize = 64;

/// One element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// Name of the tag.
    pub name: String,
    /// Line of the tag, from 1.
    pub line: u32,
    /// Attributes as written, duplicates included.
    pub attributes: Vec<Attribute>,
    /// Child elements.
    pub children: Vec<Element>,
    /// Text and CDATA sections that are not blank.
    pub texts: Vec<Text>,
}

/// One attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Name.
    pub name: String,
    /// Value, entities replaced.
    pub value: String,
    /// Line of the name.
    pub line: u32,
    /// Already reported as wrong (an undefined macro): its value says nothing.
    pub broken: bool,
}

/// Text between tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The characters.
    pub text: String,
    /// Line of the first one.
    pub line: u32,
    /// From a CDATA section.
    pub cdata: bool,
}

/// Reads a whole file. A fault of syntax ends the reading, so there is only one.
pub fn parse(text: &str, file: &str) -> Result<Element, ConfigErrors> {
    let mut tree = Tree::new(text);
    tree.read().map_err(|fault| {
        let line = tree.line(fault.at);
        let error = ConfigError {
            file: file.to_owned(),
            line,
            tag: fault.tag,
            attribute: fault.attribute,
            value: None,
            what: fault.what,
        };
        ConfigErrors(vec![error])
    })
}

/// A fault of syntax, by its offset.
struct Fault {
    at: usize,
    tag: String,
    attribute: Option<String>,
    what: Told,
}

impl Fault {
    fn new(at: usize, what: Told) -> Fault {
        Fault { at, tag: String::new(), attribute: None, what }
    }

    fn of(mut self, tag: &str) -> Fault {
        self.tag = tag.to_owned();
        self
    }
}

struct Tree<'a> {
    text: &'a str,
    /// Offset of the first character of each line.
    lines: Vec<usize>,
    open: Vec<Element>,
    root: Option<Element>,
    elements: usize,
}

impl<'a> Tree<'a> {
    fn new(text: &'a str) -> Tree<'a> {
        let newlines = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i + 1);
        let lines = std::iter::once(0).chain(newlines).collect();
        Tree { text, lines, open: Vec::new(), root: None, elements: 0 }
    }

    fn line(&self, offset: usize) -> u32 {
        self.lines.partition_point(|start| *start <= offset) as u32
    }

    /// Where a part that the reader borrowed from the text begins.
    fn offset(&self, part: &str) -> usize {
        (part.as_ptr() as usize).wrapping_sub(self.text.as_ptr() as usize).min(self.text.len())
    }

    fn read(&mut self) -> Result<Element, Fault> {
        if self.text.len() > MAX_SIZE {
            let what =
                told!("the file is larger than {MAX_SIZE} bytes", "le fichier dépasse {MAX_SIZE} octets");
            return Err(Fault::new(0, what));
        }
        let mut reader = Reader::from_str(self.text);
        loop {
            let event = match reader.read_event() {
                Ok(event) => event,
                Err(e) => return Err(Fault::new(reader.error_position() as usize, unreadable(&e))),
            };
            match event {
                Event::Start(start) => self.start(&start)?,
                Event::Empty(start) => {
                    self.start(&start)?;
                    self.end();
                }
                Event::End(_) => self.end(),
                Event::Text(t) => self.characters(&t, self.offset(&t), false)?,
                Event::CData(t) => self.characters(&t, self.offset(&t), true)?,
                Event::GeneralRef(name) => {
                    let at = self.offset(&name);
                    let text = unescape(&format!("&{};", &*name)).map(String::from);
                    let text = text.map_err(|_| Fault::new(at, unknown_entity(&name)))?;
                    self.characters(&text, at, false)?;
                }
                Event::DocType(t) => self.doctype(&t, self.offset(&t))?,
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
                Event::Eof => break,
            }
        }
        if let Some(open) = self.open.last() {
            let Element { name, line, .. } = open;
            let what =
                told!("<{name}> of line {line} is not closed", "<{name}> de la ligne {line} n'est pas fermé");
            return Err(Fault::new(self.text.len(), what));
        }
        let nothing = || told!("the file holds no element", "le fichier ne contient aucun élément");
        self.root.take().ok_or_else(|| Fault::new(self.text.len(), nothing()))
    }

    fn start(&mut self, start: &BytesStart<'_>) -> Result<(), Fault> {
        let at = self.offset(start);
        let qname = start.name();
        let name = qname.into_inner();
        self.elements += 1;
        if self.elements > MAX_ELEMENTS {
            let what = told!("more than {MAX_ELEMENTS} elements", "plus de {MAX_ELEMENTS} éléments");
            return Err(Fault::new(at, what).of(name));
        }
        if self.open.len() >= MAX_DEPTH {
            let what = told!(
                "nested deeper than {MAX_DEPTH} elements",
                "plus de {MAX_DEPTH} éléments les uns dans les autres"
            );
            return Err(Fault::new(at, what).of(name));
        }
        if self.root.is_some() {
            let what = told!(
                "a second element at the top of the file",
                "un deuxième élément à la racine du fichier"
            );
            return Err(Fault::new(at, what).of(name));
        }
        if let Some(texts) = self.open.last_mut().map(|parent| &mut parent.texts) {
            // So that text after this element has a line of its own.
            texts.pop_if(|t| t.text.trim().is_empty());
        }
        let mut attributes = Vec::new();
        for found in start.attributes().with_checks(false) {
            let found = found.map_err(|e| Fault::new(at, bad_attribute(&e)).of(name))?;
            let key = found.key.into_inner();
            let at = self.offset(key);
            let fault = |what: Told| Fault { at, tag: name.into(), attribute: Some(key.into()), what };
            if attributes.len() >= MAX_ATTRIBUTES {
                return Err(fault(told!(
                    "more than {MAX_ATTRIBUTES} attributes",
                    "plus de {MAX_ATTRIBUTES} attributs"
                )));
            }
            let raw = found.value.replace(['\t', '\r', '\n'], " ");
            if raw.contains('<') {
                return Err(fault(told!(
                    "\"<\" in a value: write &lt;",
                    "\"<\" dans une valeur : écrivez &lt;"
                )));
            }
            let value = unescape(&raw).map_err(|_| fault(unknown_entity(&raw)))?.into_owned();
            attributes.push(Attribute { name: key.into(), value, line: self.line(at), broken: false });
        }
        let line = self.line(at);
        let element =
            Element { name: name.into(), line, attributes, children: Vec::new(), texts: Vec::new() };
        self.open.push(element);
        Ok(())
    }

    fn end(&mut self) {
        // The reader has checked that end tags match, so there is an open element.
        let Some(mut done) = self.open.pop() else { return };
        done.texts.retain(|t| !t.text.trim().is_empty());
        match self.open.last_mut() {
            Some(parent) => parent.children.push(done),
            None => self.root = Some(done),
        }
    }

    /// Text comes in pieces around each entity; a CDATA section is one piece of its own.
    fn characters(&mut self, text: &str, at: usize, cdata: bool) -> Result<(), Fault> {
        let line = self.line(at);
        let Some(element) = self.open.last_mut() else {
            let blank = text.trim_start_matches('\u{feff}').trim().is_empty();
            let what = || told!("text outside of all elements", "du texte en dehors de tout élément");
            return if blank { Ok(()) } else { Err(Fault::new(at, what())) };
        };
        match element.texts.last_mut() {
            Some(last) if !cdata && !last.cdata => last.text.push_str(text),
            _ => {
                let skipped = if cdata { "" } else { &text[..text.len() - text.trim_start().len()] };
                let line = line + skipped.matches('\n').count() as u32;
                element.texts.push(Text { text: text[skipped.len()..].to_owned(), line, cdata });
            }
        }
        Ok(())
    }

    fn doctype(&mut self, content: &str, at: usize) -> Result<(), Fault> {
        let lone_name = content.trim().chars().all(|c| c.is_ascii_alphanumeric());
        if lone_name {
            Ok(())
        } else {
            let what = told!(
                "only <!DOCTYPE name> is accepted: no entities, no external files",
                "seul <!DOCTYPE nom> est accepté : ni entités, ni fichiers externes"
            );
            Err(Fault::new(at, what).of("!DOCTYPE"))
        }
    }
}

fn unknown_entity(text: &str) -> Told {
    let shown: String = text.chars().take(40).collect();
    told!(
        "unknown entity in \"{shown}\": use &amp; &lt; &gt; &quot; &apos; or a character reference",
        "entité inconnue dans \"{shown}\" : utilisez &amp; &lt; &gt; &quot; &apos; ou une référence de caractère"
    )
}

/// Why the reader cannot go on.
fn unreadable(error: &quick_xml::Error) -> Told {
    use quick_xml::Error as E;
    match error {
        E::Syntax(e) => Told::new(error.to_string(), format!("erreur de syntaxe : {}", syntax(*e))),
        E::IllFormed(e) => Told::new(error.to_string(), format!("document mal formé : {}", ill_formed(e))),
        E::InvalidAttr(e) => bad_attribute(e),
        // Reading from memory does not fail, and the text is UTF-8; entities and namespaces are not looked at.
        E::Io(_) | E::Encoding(_) | E::Escape(_) | E::Namespace(_) => {
            told!("unreadable XML: {error}", "XML illisible : {error}")
        }
    }
}

fn syntax(error: SyntaxError) -> String {
    use SyntaxError as E;
    let (what, end) = match error {
        E::InvalidBangMarkup => return "signe inconnu ou manquant après `<!`".to_owned(),
        E::UnclosedPI => ("instruction de traitement non fermée", "?>"),
        E::UnclosedXmlDecl => ("déclaration XML non fermée", "?>"),
        E::UnclosedComment => ("commentaire non fermé", "-->"),
        E::UnclosedDoctype => ("DOCTYPE non fermé", ">"),
        E::UnclosedCData => ("CDATA non fermé", "]]>"),
        E::UnclosedTag => ("balise non fermée", ">"),
        E::UnclosedSingleQuotedAttributeValue => ("valeur d'attribut non fermée", "'"),
        E::UnclosedDoubleQuotedAttributeValue => ("valeur d'attribut non fermée", "\""),
    };
    format!("{what} : `{end}` ne se trouve pas avant la fin du fichier")
}

fn ill_formed(error: &IllFormedError) -> String {
    use IllFormedError as E;
    match error {
        E::MissingDeclVersion(None) => "la déclaration XML n'a pas d'attribut `version`".to_owned(),
        E::MissingDeclVersion(Some(found)) => {
            format!("la déclaration XML doit commencer par l'attribut `version`, et commence par `{found}`")
        }
        E::UnknownVersion => "version de XML inconnue : 1.0 ou 1.1 est attendu".to_owned(),
        E::MissingDoctypeName => "la déclaration `<!DOCTYPE>` ne nomme pas de type de document".to_owned(),
        E::MissingEndTag(tag) => {
            format!("balise non fermée : `</{tag}>` ne se trouve pas avant la fin du fichier")
        }
        E::UnmatchedEndTag(tag) => format!("la balise fermante `</{tag}>` ne ferme aucune balise ouverte"),
        E::MismatchedEndTag { expected, found } => {
            format!("`</{expected}>` est attendu, mais `</{found}>` a été trouvé")
        }
        E::DoubleHyphenInComment => "`--` est interdit dans un commentaire".to_owned(),
        E::UnclosedReference => {
            "référence d'entité ou de caractère non fermée : `;` ne se trouve pas avant la fin du fichier"
                .to_owned()
        }
    }
}

fn bad_attribute(error: &AttrError) -> Told {
    use AttrError as E;
    let french = match error {
        E::ExpectedEq(at) => {
            format!("position {at} : le nom d'un attribut doit être suivi de `=` ou d'un espace")
        }
        E::ExpectedValue(at) => format!("position {at} : `=` doit être suivi d'une valeur"),
        E::UnquotedValue(at) => {
            format!("position {at} : la valeur d'un attribut doit être entre `\"` ou `'`")
        }
        E::ExpectedQuote(at, quote) => {
            let quote = char::from(*quote);
            format!("position {at} : il manque `{quote}` à la fin de la valeur d'un attribut")
        }
        E::Duplicated(at, before) => {
            format!("position {at} : attribut donné deux fois, d'abord à la position {before}")
        }
    };
    Told::new(error.to_string(), french)
}
