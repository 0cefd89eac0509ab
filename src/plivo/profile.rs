//! Plivo's habits, as the agent takes them.

use crate::agent::Profile;
use crate::time::Duration;

/// The domain of every SIP endpoint.
pub const DOMAIN: &str = "phone.plivo.com";

/// The domain of applications that are called directly, as `sip:{app_id}@app.plivo.com`.
pub const APP_DOMAIN: &str = "app.plivo.com";

/// Plivo: endpoints register, for the two minutes that Plivo's own clients ask for, and are reached through one
/// address of a cluster.
pub const PLIVO: Profile =
    Profile { name: "plivo", registers: true, expires: Duration::from_secs(120), register_supported: "path, outbound" };

/// Whether a domain is Plivo's.
#[must_use]
pub fn is_plivo(domain: &str) -> bool {
    let host = domain.split([':', ';']).next().unwrap_or(domain).to_ascii_lowercase();
    host == "plivo.com" || host.ends_with(".plivo.com")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_plivos_by_its_end_and_not_by_its_look() {
        for (domain, is) in [
            ("phone.plivo.com", true),
            ("Phone.Plivo.COM:5060", true),
            ("plivo.com", true),
            ("phone.plivo.com.example.org", false),
            ("notplivo.com", false),
        ] {
            assert_eq!(is_plivo(domain), is, "{domain}");
        }
    }
}
