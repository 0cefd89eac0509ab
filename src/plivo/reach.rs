//! Which addresses a sandbox may call: a stranger's URL must not open doors inside a network.
//!
//! Loopback is allowed, for that is where an application under test runs. Link-local addresses, the metadata services
//! of clouds and addresses that are no host's are always refused. Any other needs `allow_net`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address that may not be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Never, whatever is allowed.
    #[error("{0} is link-local, a cloud's metadata service or no host: it is never called")]
    Never(IpAddr),
    /// Not without `allow_net`.
    #[error("{0} is not on this machine: allow it with --allow-net")]
    Beyond(IpAddr),
}

/// Whether `address` may be called.
///
/// # Errors
/// [`Refused`] says why not.
pub fn check(address: IpAddr, allow_net: bool) -> Result<(), Refused> {
    let real = embedded(address);
    if real.is_loopback() {
        Ok(())
    } else if is_never(real) {
        Err(Refused::Never(real))
    } else if allow_net {
        Ok(())
    } else {
        Err(Refused::Beyond(real))
    }
}

/// Metadata services that no class of addresses covers: Alibaba, Azure, Oracle, and AWS over IPv6.
const METADATA: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

fn is_never(address: IpAddr) -> bool {
    let by_class = match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast() || v4.octets().first() == Some(&0),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    by_class || address.is_multicast() || address.is_unspecified() || METADATA.contains(&address)
}

/// The IPv4 address inside an IPv6 one, where there is one: mapped (RFC 4291 §2.5.5.2), translated (RFC 6052 §2.1) or
/// 6to4 (RFC 3056 §2).
fn embedded(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address.to_canonical() else { return address.to_canonical() };
    let v4 = |high: u16, low: u16| IpAddr::V4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    match v6.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => v4(high, low),
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(address: &str, allow_net: bool) -> &'static str {
        match check(address.parse().unwrap(), allow_net) {
            Ok(()) => "ok",
            Err(Refused::Never(_)) => "never",
            Err(Refused::Beyond(_)) => "beyond",
        }
    }

    #[test]
    fn each_class_of_addresses_has_its_answer() {
        let table = [
            ("127.0.0.1", "ok", "ok"),
            ("127.9.9.9", "ok", "ok"),
            ("::1", "ok", "ok"),
            ("::ffff:127.0.0.1", "ok", "ok"),
            ("10.0.0.1", "beyond", "ok"),
            ("192.168.1.1", "beyond", "ok"),
            ("93.184.216.34", "beyond", "ok"),
            ("2001:db8::1", "beyond", "ok"),
            ("fd12::1", "beyond", "ok"),
            ("169.254.169.254", "never", "never"),
            ("::ffff:169.254.169.254", "never", "never"),
            ("64:ff9b::a9fe:a9fe", "never", "never"),
            ("2002:a9fe:a9fe::1", "never", "never"),
            ("fe80::1", "never", "never"),
            ("fd00:ec2::254", "never", "never"),
            ("100.100.100.200", "never", "never"),
            ("168.63.129.16", "never", "never"),
            ("0.0.0.0", "never", "never"),
            ("0.1.2.3", "never", "never"),
            ("::", "never", "never"),
            ("255.255.255.255", "never", "never"),
            ("224.0.0.1", "never", "never"),
            ("ff02::1", "never", "never"),
        ];
        for (address, without, with) in table {
            assert_eq!((answer(address, false), answer(address, true)), (without, with), "{address}");
        }
    }
}
