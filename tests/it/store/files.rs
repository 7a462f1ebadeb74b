//! The files of the state: modes, links, damage, versions.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clientsync::store::{Erase, Lock, Store, StoreError, digest_key, existing_key, key_path};
use rusqlite::Connection;
use tempfile::TempDir;

use super::{LANE, holder, key, lane, start, update};

pub(super) fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state/client sync#1?.db");
    (directory, path)
}

/// A closed state with one record.
fn made() -> (TempDir, PathBuf) {
    let (directory, path) = place();
    fill(&mut Store::open(&path).unwrap());
    (directory, path)
}

pub(super) fn fill(store: &mut Store) {
    store.bind(&[lane(LANE, "https://a.example")]).unwrap();
    let run = store.begin(&start("r1", 1)).unwrap();
    update(
        store,
        run,
        1,
        "ann",
        &[("name", Some("needle-in-the-state"))],
    );
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Every file of the state's directory, with its content.
fn listing(state: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(state.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

pub(super) fn names(state: &Path) -> Vec<PathBuf> {
    listing(state).into_iter().map(|(path, _)| path).collect()
}

#[test]
fn a_new_state_is_private_and_leaves_one_file() {
    let (_directory, path) = place();
    let mut store = Store::open(&path).unwrap();
    fill(&mut store);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    let files = names(&path);
    assert_eq!(files.len(), 3, "the database, its log and its index");
    for file in &files {
        assert_eq!(mode(file), 0o600, "{}", file.display());
    }
    drop(store);
    assert_eq!(names(&path), [path]);
}

#[test]
fn a_state_is_ours_by_its_header_and_reopens_with_its_rows() {
    let (_directory, path) = made();
    let raw = Connection::open(&path).unwrap();
    let pragma = |name| {
        raw.pragma_query_value(None, name, |row| row.get::<_, i64>(0))
            .unwrap()
    };
    assert_eq!(
        (pragma("application_id"), pragma("user_version")),
        (0x636c_7379, 1)
    );
    drop(raw);
    let store = Store::open(&path).unwrap();
    assert_eq!(store.records(LANE).unwrap(), 1);
    assert_eq!(store.verify().unwrap(), Vec::<String>::new());
}

#[test]
fn an_interrupted_creation_is_begun_again() {
    let (_directory, path) = place();
    fs::create_dir(path.parent().unwrap()).unwrap();
    let mut unfinished = path.clone().into_os_string();
    unfinished.push(".new");
    fs::write(unfinished, "half").unwrap();
    Store::open(&path).unwrap();
    assert_eq!(names(&path), [path]);
}

#[test]
fn a_file_that_is_no_state_is_refused_and_stays() {
    let whole = {
        let (_directory, path) = made();
        fs::read(path).unwrap()
    };
    let mut noise = whole.clone();
    noise[..100].fill(7);
    for content in [
        &b""[..],
        b"name,email\n",
        &noise,
        &whole[..whole.len() / 2],
        &whole[..60],
    ] {
        let (_directory, path) = place();
        fs::create_dir(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        set_mode(&path, 0o600);
        let before = listing(&path);
        let error = Store::open(&path).unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
        let error = Store::open_read_only(&path).unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
        assert_eq!(listing(&path), before);
    }
}

#[test]
fn a_log_without_its_database_is_refused() {
    let (_directory, path) = made();
    let mut log = path.clone().into_os_string();
    log.push("-wal");
    fs::write(log, "left over").unwrap();
    fs::remove_file(&path).unwrap();
    assert!(matches!(
        Store::open(&path),
        Err(StoreError::Corrupt { .. })
    ));
    assert!(matches!(
        Store::open_read_only(&path),
        Err(StoreError::Corrupt { .. })
    ));
}

#[test]
fn newer_and_foreign_databases_are_refused_and_stay() {
    for (pragma, value) in [("user_version", 2), ("application_id", 1)] {
        let (_directory, path) = made();
        Connection::open(&path)
            .unwrap()
            .pragma_update(None, pragma, value)
            .unwrap();
        let before = listing(&path);
        let error = Store::open(&path).unwrap_err();
        assert!(matches!(error, StoreError::Version { .. }), "{error}");
        let error = Store::open_read_only(&path).unwrap_err();
        assert!(matches!(error, StoreError::Version { .. }), "{error}");
        assert_eq!(listing(&path), before);
    }
}

#[test]
fn a_state_open_to_others_is_refused_with_the_command_that_helps() {
    let (_directory, path) = made();
    for wide in [0o640, 0o604, 0o700] {
        set_mode(&path, wide);
        for error in [
            Store::open(&path).unwrap_err(),
            Store::open_read_only(&path).unwrap_err(),
        ] {
            assert!(matches!(error, StoreError::Mode { .. }), "{error}");
            assert!(error.to_string().contains("chmod 600"));
        }
    }
}

#[test]
fn links_are_refused_whatever_they_point_to() {
    let (directory, path) = made();
    let link = directory.path().join("state/link.db");
    let dangling = directory.path().join("state/dangling.db");
    symlink(&path, &link).unwrap();
    symlink(directory.path().join("nowhere"), &dangling).unwrap();
    for path in [&link, &dangling] {
        assert!(matches!(
            Store::open(path),
            Err(StoreError::NotAFile { .. })
        ));
        assert!(matches!(
            Store::open_read_only(path),
            Err(StoreError::NotAFile { .. })
        ));
    }
    symlink(&path, path.with_file_name("x.db.lock")).unwrap();
    let locked = Lock::acquire(
        &path.with_file_name("x.db"),
        &holder("r1", 0),
        Duration::ZERO,
    );
    assert!(matches!(locked, Err(StoreError::NotAFile { .. })));
    assert!(!directory.path().join("nowhere").exists());
}

#[test]
fn a_state_in_a_linked_directory_is_used() {
    let (directory, path) = made();
    let linked = directory.path().join("linked");
    symlink(path.parent().unwrap(), &linked).unwrap();
    let store = Store::open(&linked.join(path.file_name().unwrap())).unwrap();
    assert_eq!(store.records(LANE).unwrap(), 1);
}

#[test]
fn reading_makes_no_file() {
    let (_directory, path) = place();
    assert!(Store::open_read_only(&path).unwrap().is_none());
    assert!(!path.parent().unwrap().exists());

    let mut store = Store::open(&path).unwrap();
    fill(&mut store);
    let before = names(&path);
    let reader = Store::open_read_only(&path).unwrap().unwrap();
    assert_eq!(
        reader.records(LANE).unwrap(),
        1,
        "what is still in the log is read"
    );
    drop(reader);
    assert_eq!(names(&path), before);
    drop(store);

    let before = listing(&path);
    let reader = Store::open_read_only(&path).unwrap().unwrap();
    assert_eq!(reader.records(LANE).unwrap(), 1);
    assert!(reader.unmoved().unwrap());
    drop(reader);
    assert_eq!(listing(&path), before);
}

#[test]
fn a_reader_of_the_log_sees_one_moment() {
    let (_directory, path) = place();
    let mut store = Store::open(&path).unwrap();
    fill(&mut store);
    let reader = Store::open_read_only(&path).unwrap().unwrap();
    let run = store.begin(&start("r2", 1)).unwrap();
    update(&mut store, run, 1, "bob", &[("name", Some("Bob"))]);
    assert_eq!(
        (reader.records(LANE).unwrap(), store.records(LANE).unwrap()),
        (1, 2)
    );
    assert!(reader.unmoved().unwrap());
}

#[test]
fn a_reader_notices_that_a_writer_came_between() {
    let (_directory, path) = made();
    let reader = Store::open_read_only(&path).unwrap().unwrap();
    let mut store = Store::open(&path).unwrap();
    let run = store.begin(&start("r2", 300)).unwrap();
    for n in 0..300 {
        update(
            &mut store,
            run,
            n + 1,
            &format!("k{n}"),
            &[("name", Some("x"))],
        );
    }
    drop(store);
    assert!(!reader.unmoved().unwrap());
}

#[test]
fn a_reader_writes_nothing() {
    let (_directory, path) = made();
    let mut reader = Store::open_read_only(&path).unwrap().unwrap();
    assert!(reader.begin(&start("r2", 1)).is_err());
}

#[test]
fn what_is_erased_is_gone_from_the_files() {
    for whose in [Erase::Key(&key("ann")), Erase::Lane(LANE)] {
        let (_directory, path) = made();
        let mut store = Store::open(&path).unwrap();
        let present = || {
            listing(&path).iter().any(|(_, content)| {
                content
                    .windows(19)
                    .any(|bytes| bytes == b"needle-in-the-state")
            })
        };
        assert!(present());
        assert_eq!(store.erase(whose).unwrap(), 1);
        assert!(!present());
        assert_eq!(store.verify().unwrap(), Vec::<String>::new());
    }
}

#[test]
fn a_damaged_page_is_found_by_verify() {
    let (_directory, path) = made();
    let raw = Connection::open(&path).unwrap();
    raw.execute("UPDATE snapshot SET fields = '{' , key = 'eve'", [])
        .unwrap();
    drop(raw);
    let store = Store::open(&path).unwrap();
    assert_eq!(store.verify().unwrap().len(), 2);
    let error = store.acknowledged(LANE, &key("ann")).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }));
}

#[test]
fn the_digest_key_is_made_once_and_by_writers_only() {
    let (_directory, path) = place();
    let file = key_path(&path);
    assert!(existing_key(&file).unwrap().is_none());
    let first = digest_key(&file).unwrap();
    assert_eq!((mode(&file), fs::read(&file).unwrap().len()), (0o600, 32));
    let sealed = first.seal(&[1; 24], "text").unwrap();
    for again in [
        digest_key(&file).unwrap(),
        existing_key(&file).unwrap().unwrap(),
    ] {
        assert_eq!(again.open(&sealed).unwrap(), "text");
    }
    fs::write(&file, "short").unwrap();
    assert!(matches!(
        existing_key(&file),
        Err(StoreError::Corrupt { .. })
    ));
    set_mode(&file, 0o644);
    assert!(matches!(digest_key(&file), Err(StoreError::Mode { .. })));
}
