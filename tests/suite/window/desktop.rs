//! A desktop that shows notifications, on a message bus of its own
//! (Desktop Notifications Specification 1.2).

use std::{
    collections::HashMap,
    fs::{self, File},
    process::{Child, Command, Stdio},
};

use futures::StreamExt as _;
use zbus::{Connection, MessageStream, OwnedVariant, connection::Builder, message::Type};

use crate::world::{PATIENCE, World, until};

/// What an application asks to be shown: its name, an id, an icon, title, text,
/// actions, hints, milliseconds.
type Notify = (
    String,
    u32,
    String,
    String,
    String,
    Vec<String>,
    HashMap<String, OwnedVariant>,
    i32,
);

/// The bus, and who is asked on it.
pub struct Desktop {
    bus: Child,
    /// Where the bus is.
    pub address: String,
    connection: Connection,
    calls: MessageStream,
}

impl Desktop {
    pub async fn start(world: &World) -> Self {
        let said = world.path("bus");
        let mut command = Command::new("dbus-daemon");
        command
            .args(["--session", "--nofork", "--nopidfile", "--print-address"])
            .arg(format!("--address=unix:dir={}", world.path("").display()))
            .stdin(Stdio::null())
            .stdout(File::create(&said).unwrap())
            .stderr(Stdio::null());
        let bus = world.hermetic(&mut command).spawn().unwrap();
        let read = || {
            let text = fs::read_to_string(&said).unwrap();
            text.strip_suffix('\n').map(str::to_owned)
        };
        let address = until("the bus", read).await;
        let connection = Builder::address(address.as_str()).build().await.unwrap();
        // Listens before anybody can ask.
        let calls = MessageStream::from(&connection);
        connection
            .request_name("org.freedesktop.Notifications")
            .await
            .unwrap();
        Self {
            bus,
            address,
            connection,
            calls,
        }
    }

    /// Name, title and text of the next notification.
    pub async fn shown(&mut self) -> [String; 3] {
        let calls = &mut self.calls;
        let waiting = async {
            while let Some(message) = calls.next().await {
                let message = message.unwrap();
                let header = message.header();
                let is_call = header.message_type() == Type::MethodCall;
                if !is_call || header.member().is_none_or(|member| member != "Notify") {
                    continue;
                }
                let body = message.body();
                let (name, _, _, title, text, ..): Notify = body.deserialize().unwrap();
                self.connection.reply(&header, &1_u32).await.unwrap();
                return [name, title, text];
            }
            panic!("the bus is gone");
        };
        let shown = tokio::time::timeout(PATIENCE, waiting).await;
        shown.expect("the desktop is asked to show something")
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        // It may be gone already.
        let _gone = self.bus.kill();
        let _gone = self.bus.wait();
    }
}
