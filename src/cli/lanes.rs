//! Where lanes send, and with which credentials: the providers themselves, or
//! the sandbox that plays them.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::runtime::Runtime;
use tracing::info;

use super::config::{LaneConfig, variable};
use super::exit::ExitCode;
use super::failure::Failure;
use super::secrets::Secrets;
use super::session::Session;
use crate::engine::Lane;
use crate::http::{ATTEMPT_TIMEOUT, Credentials, LaneSettings, LaneTransport};
use crate::provider::{Provider, Scheme};
use crate::sandbox::{
    Credentials as Played, Faults, Running, Sandbox, SandboxLane, SandboxSettings, Seed, UnknownIds,
};

/// The runtime on which lanes and the sandbox work.
pub(super) fn runtime() -> Result<Runtime, Failure> {
    let built = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    built.map_err(|error| Failure::new(ExitCode::Error, error))
}

/// Where lanes send.
#[derive(Debug)]
pub(super) enum Destination {
    /// The providers.
    Providers,
    /// The sandbox in this process.
    Sandbox(Box<Running>),
}

impl Destination {
    /// Starts the sandbox where it was asked for, with the records of earlier
    /// runs.
    pub(super) fn open(session: &Session, runtime: &Runtime) -> Result<Self, Failure> {
        Self::start(session, runtime, Some(session.sandbox_records()))
    }

    /// Starts the sandbox where it was asked for. It keeps nothing, and under
    /// `--fresh` has its seed alone.
    pub(super) fn open_to_read(session: &Session, runtime: &Runtime) -> Result<Self, Failure> {
        let fresh = session.asked.sandbox.fresh;
        let records = (!fresh).then(|| session.sandbox_records());
        Self::start(session, runtime, records.filter(|path| path.exists()))
    }

    fn start(
        session: &Session,
        runtime: &Runtime,
        records: Option<PathBuf>,
    ) -> Result<Self, Failure> {
        if !session.asked.sandbox.sandbox {
            return Ok(Self::Providers);
        }
        let sandbox = start_sandbox(session, runtime, 0, Faults::default(), records)?;
        Ok(Self::Sandbox(Box::new(sandbox)))
    }

    /// What stands in for a lane's base URL.
    pub(super) fn base_url(&self, lane: &str) -> Option<String> {
        match self {
            Self::Providers => None,
            Self::Sandbox(sandbox) => Some(sandbox.base_url(lane)),
        }
    }

    /// Stops the sandbox.
    pub(super) fn close(self, runtime: &Runtime) {
        if let Self::Sandbox(sandbox) = self {
            runtime.block_on(sandbox.stop());
        }
    }
}

/// Starts the sandbox with all lanes of the session.
pub(super) fn start_sandbox(
    session: &Session,
    runtime: &Runtime,
    port: u16,
    faults: Faults,
    records_file: Option<PathBuf>,
) -> Result<Running, Failure> {
    let seed_file = session.sandbox_seed();
    let seed = match std::fs::read(&seed_file) {
        Ok(text) => Some(
            Seed::parse(&text)
                .map_err(|error| Failure::from(error).during(seed_file.display().to_string()))?,
        ),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            return Err(Failure::say(
                ExitCode::Io,
                format!("{}: {error}", seed_file.display()),
            ));
        }
    };
    if seed.is_none() {
        info!(
            "There is no sandbox.json beside the configuration: the sandbox makes up each record when it is first asked for."
        );
    }
    let lanes = session.config.lanes.iter().map(|lane| SandboxLane {
        name: lane.name.clone(),
        provider: Arc::clone(&lane.provider),
        settings: lane.settings.clone(),
        limits: lane.limits.clone(),
    });
    let settings = SandboxSettings {
        port,
        lanes: lanes.collect(),
        unknown_ids: if seed.is_some() {
            UnknownIds::NotFound
        } else {
            UnknownIds::Create
        },
        seed,
        records_file,
        faults,
    };
    Ok(runtime.block_on(Sandbox::start(settings))?)
}

/// The transports of lanes, with their credentials; all missing secrets at once.
pub(super) fn transports(
    session: &Session,
    destination: &Destination,
    lanes: &[&Arc<Lane>],
) -> Result<Vec<LaneTransport>, Failure> {
    let mut transports = Vec::new();
    let mut missing = Vec::new();
    for lane in lanes {
        let config = session
            .config
            .lanes
            .iter()
            .find(|config| config.name == lane.name);
        let secrets = match (destination, config) {
            (Destination::Sandbox(sandbox), _) => Ok(played(sandbox, &lane.name)),
            (Destination::Providers, Some(config)) => fetch(config),
            (Destination::Providers, None) => Ok(Secrets::default()),
        };
        match secrets.and_then(|secrets| transport(lane, secrets)) {
            Ok(transport) => transports.push(transport),
            Err(failure) => missing.push(failure.during(format!("provider {}", lane.name))),
        }
    }
    match missing.len() {
        0 => Ok(transports),
        1 => Err(missing.remove(0)),
        _ => {
            let codes: Vec<ExitCode> = missing.iter().map(|failure| failure.code).collect();
            let lines: Vec<String> = missing
                .iter()
                .map(|failure| format!("{:#}", failure.error))
                .collect();
            Err(Failure::say(ExitCode::of(&codes), lines.join("\n")))
        }
    }
}

fn fetch(config: &LaneConfig) -> Result<Secrets, Failure> {
    Ok(config.secrets.fetch(variable)?)
}

fn played(sandbox: &Running, lane: &str) -> Secrets {
    match sandbox.secrets(lane) {
        Some(Played::Token(token)) => Secrets {
            token: Some(token),
            ..Secrets::default()
        },
        Some(Played::Password { username, password }) => Secrets {
            username: Some(username),
            password: Some(password),
            ..Secrets::default()
        },
        None => Secrets::default(),
    }
}

fn transport(lane: &Lane, secrets: Secrets) -> Result<LaneTransport, Failure> {
    let base_url = lane.settings.get("base_url").unwrap_or_default().to_owned();
    let settings = LaneSettings {
        base_url,
        credentials: credentials(&lane.provider, lane, secrets)?,
        timeout: ATTEMPT_TIMEOUT,
        concurrency: usize::try_from(lane.limits.concurrency).unwrap_or(1),
    };
    LaneTransport::new(settings).map_err(|error| Failure::new(ExitCode::Config, error))
}

fn credentials(provider: &Provider, lane: &Lane, secrets: Secrets) -> Result<Credentials, Failure> {
    let auth = &provider.manifest.auth;
    let lacking = || Failure::say(ExitCode::Config, "its credentials are incomplete");
    match auth.scheme {
        Scheme::Bearer => Ok(Credentials::Bearer(secrets.token.ok_or_else(lacking)?)),
        Scheme::Header => Ok(Credentials::Header {
            name: auth.header.clone().unwrap_or_default(),
            value: secrets.token.ok_or_else(lacking)?,
        }),
        Scheme::Oauth2Password => {
            let endpoint = provider
                .token_endpoint(&lane.settings)
                .map_err(|problem| Failure::say(ExitCode::Config, problem.message))?;
            let endpoint = endpoint.ok_or_else(lacking)?;
            Ok(Credentials::OAuth2Password {
                token_url: endpoint.url,
                headers: endpoint.headers,
                username: secrets.username.ok_or_else(lacking)?,
                password: secrets.password.ok_or_else(lacking)?,
            })
        }
    }
}
