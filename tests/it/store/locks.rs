//! The lock: one run at a time, and the dead hold nothing.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use clientsync::store::{Lock, Store, StoreError};

use super::files::{fill, names, place};
use super::{LANE, at, holder};

/// Names the state that a child process shall lock.
const CHILD: &str = "CLIENTSYNC_TEST_LOCK";

#[test]
fn a_second_run_is_refused_and_told_who_holds_the_state() {
    let (_directory, path) = place();
    let held = Lock::acquire(&path, &holder("r1", 0), Duration::ZERO).unwrap();
    assert_eq!(held.previous(), None);
    let error = Lock::acquire(&path, &holder("r2", 1), Duration::ZERO).unwrap_err();
    let StoreError::Locked {
        holder: Some(found),
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!(
        (found.pid, found.host.as_str(), found.run_id.as_str()),
        (std::process::id(), "example", "r1")
    );
    assert_eq!(found.started, at(0));
    assert_eq!(Lock::holder(&path).unwrap().as_ref(), Some(found));
    drop(held);
    assert_eq!(Lock::holder(&path).unwrap(), None);
    let next = Lock::acquire(&path, &holder("r2", 1), Duration::ZERO).unwrap();
    assert_eq!(next.previous(), None, "the run before ended");
}

/// Not a test by itself: what the child of the next test runs. It locks the
/// state that the variable names and holds it until it is killed.
#[test]
fn holds_the_lock_when_it_is_the_child() {
    let Some(path) = std::env::var_os(CHILD) else {
        return;
    };
    let _lock = Lock::acquire(Path::new(&path), &holder("child", 0), Duration::ZERO).unwrap();
    let mut store = Store::open(Path::new(&path)).unwrap();
    fill(&mut store);
    std::io::stderr().write_all(b"held\n").unwrap();
    // Ends with the parent, should that die first.
    let _ = std::io::stdin().read_line(&mut String::new());
}

fn child(path: &Path) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "store::locks::holds_the_lock_when_it_is_the_child",
            "--nocapture",
        ])
        .env(CHILD, path)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(child.stderr.take().unwrap());
    assert!(said.lines().any(|line| line.unwrap().contains("held")));
    child
}

#[test]
fn a_killed_run_frees_the_lock_and_keeps_what_it_committed() {
    let (_directory, path) = place();
    let mut child = child(&path);
    let error = Lock::acquire(&path, &holder("mine", 1), Duration::ZERO).unwrap_err();
    assert!(
        error.to_string().contains(&child.id().to_string()),
        "{error}"
    );
    child.kill().unwrap();
    child.wait().unwrap();

    let before = names(&path);
    let reader = Store::open_read_only(&path).unwrap().unwrap();
    assert_eq!(
        reader.records(LANE).unwrap(),
        1,
        "the log of the dead is read"
    );
    drop(reader);
    assert_eq!(names(&path), before);

    let lock = Lock::acquire(&path, &holder("mine", 1), Duration::ZERO).unwrap();
    assert_eq!(lock.previous().map(|h| h.run_id.as_str()), Some("child"));
    let store = Store::open(&path).unwrap();
    assert_eq!(store.records(LANE).unwrap(), 1);
    let counts = &store.run("r1").unwrap().unwrap().lanes[LANE];
    assert!(counts.adds_up());
    assert_eq!(store.verify().unwrap(), Vec::<String>::new());
}
