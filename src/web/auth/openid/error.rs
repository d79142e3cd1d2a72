//! What goes wrong in a login with an identity provider.

/// Why a login with the provider fails, for the log; the login page knows its [`OpenIdError::code`].
#[derive(Debug, thiserror::Error)]
pub enum OpenIdError {
    /// No answer, or none that can be used.
    #[error("the identity provider cannot be used: {0}")]
    Provider(String),
    /// It does not know the user, or he has refused.
    #[error("the identity provider refuses the login: {0}")]
    Refused(String),
    /// The token is not what it must be.
    #[error("the token of the identity provider is refused: {0}")]
    Token(String),
    /// This browser has not begun a login, or too long ago.
    #[error("this login was not begun in this browser, or more than 10 minutes ago: log in again")]
    Foreign,
    /// Too many at a time.
    #[error("too many logins at a time: try again")]
    Busy,
    /// The provider has not made sure that the address is the user's.
    #[error(
        "the identity provider does not say that {0} is the address of this user (email_verified): group.conf gives roles to addresses that are verified only"
    )]
    Unverified(String),
    /// Nothing in the token says who it is.
    #[error("the identity provider does not say who the user is: it sends no claim {0} that can be a name")]
    Nameless(String),
}

impl OpenIdError {
    /// What the login page is told: no text that somebody else could have chosen.
    pub fn code(&self) -> &'static str {
        match self {
            OpenIdError::Provider(_) => "provider",
            OpenIdError::Refused(_) => "refused",
            OpenIdError::Token(_) => "token",
            OpenIdError::Foreign => "foreign",
            OpenIdError::Busy => "busy",
            OpenIdError::Unverified(_) => "unverified",
            OpenIdError::Nameless(_) => "nameless",
        }
    }
}
