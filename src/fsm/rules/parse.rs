//! From text to rules, with every error of the text in one go.

use super::ast::{Action, Expr, Pick, Rule, Subject, Target};
pub use super::lex::Position;
use super::lex::{Lexer, Token};
use crate::fsm::resource::{ResourceName, Value};
use crate::log::Lang;
use crate::told::{Tell, Told, told};

/// Parentheses and `!` may nest this deep: the parser and the evaluation recurse.
pub const MOST_DEPTH: usize = 64;
/// Rules in one module.
pub const MOST_RULES: usize = 500;
/// A label is printed in log lines.
pub const LONGEST_LABEL: usize = 128;

/// Whose rules are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Author {
    /// The user, in `<failover>`.
    User,
    /// The product: `cluster()` and assignments are allowed (CFG-FO-09).
    Product,
}

/// A rule and where its label stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// The rule.
    pub rule: Rule,
    /// Where the rule begins.
    pub at: Position,
}

/// What is wrong with a rule, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {}, column {}: {problem}", at.line, at.column)]
pub struct RuleError {
    /// Place in the configuration file.
    pub at: Position,
    /// What is wrong there.
    pub problem: Problem,
}

/// The kinds of errors in rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Something else was expected.
    #[error("found {found} where {expected} is expected")]
    Unexpected {
        /// The word or sign in the text.
        found: Told,
        /// What may stand there.
        expected: Told,
    },
    /// Too many parentheses or `!`.
    #[error("parentheses and \"!\" nest deeper than {MOST_DEPTH}: split the rule")]
    TooDeep,
    /// Too many rules.
    #[error("more than {MOST_RULES} rules")]
    TooMany,
    /// A label that cannot be printed well.
    #[error("the label is longer than {LONGEST_LABEL} characters")]
    LongLabel,
    /// The same label again.
    #[error("the label \"{0}\" is used twice: rename one of the rules")]
    Twice(String),
    /// A label of the product's own machinery.
    #[error("the rule \"{0}\" belongs to the product and cannot be replaced: use another label")]
    Reserved(String),
    /// Something that only the product's own rules may use.
    #[error("{0} is reserved to the product's own rules")]
    ProductOnly(Told),
}

impl Tell for Problem {
    fn french(&self) -> String {
        match self {
            Problem::Unexpected { found, expected } => {
                format!("il faut ici {}, et non {}", expected.of(Lang::Fr), found.of(Lang::Fr))
            }
            Problem::TooDeep => format!(
                "plus de {MOST_DEPTH} parenthèses et \"!\" les uns dans les autres : partagez la règle en plusieurs"
            ),
            Problem::TooMany => format!("plus de {MOST_RULES} règles"),
            Problem::LongLabel => format!("le nom de la règle dépasse {LONGEST_LABEL} caractères"),
            Problem::Twice(label) => {
                format!("le nom \"{label}\" est utilisé deux fois : renommez l'une des règles")
            }
            Problem::Reserved(label) => format!(
                "la règle \"{label}\" appartient au produit et ne peut pas être remplacée : prenez un autre nom"
            ),
            Problem::ProductOnly(what) => {
                format!("{} est réservé aux règles du produit", what.of(Lang::Fr))
            }
        }
    }
}

impl Tell for RuleError {
    fn french(&self) -> String {
        let RuleError { at: Position { line, column }, problem } = self;
        format!("ligne {line}, colonne {column} : {}", problem.french())
    }
}

/// All errors of a text in one line.
pub fn told(errors: &[RuleError]) -> Told {
    let all = |lang| errors.iter().map(|error| error.text(lang)).collect::<Vec<_>>();
    Told::new(all(Lang::En).join("; "), all(Lang::Fr).join(" ; "))
}

impl RuleError {
    /// What is wrong and in which column, for who is told the line.
    pub fn in_line(&self) -> Told {
        let column = self.at.column;
        let mut text = told!("column {column}: ", "colonne {column} : ");
        text += self.problem.told();
        text
    }
}

/// All rules of a text.
///
/// `base_line` is the line of the file on which the text begins.
///
/// # Errors
/// Every error found; after one, reading goes on behind the next `;`.
pub fn parse(text: &str, base_line: u32, author: Author) -> Result<Vec<Parsed>, Vec<RuleError>> {
    let mut lexer = Lexer::new(text, base_line);
    let (token, at) = lexer.next(true);
    let mut parser = Parser { lexer, token, at, author, depth: 0 };
    let (mut rules, mut errors) = (Vec::new(), Vec::new());
    while parser.token != Token::End {
        if rules.len() + errors.len() >= MOST_RULES {
            errors.push(RuleError { at: parser.at, problem: Problem::TooMany });
            break;
        }
        match parser.rule() {
            Ok(parsed) => rules.push(parsed),
            Err(error) => {
                errors.push(error);
                parser.skip_rule();
            }
        }
    }
    if errors.is_empty() { Ok(rules) } else { Err(errors) }
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    token: Token,
    at: Position,
    author: Author,
    depth: usize,
}

impl Parser<'_> {
    fn advance(&mut self) -> Token {
        let (token, at) = self.lexer.next(false);
        self.at = at;
        std::mem::replace(&mut self.token, token)
    }

    /// To the label behind a `;`, or to the `:` behind a label.
    fn advance_label(&mut self) {
        (self.token, self.at) = self.lexer.next(true);
    }

    /// Behind the next `;`, wherever an error left the parser.
    fn skip_rule(&mut self) {
        self.depth = 0;
        while !matches!(self.token, Token::Semicolon | Token::End | Token::OpenComment) {
            self.advance();
        }
        match self.token {
            Token::Semicolon => self.advance_label(),
            _ => self.token = Token::End,
        }
    }

    fn problem(&self, problem: Problem) -> RuleError {
        RuleError { at: self.at, problem }
    }

    fn unexpected(&self, expected: Told) -> RuleError {
        self.problem(Problem::Unexpected { found: self.token.told(), expected })
    }

    fn expect(&mut self, token: &Token, expected: impl FnOnce() -> Told) -> Result<(), RuleError> {
        if self.token != *token {
            return Err(self.unexpected(expected()));
        }
        self.advance();
        Ok(())
    }

    fn keyword(&mut self, word: &str) -> Result<(), RuleError> {
        match &self.token {
            Token::Word(found) if found == word => {
                self.advance();
                Ok(())
            }
            _ => Err(self.unexpected(Told::same(format!("\"{word}\"")))),
        }
    }

    fn rule(&mut self) -> Result<Parsed, RuleError> {
        let at = self.at;
        let Token::Word(label) = self.token.clone() else {
            return Err(self.unexpected(told!("the label of a rule", "le nom d'une règle")));
        };
        self.advance_label();
        if label.len() > LONGEST_LABEL {
            return Err(RuleError { at, problem: Problem::LongLabel });
        }
        self.expect(&Token::Colon, || told!("\":\" after the label", "\":\" après le nom"))?;
        self.keyword("if")?;
        self.expect(&Token::Open, || told!("\"(\" after \"if\"", "\"(\" après \"if\""))?;
        let when = self.or()?;
        self.expect(&Token::Close, end_of_condition)?;
        self.keyword("then")?;
        let action = self.action()?;
        if self.token != Token::Semicolon {
            return Err(self.unexpected(told!("\";\" after the action", "\";\" après l'action")));
        }
        self.advance_label();
        Ok(Parsed { rule: Rule { label, when, action }, at })
    }

    fn or(&mut self) -> Result<Expr, RuleError> {
        let first = self.and()?;
        if self.token != Token::Or {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.token == Token::Or {
            self.advance();
            parts.push(self.and()?);
        }
        Ok(Expr::Or(parts))
    }

    fn and(&mut self) -> Result<Expr, RuleError> {
        let first = self.unary()?;
        if self.token != Token::And {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.token == Token::And {
            self.advance();
            parts.push(self.unary()?);
        }
        Ok(Expr::And(parts))
    }

    fn unary(&mut self) -> Result<Expr, RuleError> {
        let nests = matches!(self.token, Token::Not | Token::Open);
        if nests && self.depth == MOST_DEPTH {
            return Err(self.problem(Problem::TooDeep));
        }
        self.depth += usize::from(nests);
        let expr = match self.token {
            Token::Not => {
                self.advance();
                Expr::Not(Box::new(self.unary()?))
            }
            Token::Open => {
                self.advance();
                let inner = self.or()?;
                self.expect(&Token::Close, end_of_condition)?;
                inner
            }
            _ => self.test()?,
        };
        self.depth -= usize::from(nests);
        Ok(expr)
    }

    /// `resource == state`; the guide's grammar also allows `state == resource`.
    fn test(&mut self) -> Result<Expr, RuleError> {
        if let Some(value) = self.state() {
            self.advance();
            let equal = self.comparison()?;
            let subject = self.subject(|| told!("a resource (class.id)", "une ressource (class.id)"))?;
            return Ok(Expr::Test { subject, equal, value });
        }
        let subject = self.subject(|| {
            told!(
                "a resource (class.id) or a state (init, down, up, unknown)",
                "une ressource (class.id) ou un état (init, down, up, unknown)"
            )
        })?;
        let equal = self.comparison()?;
        let value = self.expect_state()?;
        Ok(Expr::Test { subject, equal, value })
    }

    fn comparison(&mut self) -> Result<bool, RuleError> {
        match self.token {
            Token::Equal | Token::Differ => Ok(self.advance() == Token::Equal),
            _ => Err(self.unexpected(told!("\"==\" or \"!=\"", "\"==\" ou \"!=\""))),
        }
    }

    fn state(&self) -> Option<Value> {
        match &self.token {
            Token::Word(word) => match Value::from(word.as_str()) {
                Value::Text(_) => None,
                value => Some(value),
            },
            _ => None,
        }
    }

    fn expect_state(&mut self) -> Result<Value, RuleError> {
        let state = || told!("a state (init, down, up, unknown)", "un état (init, down, up, unknown)");
        let value = self.state().ok_or_else(|| self.unexpected(state()))?;
        self.advance();
        Ok(value)
    }

    fn subject(&mut self, expected: impl FnOnce() -> Told) -> Result<Subject, RuleError> {
        let Token::Word(word) = &self.token else {
            return Err(self.unexpected(expected()));
        };
        if word == "cluster" {
            if self.author == Author::User {
                return Err(self.problem(Problem::ProductOnly(Told::same("cluster()"))));
            }
            self.advance();
            self.brackets()?;
            return Ok(Subject::Cluster);
        }
        let target = target(word).ok_or_else(|| self.unexpected(expected()))?;
        self.advance();
        Ok(Subject::Resource(target))
    }

    fn brackets(&mut self) -> Result<(), RuleError> {
        self.expect(&Token::Open, || Told::same("\"()\""))?;
        self.expect(&Token::Close, || Told::same("\")\""))
    }

    fn action(&mut self) -> Result<Action, RuleError> {
        let an_action = || {
            told!(
                "an action: stop(), stopstart(), wait(), restart() or swap()",
                "une action : stop(), stopstart(), wait(), restart() ou swap()"
            )
        };
        let Token::Word(word) = &self.token else {
            return Err(self.unexpected(an_action()));
        };
        let action = match word.as_str() {
            "stop" => Action::Stop,
            "wait" => Action::Wait,
            "stopstart" => Action::StopStart,
            "restart" => Action::Restart,
            "swap" => Action::Swap,
            name => match name.parse::<ResourceName>() {
                Ok(name) => return self.assignment(name),
                Err(_) => return Err(self.unexpected(an_action())),
            },
        };
        self.advance();
        self.brackets()?;
        Ok(action)
    }

    fn assignment(&mut self, name: ResourceName) -> Result<Action, RuleError> {
        if self.author == Author::User {
            return Err(self.problem(Problem::ProductOnly(told!(
                "an assignment as action",
                "une affectation comme action"
            ))));
        }
        self.advance();
        self.expect(&Token::Assign, || Told::same("\"=\""))?;
        Ok(Action::Set(name, self.expect_state()?))
    }
}

/// What may follow a test.
fn end_of_condition() -> Told {
    told!("\")\", \"&&\" or \"||\"", "\")\", \"&&\" ou \"||\"")
}

/// `[local.|remote.]class.id`. The scopes are no classes, or `local.remote.x` could be read twice.
fn target(word: &str) -> Option<Target> {
    let (remote, rest) = match word.split_once('.')? {
        ("local", rest) => (false, rest),
        ("remote", rest) => (true, rest),
        _ => (false, word),
    };
    let (class, id) = rest.split_once('.').filter(|(class, _)| !["local", "remote"].contains(class))?;
    let pick = match id {
        "?" => Pick::Any,
        "*" => Pick::All,
        _ => Pick::Id(id.to_owned()),
    };
    let sample = if matches!(pick, Pick::Id(_)) { rest.to_owned() } else { format!("{class}.any") };
    sample.parse::<ResourceName>().ok()?;
    Some(Target { remote, class: class.to_owned(), pick })
}
