//! Credentials, tokens, windows and what the log may show of them.

use std::sync::Arc;

use clientsync::provider::{Provider, Quota, Window};
use clientsync::sandbox::{Credentials, Sandbox, SandboxSettings};

use super::{
    CONTRACT, FORM, JSON, MANIFEST, crm_key, lane, login, login_form, post_cc, put_nx, raw_key,
    send, settings, started, text, token,
};

#[tokio::test(flavor = "multi_thread")]
async fn each_scheme_lets_in_only_its_own_credential() {
    let at = started().await;
    let path = "/cc/v1/clients/abc";
    let key = raw_key(&at);
    assert_eq!(send(&at, "GET", path, &[&key], "").status, 200);
    let bearer = key.replace(": ", ": Bearer ");
    for wrong in [bearer.as_str(), "Authorization: x", "X: y"] {
        let answer = send(&at, "GET", path, &[wrong], "");
        assert_eq!(answer.status, 401);
        assert!(answer.json()["message"].is_string());
    }
    assert_eq!(send(&at, "GET", path, &[&key, &key], "").status, 401);

    let path = "/nx/api/sys/users/7";
    let access = login(&at);
    assert_eq!(send(&at, "GET", path, &[&access], "").status, 200);
    let answer = send(&at, "GET", path, &["Authorization: Bearer x"], "");
    assert_eq!(answer.status, 401);
    assert_eq!(answer.json()["WasSuccessful"], false);
    assert!(answer.header("www-authenticate").is_some());

    let path = "/my%20crm/v1/ws%201/clients/7";
    let key = crm_key(&at);
    let version = "X-Version: 2";
    assert_eq!(send(&at, "GET", path, &[&key, version], "").status, 404);
    assert_eq!(send(&at, "GET", path, &[&key], "").status, 400);
    let raw = key.replace("Bearer ", "");
    assert_eq!(send(&at, "GET", path, &[&raw, version], "").status, 401);
    at.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refresh_tokens_rotate_and_the_old_one_dies() {
    let at = started().await;
    let first = token(&at, "worker", &login_form(&at));
    let refresh = |token: &str| format!("grant_type=refresh_token&refresh_token={token}");
    let old = text(&first, "refresh_token");
    assert_eq!(token(&at, "another", &refresh(&old)).status, 400);
    let second = token(&at, "worker", &refresh(&old));
    assert_eq!(second.status, 200);
    let answer = token(&at, "worker", &refresh(&old));
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["error"], "invalid_grant");

    // A login under the same name ends the refresh token, not the access token.
    let live = text(&second, "refresh_token");
    login(&at);
    assert_eq!(token(&at, "worker", &refresh(&live)).status, 400);
    let access = format!("Authorization: Bearer {}", text(&first, "access_token"));
    let read = send(&at, "GET", "/nx/api/sys/users/7", &[&access], "");
    assert_eq!(read.status, 200);

    let form = login_form(&at);
    let without = send(&at, "POST", "/nx/api/token", &[FORM], &form);
    assert_eq!(without.json()["error"], "invalid_grant");
    let as_json = send(&at, "POST", "/nx/api/token", &[JSON, "client_id: x"], "{}");
    assert_eq!(as_json.json()["error"], "unsupported_grant_type");
    let wrong = token(&at, "worker", &form.replace("password-of", "x"));
    assert_eq!(wrong.json()["error"], "invalid_grant");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_provider_throttles_in_its_own_way() {
    for per in [Window::Hour, Window::Day] {
        let quota = Quota {
            calls: 1,
            per,
            writes_only: false,
        };
        let at = Sandbox::start(settings(Some(quota))).await.unwrap();
        let key = raw_key(&at);
        let access = login(&at);
        let calls = [
            ("/cc/v1/clients/abc", key.as_str(), 429),
            ("/nx/api/sys/users/7", access.as_str(), 409),
        ];
        for (path, credential, status) in calls {
            assert_eq!(send(&at, "GET", path, &[credential], "").status, 200);
            let answer = send(&at, "GET", path, &[credential], "");
            assert_eq!(answer.status, status);
            let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!(wait > per.seconds() / 2 && wait <= per.seconds());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_are_free_in_a_window_of_writes() {
    let quota = Quota {
        calls: 1,
        per: Window::Day,
        writes_only: true,
    };
    let at = Sandbox::start(settings(Some(quota))).await.unwrap();
    let key = raw_key(&at);
    let read = || send(&at, "GET", "/cc/v1/clients/abc", &[&key], "").status;
    assert_eq!([read(), read()], [200, 200]);
    assert_eq!(post_cc(&at, "{}").status, 200);
    assert_eq!(post_cc(&at, "{}").status, 429);
    assert_eq!(read(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_request_log_masks_credentials() {
    let at = started().await;
    let access = login(&at);
    post_cc(&at, r#"{"mobile":"1"}"#);
    put_nx(&at, &access, "{}");
    send(&at, "POST", "/nx/api/tokn", &[FORM], &login_form(&at));
    let page = send(&at, "GET", "/_sandbox/requests", &[], "");
    for secret in ["sandbox-token", "sandbox-password", "sandbox-access"] {
        assert!(!page.body.contains(secret), "{secret}");
        let all = format!(
            "{:?}",
            at.requests().iter().map(|r| &r.body).collect::<Vec<_>>()
        );
        assert!(!all.contains(secret));
    }
    let requests = at.requests();
    assert_eq!(page.json().as_array().unwrap().len(), requests.len());
    let cc = &requests[1];
    assert_eq!((cc.n, cc.lane.as_str(), cc.status), (2, "cc", 200));
    assert_eq!(cc.body, r#"{"mobile":"1"}"#);
    assert_eq!(cc.path, "/cc/v1/clients/abc");
    assert!(
        cc.headers
            .contains(&("authorization".to_owned(), "[redacted]".to_owned()))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_in_a_header_of_its_own_is_masked_too() {
    let manifest = MANIFEST.replace("\"bearer\"", "\"header\"\nheader = \"X-Key\"");
    let provider = Arc::new(Provider::new(&manifest, CONTRACT).unwrap());
    let at = Sandbox::start(SandboxSettings {
        lanes: vec![lane("crm", &provider, None)],
        ..settings(None)
    })
    .await
    .unwrap();
    let Some(Credentials::Token(token)) = at.secrets("crm") else {
        panic!()
    };
    let key = format!("X-Key: {}", token.expose());
    let path = "/crm/v1/ws%201/clients/7";
    assert_eq!(
        send(&at, "GET", path, &[&key, "X-Version: 2"], "").status,
        404
    );
    let seen = at.requests().remove(0).headers;
    assert!(seen.contains(&("x-key".to_owned(), "[redacted]".to_owned())));
}
