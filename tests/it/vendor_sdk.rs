//! A vendor's own SDK against our stand-alone sandbox: that the sandbox is
//! what the vendor's client expects, and not only what we think it is.
//!
//! It installs a package from the Python index, so it runs only where it is
//! asked to: `CLIENTSYNC_VENDOR_SDK=1 cargo test vendor_sdk -- --nocapture`.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::support::samples::Samples;

/// The sandbox, ended when the test ends.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended by itself; the test has said so then.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_python_sdk_reads_updates_and_lists_our_clients() {
    if std::env::var_os("CLIENTSYNC_VENDOR_SDK").is_none() {
        say("skipped: set CLIENTSYNC_VENDOR_SDK=1 to install the vendor's Python SDK and run it\n");
        return;
    }
    let samples = Samples::new();
    let python = samples.path().join("venv/bin/python");
    succeed(
        Command::new("python3")
            .args(["-m", "venv"])
            .arg(samples.path().join("venv")),
    );
    succeed(Command::new(&python).args(["-m", "pip", "install", "--quiet", "complycube==1.1.6"]));
    let mut serving = Serving(
        Command::new(env!("CARGO_BIN_EXE_clientsync"))
            .args([
                "--config",
                "samples/quickstart/clientsync.toml",
                "sandbox",
                "--fresh",
            ])
            .current_dir(samples.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut lines = BufReader::new(serving.0.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let mut after = |label: &str| {
        let line = lines
            .find(|line| line.trim_start().starts_with(label))
            .unwrap();
        line.trim_start()[label.len()..].trim().to_owned()
    };
    let heading = after("complycube (");
    assert!(heading.ends_with(')'), "{heading}");
    let (base_url, token) = (after("base URL"), after("token"));
    let seed = std::fs::read(samples.path().join("samples/quickstart/sandbox.json")).unwrap();
    let seed: serde_json::Value = serde_json::from_slice(&seed).unwrap();
    let id = seed["complycube"]
        .as_array()
        .unwrap()
        .iter()
        .find(|client| client["type"] == "person")
        .unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk/complycube_clients.py");
    succeed(Command::new(&python).arg(script).args([
        &base_url,
        &token,
        id["id"].as_str().unwrap(),
    ]));
}

fn say(text: &str) {
    std::io::stderr().write_all(text.as_bytes()).unwrap();
}

fn succeed(command: &mut Command) {
    let output = command.output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?}\n{}\n{}",
        said(&output.stdout),
        said(&output.stderr)
    );
    say(&said(&output.stdout));
}
