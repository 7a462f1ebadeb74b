//! Where lanes send, and with which credentials: the providers themselves, or
//! the sandbox that plays them.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;
use tokio::runtime::Runtime;
use tracing::{info, warn};

use super::config::{LaneConfig, variable};
use super::exit::ExitCode;
use super::failure::Failure;
use super::secrets::Secrets;
use super::session::Session;
use crate::core::{Compare, FieldPath, Secret};
use crate::engine::Lane;
use crate::http::{ATTEMPT_TIMEOUT, Credentials, LaneSettings, LaneTransport, TokenKeeper};
use crate::provider::{Provider, Scheme};
use crate::sandbox::{
    Credentials as Played, Faults, Running, Sandbox, SandboxLane, SandboxSettings, Seed, UnknownIds,
};
use crate::store::TokenFile;

/// The runtime on which lanes and the sandbox work.
pub(super) fn runtime() -> Result<Runtime, Failure> {
    let built = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    built.map_err(|error| Failure::new(ExitCode::Error, error))
}

/// What becomes of refresh tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tokens {
    /// They are kept beside the state for the next run.
    Kept,
    /// They end with the command, which writes nothing.
    Forgotten,
}

/// Where lanes send.
#[derive(Debug)]
pub(super) enum Destination {
    /// The providers, and whether their refresh tokens are kept between runs.
    Providers(Tokens),
    /// The sandbox in this process.
    Sandbox(Box<Running>),
}

impl Destination {
    /// Starts the sandbox where it was asked for, with the records of earlier
    /// runs.
    pub(super) fn open(session: &Session, runtime: &Runtime) -> Result<Self, Failure> {
        let records = Some(session.sandbox_records());
        Self::start(session, runtime, records, Tokens::Kept)
    }

    /// Starts the sandbox where it was asked for. It keeps nothing, and under
    /// `--fresh` has its seed alone.
    pub(super) fn open_to_read(session: &Session, runtime: &Runtime) -> Result<Self, Failure> {
        let fresh = session.asked.sandbox.fresh;
        let records = (!fresh).then(|| session.sandbox_records());
        let records = records.filter(|path| path.exists());
        Self::start(session, runtime, records, Tokens::Forgotten)
    }

    fn start(
        session: &Session,
        runtime: &Runtime,
        records: Option<PathBuf>,
        tokens: Tokens,
    ) -> Result<Self, Failure> {
        if !session.asked.sandbox.sandbox {
            return Ok(Self::Providers(tokens));
        }
        let sandbox = start_sandbox(session, runtime, 0, Faults::default(), records)?;
        Ok(Self::Sandbox(Box::new(sandbox)))
    }

    /// What stands in for a lane's base URL.
    pub(super) fn base_url(&self, lane: &str) -> Option<String> {
        match self {
            Self::Providers(_) => None,
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
    let kept = token_file(session, destination, lanes)?;
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
            (Destination::Providers(_), Some(config)) => fetch(config),
            (Destination::Providers(_), None) => Ok(Secrets::default()),
        };
        match secrets.and_then(|secrets| transport(lane, secrets, kept.as_ref())) {
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

fn transport(
    lane: &Lane,
    secrets: Secrets,
    tokens: Option<&Arc<TokenFile>>,
) -> Result<LaneTransport, Failure> {
    let base_url = lane.settings.get("base_url").unwrap_or_default().to_owned();
    let settings = LaneSettings {
        base_url,
        credentials: credentials(&lane.provider, lane, secrets, tokens)?,
        timeout: ATTEMPT_TIMEOUT,
        concurrency: usize::try_from(lane.limits.concurrency).unwrap_or(1),
    };
    LaneTransport::new(settings).map_err(|error| Failure::new(ExitCode::Config, error))
}

fn credentials(
    provider: &Provider,
    lane: &Lane,
    secrets: Secrets,
    tokens: Option<&Arc<TokenFile>>,
) -> Result<Credentials, Failure> {
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
            let username = secrets.username.ok_or_else(lacking)?;
            let account = lane.keeping.key.as_ref().map(|key| {
                let account = json!([endpoint.url, endpoint.headers, username.expose()]);
                let path = FieldPath::new(vec!["account".to_owned()]);
                key.digest(&path, Compare::Exact, &account)
            });
            let keeper = tokens.zip(account).map(|(tokens, account)| {
                let (tokens, account) = (Arc::clone(tokens), account.as_str().to_owned());
                Arc::new(Keeper { tokens, account }) as Arc<dyn TokenKeeper>
            });
            Ok(Credentials::OAuth2Password {
                token_url: endpoint.url,
                headers: endpoint.headers,
                username,
                password: secrets.password.ok_or_else(lacking)?,
                keeper,
            })
        }
    }
}

/// The file of kept tokens, where a lane logs in and something may be written.
fn token_file(
    session: &Session,
    destination: &Destination,
    lanes: &[&Arc<Lane>],
) -> Result<Option<Arc<TokenFile>>, Failure> {
    let logs_in = |lane: &&&Arc<Lane>| lane.provider.manifest.auth.scheme == Scheme::Oauth2Password;
    let key = lanes
        .iter()
        .find(logs_in)
        .and_then(|lane| lane.keeping.key.clone());
    match (destination, key) {
        (Destination::Providers(Tokens::Kept), Some(key)) => {
            let file = TokenFile::open(&session.state_path(), key)?;
            Ok(Some(Arc::new(file)))
        }
        _ => Ok(None),
    }
}

/// Keeps the tokens of one account in the file.
struct Keeper {
    tokens: Arc<TokenFile>,
    account: String,
}

impl TokenKeeper for Keeper {
    fn kept(&self) -> Option<Secret> {
        self.tokens.kept(&self.account)
    }

    fn keep(&self, refresh: Option<&Secret>) {
        // A token that is not kept costs the next run a login, no more.
        if let Err(error) = self.tokens.keep(&self.account, refresh) {
            warn!("A refresh token cannot be kept: {error}. The next run logs in anew.");
        }
    }
}
