//! `/Application/`: what calls ask for XML, to make and to change.

use super::{ApiError, Fields, Hook};

/// What an application is to be, or what is to become different about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplicationChange {
    /// Its name, at most 60 characters. A new one has to have a name.
    pub name: Option<String>,
    /// Asked for XML.
    pub answer: Option<Hook>,
    /// Told at the end.
    pub hangup: Option<Hook>,
    /// Asked when the answer URL fails.
    pub fallback: Option<Hook>,
    /// Told of messages, which there are none of here.
    pub message: Option<Hook>,
    /// Whether new numbers get it.
    pub default_number_app: Option<bool>,
    /// Whether endpoints without an application of their own get it.
    pub default_endpoint_app: Option<bool>,
    /// Whether anybody may call it.
    pub public_uri: Option<bool>,
}

impl ApplicationChange {
    pub(super) fn read(fields: &Fields) -> Result<Self, ApiError> {
        Ok(Self {
            name: fields.text("app_name", 1..=60, "at most 60 characters")?,
            answer: fields.hook("answer_url", "answer_method")?,
            hangup: fields.hook("hangup_url", "hangup_method")?,
            fallback: fields.hook("fallback_answer_url", "fallback_method")?,
            message: fields.hook("message_url", "message_method")?,
            default_number_app: fields.flag("default_number_app")?,
            default_endpoint_app: fields.flag("default_endpoint_app")?,
            public_uri: fields.flag("public_uri")?,
        })
    }

    pub(super) fn read_new(fields: &Fields) -> Result<Self, ApiError> {
        fields.wanted("app_name")?;
        Self::read(fields)
    }
}

/// What becomes of the endpoints of an application that is deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removal {
    /// They have none of their own any more.
    Unbind,
    /// `cascade=true`: they are deleted.
    Cascade,
    /// `new_endpoint_application`: they get this one.
    Rebind(String),
}

impl Removal {
    pub(super) fn read(fields: &Fields) -> Result<Self, ApiError> {
        Ok(match (fields.value("new_endpoint_application"), fields.flag("cascade")?) {
            (Some(app_id), _) => Self::Rebind(app_id.to_owned()),
            (None, Some(true)) => Self::Cascade,
            (None, _) => Self::Unbind,
        })
    }
}
