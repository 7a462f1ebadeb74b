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
        "the manifest's `update.whole` names `/adress`, which the contract does not list",
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

/// Checks a folder of providers in which `change` did something.
fn checked(change: impl FnOnce(&Samples, &str)) -> String {
    let samples = Samples::new();
    let dir = "samples/custom-provider/providers";
    change(&samples, dir);
    let ran = samples.run_in("", &["providers", "check", dir]).ended(78);
    ran.stdout
}

/// A second provider in the folder, with a name of its own.
fn add(samples: &Samples, dir: &str, folder: &str, name: &str) {
    for file in ["provider.toml", "contract.schema.json"] {
        let text = samples.text(&format!("{dir}/harbour/{file}"));
        let text = text.replace("\"harbour\"", &format!("\"{name}\""));
        samples.write(&format!("{dir}/{folder}/{file}"), text);
    }
}

#[test]
fn a_name_that_is_taken_is_told_at_each_folder_that_gives_it() {
    let said = checked(|samples, dir| {
        add(samples, dir, "second", "harbour");
        add(samples, dir, "third", "weel");
        samples.edit(
            &format!("{dir}/third/provider.toml"),
            "format = 1",
            "format = 2",
        );
    });
    let dir = "samples/custom-provider/providers";
    assert_eq!(
        said,
        format!(
            "{dir}/harbour: the manifest's `name` is `harbour`, which {dir}/second gives as well\n\
             {dir}/second: the manifest's `name` is `harbour`, which {dir}/harbour gives as well\n\
             {dir}/third: the manifest's `format` is not 1, the one format this version reads\n\
             {dir}/third: the manifest's `name` is `weel`, which a built-in provider has\n"
        )
    );
}

#[test]
fn a_folder_that_cannot_be_read_leaves_the_others_judged() {
    let said = checked(|samples, dir| {
        add(samples, dir, "broken", "broken");
        samples.write(&format!("{dir}/broken/contract.schema.json"), b"\xff\xfe");
        samples.edit(
            &format!("{dir}/broken/provider.toml"),
            "format = 1",
            "format = 2",
        );
        samples.write(
            &format!("{dir}/lonely/provider.toml"),
            samples
                .text(&format!("{dir}/harbour/provider.toml"))
                .replace("\"harbour\"", "\"lonely\""),
        );
    });
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 4, "{said}");
    assert!(lines[0].contains("broken: cannot be read: "), "{said}");
    assert!(lines[0].contains("contract.schema.json: stream did not contain valid UTF-8"));
    assert!(lines[1].contains("broken: the manifest's `format` is not 1"));
    assert!(lines[2].ends_with("harbour: nothing is wrong"), "{said}");
    assert!(lines[3].contains("lonely: cannot be read: ") && lines[3].contains("No such file"));
}

#[test]
fn manifest_and_contract_are_told_in_one_pass_with_the_member_and_the_reason() {
    let said = checked(|samples, dir| {
        let manifest = format!("{dir}/harbour/provider.toml");
        samples.edit(&manifest, "^M-[0-9]{1,9}$", "^M-([0-9]{1,9}$");
        samples.edit(
            &manifest,
            "clubs/{club}/members/{id}\"\nmode",
            "clubs/{clb}/members/{id}\"\nmode",
        );
        samples.edit(
            &manifest,
            "clubs/{club}/members\"\nitems",
            "clubs/{port}/members\"\nitems",
        );
        let contract = format!("{dir}/harbour/contract.schema.json");
        samples.edit(&contract, "\"type\": \"number\"", "\"type\": \"numbr\"");
        samples.edit(&contract, "\"minLength\": 1", "\"minLength\": -1");
        samples.edit(&contract, "\"maxLength\": 120", "\"pattern\": \"[a\"");
        samples.edit(&contract, "\"2026-11-20\"", "\"last week\"");
        samples.edit(
            &contract,
            "\"properties\": {\n    \"name\"",
            "\"required\": [\"name\", \"phone\"],\n  \"properties\": {\n    \"name\"",
        );
    });
    let expected = [
        "the manifest's `update.url` names `{clb}`, which is no setting; did you mean `{club}`?",
        "the manifest's `list.url` names `{port}`, which is no setting",
        "the manifest's `id.pattern` is not a regular expression: unclosed group at character 4",
        "the contract's `required` at the top names `phone`, which the object does not list and does not allow",
        "the contract's `x-verified` at the top is not a day of the form YYYY-MM-DD",
        "the contract is not a JSON Schema (2020-12): at `/properties/boatLength/type`: `numbr` is not a JSON type; did you mean `number`?",
        "the contract is not a JSON Schema (2020-12): at `/properties/name/minLength`: -1 is less than the minimum of 0",
        "the contract is not a JSON Schema (2020-12): at `/properties/name/pattern`: `[a` is no regular expression: unclosed character class at character 1",
    ];
    let dir = "samples/custom-provider/providers";
    let expected: Vec<String> = expected
        .iter()
        .map(|line| format!("{dir}/harbour: {line}\n"))
        .collect();
    assert_eq!(said, expected.concat());
}

#[test]
fn what_no_answer_and_no_member_can_be_is_refused_before_it_is_used() {
    let said = checked(|samples, dir| {
        let contract = format!("{dir}/harbour/contract.schema.json");
        samples.edit(
            &contract,
            "\"description\": \"Full name.\",",
            "\"description\": \"Full name.\",\n      \"readOnly\": true,\n      \"writeOnly\": true,",
        );
    });
    assert!(said.contains("`readOnly` at `/properties/name` stands beside `writeOnly`"));
    let said = checked(|samples, dir| {
        let manifest = format!("{dir}/harbour/provider.toml");
        samples.edit(&manifest, "omits = []", "omits = [\"/nme\"]");
        samples.edit(
            &manifest,
            "[\"/address\"]",
            "[\"/address\", \"/address/city\"]",
        );
    });
    for words in [
        "`response.echo.omits` names `/nme`, which the contract does not list",
        "`update.whole` names `/address/city`, which lies inside another one",
    ] {
        assert!(said.contains(words), "{words}\n{said}");
    }
}
