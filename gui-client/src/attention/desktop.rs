//! The notifications of the desktop, as freedesktop.org specifies them
//! (Desktop Notifications Specification 1.2), over the session's D-Bus.

use std::time::Duration;

use futures::{FutureExt, future::BoxFuture};
use notify_rust::{Hint, Notification};

use super::{Call, Desktop};

/// Longest time that the desktop may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// The desktop of this session.
#[derive(Debug, Clone, Copy, Default)]
pub struct Session;

impl Desktop for Session {
    fn show(&self, call: Call) -> BoxFuture<'static, Result<(), String>> {
        async move {
            let mut notification = Notification::new();
            notification
                .appname("Agentic IDE")
                .summary(&call.title)
                // Desktops may read it as markup; a request is none.
                .body(&escaped(&call.content))
                .hint(Hint::DesktopEntry("agentic-ide".to_owned()));
            match tokio::time::timeout(ANSWER_MAX, notification.show_async()).await {
                Ok(Ok(_handle)) => Ok(()),
                Ok(Err(error)) => Err(error.to_string()),
                Err(_elapsed) => Err("the desktop does not answer".to_owned()),
            }
        }
        .boxed()
    }
}

/// `text` as markup that shows it.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_no_markup() {
        let check = |text: &str, expect: &str| assert_eq!(escaped(text), expect);
        check("a < b & <i>", "a &lt; b &amp; &lt;i&gt;");
        check("größer", "größer");
    }
}
