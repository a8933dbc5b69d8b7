//! Telling the others that something was written, and hearing it from them. A
//! hint: a notification may be late or lost, and then they look by themselves.

use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::{connect::Link, schema};

/// At most one notification in this time: a notifying commit takes a lock of
/// the whole server.
const PAUSE: Duration = Duration::from_millis(25);

/// Longest wait for a hint.
const PATIENCE: Duration = Duration::from_millis(500);

/// Both directions.
#[derive(Debug)]
pub(super) struct Bell {
    rung: Notify,
    heard: watch::Sender<u64>,
}

impl Default for Bell {
    fn default() -> Self {
        Self {
            rung: Notify::new(),
            heard: watch::Sender::new(0),
        }
    }
}

impl Bell {
    /// Something was written here.
    pub(super) fn ring(&self) {
        self.rung.notify_one();
    }

    /// Something was written somewhere.
    pub(super) fn hear(&self) {
        self.heard.send_modify(|count| *count += 1);
    }

    /// Resolves when something was written somewhere, or when it is time to look.
    pub(super) async fn heard(&self) {
        let mut heard = self.heard.subscribe();
        let _late = tokio::time::timeout(PATIENCE, heard.changed()).await;
    }

    /// Passes on what rings here, for ever.
    pub(super) async fn call(&self, link: &Link) {
        loop {
            self.rung.notified().await;
            let told = async {
                let session = link.session().await?;
                session
                    .client
                    .batch_execute(&format!("NOTIFY {}", schema::CHANNEL))
                    .await?;
                Ok::<_, crate::Error>(())
            };
            if let Err(error) = told.await {
                tracing::debug!(%error, "nobody was notified");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
