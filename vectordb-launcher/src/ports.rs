//! The ports: bound before anything else starts, told to whoever waits for
//! them, and blamed on the right process when they are taken.

use std::{
    collections::HashSet,
    fs, io,
    net::{IpAddr, SocketAddr, TcpListener},
    path::Path,
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
    let sockets: HashSet<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .flat_map(|table| listening(&table, port))
        .collect();
    if sockets.is_empty() {
        return None;
    }
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        let Ok(descriptors) = fs::read_dir(entry.path().join("fd")) else {
            continue;
        };
        let holds = descriptors
            .flatten()
            .filter_map(|descriptor| fs::read_link(descriptor.path()).ok())
            .any(|target| target.to_str().is_some_and(|target| sockets.contains(target)));
        if holds {
            let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            return Some(format!("{} (pid {pid})", name.trim()));
        }
    }
    None
}

/// The sockets that listen on `port` in one of the kernel's tables, as
/// `socket:[inode]`.
fn listening(table: &str, port: u16) -> Vec<String> {
    /// The kernel's number for a listening socket.
    const LISTEN: &str = "0A";
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            let (_, local_port) = fields.get(1)?.rsplit_once(':')?;
            let matches = u16::from_str_radix(local_port, 16) == Ok(port) && *fields.get(3)? == LISTEN;
            matches.then(|| fields.get(9).map(|inode| format!("socket:[{inode}]")))?
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const TABLE: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:18BD 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000000000000000
   1: 0100007F:18BD 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000000000000000
";

    #[test]
    fn only_listening_sockets_count() {
        assert_eq!(listening(TABLE, 6333), ["socket:[4711]"]);
        assert_eq!(listening(TABLE, 6334), Vec::<String>::new());
    }

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
