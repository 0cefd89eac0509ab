//! Why a callback has no whole answer.

use crate::plivo::reach::Refused;
use crate::plivo::tuning::Failure;

/// Why a callback has no whole answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// No URL at all.
    #[error("`{}` is no URL: write http://host/path", .0.escape_debug())]
    NotAUrl(String),
    /// Another scheme.
    #[error("the URL must start with http:// or https://")]
    NotHttp,
    /// Credentials in the URL.
    #[error("take user and password out of the URL: the platform does not send them")]
    UserInfo,
    /// An address that may not be called.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// No such name.
    #[error("{0}: check the name of the host")]
    Unresolved(String),
    /// Nobody there.
    #[error("could not connect: {0}")]
    Connect(String),
    /// No connection in time.
    #[error("no connection in time")]
    ConnectTimedOut,
    /// Not in time.
    #[error("no whole answer in time")]
    TimedOut,
    /// Longer than [`MAX_BYTES`](crate::plivo::xml::MAX_BYTES).
    #[error("the answer is longer than 100 KB")]
    TooLong,
    /// A file longer than [`MAX_FILE`](super::MAX_FILE).
    #[error("the file is longer than 10 MB")]
    FileTooLong,
    /// A file that is not there.
    #[error("the server answers {0}")]
    Status(u16),
    /// Anything else that went wrong on the way.
    #[error("the exchange broke off: {0}")]
    BrokenOff(String),
}

impl WebhookError {
    pub(super) const fn failure(&self) -> Option<Failure> {
        match self {
            Self::Unresolved(_) | Self::Connect(_) | Self::ConnectTimedOut => Some(Failure::Connect),
            Self::TimedOut | Self::BrokenOff(_) => Some(Failure::Read),
            Self::Status(status) => Some(Failure::Status(*status)),
            // It would be the same again.
            Self::NotAUrl(_)
            | Self::NotHttp
            | Self::UserInfo
            | Self::Refused(_)
            | Self::TooLong
            | Self::FileTooLong => None,
        }
    }
}

/// The client's error in our words: the cause that lies deepest says most.
pub(super) fn told(error: &reqwest::Error) -> WebhookError {
    let mut deepest: &(dyn std::error::Error + 'static) = error;
    while let Some(source) = deepest.source() {
        deepest = source;
        if let Some(refused) = deepest.downcast_ref::<Refused>() {
            return WebhookError::Refused(*refused);
        }
        if let Some(unknown) = deepest.downcast_ref::<NoSuchName>() {
            return WebhookError::Unresolved(unknown.to_string());
        }
    }
    if error.is_connect() && error.is_timeout() {
        WebhookError::ConnectTimedOut
    } else if error.is_timeout() {
        WebhookError::TimedOut
    } else if error.is_connect() {
        WebhookError::Connect(deepest.to_string())
    } else {
        WebhookError::BrokenOff(deepest.to_string())
    }
}

/// A name that leads nowhere.
#[derive(Debug, thiserror::Error)]
#[error("{} does not resolve", .0.escape_debug())]
pub(in crate::plivo) struct NoSuchName(pub(in crate::plivo) String);
