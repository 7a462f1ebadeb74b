//! The sample of a provider of one's own: two files of data and no Rust.

use serde_json::json;

use crate::support::samples::Samples;

const CONFIG: [&str; 2] = ["--config", "samples/custom-provider/clientsync.toml"];

fn run(samples: &Samples, arguments: &[&str]) -> crate::support::workdir::Ran {
    samples.run_in("", &[&CONFIG, arguments].concat()).ended(0)
}

#[test]
fn a_folder_of_two_files_is_a_provider() {
    let samples = Samples::new();
    let page = run(&samples, &["providers", "show", "harbour"]).stdout;
    for line in [
        "PATCH {base_url}/v2/clubs/{club}/members/{id}",
        "/address is sent whole",
        "HTTP 420: throttle",
        "boatLength",
    ] {
        assert!(page.contains(line), "{line}\n{page}");
    }
    let listed = run(&samples, &["providers"]).stdout;
    assert!(listed.contains("harbour"), "{listed}");
}

#[test]
fn the_sandbox_plays_it_and_the_second_run_sends_nothing() {
    let samples = Samples::new();
    let sync = ["sync", "--sandbox", "--format", "json"];
    let lane = |report: serde_json::Value| report["providers"]["harbour"].clone();
    let first = lane(run(&samples, &sync).json());
    assert_eq!(first["updated"], 2);
    assert_eq!(first["unchanged"], 1);
    assert_eq!(first["skipped"], json!({ "unlinked": 1 }));
    let second = lane(run(&samples, &sync).json());
    assert_eq!(
        (&second["unchanged"], &second["requests"]),
        (&json!(3), &json!(0))
    );
    // What a person keeps at the vendor is still there, as it was written.
    let files = samples.files("state");
    let (_, records) = files
        .iter()
        .find(|(path, _)| path.ends_with("custom-provider.sandbox.records.jsonl"))
        .unwrap();
    let records = String::from_utf8(records.clone()).unwrap();
    let ben = r#"{"number":"M-1002","name":"Ben Sample","email":null,"boatLength":5.0,"berths":[4],"address":{"street":"Am Wall 7","city":"Bremen","postcode":"28195"},"since":"2021-10-12"}"#;
    assert!(records.contains(ben), "{records}");
}
