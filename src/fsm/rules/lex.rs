//! Words and signs of the rule language, with their places.

use crate::told::{Told, told};
use std::str::Chars;

/// A place in the file: both numbers begin with 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Line in the file that holds the rules.
    pub line: u32,
    /// Column in that line.
    pub column: u32,
}

/// A word or sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Word(String),
    Colon,
    Semicolon,
    Open,
    Close,
    Not,
    And,
    Or,
    Equal,
    Differ,
    Assign,
    /// A `/*` whose `*/` is missing.
    OpenComment,
    Stray(char),
    End,
}

/// Reads the text once, from left to right.
pub(super) struct Lexer<'a> {
    rest: Chars<'a>,
    at: Position,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str, base_line: u32) -> Self {
        Lexer { rest: text.chars(), at: Position { line: base_line, column: 1 } }
    }

    /// The next token. A `:` ends a label, but is part of an IPv6 address in an expression.
    pub(super) fn next(&mut self, label: bool) -> (Token, Position) {
        if let Err(at) = self.skip_blanks() {
            return (Token::OpenComment, at);
        }
        let at = self.at;
        let Some(first) = self.peek() else {
            return (Token::End, at);
        };
        if self.in_word(first, label) {
            return (Token::Word(self.word(label)), at);
        }
        self.bump();
        let token = match first {
            ':' => Token::Colon,
            ';' => Token::Semicolon,
            '(' => Token::Open,
            ')' => Token::Close,
            '!' if self.take('=') => Token::Differ,
            '!' => Token::Not,
            '=' if self.take('=') => Token::Equal,
            '=' => Token::Assign,
            '&' if self.take('&') => Token::And,
            '|' if self.take('|') => Token::Or,
            other => Token::Stray(other),
        };
        (token, at)
    }

    fn peek(&self) -> Option<char> {
        self.rest.clone().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.rest.next()?;
        if c == '\n' {
            self.at = Position { line: self.at.line.saturating_add(1), column: 1 };
        } else {
            self.at.column = self.at.column.saturating_add(1);
        }
        Some(c)
    }

    fn take(&mut self, wanted: char) -> bool {
        let there = self.peek() == Some(wanted);
        if there {
            self.bump();
        }
        there
    }

    /// Skips blanks and comments; the error is where an unfinished comment begins.
    fn skip_blanks(&mut self) -> Result<(), Position> {
        loop {
            while self.peek().is_some_and(char::is_whitespace) {
                self.bump();
            }
            if !self.rest.as_str().starts_with("/*") {
                return Ok(());
            }
            let began = self.at;
            self.bump();
            self.bump();
            while !self.rest.as_str().starts_with("*/") {
                self.bump().ok_or(began)?;
            }
            self.bump();
            self.bump();
        }
    }

    fn in_word(&self, c: char, label: bool) -> bool {
        let comment = c == '/' && self.rest.as_str().starts_with("/*");
        c.is_ascii_alphanumeric() || "._-".contains(c) || (!label && !comment && ":[]/*?".contains(c))
    }

    fn word(&mut self, label: bool) -> String {
        let mut word = String::new();
        while let Some(c) = self.peek().filter(|c| self.in_word(*c, label)) {
            word.push(c);
            self.bump();
        }
        word
    }
}

impl Token {
    /// As it is told where something else was expected.
    pub(super) fn told(&self) -> Told {
        let sign = |sign: &str| Told::same(format!("\"{sign}\""));
        match self {
            Token::Word(word) if word.len() <= 40 => sign(word),
            Token::Word(word) => sign(&format!("{}...", word.chars().take(40).collect::<String>())),
            Token::Colon => sign(":"),
            Token::Semicolon => sign(";"),
            Token::Open => sign("("),
            Token::Close => sign(")"),
            Token::Not => sign("!"),
            Token::And => sign("&&"),
            Token::Or => sign("||"),
            Token::Equal => sign("=="),
            Token::Differ => sign("!="),
            Token::Assign => sign("="),
            Token::OpenComment => told!("a \"/*\" without its \"*/\"", "un \"/*\" sans son \"*/\""),
            Token::Stray(c) => Told::same(format!("{c:?}")),
            Token::End => told!("the end of the rules", "la fin des règles"),
        }
    }
}
