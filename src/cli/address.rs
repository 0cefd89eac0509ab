//! Whom a request is for and by which way it goes, from the words of a user.

use super::args::{Way, Who};
use super::config::Config;
use super::exit::Exit;
use super::output::Printer;
use super::phone::{Home, Unready};
use super::target::target;
use crate::agent::Transport;
use crate::wire::UriBuf;

/// Whom a request is for, and by which way.
#[derive(Clone, Debug)]
pub(super) struct Address {
    /// The Request-URI.
    pub target: UriBuf,
    /// From, if not the account's.
    pub from: Option<UriBuf>,
    /// The route set that it starts with.
    pub route: Vec<UriBuf>,
    /// The transport that the user insists on.
    pub transport: Option<Transport>,
}

/// Reads the target and the URIs of the flags; what was made of the target is told to those who watch.
///
/// # Errors
/// [`Unready`] for what is no URI, or names nobody.
pub(super) fn address(
    text: &str,
    who: &Who,
    way: &Way,
    home: Option<&Home>,
    config: &Config,
    printer: &mut Printer,
) -> Result<Address, Unready> {
    let parsed =
        |text: &str| UriBuf::parse(text).map_err(|error| Unready::new(Exit::Usage, format!("{text}: {error}")));
    let domain = home.map(|home| home.domain.as_str()).or_else(|| config.text("domain"));
    let target = target(text, domain).map_err(|error| Unready::new(Exit::Usage, error))?;
    if let Some(note) = &target.note {
        printer.decided(note);
    }
    // An account brings its proxy along.
    let proxy = config.text("proxy").filter(|_| home.is_none());
    let route = proxy.into_iter().chain(way.route.iter().map(String::as_str));
    Ok(Address {
        target: parsed(&target.uri)?,
        from: who.from.as_deref().map(parsed).transpose()?,
        route: route.map(parsed).collect::<Result<_, _>>()?,
        transport: config.text("transport").and_then(Transport::of),
    })
}
