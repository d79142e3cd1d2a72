//! XML text to a small tree of elements that know their lines.
//!
//! Only what configuration files need: elements, attributes, text, the predefined entities. No
//! DTD, no other entity, and limits on everything, because files come from consoles and archives.

use crate::config::error::{ConfigError, ConfigErrors};
use quick_xml::Reader;
use quick_xml::escape::unescape;
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
            what: fault.what.into(),
        };
        ConfigErrors(vec![error])
    })
}

/// A fault of syntax, by its offset.
struct Fault {
    at: usize,
    tag: String,
    attribute: Option<String>,
    what: String,
}

impl Fault {
    fn new(at: usize, what: impl Into<String>) -> Fault {
        Fault { at, tag: String::new(), attribute: None, what: what.into() }
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
            return Err(Fault::new(0, format!("the file is larger than {MAX_SIZE} bytes")));
        }
        let mut reader = Reader::from_str(self.text);
        loop {
            let event = match reader.read_event() {
                Ok(event) => event,
                Err(e) => return Err(Fault::new(reader.error_position() as usize, e.to_string())),
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
            return Err(Fault::new(
                self.text.len(),
                format!("<{}> of line {} is not closed", open.name, open.line),
            ));
        }
        self.root.take().ok_or_else(|| Fault::new(self.text.len(), "the file holds no element"))
    }

    fn start(&mut self, start: &BytesStart<'_>) -> Result<(), Fault> {
        let at = self.offset(start);
        let qname = start.name();
        let name = qname.into_inner();
        self.elements += 1;
        if self.elements > MAX_ELEMENTS {
            return Err(Fault::new(at, format!("more than {MAX_ELEMENTS} elements")).of(name));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(Fault::new(at, format!("nested deeper than {MAX_DEPTH} elements")).of(name));
        }
        if self.root.is_some() {
            return Err(Fault::new(at, "a second element at the top of the file").of(name));
        }
        if let Some(texts) = self.open.last_mut().map(|parent| &mut parent.texts) {
            // So that text after this element has a line of its own.
            texts.pop_if(|t| t.text.trim().is_empty());
        }
        let mut attributes = Vec::new();
        for found in start.attributes().with_checks(false) {
            let found = found.map_err(|e| Fault::new(at, e.to_string()).of(name))?;
            let key = found.key.into_inner();
            let at = self.offset(key);
            let fault = |what: String| Fault { at, tag: name.into(), attribute: Some(key.into()), what };
            if attributes.len() >= MAX_ATTRIBUTES {
                return Err(fault(format!("more than {MAX_ATTRIBUTES} attributes")));
            }
            let raw = found.value.replace(['\t', '\r', '\n'], " ");
            if raw.contains('<') {
                return Err(fault("\"<\" in a value: write &lt;".into()));
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
            return if blank { Ok(()) } else { Err(Fault::new(at, "text outside of all elements")) };
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
            Err(Fault::new(at, "only <!DOCTYPE name> is accepted: no entities, no external files")
                .of("!DOCTYPE"))
        }
    }
}

fn unknown_entity(text: &str) -> String {
    let shown: String = text.chars().take(40).collect();
    format!("unknown entity in \"{shown}\": use &amp; &lt; &gt; &quot; &apos; or a character reference")
}
