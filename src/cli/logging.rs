//! Logs: by tracing-subscriber, on stderr, above the progress bars and never
//! through them; and in a file, if asked.
//!
//! Only this program's own events are written unless `-v` is given twice, and
//! no event of ours holds a cell's value or a secret.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt};

use super::config::LogFormat;
use crate::report::Bars;

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verbosity {
    /// `-q`: errors.
    Quiet,
    /// What a person at a terminal wants to know.
    Normal,
    /// `-v`: each step.
    Detailed,
    /// `-vv`: the libraries' events too.
    Everything,
}

impl Verbosity {
    fn filter(self) -> EnvFilter {
        EnvFilter::new(match self {
            Self::Quiet => "clientsync=error",
            Self::Normal => "clientsync=info",
            Self::Detailed => "clientsync=debug",
            Self::Everything => "clientsync=trace,info",
        })
    }
}

/// A writer that lets the bars stand below what it writes.
#[derive(Clone)]
struct AboveBars(Arc<Bars>);

impl<'a> MakeWriter<'a> for AboveBars {
    type Writer = Box<dyn Write + 'a>;
    fn make_writer(&'a self) -> Self::Writer {
        Box::new(self.0.writer(io::stderr()))
    }
}

/// Starts logging. Called once, before anything that may log.
pub(super) fn start(
    verbosity: Verbosity,
    format: LogFormat,
    color: bool,
    file: Option<&Path>,
    bars: &Arc<Bars>,
) -> io::Result<()> {
    let above = AboveBars(Arc::clone(bars));
    let mut layers: Vec<Box<dyn Layer<Registry> + Send + Sync>> = Vec::new();
    layers.push(match format {
        LogFormat::Text => fmt::layer()
            .with_ansi(color)
            .with_target(false)
            .with_writer(above)
            .with_filter(verbosity.filter())
            .boxed(),
        LogFormat::Json => fmt::layer()
            .json()
            .with_ansi(false)
            .with_writer(above)
            .with_filter(verbosity.filter())
            .boxed(),
    });
    if let Some(path) = file {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(path)?;
        let file = Mutex::new(file);
        // A file is read later, by someone who could not ask for more then.
        let filter = verbosity.max_detailed().filter();
        layers.push(match format {
            LogFormat::Text => fmt::layer()
                .with_ansi(false)
                .with_target(false)
                .with_writer(file)
                .with_filter(filter)
                .boxed(),
            LogFormat::Json => fmt::layer()
                .json()
                .with_ansi(false)
                .with_writer(file)
                .with_filter(filter)
                .boxed(),
        });
    }
    // A second start in one process keeps the first one's subscriber.
    let _ = tracing_subscriber::registry().with(layers).try_init();
    Ok(())
}

impl Verbosity {
    fn max_detailed(self) -> Self {
        match self {
            Self::Everything => Self::Everything,
            _ => Self::Detailed,
        }
    }
}
