//! One listener of this machine, for one double or for all of them.

use std::{io, net::SocketAddr, path::PathBuf, thread::JoinHandle};

use axum::{Router, response::Html, routing::get};
use tokio::{net::TcpListener, sync::oneshot};

/// Why a double does not run.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// It must not be reached from another machine: its secrets are public.
    #[error(
        "the sandbox listens on this machine only and {0} is not a loopback address: give 127.0.0.1:PORT"
    )]
    NotLoopback(SocketAddr),
    /// The address is taken or not there.
    #[error("cannot listen on {address}: another program may hold the port")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// The state file cannot be read, or is not one.
    #[error("cannot use the state file {}: repair it, or delete it to begin anew", .path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A key file that cannot be used.
    #[error("cannot use the key {}: {what}", .path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        what: String,
    },
    /// The system gave no thread or runtime.
    #[error("cannot start the sandbox's thread")]
    Thread(#[source] io::Error),
}

/// An address of this machine, held.
pub struct Listener {
    socket: std::net::TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Takes the address; port 0 takes a free one.
    ///
    /// # Errors
    /// [`SandboxError::NotLoopback`], [`SandboxError::Listen`].
    pub fn bind(address: SocketAddr) -> Result<Self, SandboxError> {
        if !address.ip().is_loopback() {
            return Err(SandboxError::NotLoopback(address));
        }
        let failed = |source| SandboxError::Listen { address, source };
        let socket = std::net::TcpListener::bind(address).map_err(failed)?;
        socket.set_nonblocking(true).map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        Ok(Self { socket, address })
    }

    /// The address, with the port that was taken.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the process ends.
    ///
    /// # Errors
    /// The listener's.
    pub async fn serve(self, app: Router) -> Result<(), SandboxError> {
        let address = self.address;
        let failed = |source| SandboxError::Listen { address, source };
        let listener = TcpListener::from_std(self.socket).map_err(failed)?;
        tracing::info!(%address, "the doubles listen");
        axum::serve(listener, app).await.map_err(failed)
    }

    /// Serves on a thread of its own, until what is given back is dropped.
    pub(crate) fn spawn(self, name: &str, app: Router) -> Result<Running, SandboxError> {
        let address = self.address;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(SandboxError::Thread)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let run = move || {
            runtime.block_on(async move {
                // Not graceful on purpose: a call that is kept waiting by a fault would hold the thread.
                tokio::select! {
                    ended = self.serve(app) => if let Err(error) = ended { tracing::error!(%error, "a double ended") },
                    _ = stopped => {}
                }
            });
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run);
        Ok(Running { address, stop: Some(stop), thread: Some(thread.map_err(SandboxError::Thread)?) })
    }
}

/// A double's thread; dropping it ends it and cuts what is still waiting.
pub(crate) struct Running {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The page `/`: one link a double that has a page.
pub fn index(pages: &[(&str, &str)]) -> Router {
    let links: String =
        pages.iter().map(|(path, title)| format!("<li><a href=\"{path}\">{title}</a></li>")).collect();
    let page = format!(
        "<!doctype html><html lang=\"zh\"><meta charset=\"utf-8\"><title>沙箱 (sandbox)</title>\
         <h1>沙箱 (sandbox)</h1><ul>{links}</ul></html>"
    );
    Router::new().route("/", get(async move || Html(page)))
}
