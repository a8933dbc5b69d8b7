//! The ports: bound before anything else starts, told to whoever waits for
//! them, and blamed on the right process when they are taken.

use std::{
    collections::HashSet,
    io,
    net::{IpAddr, SocketAddr, TcpListener},
    path::Path,
};

use procfs::{
    net::{TcpState, tcp, tcp6},
    process::{FDTarget, Process, all_processes},
};
use serde::{Deserialize, Serialize};
use shared::files;

use crate::error::{Error, Result};

/// The ports as they are written to the ports file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    /// Qdrant's REST API.
    pub http: u16,
    /// Qdrant's gRPC API.
    pub grpc: u16,
    /// The launcher's own service.
    pub control: u16,
}

impl Ports {
    /// Writes them to `path` so that a reader sees all or nothing.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn write(&self, path: &Path) -> Result<()> {
        let io = |source| Error::Write {
            path: path.to_owned(),
            source,
        };
        let text = serde_json::to_vec(self).map_err(|error| io(error.into()))?;
        files::write_atomically(path, &text).map_err(io)
    }
}

/// Listens on `host:port`; port 0 takes a free one.
///
/// # Errors
/// [`Error::PortInUse`] with the holder, [`Error::Listen`].
pub fn listen(service: &'static str, host: IpAddr, port: u16) -> Result<(TcpListener, u16)> {
    let address = SocketAddr::new(host, port);
    let bound = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        Ok((listener, port))
    });
    bound.map_err(|source| {
        if source.kind() == io::ErrorKind::AddrInUse {
            Error::PortInUse {
                service,
                address,
                holder: holder(port),
            }
        } else {
            Error::Listen {
                service,
                address,
                source,
            }
        }
    })
}

/// Who listens on `port`, as `name (pid 1)`; nothing if the system does not
/// tell, which is so for other people's processes.
pub fn holder(port: u16) -> Option<String> {
    let sockets: HashSet<u64> = [tcp(), tcp6()]
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.state == TcpState::Listen && entry.local_address.port() == port)
        .map(|entry| entry.inode)
        .collect();
    let is_one = |target| matches!(target, FDTarget::Socket(inode) if sockets.contains(&inode));
    let holds = |process: &Process| {
        process
            .fd()
            .is_ok_and(|open| open.flatten().any(|open| is_one(open.target)))
    };
    let process = all_processes().ok()?.flatten().find(holds)?;
    let name = process.stat().map(|stat| stat.comm).unwrap_or_default();
    Some(format!("{name} (pid {})", process.pid()))
}

#[cfg(test)]
mod tests {
    use std::{fs, net::Ipv4Addr};

    use super::*;

    #[test]
    fn a_taken_port_names_its_holder() {
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let (_held, port) = listen("http", local, 0).unwrap();
        match listen("http", local, port) {
            Err(Error::PortInUse {
                holder: Some(holder), ..
            }) => {
                assert!(
                    holder.ends_with(&format!("(pid {})", std::process::id())),
                    "{holder}"
                );
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_ports_file_is_json() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ports.json");
        let ports = Ports {
            http: 1,
            grpc: 2,
            control: 3,
        };
        ports.write(&path).unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            r#"{"http":1,"grpc":2,"control":3}"#
        );
    }
}
