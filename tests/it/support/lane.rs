//! From a configuration and a source to a plan, by the real functions alone.
//!
//! It must decide nothing by itself: what it hands over is what the
//! configuration and the file say.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use clientsync::cli::config::{
    Config, ConfigProblem, LaneConfig, SourcePath, SourceTable, StoredValues, providers_dir,
};
use clientsync::core::{
    Header, Key, LaneHeader, PLAN_FORMAT, PlanLine, Row, Scope, Secret, Trailer, sha256_hex,
};
use clientsync::engine::{
    Digests, IdColumn, Keeping, Lane, Matching, Periods, PlanReader, PlanWriter, Sealing,
    Selection, SourceView, plan,
};
use clientsync::http::{ATTEMPT_TIMEOUT, Credentials, LaneSettings, LaneTransport};
use clientsync::provider::{Catalog, ProviderFiles, Scheme};
use clientsync::source::{Encoding, Header as Columns, Input, Source, SourceSettings, key_of};
use clientsync::store::Store;

/// The key of digests and seals in tests.
pub(crate) fn key() -> Key {
    Key::new([7; 32])
}

/// A configuration and its source, ready to be planned.
pub(crate) struct Setup {
    /// The lanes, in the order of the configuration.
    pub(crate) lanes: Vec<Lane>,
    source: Source,
    trim: bool,
}

/// A plan and what it comes to.
pub(crate) struct Plan {
    /// The plan file.
    pub(crate) bytes: Vec<u8>,
    /// Its last line.
    pub(crate) trailer: Trailer,
}

impl Setup {
    /// Reads a configuration, which stands in a folder, and its source's header.
    pub(crate) fn read(text: &str, folder: &Path) -> Result<Self, Vec<ConfigProblem>> {
        let file = folder.join("clientsync.toml");
        let catalog = Catalog::load(&own_providers(text, &file)).expect("the providers load");
        Self::read_with(&catalog, text, folder)
    }

    /// The same, with providers that were loaded before.
    pub(crate) fn read_with(
        catalog: &Catalog,
        text: &str,
        folder: &Path,
    ) -> Result<Self, Vec<ConfigProblem>> {
        let config = Config::parse(text, &folder.join("clientsync.toml"), catalog)?;
        let source = Source::open(&source_settings(&config.source)).expect("the source opens");
        let digests = match config.state.values {
            StoredValues::Plain => Digests::Sensitive,
            StoredValues::Digest(_) => Digests::All,
        };
        let lanes = config.lanes.into_iter().zip(0..);
        Ok(Self {
            lanes: lanes
                .map(|(lane, ordinal)| bound(lane, ordinal, source.header(), digests))
                .collect(),
            trim: config.source.trim,
            source,
        })
    }

    /// Binds the lanes in a state to where they go.
    pub(crate) fn bind(&self, store: &mut Store) {
        store.bind(&self.lane_headers()).expect("the lanes bind");
    }

    /// Plans every row against a state.
    pub(crate) fn plan(&self, store: &Store) -> Plan {
        let ids = self
            .lanes
            .iter()
            .filter_map(|lane| Some(lane.id.as_ref()?.index));
        let ids: Vec<usize> = ids.collect();
        let survey = self.source.survey(&ids).expect("the source is sound");
        let [mut first, mut rows] =
            [(); 2].map(|()| self.source.rows(&survey).expect("the rows begin"));
        let key_cells = |row: &Row| key_of(row, self.source.key_columns(), self.trim);
        let mut view = SourceView {
            next: &mut |row: &mut Row| first.read(row),
            key: &key_cells,
            key_lines: &|key| survey.key_lines(key).map(<[u64]>::to_vec),
            is_repeat: &|line| survey.is_repeat(line),
            id_lines: &|column, id| survey.id_lines(column, id).map(<[u64]>::to_vec),
        };
        let selection = Selection::default();
        let periods = Periods::gather(&self.lanes, &mut view, Some(store), &selection)
            .expect("the periods are gathered");
        let mut again = |row: &mut Row| rows.read(row);
        view.next = &mut again;
        let header = Header {
            format: PLAN_FORMAT,
            plan_id: "plan-1".to_owned(),
            created: "2026-01-01T00:00:00Z".to_owned(),
            config_sha256: sha256_hex(b""),
            scope: Scope::Whole,
            lanes: self.lane_headers(),
        };
        let key = key();
        let mut used = 0u8;
        let mut nonce = || {
            used += 1;
            [used; 24]
        };
        let sealing = Sealing::Under(&key, &mut nonce);
        let mut out = PlanWriter::begin(Vec::new(), &header, sealing).expect("a plan begins");
        let trailer = plan(
            &self.lanes,
            &mut view,
            &periods,
            Some(store),
            &selection,
            &mut out,
        )
        .expect("the rows are planned");
        let (trailer, bytes) = out.finish(trailer).expect("the plan ends");
        Plan { bytes, trailer }
    }

    fn lane_headers(&self) -> Vec<LaneHeader> {
        let header = |lane: &Lane| LaneHeader {
            lane: lane.name.clone(),
            kind: lane.provider.name().to_owned(),
            target: lane.target.clone(),
            manifest_sha256: lane.provider.manifest_sha256.clone(),
            contract_sha256: lane.provider.contract_sha256.clone(),
            new_fields: Vec::new(),
        };
        self.lanes.iter().map(header).collect()
    }
}

impl Plan {
    /// The lines between header and trailer.
    pub(crate) fn lines(&self) -> Vec<PlanLine> {
        let mut reader = PlanReader::new(self.bytes.as_slice());
        let mut lines = Vec::new();
        while let Some(line) = reader.next_line().expect("the plan can be read") {
            if matches!(line, PlanLine::Update(_) | PlanLine::LeftOut(_)) {
                lines.push(line);
            }
        }
        lines
    }
}

/// The providers of the configuration's own folder, where it names one.
fn own_providers(text: &str, file: &Path) -> Vec<ProviderFiles> {
    let Some(folder) = providers_dir(text, file) else {
        return Vec::new();
    };
    let read = |folder: &Path, name: &str| {
        fs::read_to_string(folder.join(name)).expect("a provider's file")
    };
    let entries = fs::read_dir(folder).expect("the folder of providers");
    entries
        .map(|entry| entry.expect("a provider's folder").path())
        .map(|folder| ProviderFiles {
            manifest: read(&folder, "provider.toml"),
            contract: read(&folder, "contract.schema.json"),
        })
        .collect()
}

fn source_settings(table: &SourceTable) -> SourceSettings {
    let SourcePath::File(path) = &table.path else {
        panic!("the source of a test is a file");
    };
    SourceSettings {
        input: Input::File(path.clone()),
        key: table.key.clone(),
        delimiter: table.delimiter,
        encoding: Encoding::parse(&table.encoding).expect("the encoding is known"),
        trim: table.trim,
        skip_lines: table.skip_lines,
        require_final_newline: table.require_final_newline,
    }
}

/// A lane, bound to the columns of the source.
fn bound(config: LaneConfig, ordinal: u8, columns: &Columns, digests: Digests) -> Lane {
    let position = |name: &String| columns.position(name).expect("a mapped column is there");
    Lane {
        name: config.name,
        ordinal,
        provider: config.provider,
        target: config
            .settings
            .get("base_url")
            .unwrap_or_default()
            .to_owned(),
        settings: config.settings,
        columns: config
            .mappings
            .iter()
            .map(|mapping| mapping.cell.columns().iter().map(position).collect())
            .collect(),
        mappings: config.mappings,
        rules: Arc::new(config.rules),
        absent: config.absent,
        id: config.id_column.as_ref().map(|name| IdColumn {
            index: position(name),
            name: name.clone(),
        }),
        matching: config.matching.as_ref().map(|(mapping, rules)| Matching {
            column: position(&mapping.cell.columns()[0]),
            mapping: mapping.clone(),
            rules: Arc::clone(rules),
        }),
        limits: config.limits,
        keeping: Keeping {
            key: Some(key()),
            digests,
        },
    }
}

/// A lane's transport with made-up credentials.
pub(crate) fn transport(lane: &Lane) -> LaneTransport {
    let secret = |text: &str| Secret::new(text.to_owned());
    let auth = &lane.provider.manifest.auth;
    let credentials = match auth.scheme {
        Scheme::Bearer => Credentials::Bearer(secret("test_key_1")),
        Scheme::Header => Credentials::Header {
            name: auth
                .header
                .clone()
                .expect("a header scheme names its header"),
            value: secret("test_key_1"),
        },
        Scheme::Oauth2Password => {
            let endpoint = lane.provider.token_endpoint(&lane.settings);
            let endpoint = endpoint.expect("the settings fit").expect("a token URL");
            Credentials::OAuth2Password {
                token_url: endpoint.url,
                headers: endpoint.headers,
                username: secret("ada.admin@example.com"),
                password: secret("p&w=1"),
                keeper: None,
            }
        }
    };
    LaneTransport::new(LaneSettings {
        base_url: lane.settings.get("base_url").unwrap_or_default().to_owned(),
        credentials,
        timeout: ATTEMPT_TIMEOUT,
        concurrency: 1,
    })
    .expect("the lane has a transport")
}
