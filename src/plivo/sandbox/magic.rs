//! Callees that behave in one way, as data: magic destinations, and the phones behind telephone numbers.

use std::fmt;
use std::str::FromStr;

use crate::agent::{Accept, Answer, App};
use crate::call::{MediaPrefs, Session};
use crate::id::CallId;
use crate::time::Duration;
use crate::wire::Status;
use crate::wire::sdp::Direction;

/// The user of the simulated phone that is behind every number of which nothing else is said.
pub(super) const PHONE: &str = "phone";
/// What a number begins with that is refused with the SIP status that its last three digits are.
const REFUSING: &str = "1555000";

/// A user whom endpoints, the API and `<Dial>` can call, and who always behaves in one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Magic {
    /// The user part of the address.
    pub name: &'static str,
    /// What happens, in a few words.
    pub does: &'static str,
    manner: Manner,
}

/// Every magic destination: the one table that help, README and sandbox have.
pub static MAGIC: &[Magic] = &[
    magic("echo", "answers, and says what it hears", Manner::answers(Wait::None, Says::Echo)),
    magic("busy", "is refused: 486, Busy Line (3010)", Manner::new(Then::Refuse(486))),
    magic("noanswer", "rings, and nobody answers", Manner::new(Then::Ring)),
    magic("decline", "is refused: 603, Rejected (3020)", Manner::new(Then::Refuse(603))),
    magic("slow", "rings for 8 s, then answers as echo", Manner::answers(Wait::Slow, Says::Echo)),
    magic(
        "auth",
        "asks for credentials once more (407), then answers as echo",
        Manner { challenges: true, ..Manner::answers(Wait::None, Says::Echo) },
    ),
    magic("silent", "answers, and not one packet of sound comes", Manner::answers(Wait::None, Says::Nothing)),
    magic("oneway", "answers sendonly: a tone is heard, nothing is taken", Manner::answers(Wait::None, Says::Tone)),
    magic(
        "fork",
        "rings at two places (two early dialogs), and one of them answers as echo",
        Manner { forks: true, ..Manner::answers(Wait::None, Says::Echo) },
    ),
];

/// What else can be called, and what happens, for help and README.
pub static NUMBERS: [(&str, &str); 2] = [
    ("+1555000<CODE>", "is refused with this SIP status (300 to 699), as +1555000486"),
    ("any other number", "a phone that answers after 1 s, is silent and never hangs up"),
];

const fn magic(name: &'static str, does: &'static str, manner: Manner) -> Magic {
    Magic { name, does, manner }
}

/// How long simulated phones ring before they answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Those behind numbers.
    pub phone: Duration,
    /// The magic destination `slow`.
    pub slow: Duration,
}

impl Default for Patience {
    /// One second and eight.
    fn default() -> Self {
        Self { phone: Duration::from_secs(1), slow: Duration::from_secs(8) }
    }
}

/// What somebody does who is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Manner {
    pub(super) then: Then,
    /// Asks for credentials first.
    pub(super) challenges: bool,
    /// Rings at two places.
    forks: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// Rings for so long, then answers.
    Answer(Wait, Says),
    /// Does not ring.
    Refuse(u16),
    /// Rings on.
    Ring,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    None,
    Phone,
    Slow,
}

/// What is heard of somebody who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Says {
    /// Packets of silence.
    Silence,
    /// What it hears.
    Echo,
    /// A tone; its session description says `sendonly`.
    Tone,
    /// No packets, though its session description promises some.
    Nothing,
}

impl Manner {
    const fn new(then: Then) -> Self {
        Self { then, challenges: false, forks: false }
    }

    const fn answers(wait: Wait, says: Says) -> Self {
        Self::new(Then::Answer(wait, says))
    }

    /// That of a magic destination.
    pub(super) fn of_magic(user: &str) -> Option<Self> {
        MAGIC.iter().find(|magic| magic.name == user).map(|magic| magic.manner)
    }

    /// That of a number which is refused whatever the application says.
    pub(super) fn of_number(digits: &str) -> Option<Self> {
        refusal(digits.strip_prefix(REFUSING)?).map(|code| Self::new(Then::Refuse(code)))
    }

    /// That of a user of the simulated network: a magic destination, a status, or a usual phone.
    pub(super) fn of_user(user: &str) -> Option<Self> {
        let phone = || (user == PHONE).then_some(Self::answers(Wait::Phone, Says::Silence));
        let refused = || refusal(user).map(|code| Self::new(Then::Refuse(code)));
        Self::of_magic(user).or_else(refused).or_else(phone)
    }

    /// What is answered while it rings.
    pub(super) fn ringing(self) -> Vec<Answer> {
        let ringing = Answer::new(Status::RINGING);
        let elsewhere = self.forks.then(|| Answer { fork: 1, ..ringing.clone() });
        let rings = !matches!(self.then, Then::Refuse(_));
        elsewhere.into_iter().chain(rings.then_some(ringing)).collect()
    }
}

impl Wait {
    pub(super) const fn lasts(self, patience: Patience) -> Duration {
        match self {
            Self::None => Duration::ZERO,
            Self::Phone => patience.phone,
            Self::Slow => patience.slow,
        }
    }
}

impl Says {
    /// How such a callee accepts.
    pub(super) fn accept(self, headers: Vec<(String, String)>) -> Accept {
        let direction = if self == Self::Tone { Direction::SendOnly } else { Direction::SendRecv };
        let session = Session::Managed(MediaPrefs { direction, ..MediaPrefs::default() });
        Accept { session, headers, ..Accept::default() }
    }
}

fn refusal(code: &str) -> Option<u16> {
    code.parse().ok().filter(|status| code.len() == 3 && (300..700).contains(status))
}

/// Somebody some of whose calls promise sound and send none.
pub trait Mute: App {
    /// Whether this call is one of them.
    fn is_mute(&self, call: CallId) -> bool;
}

/// Who is reached by a telephone number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reaches {
    /// The endpoint with this user name.
    Endpoint(String),
    /// A phone that behaves as the magic destination of this name, or that is refused with this status.
    Simulated(String),
}

/// The text names nobody whom a number can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ReachesNobody;

impl fmt::Display for ReachesNobody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("write sip:USER for an endpoint, a SIP status from 300 to 699, or one of")?;
        MAGIC.iter().try_for_each(|magic| write!(f, " {}", magic.name))
    }
}

impl FromStr for Reaches {
    type Err = ReachesNobody;

    fn from_str(text: &str) -> Result<Self, ReachesNobody> {
        if let Some(user) = text.strip_prefix("sip:") {
            let user = user.split('@').next().filter(|user| !user.is_empty()).ok_or(ReachesNobody)?;
            return Ok(Self::Endpoint(user.to_owned()));
        }
        Manner::of_user(text).map(|_| Self::Simulated(text.to_owned())).ok_or(ReachesNobody)
    }
}

/// The digits of a telephone number in the form of E.164, with or without its plus.
#[must_use]
pub fn digits(number: &str) -> Option<&str> {
    let digits = number.strip_prefix('+').unwrap_or(number);
    let fits = (3..=15).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit());
    fits.then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_once_and_are_told_by_help_with_the_time_that_they_take() {
        for magic in MAGIC {
            assert_eq!(Manner::of_user(magic.name), Some(magic.manner));
            assert_eq!(MAGIC.iter().filter(|other| other.name == magic.name).count(), 1);
        }
        let Patience { phone, slow } = Patience::default();
        let does = |name| MAGIC.iter().find(|magic| magic.name == name).unwrap().does;
        assert!(does("slow").contains(&format!("{} s", slow.as_secs())));
        assert!(NUMBERS[1].1.contains(&format!("{} s", phone.as_secs())));
    }

    #[test]
    fn a_magic_number_is_refused_with_the_status_that_it_ends_in() {
        let refused = |code| Some(Manner::new(Then::Refuse(code)));
        assert_eq!(Manner::of_number("1555000486"), refused(486));
        assert_eq!(Manner::of_number("1555000699"), refused(699));
        for other in ["1555000299", "1555000700", "155500048", "15550004860", "1555000", "12025551234"] {
            assert_eq!(Manner::of_number(other), None, "{other}");
        }
    }

    #[test]
    fn a_number_reaches_an_endpoint_a_magic_destination_or_a_status() {
        let simulated = |name: &str| Ok(Reaches::Simulated(name.to_owned()));
        assert_eq!("sip:alice@phone.plivo.com".parse(), Ok(Reaches::Endpoint("alice".into())));
        assert_eq!("sip:alice".parse(), Ok(Reaches::Endpoint("alice".into())));
        assert_eq!("busy".parse(), simulated("busy"));
        assert_eq!("503".parse(), simulated("503"));
        for nobody in ["", "sip:", "alice", "200"] {
            assert_eq!(nobody.parse::<Reaches>(), Err(ReachesNobody), "{nobody}");
        }
    }

    #[test]
    fn numbers_are_digits_with_or_without_a_plus() {
        assert_eq!(digits("+12025551234"), Some("12025551234"));
        assert_eq!(digits("112"), Some("112"));
        for no_number in ["", "+", "11", "1234567890123456", "+1-202", "sip:a"] {
            assert_eq!(digits(no_number), None, "{no_number}");
        }
    }
}
