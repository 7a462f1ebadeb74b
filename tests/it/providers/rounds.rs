//! One field after the other: what is sent for it, and that the sandbox, which
//! is built from the same two files, takes it and shows it afterwards.

use std::collections::BTreeSet;
use std::sync::Arc;

use clientsync::core::{
    Access, Acknowledged, Body, CellSource, Completed, Completing, Desired, DiffContext, Draft,
    Field, FieldPath, Hint, Json, Known, Mapping, Policy, Request, Response, assemble, complete,
    decode, diff,
};
use clientsync::engine::Transport as _;
use clientsync::http::{ATTEMPT_TIMEOUT, Credentials, LaneSettings, LaneTransport};
use clientsync::provider::{Limits, Provider, Scheme, Settings};
use clientsync::sandbox::{
    self, Faults, Running, Sandbox, SandboxLane, SandboxSettings, Seed, UnknownIds,
};
use serde_json::{Value, json};

use super::samples::{self, Sample};
use super::{Found, all};

/// One mapped field of a provider, and the value that a row wants there.
struct Wish {
    mapping: Mapping,
    value: Value,
}

fn seen(field: &Field, record: &Json) -> Value {
    decode(field, record, &|_: &FieldPath| Hint::default()).unwrap()
}

/// Every field that can be sent, each with a value that it does not hold.
fn wishes(found: &Found) -> Vec<Wish> {
    let record = Json::parse(samples::of(found.name()).record.as_bytes()).unwrap();
    let mut wishes = Vec::new();
    for facts in found.provider.contract.facts() {
        let path = samples::named(found, &facts.path);
        let Ok(field) = found
            .provider
            .contract
            .field(&FieldPath::parse(&path).unwrap())
        else {
            continue;
        };
        if field.access == Access::Immutable {
            continue;
        }
        let held = seen(&field, &record);
        let value = samples::value(found, &path, &|value| field.compare.equal(&held, value));
        wishes.push(Wish {
            mapping: Mapping {
                field,
                policy: Policy::Source,
                cell: CellSource::column("cell"),
            },
            value,
        });
    }
    wishes
}

/// What a row that wants this is made of, by what is known of the record.
fn draft(provider: &Provider, wish: &Wish, known: &Acknowledged) -> Draft {
    let mappings = std::slice::from_ref(&wish.mapping);
    let desired = [Desired::Set(wish.value.clone())];
    let context = DiffContext {
        key: None,
        mapped_before: None,
    };
    let changes = diff(mappings, &desired, known, context).unwrap();
    assemble(&provider.shape, mappings, &desired, changes)
}

fn body(provider: &Provider, wish: &Wish, draft: &Draft, read: Option<&Json>, id: &str) -> Body {
    let with = Completing {
        shape: &provider.shape,
        mappings: std::slice::from_ref(&wish.mapping),
        known: &Acknowledged::new(),
        key: None,
        remote_id: id,
    };
    match complete(draft, read, &with) {
        Ok(Completed::Body(body)) => *body,
        other => panic!("{}: {other:?}", wish.mapping.field.path),
    }
}

#[test]
fn what_is_known_to_stand_is_not_sent() {
    for found in all() {
        for wish in wishes(&found) {
            let field = &wish.mapping.field;
            let held = Known::of(field, &wish.value, None);
            let known = Acknowledged::from([(field.path.clone(), held)]);
            let draft = draft(&found.provider, &wish, &known);
            assert_eq!(draft, Draft::default(), "{}: {}", found.name(), field.path);
        }
    }
}

#[test]
fn one_field_makes_the_smallest_body_that_passes_the_contract() {
    for found in all() {
        let provider = &found.provider;
        let sample = samples::of(found.name());
        let record = Json::parse(sample.record.as_bytes()).unwrap();
        for wish in wishes(&found) {
            let path = &wish.mapping.field.path;
            let place = wish.mapping.field.place.members();
            let draft = draft(provider, &wish, &Acknowledged::new());
            assert_eq!(draft.changes.len(), 1);
            assert!(draft.extras.is_empty(), "{path}: nothing else is mapped");
            let read = (!draft.read.is_empty()).then_some(&record);
            let body = body(provider, &wish, &draft, read, sample.id);
            let sent = body.json.to_value();
            let broken = provider.check_body(&sent, &body.ours, sample.id).violations;
            assert_eq!(broken, [], "{}: {path}", found.name());
            if read.is_none() {
                let wanted = place
                    .iter()
                    .rev()
                    .fold(wish.value.clone(), |value, name| json!({ name: value }));
                assert_eq!(sent, wanted, "{}: {path}", found.name());
                continue;
            }
            // With a read, what travels is what the manifest says: the whole
            // that holds the field, or the group that it belongs to.
            let shape = &provider.shape;
            if shape.wholes.iter().any(|whole| whole.at.is_empty()) {
                continue;
            }
            let mut may: BTreeSet<&String> = place.first().into_iter().collect();
            for group in &shape.groups {
                if group.members.iter().any(|member| member == place) {
                    may.extend(group.members.iter().filter_map(|member| member.first()));
                }
            }
            for name in sent.as_object().unwrap().keys() {
                assert!(may.contains(name), "{}: {path} sends {name}", found.name());
            }
        }
    }
}

fn credentials(provider: &Provider, at: &Running, base_url: &str) -> Credentials {
    let auth = &provider.manifest.auth;
    match at.secrets("lane").unwrap() {
        sandbox::Credentials::Token(token) => match auth.scheme {
            Scheme::Header => Credentials::Header {
                name: auth.header.clone().unwrap(),
                value: token,
            },
            _ => Credentials::Bearer(token),
        },
        sandbox::Credentials::Password { username, password } => Credentials::OAuth2Password {
            token_url: format!("{base_url}/api/token"),
            headers: vec![("client_id".to_owned(), "clientsync".to_owned())],
            username,
            password,
            keeper: None,
        },
    }
}

/// A sandbox of one provider that holds its sample, and the way to it.
struct Remote {
    sandbox: Running,
    transport: LaneTransport,
    provider: Arc<Provider>,
    settings: Settings,
    id: &'static str,
}

impl Remote {
    async fn start(provider: &Arc<Provider>, settings: &Settings, sample: &Sample) -> Self {
        let seed = format!(r#"{{"lane":[{}]}}"#, sample.record);
        let limits = Limits {
            quota: Vec::new(),
            concurrency: 1,
        };
        let sandbox = Sandbox::start(SandboxSettings {
            port: 0,
            lanes: vec![SandboxLane {
                name: "lane".to_owned(),
                provider: Arc::clone(provider),
                settings: settings.clone(),
                limits,
            }],
            seed: Some(Seed::parse(seed.as_bytes()).unwrap()),
            records_file: None,
            unknown_ids: UnknownIds::NotFound,
            faults: Faults::default(),
        })
        .await
        .unwrap();
        let base_url = sandbox.base_url("lane");
        let settings = settings.clone().with("base_url", base_url.clone());
        let transport = LaneTransport::new(LaneSettings {
            credentials: credentials(provider, &sandbox, &base_url),
            base_url,
            timeout: ATTEMPT_TIMEOUT,
            concurrency: 1,
        })
        .unwrap();
        Self {
            sandbox,
            transport,
            provider: Arc::clone(provider),
            settings,
            id: sample.id,
        }
    }

    async fn exchange(&self, request: Request) -> Response {
        self.transport.send(request).await.0.result.unwrap()
    }

    async fn read(&self) -> Json {
        let request = self.provider.read_request(&self.settings, self.id);
        let answer = self.exchange(request.unwrap().unwrap()).await;
        assert_eq!(answer.status, 200, "{}", self.provider.name());
        self.provider.record(&answer).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sandbox_of_a_provider_takes_what_is_sent_and_shows_it_afterwards() {
    for found in all() {
        let sample = samples::of(found.name());
        let wishes = wishes(&found);
        let settings = samples::settings(&found);
        let (name, provider) = (found.name().to_owned(), Arc::new(found.provider));
        for wish in wishes {
            let field = &wish.mapping.field;
            let remote = Remote::start(&provider, &settings, &sample).await;
            let record = remote.read().await;
            let draft = draft(&provider, &wish, &Acknowledged::new());
            let body = body(&provider, &wish, &draft, Some(&record), sample.id);
            let request = provider.update_request(&remote.settings, sample.id, &body.json);
            let answer = remote.exchange(request.unwrap()).await;
            let said = String::from_utf8_lossy(&answer.body).into_owned();
            assert_eq!(answer.status, 200, "{name}: {}: {said}", field.path);
            if field.access == Access::ReadWrite {
                let stands = seen(field, &remote.read().await);
                let equal = field.compare.equal(&stands, &wish.value);
                assert!(equal, "{name}: {} is {stands}", field.path);
            }
            remote.sandbox.stop().await;
        }
    }
}
