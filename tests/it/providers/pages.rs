//! The page of a provider stands in for the vendor's documents: all that its
//! two files rule is on it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::all;
use crate::support::workdir::Workdir;

/// The texts of one annotation, wherever it stands.
fn texts(node: &Value, key: &str, found: &mut BTreeSet<String>) {
    match node {
        Value::Object(members) => {
            if let Some(Value::String(text)) = members.get(key) {
                found.insert(text.clone());
            }
            // The flag of a list is mapped by the key of its entry, and never by itself.
            let mapped = members.iter().filter(|(name, _)| *name != "isPreferred");
            mapped.for_each(|(_, member)| texts(member, key, found));
        }
        Value::Array(items) => items.iter().for_each(|item| texts(item, key, found)),
        _ => {}
    }
}

/// The page as one line of words, so that a broken line hides nothing.
fn page(workdir: &Workdir, name: &str) -> String {
    let text = workdir.expect(0, &["providers", "show", name]).stdout;
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn assert_tells(page: &str, all: &[&str]) {
    for words in all {
        assert!(page.contains(words), "{words}\n{page}");
    }
}

#[test]
fn a_page_tells_every_message_and_every_source_of_its_contract() {
    let workdir = Workdir::new();
    for found in all().into_iter().filter(super::Found::is_built_in) {
        let page = page(&workdir, found.name());
        for key in ["x-message", "x-source", "x-verified"] {
            let mut wanted = BTreeSet::new();
            texts(&found.contract, key, &mut wanted);
            assert!(wanted.len() < 100 && (key != "x-source" || wanted.len() > 1));
            for text in wanted {
                assert!(page.contains(&text), "{}: {text}\n{page}", found.name());
            }
        }
        for facts in found.provider.contract.facts() {
            assert!(page.contains(&format!(" {}: ", facts.path)), "{page}");
        }
    }
}

#[test]
fn no_line_of_a_page_is_wider_than_a_terminal() {
    let workdir = Workdir::new();
    for found in all().into_iter().filter(super::Found::is_built_in) {
        let text = workdir.expect(0, &["providers", "show", found.name()]);
        for line in text.stdout.lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
    }
}

#[test]
fn rules_of_groups_and_of_the_whole_record_are_told_in_words() {
    let workdir = Workdir::new();
    assert_tells(
        &page(&workdir, "placio"),
        &[
            "- has at least 1 member",
            "- has at least 1 entry - holds exactly 1 entry of which isPreferred is true",
            "* is the entry's type, which is one of whatsapp, phone, email, fax, other.",
            "contactMethods.preferred: string The type of the one entry whose isPreferred is true",
            "sends null for: avatarUrl. ",
            "removes the entry or key of: contactMethods.*. ",
            "/contactMethods is sent whole",
        ],
    );
    assert_tells(
        &page(&workdir, "complycube"),
        &[
            "- has at most 20 members",
            "- each key has at most 40 characters",
            "- while type is person: companyDetails has no members",
            "- while type is company: personDetails has no members",
            "environment = test: 4 requests a second",
            "`Authorization: TOKEN`: the token as it is",
        ],
    );
    assert_tells(
        &page(&workdir, "weel"),
        &[
            "- while out_of_office_mode is true: needs out_of_office_start_date, out_of_office_end_date",
            "out_of_office_end_date is not before out_of_office_start_date",
            "expense_delegate does not name the record itself",
            "While /out_of_office_mode is not true, the others are not sent.",
            "while out_of_office_mode is true, delegate_approver does not name a record whose days",
        ],
    );
}

#[test]
fn how_a_provider_is_asked_and_how_it_answers_is_told_in_words() {
    let workdir = Workdir::new();
    assert_tells(
        &page(&workdir, "nexudus"),
        &[
            "go as a form to POST {base_url}/api/token",
            "carry `client_id: {client_id}`",
            "in the body of an update, at /Id",
            "where /WasSuccessful is true",
            "HTTP 409 with Retry-After: throttle",
            "/HasNextPage says whether there are more",
            "read GET {base_url}/api/sys/users/{id}",
            "needs Id, FullName, Email",
        ],
    );
    let json = workdir
        .expect(0, &["providers", "show", "spp", "--format", "json"])
        .json();
    assert_eq!(json["requests"][2]["method"], "GET");
    assert_eq!(json["groups"][0]["kind"], "record");
    let fields = json["fields"].as_array().unwrap();
    let of = |path: &str| fields.iter().find(|field| field["path"] == path).unwrap();
    assert_eq!(of("custom_fields.*")["clear"], "null");
    assert_eq!(of("email")["clear"], "no");
    assert_eq!(of("status_id")["flags"][0], "read at /status");
    assert_eq!(of("spent")["writable"], false);
}
