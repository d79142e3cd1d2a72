//! `<macro>` and environment variables: `%identifier%` (CFG-MAC).

use crate::config::extract::Findings;
use crate::config::xml::Element;
use crate::told::{Told, told};
use std::collections::BTreeMap;

/// Most characters that one file may grow by: macros of macros must not explode.
const MAX_GROWTH: usize = 1 << 20;

/// Where values come from.
struct Macros<'a> {
    defined: BTreeMap<String, String>,
    env: &'a dyn Fn(&str) -> Option<String>,
    growth: usize,
}

/// Replaces `%identifier%` in every value and text of the children of `root` that follow the
/// definition; the macro wins over the environment (CFG-MAC-02). Reports undefined identifiers.
pub fn expand(root: &mut Element, env: &dyn Fn(&str) -> Option<String>, findings: &Findings<'_>) {
    let mut macros = Macros { defined: BTreeMap::new(), env, growth: 0 };
    for child in &mut root.children {
        macros.element(child, findings);
        if child.name == "macro" {
            macros.define(child, findings);
        }
    }
}

/// A letter or `_`, then letters, digits and `_`.
fn is_identifier(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn identifier(text: &str) -> Result<String, Told> {
    let what = told!(
        "write letters, digits and _, not beginning with a digit",
        "écrivez des lettres, des chiffres et _, sans commencer par un chiffre"
    );
    if is_identifier(text) { Ok(text.into()) } else { Err(what) }
}

impl Macros<'_> {
    fn define(&mut self, element: &Element, findings: &Findings<'_>) {
        let tag = findings.open(element, &["name", "value"], &[]);
        let (name, value) = (tag.need("name", identifier), tag.need("value", |v| Ok(v.to_owned())));
        if let (Some(name), Some(value)) = (name, value)
            && self.defined.insert(name, value).is_some()
        {
            tag.fault_of("name", told!("this macro is already defined", "cette macro est déjà définie"));
        }
    }

    fn element(&mut self, element: &mut Element, findings: &Findings<'_>) {
        let mut faults = Vec::new();
        for (i, attribute) in element.attributes.iter_mut().enumerate() {
            match self.text(&attribute.value, false) {
                Ok(text) => attribute.value = text,
                Err((what, _)) => {
                    attribute.broken = true;
                    faults.push((i, what));
                }
            }
        }
        for (i, what) in faults {
            findings.fault(element, Some(&element.attributes[i]), what);
        }
        let mut faults = Vec::new();
        for text in &mut element.texts {
            // Lua has a % operator and %-patterns of its own.
            match self.text(&text.text, text.text.trim_start().starts_with("--")) {
                Ok(expanded) => text.text = expanded,
                Err((what, line)) => faults.push((text.line + line, what)),
            }
        }
        for (line, what) in faults {
            findings.fault_at(element, line, what);
        }
        for child in &mut element.children {
            self.element(child, findings);
        }
    }

    /// The expanded text, or what is wrong and how many lines after its beginning. A lenient text
    /// keeps what is not defined.
    fn text(&mut self, text: &str, lenient: bool) -> Result<String, (Told, u32)> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find('%') {
            out.push_str(&rest[..start]);
            let after = &rest[start + 1..];
            let name = after.find('%').map(|end| &after[..end]).filter(|n| is_identifier(n));
            let value = name.and_then(|n| self.defined.get(n).cloned().or_else(|| (self.env)(n)));
            let here = || text[..text.len() - after.len()].matches('\n').count() as u32;
            match (name, value) {
                (Some(name), Some(value)) => {
                    self.growth += value.len();
                    if self.growth > MAX_GROWTH {
                        let what = told!(
                            "the macros of this file expand to more than {MAX_GROWTH} characters",
                            "les macros de ce fichier donnent plus de {MAX_GROWTH} caractères"
                        );
                        return Err((what, here()));
                    }
                    out.push_str(&value);
                    rest = &after[name.len() + 1..];
                }
                (Some(name), None) if !lenient => {
                    let what = told!(
                        "%{name}% is not defined: write <macro name=\"{name}\" value=\"...\"/> before <service>, \
                         or set the environment variable {name}",
                        "%{name}% n'est pas défini : écrivez <macro name=\"{name}\" value=\"...\"/> avant <service>, \
                         ou définissez la variable d'environnement {name}"
                    );
                    return Err((what, here()));
                }
                _ => {
                    out.push('%');
                    rest = after;
                }
            }
        }
        out.push_str(rest);
        Ok(out)
    }
}
