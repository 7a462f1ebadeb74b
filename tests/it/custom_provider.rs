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

#[test]
fn a_folder_that_is_wrong_is_told_all_of_it_in_words() {
    let samples = Samples::new();
    let dir = "samples/custom-provider/providers";
    let fine = samples
        .run_in("", &["providers", "check", dir])
        .ended(0)
        .stdout;
    assert_eq!(fine, format!("{dir}/harbour: nothing is wrong\n"));
    let manifest = format!("{dir}/harbour/provider.toml");
    samples.edit(&manifest, "format = 1", "format = 2");
    samples.edit(&manifest, "[\"/address\"]", "[\"/adress\"]");
    samples.edit(&manifest, "wait   = \"10s\"", "wait   = \"soon\"");
    let contract = format!("{dir}/harbour/contract.schema.json");
    let wrong = samples
        .run_in("", &["providers", "check", dir])
        .ended(78)
        .stdout;
    let expected = [
        "the manifest's `format` is not 1, the one format this version reads",
        "the manifest's `response.rule.wait` is not a duration, for example `30s`",
        "the manifest's `update.whole` names a member that the contract does not list",
    ];
    let expected: Vec<String> = expected
        .iter()
        .map(|line| format!("{dir}/harbour: {line}\n"))
        .collect();
    assert_eq!(wrong, expected.concat());
    samples.edit(&contract, "\"x-verified\"", "\"x-verfied\"");
    samples.edit(&manifest, "[auth]", "[auth]\nsceme = \"bearer\"");
    let wrong = samples
        .run_in("", &["providers", "check", dir])
        .ended(78)
        .stdout;
    for words in [
        "unknown field `sceme`",
        "line ",
        "unknown annotation `x-verfied`",
    ] {
        assert!(wrong.contains(words), "{words}\n{wrong}");
    }
}
