//! How problems are told: all at once, in the order of the file, each with its
//! place, and never with a value of the file.

use std::path::Path;

use clientsync::cli::config::Config;

use super::{FILE, NAME, bad, good, parse, with, with_fields};

#[test]
fn all_problems_of_a_file_are_told_at_once() {
    let found = bad(include_str!("bad.toml"));
    assert_eq!(found, include_str!("bad.txt").trim_end());
}

#[test]
fn broken_toml_is_told_with_its_place_and_nothing_else() {
    for (text, message) in [
        (
            "version = 1\nsource = [",
            "clientsync.toml:2:11: is not valid TOML: unclosed array, expected `]`",
        ),
        (
            "version = 1\n\ntoken = \"canary-5ecret",
            "clientsync.toml:3:23: is not valid TOML: invalid basic string, expected `\"`",
        ),
        (
            "version = 1\nversion = 2",
            "clientsync.toml:2:1: `version` is given twice; one of the two must go",
        ),
        (
            "[providers.a]\n[providers.b]\n[providers.a]",
            "clientsync.toml:3:12: `a` is given twice; one of the two must go",
        ),
    ] {
        assert_eq!(bad(text), message, "{text}");
    }
}

#[test]
fn a_file_that_ends_anywhere_is_told_with_places_inside_it() {
    let catalog = super::catalog();
    let text = include_str!("example.toml");
    let ends = (0..text.len()).step_by(5);
    for end in ends.filter(|end| text.is_char_boundary(*end)) {
        let part = &text[..end];
        let problems = Config::parse(part, Path::new(FILE), &catalog)
            .err()
            .unwrap_or_default();
        let lines = part.matches('\n').count() + 1;
        let inside = |line: usize| (1..=lines).contains(&line);
        assert!(problems.iter().all(|p| inside(p.line)), "{problems:?}");
    }
}

#[test]
fn an_empty_file_lacks_everything() {
    assert_eq!(
        bad(""),
        "clientsync.toml:1:1: [version] is missing: begin the file with `version = 1`\n\
         clientsync.toml:1:1: [source] is missing: say which CSV file is read, and its key column\n\
         clientsync.toml:1:1: [providers] is missing: add a table [providers.NAME] for each system; `clientsync providers` lists the kinds"
    );
}

#[test]
fn unknown_keys_are_refused_in_every_table() {
    for text in [
        with("[ruun]\nx = 1", "", NAME),
        with("[state]\npth = \"x\"", "", NAME),
        with("[guards]\nmin_row = 3", "", NAME),
        with("[run]\ntps_limt = 3", "", NAME),
        with("", "idd = \"x\"", NAME),
        with("", "guards = { mn_rows = 2 }", NAME),
        with(
            "",
            "limits = { quota = [{ calls = 1, per = \"day\", writes = true }] }",
            NAME,
        ),
        with(
            "",
            "limits = { quota = [{ calls = 1, per = \"day\" }], concurency = 3 }",
            NAME,
        ),
        with_fields("name = { colum = \"x\", column = \"x\" }"),
    ] {
        let found = bad(&text);
        assert_eq!(found.lines().count(), 1, "{found}");
        assert!(found.contains("is not a known key; "), "{found}");
    }
    assert_eq!(
        bad(&with("[run]\nrate_limt = 3", "", NAME)),
        "clientsync.toml:6:1: [run.rate_limt] is not a known key; known here are tps_limit, concurrency, budget, max_duration, lock_timeout, format, report, hide_values, log_format, log_file, no_progress, color, providers_dir"
    );
}

#[test]
fn numbers_have_a_range() {
    for rate in [
        "0", "0.0", "-1", "-0.5", "nan", "inf", "-inf", "1e308", "\"5\"", "true", "1e-9",
    ] {
        let found = bad(&with(&format!("[run]\ntps_limit = {rate}"), "", NAME));
        assert!(
            found.starts_with("clientsync.toml:6:13: [run.tps_limit] must be a number"),
            "{found}"
        );
    }
    for number in ["0", "-1", "257", "1.5", "99999999999999999999", "\"4\""] {
        let found = bad(&with(&format!("[run]\nconcurrency = {number}"), "", NAME));
        assert!(
            found.starts_with(
                "clientsync.toml:6:15: [run.concurrency] must be a whole number from 1 to 256"
            ),
            "{found}"
        );
    }
    for lane in [
        "limits = { quota = [{ calls = 0, per = \"day\" }] }",
        "limits = { quota = [{ calls = 4294967296, per = \"day\" }] }",
        "limits = { quota = [{ calls = 1, per = \"week\" }] }",
        "limits = { quota = [{ per = \"day\" }] }",
        "limits = { quota = [] }",
        "limits = { concurrency = 2 }",
        "limits = { quota = [{ calls = 1, per = \"day\" }], concurrency = 0 }",
    ] {
        assert_eq!(bad(&with("", lane, NAME)).lines().count(), 1, "{lane}");
    }
    for kept in ["0", "0d", "10y", "abc", "12h", "", "99999d"] {
        let found = bad(&with(&format!("[state]\nkeep_runs = \"{kept}\""), "", NAME));
        assert!(
            found.contains("[state.keep_runs] must be a duration"),
            "{found}"
        );
    }
}

#[test]
fn source_settings_are_judged() {
    for (line, message) in [
        ("delimiter = \";;\"", "must be one ASCII character"),
        ("delimiter = \"\\n\"", "must be one ASCII character"),
        ("delimiter = \"§\"", "must be one ASCII character"),
        ("encoding = \"utf-9\"", "is not a known encoding"),
        ("skip_lines = -1", "must be a whole number"),
        ("trim = \"yes\"", "must be true or false, not a text"),
        ("null_tokens = \"-\"", "must be a list, not a text"),
        (
            "unused_columns = \"warm\"",
            "must be one of warn, ignore, error; did you mean `warn`?",
        ),
    ] {
        let text = with_fields(NAME).replace("key = \"no\"", &format!("key = \"no\"\n{line}"));
        let found = bad(&text);
        assert!(found.starts_with("clientsync.toml:5:"), "{found}");
        assert!(found.contains(message), "{found}");
    }
    for key in ["[]", "[\"a\", \"a\"]", "\"\"", "3", "[3]"] {
        let found = bad(&with_fields(NAME).replace("key = \"no\"", &format!("key = {key}")));
        assert!(found.contains("[source.key"), "{found}");
    }
}

#[test]
fn state_settings_belong_together() {
    for (lines, key) in [
        ("values = \"digest\"", "digest_key_file"),
        ("digest_key_file = \"k\"", "digest_key_file"),
        ("values = \"hashed\"", "values"),
    ] {
        let found = bad(&with(&format!("[state]\n{lines}"), "", NAME));
        assert!(found.contains(&format!("[state.{key}]")), "{found}");
    }
}

#[test]
fn what_comes_later_is_answered() {
    for (top, lane) in [
        ("[run]\nmetrics_file = \"m\"", ""),
        ("[guards]\nmax_updates = \"29.99%\"", ""),
        ("[guards]\nmax_updates = 500", ""),
        ("[guards]\nmax_blanked = \"10%\"", ""),
        ("[guards]\nmax_same_value = \"50%\"", ""),
        ("[guards]\nmax_invalid = \"0%\"", ""),
        ("[guards]\nmax_unlinked = \"5%\"", ""),
        (
            "[guards]\nmax_field_change = { \"*\" = \"50%\", email = \"2%\" }",
            "",
        ),
        ("", "guards = { max_invalid = \"1%\" }"),
    ] {
        let found = bad(&with(top, lane, NAME));
        assert_eq!(found.lines().count(), 1, "{found}");
        assert!(found.contains("not available yet"), "{found}");
    }
}

#[test]
fn guards_at_their_defaults_or_looser_are_accepted() {
    good(&with(
        "[guards]\nmin_rows = 0\nmax_row_drop = \"1%\"\nmax_updates = \"30%\"\nmax_field_change = { \"*\" = \"50%\", email = \"off\" }\nmax_blanked = \"100%\"\nmax_same_value = \"off\"\nmax_invalid = \"20%\"\nmax_unlinked = \"100%\"\ncolumn_shift = \"warn\"",
        "",
        NAME,
    ));
    for line in [
        "max_row_drop = \"101%\"",
        "max_row_drop = 0.1",
        "max_row_drop = -1",
        "max_row_drop = \"ten\"",
        "min_rows = \"10%\"",
        "column_shift = \"halt\"",
    ] {
        bad(&with(&format!("[guards]\n{line}"), "", NAME));
    }
}

#[test]
fn what_is_chosen_for_one_run_has_no_key() {
    for name in [
        "provider", "only", "fields", "limit", "partial", "shard", "allow", "yes",
    ] {
        let found = bad(&with(&format!("[run]\n{name} = 1"), "", NAME));
        assert!(
            found.ends_with("has no key: it is chosen for one run, on the command line"),
            "{found}"
        );
    }
}

#[test]
fn settings_are_judged_by_the_manifest() {
    let settings = |line: &str| {
        with_fields(NAME).replace(
            "settings = { base_url = \"https://demo.example.com\" }",
            line,
        )
    };
    assert_eq!(
        bad(&settings("")),
        "clientsync.toml:6:12: [providers.demo.settings.base_url] is required (the workspace's address)"
    );
    for url in [
        "http://api.example.com",
        "http://127.0.0.1.evil.com",
        "http://2130706433",
        "http://[::ffff:8.8.8.8]",
        "https://canary:5ecret@api.example.com",
        "https://api.example.com?canary=1",
        "https://api.example.com#canary",
        "file:///canary",
        "ftp://canary",
    ] {
        let found = bad(&settings(&format!("settings = {{ base_url = \"{url}\" }}")));
        assert!(
            found.starts_with("clientsync.toml:8:25: [providers.demo.settings.base_url] "),
            "{found}"
        );
        assert!(
            !found.contains("canary") && !found.contains("5ecret"),
            "{found}"
        );
    }
    for (one, other) in [
        ("https://a.example.com", "https://a.example.com/"),
        ("https://a.example.com/p", "https://a.example.com/p/"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/"),
    ] {
        let of = |url: &str| {
            good(&settings(&format!("settings = {{ base_url = \"{url}\" }}")))
                .lanes
                .remove(0)
                .settings
        };
        assert_eq!(of(one), of(other));
    }
    let found = bad(&settings(
        "settings = { base_url = 3.5, workspce_id = \"x\" }",
    ));
    assert_eq!(
        found,
        "clientsync.toml:8:25: [providers.demo.settings.base_url] must be a text, a whole number, true or false, not a number\n\
         clientsync.toml:8:44: [providers.demo.settings.workspce_id] is not a setting of demo; did you mean `workspace_id`?"
    );
}

#[test]
fn a_secret_in_the_file_is_refused_and_never_shown() {
    for lane in [
        "token = \"canary-5ecret\"",
        "token = { value = \"canary-5ecret\" }",
        "password = \"canary-5ecret\"",
        "api_key = \"canary-5ecret\"",
        "token_env = \"canary-5ecret\"",
        "token_env = [\"canary-5ecret\"]",
        "settings = { base_url = \"https://demo.example.com\", token = \"canary-5ecret\" }",
        "token_file = \"a\"\ntoken_command = \"echo canary-5ecret\"",
        "id = 3\nkind = \"canary-5ecret\"",
        "limits = \"canary-5ecret\"",
        "guards = { min_rows = \"canary-5ecret\", max_row_drop = \"canary-5ecret\" }",
    ] {
        let text = with("", lane, NAME);
        // Where the lane sets what the template sets as well, the template's goes.
        let text = if lane.contains("settings") {
            text.replacen(
                "settings = { base_url = \"https://demo.example.com\" }",
                "",
                1,
            )
        } else if lane.starts_with("id") {
            text.replacen("id = \"demo_id\"", "", 1)
        } else {
            text
        };
        let problems = parse(&text).expect_err(lane);
        let shown = format!("{problems:?}");
        assert!(!shown.contains("5ecret"), "{shown}");
        assert!(!shown.contains("E_TOML"), "{shown}");
    }
    let problems = parse(&with("", "token = \"canary-5ecret\"", NAME)).expect_err("a literal");
    assert_eq!(problems[0].code, "E_LITERAL_SECRET");
    assert_eq!(
        problems[0].message,
        "must not stand in the file; say where it is kept: token_env (a variable), token_file (a file of mode 0600) or token_command (a command that prints it)"
    );
}

#[test]
fn references_to_secrets_are_judged() {
    for (lane, message) in [
        (
            "username_env = \"X\"",
            "[providers.demo.username_env] is not used here: the provider takes token",
        ),
        (
            "token_env = \"X\"\ntoken_file = \"y\"",
            "[providers.demo.token_file] is given beside token_env; one of the two must go",
        ),
        (
            "token_env = \"1X\"",
            "[providers.demo.token_env] must be the name of a variable (letters, digits and `_`), never the secret itself",
        ),
        (
            "token_file = \"\"",
            "[providers.demo.token_file] must not be empty",
        ),
    ] {
        let found = bad(&with("", lane, NAME));
        assert!(found.ends_with(message), "{found}");
    }
}

#[test]
fn control_characters_of_keys_do_not_reach_the_terminal() {
    let found = bad(&with("\"a\\u001b[31m\" = 1", "", NAME));
    assert!(!found.contains('\u{1b}'), "{found:?}");
    let found = bad(&with_fields("\"a\\u001b[31m\" = \"x\""));
    assert!(!found.contains('\u{1b}'), "{found:?}");
}
