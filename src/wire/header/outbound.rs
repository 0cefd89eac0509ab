//! What a Contact says of its instance and flow (RFC 5626, RFC 5627).

use std::borrow::Cow;

use crate::wire::address::NameAddr;
use crate::wire::grammar;
use crate::wire::params::unquoted;

impl<'a> NameAddr<'a> {
    /// The instance, without quotes and angle brackets: the same URN for all flows of one device (RFC 5626 §4.1).
    pub fn instance(&self) -> Option<Cow<'a, str>> {
        let text = unquoted(self.params.value("+sip.instance")?);
        let urn = |text: &str| text.strip_prefix('<')?.strip_suffix('>').map(|urn| (1, urn.len()));
        let (start, length) = urn(&text)?;
        match text {
            Cow::Borrowed(text) => text.get(start..start + length).map(Cow::Borrowed),
            Cow::Owned(text) => text.get(start..start + length).map(|urn| Cow::Owned(urn.to_owned())),
        }
    }

    /// Which flow of its instance it is, from 1 up; `None` when absent or no such number (RFC 5626 §4.2).
    pub fn reg_id(&self) -> Option<u32> {
        let number = grammar::number(self.params.value("reg-id")?.as_bytes())?;
        (1..=i32::MAX as u32).contains(&number).then_some(number)
    }

    /// Whether requests are to come over the flow by which this arrived: `ob` of its URI (RFC 5626 §4.3).
    pub fn is_outbound(&self) -> bool {
        self.uri.param("ob").is_some()
    }
}
