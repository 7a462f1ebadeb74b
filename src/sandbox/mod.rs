//! Serves loaded providers on loopback, run backwards from the same manifests
//! and contracts, so that a whole run can be rehearsed without a vendor.
//!
//! It takes the pessimistic reading wherever a vendor's page is silent: what a
//! full-record update omits is lost, a unit that may be replaced is replaced,
//! an unknown member is refused. It must never listen anywhere but on loopback,
//! never hold a real credential, and never know a provider by its name.

mod access;
mod answer;
mod apply;
mod cut;
mod fault;
mod held;
mod judge;
mod lane;
mod list;
mod log;
mod minimal;
mod percent;
mod records;
mod route;
mod seed;
mod serve;
mod throttle;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use access::Credentials;
pub use fault::{Fault, FaultError, FaultKind, Faults};
pub use log::LoggedRequest;
pub use seed::Seed;

use cut::Cuttable;
use held::Held;
use lane::Lane;
use records::RecordsFile;
use serve::Shared;

use crate::core::Json;
use crate::provider::{Limits, Provider, Settings};

/// How long connections may take to end once the sandbox is stopped.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// The sandbox server; [`Sandbox::start`] makes a [`Running`] one.
#[derive(Debug)]
pub struct Sandbox;

/// What to serve, and where its records come from.
#[derive(Debug)]
pub struct SandboxSettings {
    /// The port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// The lanes, each under the path prefix of its name.
    pub lanes: Vec<SandboxLane>,
    /// What the lanes hold at the start.
    pub seed: Option<Seed>,
    /// Where accepted writes are kept between runs (JSON lines, mode 0600).
    /// What it holds stands over the seed.
    pub records_file: Option<PathBuf>,
    /// What becomes of an id that no record has.
    pub unknown_ids: UnknownIds,
    /// What shall go wrong.
    pub faults: Faults,
}

/// One lane to serve.
#[derive(Debug)]
pub struct SandboxLane {
    /// The lane's name.
    pub name: String,
    /// The provider to behave like.
    pub provider: Arc<Provider>,
    /// The lane's settings; the base URL is replaced by the sandbox's own.
    pub settings: Settings,
    /// The windows that requests are counted in.
    pub limits: Limits,
}

/// What becomes of an id that no record has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownIds {
    /// It is answered with 404.
    NotFound,
    /// It has a minimal valid record, so that anyone's own file can be tried.
    Create,
}

/// Why the sandbox does not start.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// The port cannot be had.
    #[error("the sandbox cannot listen on 127.0.0.1:{port}: {why}")]
    Bind {
        /// The port asked for.
        port: u16,
        /// Why not.
        why: io::Error,
    },
    /// A lane cannot be served.
    #[error("the sandbox cannot serve the lane `{name}`: {why}")]
    Lane {
        /// The lane.
        name: String,
        /// What stands against it.
        why: String,
    },
    /// The seed file does not hold records. The text never holds a value.
    #[error("the seed file {0}")]
    Seed(String),
    /// The file of kept records cannot be used.
    #[error("the sandbox's records in {path} {why}")]
    Records {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

impl Sandbox {
    /// Binds the port, loads the records and begins to answer. It needs a tokio
    /// runtime with IO and time.
    pub async fn start(settings: SandboxSettings) -> Result<Running, SandboxError> {
        let SandboxSettings {
            port,
            lanes,
            mut seed,
            records_file,
            unknown_ids,
            faults,
        } = settings;
        let (file, mut kept) = match records_file {
            Some(path) => {
                let (file, kept) = RecordsFile::open(&path)?;
                (Some(Arc::new(Mutex::new(file))), kept)
            }
            None => (None, BTreeMap::new()),
        };
        let mut served: Vec<(String, Mutex<Lane>)> = Vec::new();
        for lane in lanes {
            let name = lane.name.clone();
            if served.iter().any(|(other, _)| *other == name) {
                return Err(lane_error(&name, "there are two of this name"));
            }
            let mut records = Held::default();
            if let Some(seed) = &mut seed {
                records.extend(seed.take(&name, &lane.provider)?);
            }
            records.extend(kept.remove(&name).unwrap_or_default());
            let lane = Lane::new(lane, records, file.clone(), unknown_ids)?;
            served.push((name, Mutex::new(lane)));
        }
        let bind = |why| SandboxError::Bind { port, why };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let shared = Arc::new(Shared::new(address, served, faults));
        let (stopping, stopped) = oneshot::channel();
        let task = tokio::spawn(serve::serve(
            Cuttable(listener),
            Arc::clone(&shared),
            stopped,
        ));
        Ok(Running {
            address,
            shared,
            stopping,
            task,
        })
    }
}

/// A sandbox that answers; dropping it stops it too.
pub struct Running {
    address: SocketAddr,
    shared: Arc<Shared>,
    stopping: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL of a lane: what its URL setting must hold.
    #[must_use]
    pub fn base_url(&self, lane: &str) -> String {
        serve::base_url(self.address, lane)
    }

    /// The made-up credentials that a lane accepts; `None` for no such lane.
    #[must_use]
    pub fn secrets(&self, lane: &str) -> Option<Credentials> {
        self.with(lane, Lane::credentials)
    }

    /// The last requests to the lanes, oldest first, credentials masked.
    #[must_use]
    pub fn requests(&self) -> Vec<LoggedRequest> {
        lock(&self.shared.log).snapshot()
    }

    /// A record as it is held now, in the provider's read shape.
    #[must_use]
    pub fn record(&self, lane: &str, id: &str) -> Option<Json> {
        self.with(lane, |lane| lane.record(id).cloned()).flatten()
    }

    /// How often each `writeOnly` member came for a record, by its path, since
    /// the sandbox started. A client that repeats a command shows here.
    #[must_use]
    pub fn commands(&self, lane: &str, id: &str) -> BTreeMap<String, u64> {
        self.with(lane, |lane| lane.commands(id))
            .unwrap_or_default()
    }

    /// Stops answering. What was accepted is on disk already.
    pub async fn stop(mut self) {
        // The receiver is gone only where the server ended by itself.
        let _ = self.stopping.send(());
        if tokio::time::timeout(STOP_GRACE, &mut self.task)
            .await
            .is_err()
        {
            self.task.abort();
        }
    }

    fn with<T>(&self, lane: &str, f: impl FnOnce(&Lane) -> T) -> Option<T> {
        let (_, lane) = self.shared.lanes.iter().find(|(name, _)| name == lane)?;
        Some(f(&lock(lane)))
    }
}

/// Takes a lock; a panic elsewhere leaves nothing half done here.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn lane_error(name: &str, why: impl Into<String>) -> SandboxError {
    SandboxError::Lane {
        name: name.to_owned(),
        why: why.into(),
    }
}
