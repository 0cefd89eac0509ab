//! What networks of the 3GPP tell each other (RFC 7315). Its headers with addresses are in `address.rs`.

use super::identity::token_or_quoted;
use super::macros::parameterised;
use super::{HeaderError, HeaderErrorKind, TypedHeader};
use crate::wire::grammar::{Cursor, TOKEN, VALUE};
use crate::wire::name::HeaderId;
use crate::wire::params::Params;

parameterised! {
    /// One network by which the user is connected (RFC 7315 §5.4).
    PAccessNetworkInfo(Cursor::token, |_, _| true) {
        /// The kind of access, such as `3GPP-E-UTRAN-FDD`.
        access: &'a str
    };
    /// One network that the user visits (RFC 7315 §5.3).
    PVisitedNetworkId(token_or_quoted, |_, _| true) {
        /// The network as written, perhaps quoted; see [`unquoted`](crate::wire::unquoted).
        network: &'a str
    };
    /// What joins the charging records of a call (RFC 7315 §5.6).
    PChargingVector(icid, |_, _| true) {
        /// The value that all records of the call carry, as written.
        icid: &'a str
    };
    /// Where charging records go (RFC 7315 §5.5).
    PChargingFunctionAddresses(pair, |_, _| true) {
        /// The first address: its kind (`ccf`, `ecf`) and itself as written. The others are parameters.
        first: (&'a str, &'a str)
    };
}

fn icid<'a>(cursor: &mut Cursor<'a, '_>) -> Result<&'a str, HeaderError> {
    let offset = cursor.at();
    let (name, value) = pair(cursor)?;
    if name.eq_ignore_ascii_case("icid-value") {
        Ok(value)
    } else {
        Err(HeaderError { kind: HeaderErrorKind::MissingParameter, offset })
    }
}

/// `name=value`, the value as written.
fn pair<'a>(cursor: &mut Cursor<'a, '_>) -> Result<(&'a str, &'a str), HeaderError> {
    let name = cursor.run(TOKEN, HeaderErrorKind::Parameter)?;
    cursor.lws();
    cursor.expect(b'=', HeaderErrorKind::Parameter)?;
    cursor.lws();
    let value = if cursor.peek() == Some(b'"') {
        token_or_quoted(cursor)?
    } else {
        cursor.run(VALUE, HeaderErrorKind::Parameter)?
    };
    Ok((name, value))
}
