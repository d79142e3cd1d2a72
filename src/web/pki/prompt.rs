//! Questions to whoever runs a command.

use super::PkiError;

/// Somebody who can be asked.
pub trait Ask {
    /// A line; empty when there is nobody to answer.
    fn line(&mut self, question: &str) -> Result<String, PkiError>;
    /// The same, not shown while it is typed.
    fn secret(&mut self, question: &str) -> Result<String, PkiError>;

    /// A secret that is needed.
    fn needed(&mut self, question: &str) -> Result<String, PkiError> {
        let answer = self.secret(question)?;
        if answer.is_empty() {
            return Err(PkiError::Unanswered(format!("{question}: no answer, and it must not be empty")));
        }
        Ok(answer)
    }

    /// A new secret, asked twice.
    fn twice(&mut self, question: &str) -> Result<String, PkiError> {
        let first = self.needed(question)?;
        if self.needed(&format!("{question} again"))? == first {
            return Ok(first);
        }
        Err(PkiError::Unanswered("the two passwords differ: run the command again".into()))
    }
}

/// Answers given beforehand, for tests.
#[cfg(test)]
pub struct Scripted(pub Vec<&'static str>);

#[cfg(test)]
impl Ask for Scripted {
    fn line(&mut self, _: &str) -> Result<String, PkiError> {
        Ok(if self.0.is_empty() { String::new() } else { self.0.remove(0).to_owned() })
    }

    fn secret(&mut self, question: &str) -> Result<String, PkiError> {
        self.line(question)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_secret_is_asked_twice_and_never_empty() {
        assert_eq!(Scripted(vec!["a", "a"]).twice("password").unwrap(), "a");
        for answers in [vec!["a", "b"], vec!["a"], vec![], vec!["", ""]] {
            assert!(Scripted(answers.clone()).twice("password").is_err(), "{answers:?}");
        }
    }
}
