//! Version of the programs and whether two of them fit together.

/// Version of this build, `major.minor.patch`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Whether a client and a server can work together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compatibility {
    /// Same major and minor version.
    Full,
    /// Same major version: works, but one side lacks something of the other.
    Degraded,
    /// Another major version, or no version at all.
    None,
}

/// Compares two `major.minor.patch` versions.
pub fn compatibility(client: &str, server: &str) -> Compatibility {
    let parse = |text: &str| -> Option<(u32, u32)> {
        let mut parts = text.split('.');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    };
    match (parse(client), parse(server)) {
        (Some(a), Some(b)) if a == b => Compatibility::Full,
        (Some((a, _)), Some((b, _))) if a == b => Compatibility::Degraded,
        (_, _) => Compatibility::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(client: &str, server: &str, expect: Compatibility) {
        assert_eq!(compatibility(client, server), expect, "{client} {server}");
    }

    #[test]
    fn versions() {
        check("0.1.0", "0.1.7", Compatibility::Full);
        check("0.1.0", "0.2.0", Compatibility::Degraded);
        check("1.0.0", "0.9.0", Compatibility::None);
        check("1", "1.0.0", Compatibility::None);
        check("", "1.0.0", Compatibility::None);
    }
}
