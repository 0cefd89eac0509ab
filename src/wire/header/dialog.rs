//! Headers that name another dialog (RFC 3891, 3911, 4538), or say of a REFER whether it subscribes (RFC 4488).

use super::core::call_id;
use super::{HeaderError, HeaderErrorKind, TypedHeader};
use crate::wire::grammar::{self, Cursor};
use crate::wire::name::HeaderId;
use crate::wire::params::Params;

macro_rules! dialogs {
    ($($(#[$doc:meta])* $name:ident {
        $to:literal $(#[$to_doc:meta])* $to_tag:ident,
        $from:literal $(#[$from_doc:meta])* $from_tag:ident
        $(, $flag:literal $(#[$flag_doc:meta])* $is_flag:ident)?
    };)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name<'a> {
            /// Its Call-ID.
            pub call_id: &'a str,
            $(#[$to_doc])*
            pub $to_tag: &'a str,
            $(#[$from_doc])*
            pub $from_tag: &'a str,
            $($(#[$flag_doc])*
            pub $is_flag: bool,)?
            /// All parameters.
            pub params: Params<'a>,
        }

        impl<'a> TypedHeader<'a> for $name<'a> {
            const ID: HeaderId = HeaderId::$name;

            fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
                let mut cursor = Cursor::new(value);
                let call_id = call_id(&mut cursor)?;
                let (mut $to_tag, mut $from_tag) = (None, None);
                $(let mut $is_flag = false;)?
                let params = Params::header(&mut cursor, |name: &'a str, value: Option<&'a str>| {
                    let tag = value.filter(|value| grammar::all(value.as_bytes(), grammar::VALUE));
                    if name.eq_ignore_ascii_case($to) {
                        $to_tag = tag;
                        return tag.is_some();
                    }
                    if name.eq_ignore_ascii_case($from) {
                        $from_tag = tag;
                        return tag.is_some();
                    }
                    $(if name.eq_ignore_ascii_case($flag) {
                        $is_flag = true;
                        return value.is_none();
                    })?
                    true
                })?;
                match ($to_tag, $from_tag) {
                    (Some($to_tag), Some($from_tag)) => {
                        Ok(Self { call_id, $to_tag, $from_tag, $($is_flag,)? params })
                    }
                    _ => cursor.fail(HeaderErrorKind::MissingParameter),
                }
            }
        }
    )*};
}

dialogs! {
    /// Replaces (RFC 3891 §6.1): the dialog that a new one takes the place of.
    Replaces {
        "to-tag"
        /// Its tag at the receiver.
        to_tag,
        "from-tag"
        /// Its tag at the far side.
        from_tag,
        "early-only"
        /// Only if it is early.
        early_only
    };
    /// Join (RFC 3911 §7.1): the dialog that a new one joins.
    Join {
        "to-tag"
        /// Its tag at the receiver.
        to_tag,
        "from-tag"
        /// Its tag at the far side.
        from_tag
    };
    /// Target-Dialog (RFC 4538 §7): a dialog that the sender of a request outside of it shares with the receiver.
    TargetDialog {
        "local-tag"
        /// Its tag at the sender.
        local_tag,
        "remote-tag"
        /// Its tag at the receiver.
        remote_tag
    };
}

/// Refer-Sub (RFC 4488 §4).
#[derive(Clone, Copy, Debug)]
pub struct ReferSub<'a> {
    /// Whether the REFER subscribes to its outcome.
    pub subscribes: bool,
    /// The parameters.
    pub params: Params<'a>,
}

impl<'a> TypedHeader<'a> for ReferSub<'a> {
    const ID: HeaderId = HeaderId::ReferSub;

    fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        let mut cursor = Cursor::new(value);
        let offset = cursor.at();
        let word = cursor.token()?;
        let subscribes = word.eq_ignore_ascii_case("true");
        if !subscribes && !word.eq_ignore_ascii_case("false") {
            return Err(HeaderError { kind: HeaderErrorKind::Word, offset });
        }
        Ok(Self { subscribes, params: Params::header(&mut cursor, |_, _| true)? })
    }
}

/// Session-ID (RFC 7989 §5): one name for a call on all its legs.
#[derive(Clone, Copy, Debug)]
pub struct SessionId<'a> {
    /// The sender's half, 32 hexadecimal digits.
    pub local: &'a str,
    /// The receiver's half; zeros while it is unknown.
    pub remote: Option<&'a str>,
    /// All parameters.
    pub params: Params<'a>,
}

impl<'a> TypedHeader<'a> for SessionId<'a> {
    const ID: HeaderId = HeaderId::SessionId;

    fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        let is_uuid = |text: &str| text.len() == 32 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        let mut cursor = Cursor::new(value);
        let offset = cursor.at();
        let local = cursor.token()?;
        if !is_uuid(local) {
            return Err(HeaderError { kind: HeaderErrorKind::Token, offset });
        }
        let mut remote = None;
        let params = Params::header(&mut cursor, |name: &'a str, value: Option<&'a str>| {
            if !name.eq_ignore_ascii_case("remote") {
                return true;
            }
            remote = value.filter(|value| is_uuid(value));
            remote.is_some()
        })?;
        Ok(Self { local, remote, params })
    }
}
