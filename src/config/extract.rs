//! From elements to checked values, collecting every fault of a file on the way.

use crate::config::error::{ConfigError, ConfigErrors};
use crate::config::xml::{Attribute, Element};
use crate::told::{Told, told};
use std::cell::RefCell;
use std::collections::BTreeSet;

/// Most findings of each kind that are told.
const MAX_FINDINGS: usize = 200;

/// What was found wrong in one file, so far.
pub struct Findings<'a> {
    file: &'a str,
    errors: RefCell<Vec<ConfigError>>,
    warnings: RefCell<Vec<ConfigError>>,
    unsupported: RefCell<Vec<ConfigError>>,
}

/// One element being read. Getters report faults and give `None` or the default then, so that
/// the reading can go on.
#[derive(Clone, Copy)]
pub struct Tag<'a> {
    findings: &'a Findings<'a>,
    /// The element itself.
    pub element: &'a Element,
}

impl<'a> Findings<'a> {
    /// Nothing yet.
    pub fn new(file: &'a str) -> Self {
        Findings {
            file,
            errors: RefCell::default(),
            warnings: RefCell::default(),
            unsupported: RefCell::default(),
        }
    }

    /// No error so far.
    pub fn clean(&self) -> bool {
        self.errors.borrow().is_empty()
    }

    /// Starts to read an element: reports attributes, children and text that do not belong there,
    /// and attributes given twice.
    pub fn open(&'a self, element: &'a Element, attributes: &[&str], children: &[&str]) -> Tag<'a> {
        let tag = self.open_with_text(element, attributes, children);
        for text in &element.texts {
            self.add(
                &self.errors,
                &element.name,
                text.line,
                None,
                told!("text is not allowed here", "du texte n'est pas permis ici"),
            );
        }
        tag
    }

    /// The same for an element that may hold text.
    pub fn open_with_text(&'a self, element: &'a Element, attributes: &[&str], children: &[&str]) -> Tag<'a> {
        let tag = Tag { findings: self, element };
        let mut seen = BTreeSet::new();
        for a in &element.attributes {
            if !attributes.contains(&a.name.as_str()) {
                let (en, fr) = allowed(["attributes", "attributs"], attributes);
                tag.wrong_name(a, told!("unknown attribute: {en}", "attribut inconnu : {fr}"));
            } else if !seen.insert(&a.name) {
                tag.wrong_name(a, told!("attribute given twice", "attribut donné deux fois"));
            }
        }
        for child in &element.children {
            if !children.contains(&child.name.as_str()) {
                let (parent, (en, fr)) = (&element.name, allowed(["tags", "balises"], children));
                let what = told!("unknown tag in <{parent}>: {en}", "balise inconnue dans <{parent}> : {fr}");
                self.add(&self.errors, &child.name, child.line, None, what);
            }
        }
        tag
    }

    /// Reports a fault that belongs to no tag being read.
    pub fn fault(&self, element: &Element, attribute: Option<&Attribute>, what: Told) {
        let line = attribute.map_or(element.line, |a| a.line);
        self.add(&self.errors, &element.name, line, attribute, what);
    }

    /// Reports a fault of a text.
    pub fn fault_at(&self, element: &Element, line: u32, what: Told) {
        self.add(&self.errors, &element.name, line, None, what);
    }

    fn add(
        &self,
        list: &RefCell<Vec<ConfigError>>,
        tag: &str,
        line: u32,
        attribute: Option<&Attribute>,
        what: Told,
    ) {
        if list.borrow().len() >= MAX_FINDINGS {
            return;
        }
        let (name, value) = attribute.map(|a| (a.name.clone(), a.value.clone())).unzip();
        let error =
            ConfigError { file: self.file.into(), line, tag: tag.into(), attribute: name, value, what };
        list.borrow_mut().push(error);
    }

    /// The value, or all faults by line. Also gives what is not supported and the warnings.
    pub fn finish<T>(
        self,
        value: Option<T>,
    ) -> Result<(T, Vec<ConfigError>, Vec<ConfigError>), ConfigErrors> {
        let mut errors = self.errors.into_inner();
        errors.sort_by_key(|e| e.line);
        match value {
            Some(value) if errors.is_empty() => {
                Ok((value, self.unsupported.into_inner(), self.warnings.into_inner()))
            }
            _ => Err(ConfigErrors(errors)),
        }
    }
}

/// What may stand there, in English and French; so is `what`.
fn allowed([en, fr]: [&str; 2], names: &[&str]) -> (String, String) {
    let list = names.join(", ");
    match names.is_empty() {
        true => (format!("no {en} here"), format!("pas de {fr} ici")),
        false => (format!("{en} are {list}"), format!("les {fr} sont {list}")),
    }
}

impl<'a> Tag<'a> {
    fn attribute(&self, name: &str) -> Option<&'a Attribute> {
        self.element.attributes.iter().find(|a| a.name == name)
    }

    /// Whether the attribute is written.
    pub fn has(&self, name: &str) -> bool {
        self.attribute(name).is_some()
    }

    /// Value of an optional attribute; a bad one is reported.
    pub fn get<T>(&self, name: &str, parse: impl Fn(&str) -> Result<T, Told>) -> Option<T> {
        let attribute = self.attribute(name).filter(|a| !a.broken)?;
        match parse(&attribute.value) {
            Ok(value) => Some(value),
            Err(what) => {
                self.findings.fault(self.element, Some(attribute), what);
                None
            }
        }
    }

    /// Value of an optional attribute with a default.
    pub fn or<T>(&self, name: &str, default: T, parse: impl Fn(&str) -> Result<T, Told>) -> T {
        self.get(name, parse).unwrap_or(default)
    }

    /// Value of a mandatory attribute; its absence is reported.
    pub fn need<T>(&self, name: &str, parse: impl Fn(&str) -> Result<T, Told>) -> Option<T> {
        if !self.has(name) {
            self.fault(told!("attribute {name} is missing", "l'attribut {name} manque"));
        }
        self.get(name, parse)
    }

    /// All children of that name, in order.
    pub fn all(&self, name: &'a str) -> impl Iterator<Item = &'a Element> + use<'a> {
        self.element.children.iter().filter(move |c| c.name == name)
    }

    /// The child of that name; further ones are reported.
    pub fn one(&self, name: &'a str) -> Option<&'a Element> {
        let mut all = self.all(name);
        let first = all.next();
        let parent = &self.element.name;
        for more in all {
            self.findings.fault(
                more,
                None,
                told!(
                    "only one <{name}> is allowed in <{parent}>",
                    "un seul <{name}> est permis dans <{parent}>"
                ),
            );
        }
        first
    }

    /// The mandatory child of that name.
    pub fn one_needed(&self, name: &'a str) -> Option<&'a Element> {
        let found = self.one(name);
        if found.is_none() {
            self.fault(told!("<{name}> is missing", "<{name}> manque"));
        }
        found
    }

    /// Every child of that name, read by `read`; reports that there is none.
    pub fn some<T>(&self, name: &'a str, read: impl FnMut(&'a Element) -> Option<T>) -> Vec<T> {
        if self.all(name).next().is_none() {
            self.fault(told!("at least one <{name}> is needed", "au moins un <{name}> est nécessaire"));
        }
        self.all(name).filter_map(read).collect()
    }

    /// Reports a fault of the element.
    pub fn fault(&self, what: Told) {
        self.findings.fault(self.element, None, what);
    }

    /// Reports a fault of an attribute, or of the element if the attribute is not written.
    pub fn fault_of(&self, name: &str, what: Told) {
        self.findings.fault(self.element, self.attribute(name), what);
    }

    /// Reports a fault of an attribute of a child.
    pub fn fault_in(&self, child: &Element, name: &str, what: Told) {
        let attribute = child.attributes.iter().find(|a| a.name == name);
        self.findings.fault(child, attribute, what);
    }

    /// Reports a fault of the child of that name, if there is one.
    pub fn fault_in_child(&self, name: &str, what: Told) {
        if let Some(child) = self.element.children.iter().find(|c| c.name == name) {
            self.findings.fault(child, None, what);
        }
    }

    /// Reports a name already taken; `seen` holds those of before.
    pub fn unique(&self, attribute: &str, value: &str, seen: &mut BTreeSet<String>) {
        if !seen.insert(value.to_owned()) {
            self.fault_of(
                attribute,
                told!(
                    "\"{value}\" is already used: choose another one",
                    "\"{value}\" est déjà utilisé : choisissez-en un autre"
                ),
            );
        }
    }

    /// Notes an attribute that is accepted and ignored.
    pub fn ignored(&self, name: &str, what: Told) {
        if let Some(a) = self.attribute(name) {
            self.findings.add(&self.findings.warnings, &self.element.name, a.line, Some(a), what);
        }
    }

    /// Notes that this version cannot execute the element.
    pub fn unsupported(&self) {
        let name = &self.element.name;
        self.unsupported_as(told!("not supported yet: <{name}>", "pas encore pris en charge : <{name}>"));
    }

    /// Notes that this version cannot execute `what`.
    pub fn unsupported_as(&self, what: Told) {
        let list = &self.findings.unsupported;
        self.findings.add(list, &self.element.name, self.element.line, None, what);
    }

    /// The same, at a line inside the element.
    pub fn unsupported_at(&self, line: u32, what: Told) {
        self.findings.add(&self.findings.unsupported, &self.element.name, line, None, what);
    }

    /// Opens a child.
    pub fn open(&self, child: &'a Element, attributes: &[&str], children: &[&str]) -> Tag<'a> {
        self.findings.open(child, attributes, children)
    }

    /// Opens a child that may hold text.
    pub fn open_with_text(&self, child: &'a Element, attributes: &[&str], children: &[&str]) -> Tag<'a> {
        self.findings.open_with_text(child, attributes, children)
    }

    fn wrong_name(&self, attribute: &Attribute, what: Told) {
        self.findings.fault(self.element, Some(attribute), what);
    }
}
