use std::fs;
use std::path::Path;

use tachograph_store::{Signal, Store, StoreError, Table};

use crate::toy::{files, ids, open, quiet, try_open, write};

#[tokio::test]
async fn a_directory_belongs_to_one_store_at_a_time_and_is_free_after_close() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let error = try_open(directory.path(), quiet()).err().unwrap();
    assert_eq!(
        error.to_string(),
        format!(
            "another process uses the data directory, stop it or choose another directory: {}",
            directory.path().display()
        )
    );
    store.close().await.unwrap();
    let again = open(directory.path());
    assert_eq!(ids(&again, Table::Spans).await, [0_u64; 0]);
}

#[tokio::test]
async fn a_newer_format_is_refused_and_nothing_is_touched() {
    let directory = tempfile::tempdir().unwrap();
    let manifest = r#"{"format": 2, "shape": "unknown to us"}"#;
    fs::write(directory.path().join("manifest.json"), manifest).unwrap();
    fs::create_dir(directory.path().join("wal")).unwrap();
    fs::write(directory.path().join("wal/00000000000000000001.log"), b"TGW2").unwrap();
    let error = try_open(directory.path(), quiet()).err().unwrap();
    assert_eq!(
        error.to_string(),
        format!(
            "the data directory has format 2 and this version knows up to 1, use a newer tachograph or another \
             directory: {}",
            directory.path().display()
        )
    );
    assert_eq!(fs::read_to_string(directory.path().join("manifest.json")).unwrap(), manifest);
    assert_eq!(files(directory.path(), "").len(), 2);
}

#[test]
fn a_directory_that_cannot_be_made_is_refused_with_its_name() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    fs::write(&file, "not a directory").unwrap();
    // /proc takes no new entries, not even from root.
    for directory in [file.join("data"), Path::new("/proc/tachograph").to_owned()] {
        let error = try_open(&directory, quiet()).err().unwrap();
        assert!(matches!(error, StoreError::NotWritable { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.starts_with("cannot write to the data directory, choose another or give this user the right"));
        assert!(text.ends_with(&directory.display().to_string()), "{text}");
    }
}

#[tokio::test]
async fn a_read_only_directory_is_refused_and_nothing_is_touched() {
    use std::os::unix::fs::PermissionsExt;

    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    write(&store, Signal::Logs, [1]).await.unwrap();
    store.close().await.unwrap();
    fs::remove_file(directory.path().join("LOCK")).unwrap();
    let before = files(directory.path(), "");
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let opened = try_open(directory.path(), quiet());
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    match opened {
        Err(error) => {
            assert!(matches!(error, StoreError::NotWritable { .. }), "{error:?}");
            assert_eq!(files(directory.path(), ""), before);
        }
        // Root may write wherever the mode forbids it.
        Ok(store) => assert_eq!(ids(&store, Table::Logs).await, [1]),
    }
}
