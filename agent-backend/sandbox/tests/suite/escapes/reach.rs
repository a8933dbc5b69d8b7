//! The network, and everything that is like it.

use std::{
    net::{Ipv4Addr, TcpListener},
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixListener},
    },
    process,
};

use sandbox::Network;

use crate::{
    escapes::{PRELUDE, check, mismatch},
    support::{python, run, sandbox},
};

/// Linux keeps a process from abstract sockets outside of its Landlock domain since this.
const LANDLOCK_SCOPES: (u32, u32) = (6, 12);

/// Someone who listens on the host, on the loopback and at an abstract address.
struct Host {
    tcp: TcpListener,
    name: String,
    _abstract: UnixListener,
}

impl Host {
    fn listen(name: &str) -> Self {
        let name = format!("agentic-ide-test-{}-{name}", process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        Self {
            tcp: TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap(),
            _abstract: UnixListener::bind_addr(&address).unwrap(),
            name,
        }
    }

    /// A program that tries to reach both.
    fn program(&self) -> String {
        let (port, name) = (self.tcp.local_addr().unwrap().port(), &self.name);
        format!(
            r#"
def connect(family, address):
    with socket.socket(family) as it:
        it.settimeout(2)
        it.connect(address)
attempt("loopback", connect, socket.AF_INET, ("127.0.0.1", {port}))
attempt("abstract", connect, socket.AF_UNIX, "\0{name}")
"#
        )
    }
}

#[test]
fn the_network_cannot_be_reached() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::listen("off");
    let program = host.program()
        + r#"
attempt("elsewhere", connect, socket.AF_INET, ("192.0.2.1", 80))
attempt("elsewhere by IPv6", connect, socket.AF_INET6, ("2001:db8::1", 80))
def resolve():
    try:
        socket.getaddrinfo("example.org", 80)
    except socket.gaierror:
        raise OSError(errno.ENETUNREACH, "")
attempt("names", resolve)
for name, family, kind, protocol in [("packet", 17, socket.SOCK_RAW, 0), ("raw", 2, socket.SOCK_RAW, 1), ("vsock", 40, socket.SOCK_STREAM, 0),
                         ("crypto", 38, socket.SOCK_SEQPACKET, 0), ("bluetooth", 31, socket.SOCK_RAW, 1), ("netlink audit", 16, socket.SOCK_RAW, 9)]:
    attempt(name, lambda: socket.socket(family, kind, protocol).close())
# A server and its client, both inside, are fine.
server = socket.create_server(("127.0.0.1", 0))
attempt("own loopback", connect, socket.AF_INET, server.getsockname())
own = socket.socket(socket.AF_UNIX)
own.bind("\0own")
own.listen()
attempt("own abstract", connect, socket.AF_UNIX, "\0own")
print("interfaces:", socket.if_nameindex())
"#;
    let expect = [
        "loopback: ECONNREFUSED",
        "abstract: ECONNREFUSED|EPERM",
        "elsewhere: ENETUNREACH",
        "elsewhere by IPv6: ENETUNREACH|EADDRNOTAVAIL|EAFNOSUPPORT",
        "names: ENETUNREACH",
        "packet: EPERM",
        "raw: EPERM",
        "vsock: EPERM",
        "crypto: EPERM",
        "bluetooth: EPERM",
        "netlink audit: EPERM",
        "own loopback: done None",
        "own abstract: done None",
        "interfaces: [(1, 'lo')]",
    ];
    check(folder.path(), &program, &expect);
}

#[test]
fn with_the_network_abstract_sockets_stay_out_of_reach() {
    let Some(sandbox) = sandbox() else { return };
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    if (numbers.next().unwrap(), numbers.next().unwrap()) < LANDLOCK_SCOPES {
        return eprintln!("not tried: this kernel's Landlock knows no sockets");
    }
    let folder = tempfile::tempdir().unwrap();
    let host = Host::listen("on");
    let mut job = python(&format!("{PRELUDE}{}", host.program()), folder.path());
    job.network = Network::On;
    let ended = run(sandbox, &job);
    assert_eq!(
        mismatch(&ended, &["loopback: done None", "abstract: EPERM"]),
        None
    );
}
