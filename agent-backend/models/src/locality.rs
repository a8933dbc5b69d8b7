//! Where a provider runs, as far as its address tells: nothing is looked up, so the
//! same address always says the same. A tunnel and a gateway deceive it.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use reqwest::Url;

/// The domains of private networks: RFC 6762, RFC 8375, and `internal`, which ICANN has
/// reserved for them; `lan` is what many routers give.
const PRIVATE_DOMAINS: [&str; 4] = [".local", ".lan", ".home.arpa", ".internal"];

/// Where a provider runs. What is farther away is the larger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Locality {
    /// On this machine: a loopback address, `localhost`.
    Machine,
    /// On the person's own network: an address that the internet does not carry, a name
    /// that it does not know.
    Network,
    /// Anywhere else.
    Elsewhere,
}

impl Locality {
    /// That of a server, by its address.
    pub(crate) fn of(url: &Url) -> Self {
        let Some(host) = url.host_str() else {
            return Self::Elsewhere;
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        match host.parse::<IpAddr>().map(|address| address.to_canonical()) {
            Ok(IpAddr::V4(address)) => Self::of_v4(address),
            Ok(IpAddr::V6(address)) => Self::of_v6(address),
            Err(_) => Self::of_name(host),
        }
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        // Who connects to the unspecified address comes to this machine.
        if address.is_loopback() || address.is_unspecified() {
            Self::Machine
        } else if address.is_private() || address.is_link_local() || is_shared(address) {
            Self::Network
        } else {
            Self::Elsewhere
        }
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        if address.is_loopback() || address.is_unspecified() {
            Self::Machine
        } else if address.is_unique_local() || address.is_unicast_link_local() {
            Self::Network
        } else {
            Self::Elsewhere
        }
    }

    fn of_name(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        let name = name.strip_suffix('.').unwrap_or(&name);
        // RFC 6761: names below `localhost` are this machine's, too.
        if name == "localhost" || name.ends_with(".localhost") {
            Self::Machine
        } else if !name.contains('.') || PRIVATE_DOMAINS.iter().any(|domain| name.ends_with(domain)) {
            Self::Network
        } else {
            Self::Elsewhere
        }
    }
}

/// As a person is told, after "runs".
impl fmt::Display for Locality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Machine => "on this machine",
            Self::Network => "on your network",
            Self::Elsewhere => "elsewhere",
        })
    }
}

/// 100.64.0.0/10, which the internet does not carry: RFC 6598. Private networks over the
/// internet use it.
fn is_shared(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    first == 100 && second & 0b1100_0000 == 64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HostedKind;

    #[test]
    fn where_an_address_is() {
        let check = |host: &str, expect: Locality| {
            for url in [format!("http://{host}:8080/v1"), format!("https://me:pw@{host}/")] {
                assert_eq!(Locality::of(&Url::parse(&url).unwrap()), expect, "{url}");
            }
        };
        for host in [
            "localhost",
            "LOCALHOST",
            "localhost.",
            "ollama.localhost",
            "127.0.0.1",
            "127.8.0.1",
            "127.1",
            "0x7f.0.0.1",
            "0.0.0.0",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
        ] {
            check(host, Locality::Machine);
        }
        for host in [
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.20",
            "169.254.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "[fc00::1]",
            "[fd12:3456::1]",
            "[fe80::1]",
            "[::ffff:192.168.1.20]",
            "gpu-box",
            "gpu-box.",
            "gpu.local",
            "GPU.Local.",
            "gpu.lan",
            "gpu.home.arpa",
            "llm.corp.internal",
        ] {
            check(host, Locality::Network);
        }
        for host in [
            "api.openai.com",
            "api.anthropic.com",
            "generativelanguage.googleapis.com",
            "ollama.com",
            "localhost.example.com",
            "127.0.0.1.example.com",
            "gpu.local.example.com",
            "example.mylocal",
            "example.notlan",
            "home.arpa",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.169.0.1",
            "192.0.2.1",
            "255.255.255.255",
            "[2001:db8::1]",
            "[2606:4700::1111]",
            "[::ffff:8.8.8.8]",
            "[fec0::1]",
        ] {
            check(host, Locality::Elsewhere);
        }
    }

    #[test]
    fn a_company_answers_elsewhere() {
        for kind in [HostedKind::OpenAi, HostedKind::Anthropic, HostedKind::Gemini] {
            let url = Url::parse(kind.url()).unwrap();
            assert_eq!(Locality::of(&url), Locality::Elsewhere, "{url}");
        }
    }

    #[test]
    fn what_is_farther_away_is_larger() {
        use Locality::{Elsewhere, Machine, Network};
        let mut all = [Elsewhere, Machine, Network];
        all.sort_unstable();
        assert_eq!(all, [Machine, Network, Elsewhere]);
        let words: Vec<String> = all.iter().map(ToString::to_string).collect();
        assert_eq!(words, ["on this machine", "on your network", "elsewhere"]);
    }
}
