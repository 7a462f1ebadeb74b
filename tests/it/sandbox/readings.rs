//! Every provider that has a list, read to its end through the sandbox by our
//! own transport: what is served is what is read, whatever the pagination.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use clientsync::core::{Json, Pointer, Secret};
use clientsync::engine::{
    Bounds, Clock, Digests, Found, Keeping, Lane, Ledger, Pacer, ReadEnd, Reader, Silent,
};
use clientsync::http::{Credentials as Secrets, LaneSettings, LaneTransport};
use clientsync::provider::{Catalog, IdType, Limits, Provider, Scheme, SettingType, Settings};
use clientsync::sandbox::{
    Credentials, Fault, Faults, Running, Sandbox, SandboxLane, SandboxSettings, Seed, UnknownIds,
};
use jiff::Timestamp;
use serde_json::{Value, json};

const LANE: &str = "crm";

/// Every required setting, with a value of its type.
fn settings(provider: &Provider) -> Settings {
    let given = provider.manifest.settings.iter();
    let given = given.filter(|(_, setting)| setting.default.is_none());
    let value = |kind| match kind {
        SettingType::Url => "https://crm.example.com",
        SettingType::Integer => "7",
        SettingType::String | SettingType::OneOf => "ws_1",
    };
    let given: BTreeMap<String, String> = given
        .map(|(name, setting)| (name.clone(), value(setting.kind).to_owned()))
        .collect();
    provider.resolve(&given).unwrap()
}

fn ids(provider: &Provider, count: usize) -> Vec<String> {
    let id = |n: usize| match provider.manifest.id.kind {
        IdType::Integer => (n + 1).to_string(),
        IdType::String => format!("r{n}"),
    };
    (0..count).map(id).collect()
}

/// Records that hold nothing but their ids.
fn seed(provider: &Provider, ids: &[String], at: &Pointer) -> Seed {
    let record = |id: &String| {
        let mut record = Json::object();
        let id = match provider.manifest.id.kind {
            IdType::Integer => json!(id.parse::<i64>().unwrap()),
            IdType::String => json!(id),
        };
        record.set_at(at.tokens(), Json::from_value(&id));
        record.to_value()
    };
    let records: Vec<Value> = ids.iter().map(record).collect();
    Seed::parse(json!({ LANE: records }).to_string().as_bytes()).unwrap()
}

async fn serving(provider: &Arc<Provider>, ids: &[String], faults: Faults) -> Running {
    let at = &provider.manifest.list.as_ref().unwrap().id;
    Sandbox::start(SandboxSettings {
        port: 0,
        lanes: vec![SandboxLane {
            name: LANE.to_owned(),
            provider: Arc::clone(provider),
            settings: settings(provider),
            limits: limits(),
        }],
        seed: Some(seed(provider, ids, at)),
        records_file: None,
        unknown_ids: UnknownIds::NotFound,
        faults,
    })
    .await
    .unwrap()
}

fn limits() -> Limits {
    Limits {
        quota: Vec::new(),
        concurrency: 1,
    }
}

fn reader(at: &Running, provider: &Arc<Provider>) -> Reader<LaneTransport> {
    let url = provider.manifest.settings.iter();
    let (url, _) = url
        .clone()
        .find(|(_, setting)| setting.kind == SettingType::Url)
        .unwrap();
    let settings = settings(provider).with(url, at.base_url(LANE));
    let auth = &provider.manifest.auth;
    let credentials = match (at.secrets(LANE).unwrap(), auth.scheme) {
        (Credentials::Token(token), Scheme::Header) => Secrets::Header {
            name: auth.header.clone().unwrap(),
            value: copy(&token),
        },
        (Credentials::Token(token), _) => Secrets::Bearer(copy(&token)),
        (Credentials::Password { username, password }, _) => {
            let endpoint = provider.token_endpoint(&settings).unwrap().unwrap();
            Secrets::OAuth2Password {
                token_url: endpoint.url,
                headers: endpoint.headers,
                username: copy(&username),
                password: copy(&password),
                keeper: None,
            }
        }
    };
    let transport = LaneTransport::new(LaneSettings {
        base_url: at.base_url(LANE),
        credentials,
        timeout: Duration::from_secs(30),
        concurrency: 1,
    });
    let lane = Lane {
        name: LANE.to_owned(),
        ordinal: 0,
        provider: Arc::clone(provider),
        settings,
        target: "sandbox".to_owned(),
        mappings: Vec::new(),
        rules: Arc::default(),
        columns: Vec::new(),
        absent: Vec::new(),
        id: None,
        matching: None,
        limits: limits(),
        keeping: Keeping {
            key: None,
            digests: Digests::Sensitive,
        },
    };
    let clock = Clock {
        now: || "2026-01-01T00:00:00Z".parse().unwrap(),
        share: || 0.0,
    };
    let pacer = Pacer::new(&limits(), None, &Ledger::empty(Timestamp::UNIX_EPOCH));
    let observer = Arc::new(Silent);
    Reader::new(
        Arc::new(lane),
        transport.unwrap(),
        pacer,
        Bounds::default(),
        None,
        observer,
        clock,
    )
}

fn copy(secret: &Secret) -> Secret {
    Secret::new(secret.expose().to_owned())
}

/// What a test wants of each record.
#[derive(Clone, Copy, PartialEq)]
enum Need {
    /// What the list shows.
    Listed,
    /// All of it, by a read of its own.
    Whole,
}

async fn read(mut reader: Reader<LaneTransport>, need: Need) -> (Vec<String>, ReadEnd) {
    let id = |found: Found| match found {
        Found::Record { id, .. } => id,
        other => panic!("{other:?}"),
    };
    let mut ids: Vec<String> = Vec::new();
    while let Some(page) = reader.next().await {
        let mut page: Vec<String> = page.into_iter().map(id).collect();
        if need == Need::Whole {
            page = reader.read_each(page).await.into_iter().map(id).collect();
        }
        ids.extend(page);
    }
    (ids, reader.end())
}

fn listed() -> Vec<Arc<Provider>> {
    let catalog = Catalog::load(&[]).unwrap();
    let names: Vec<String> = catalog.all().map(|p| p.name().to_owned()).collect();
    let providers = names.iter().map(|name| catalog.get(name).unwrap());
    providers
        .filter(|provider| provider.manifest.list.is_some())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_list_is_read_whole_at_the_lengths_where_pages_end() {
    assert!(listed().len() >= 2);
    for provider in listed() {
        let page = provider.manifest.list.as_ref().unwrap().page.as_ref();
        let size = page.map_or(7, |page| usize::try_from(page.size).unwrap());
        for count in [0, 1, size, size + 1] {
            let ids = ids(&provider, count);
            let at = serving(&provider, &ids, Faults::default()).await;
            let (found, end) = read(reader(&at, &provider), Need::Listed).await;
            let name = provider.name();
            assert_eq!(end.stopped, None, "{name}");
            assert_eq!(found, ids, "{name}");
            let pages = if page.is_some() && count > size { 2 } else { 1 };
            assert_eq!(end.requests, pages, "{name} {count}");
            at.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_of_every_list_is_read_by_its_id() {
    for provider in listed() {
        let ids = ids(&provider, 12);
        let at = serving(&provider, &ids, Faults::default()).await;
        let (found, end) = read(reader(&at, &provider), Need::Whole).await;
        assert_eq!((found, end.stopped), (ids, None), "{}", provider.name());
        assert_eq!(end.requests, 13);
        at.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_list_is_read_whole_where_requests_fail() {
    let faults = ["500=0.1", "reset-after=0.1", "truncated=0.1", "html=0.1"];
    for provider in listed() {
        let ids = ids(&provider, 12);
        let kinds = faults.iter().map(|fault| Fault::parse(fault).unwrap());
        // One request at a time: with this seed none fails four times in a row.
        let faults = Faults {
            kinds: kinds.collect(),
            seed: 3,
        };
        let at = serving(&provider, &ids, faults).await;
        let (found, end) = read(reader(&at, &provider), Need::Whole).await;
        assert_eq!((found, end.stopped), (ids, None), "{}", provider.name());
        assert!(end.retries > 2, "only {} retries", end.retries);
        at.stop().await;
    }
}
