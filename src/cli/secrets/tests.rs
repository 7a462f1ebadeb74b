//! Tests of fetching secrets.

use std::os::unix::fs::PermissionsExt;

use super::*;

const CANARY: &str = "canary-5ecret";

fn env(content: Option<&str>) -> Result<Secret, SecretError> {
    SecretRef::Env("A_TOKEN".into()).fetch(|_| content.map(OsString::from))
}

fn file(content: &[u8], mode: u32) -> Result<Secret, SecretError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), content).unwrap();
    std::fs::set_permissions(file.path(), PermissionsExt::from_mode(mode)).unwrap();
    SecretRef::File(file.path().into()).fetch(|_| None)
}

fn command(line: &str) -> Result<Secret, SecretError> {
    SecretRef::Command(line.into()).fetch(|_| None)
}

/// The whole text of an error, sources included, and that it hides the
/// secret.
fn shown(error: &SecretError) -> String {
    let text = format!("{error} {error:?}");
    assert!(!text.contains("5ecret"), "{text}");
    error.to_string()
}

#[test]
fn a_variable_gives_its_content_without_one_final_line_break() {
    for content in ["canary-5ecret", "canary-5ecret\n", "canary-5ecret\r\n"] {
        assert_eq!(env(Some(content)).unwrap().expose(), CANARY);
    }
    assert_eq!(env(Some(" a b ")).unwrap().expose(), " a b ");
}

#[test]
fn an_unset_or_empty_variable_is_named() {
    for content in [None, Some(""), Some("\n")] {
        let error = env(content).unwrap_err();
        assert_eq!(
            shown(&error),
            "the variable A_TOKEN is not set or empty; set A_TOKEN"
        );
        assert_eq!(error.exit_code(), ExitCode::Config);
    }
}

#[test]
fn inner_control_characters_and_non_ascii_are_refused() {
    for content in [
        "canary-5ecret\nx",
        "canary-5ecret\r",
        "canary-5ecret\n\n",
        "a\u{0}5ecret",
        "5ecretü",
        "5ecret\u{7f}",
    ] {
        let error = env(Some(content)).unwrap_err();
        assert!(matches!(error, SecretError::Characters(_)));
        assert_eq!(error.exit_code(), ExitCode::Config);
        shown(&error);
    }
}

#[test]
fn a_secret_file_is_ours_alone() {
    assert_eq!(file(b"canary-5ecret\n", 0o600).unwrap().expose(), CANARY);
    assert_eq!(file(b"canary-5ecret", 0o400).unwrap().expose(), CANARY);
    for mode in [0o644, 0o640, 0o660, 0o602] {
        let error = file(b"canary-5ecret", mode).unwrap_err();
        assert_eq!(error.exit_code(), ExitCode::Auth);
        assert_eq!(error.code(), "E_SECRET_MODE");
        assert!(shown(&error).contains("run: chmod 600 /"));
    }
}

#[test]
fn files_that_hold_no_secret_are_refused() {
    let long = file(&vec![b'5'; 64 * 1024 + 1], 0o600).unwrap_err();
    assert_eq!(long.exit_code(), ExitCode::Auth);
    let folder = tempfile::tempdir().unwrap();
    let error = SecretRef::File(folder.path().into())
        .fetch(|_| None)
        .unwrap_err();
    assert_eq!(error.exit_code(), ExitCode::Auth);
    let absent = SecretRef::File(folder.path().join("absent"));
    let error = absent.fetch(|_| None).unwrap_err();
    assert_eq!(error.exit_code(), ExitCode::Config);
    assert!(matches!(file(b"\n", 0o600), Err(SecretError::Empty(_))));
}

#[test]
fn a_command_gives_what_it_prints() {
    assert_eq!(command("echo canary-5ecret").unwrap().expose(), CANARY);
    assert_eq!(command("cat; printf x").unwrap().expose(), "x");
}

#[test]
fn a_failing_command_shows_nothing_of_its_output() {
    for line in [
        "echo canary-5ecret; exit 3",
        "echo canary-5ecret >&2; exit 3",
        "kill -9 $$",
        "yes canary-5ecret",
        "no-such-command-here",
        "true",
    ] {
        let error = command(line).unwrap_err();
        assert_eq!(error.exit_code(), ExitCode::Config, "{line}");
        shown(&error);
    }
}

#[test]
fn a_command_that_hangs_is_stopped() {
    for line in ["sleep 5", "exec >&-; sleep 5"] {
        let error = run(line, 4 * TICK).unwrap_err();
        assert!(shown(&error).contains("took longer than 0.2 s"));
    }
}

#[test]
fn all_secrets_of_a_lane_are_asked_for_at_once() {
    let references = SecretRefs {
        token: None,
        username: Some(SecretRef::Env("A_NAME".into())),
        password: Some(SecretRef::Env("A_WORD".into())),
    };
    let errors = references.fetch(|_| None).unwrap_err();
    let names: Vec<&str> = errors.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["username", "password"]);
    let secrets = references.fetch(|name| Some(name.into())).unwrap();
    assert_eq!(secrets.username.unwrap().expose(), "A_NAME");
    assert_eq!(secrets.token, None);
}
