use std::path::Path;
use std::process::Command;

use tachograph_store::{EmbeddedConfig, Signal, Store, StoreError, Table};

use crate::toy::{files, ids, open, open_with, quiet, write};

#[tokio::test]
async fn when_memory_is_full_writes_are_refused_and_leave_nothing_until_a_flush_makes_room() {
    let directory = tempfile::tempdir().unwrap();
    let store = open_with(directory.path(), EmbeddedConfig { hot_budget_bytes: 400_000, ..quiet() });
    let mut next = 0;
    let error = loop {
        match write(&store, Signal::Logs, next..next + 100).await {
            Ok(()) => next += 100,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::Busy { .. }), "{error}");
    assert!(next > 0);
    assert_eq!(ids(&store, Table::Logs).await, (0..next).collect::<Vec<_>>());
    store.flush().await.unwrap();
    write(&store, Signal::Logs, next..next + 100).await.unwrap();
    drop(store);
    assert_eq!(ids(&open(directory.path()), Table::Logs).await, (0..next + 100).collect::<Vec<_>>());
}

#[tokio::test]
async fn one_write_larger_than_the_budget_is_let_in_when_it_is_alone() {
    let directory = tempfile::tempdir().unwrap();
    let store = open_with(directory.path(), EmbeddedConfig { hot_budget_bytes: 1, ..quiet() });
    write(&store, Signal::Logs, 0..100).await.unwrap();
    assert!(matches!(write(&store, Signal::Logs, [100]).await, Err(StoreError::Busy { .. })));
}

const DIRECTORY: &str = "TACHOGRAPH_STORE_TEST_DIRECTORY";
const GOES_ON: &str = "TACHOGRAPH_STORE_TEST_GOES_ON";

/// Runs in a process of its own whose files may not grow beyond a limit, as on a full disk.
#[tokio::test]
async fn child_that_fills_the_disk() {
    let Ok(directory) = std::env::var(DIRECTORY) else { return };
    let store = open(directory.as_ref());
    let mut next = 0;
    let error = loop {
        match write(&store, Signal::Logs, next..next + 50).await {
            Ok(()) => next += 50,
            Err(error) => break error,
        }
    };
    assert!(error.to_string().starts_with("cannot write to the write-ahead log ("), "{error}");
    assert_eq!(ids(&store, Table::Logs).await, (0..next).collect::<Vec<_>>(), "what failed is not visible");
    if std::env::var(GOES_ON).is_ok() {
        // A flush starts a new file of the log: there is room again.
        store.flush().await.unwrap();
        write(&store, Signal::Logs, next..next + 50).await.unwrap();
        next += 50;
    }
    println!("acknowledged {next}");
}

/// Rows acknowledged by a child that ran into a full disk.
fn fill_the_disk(directory: &Path, goes_on: bool) -> u64 {
    let name = "back_pressure::child_that_fills_the_disk";
    let script = "trap '' XFSZ; ulimit -f 32; exec \"$0\" --exact --nocapture \"$1\"";
    let mut child = Command::new("sh");
    child.args(["-c", script, std::env::current_exe().unwrap().to_str().unwrap(), name]);
    child.env(DIRECTORY, directory);
    if goes_on {
        child.env(GOES_ON, "1");
    }
    let output = child.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text.lines().find_map(|line| line.strip_prefix("acknowledged ")).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_full_disk_fails_the_write_and_leaves_no_part_of_it_behind() {
    let directory = tempfile::tempdir().unwrap();
    let acknowledged = fill_the_disk(directory.path(), false);
    let store = open(directory.path());
    assert!(acknowledged > 0);
    assert_eq!(ids(&store, Table::Logs).await, (0..acknowledged).collect::<Vec<_>>());
    assert_eq!((store.stats().recovery.torn_bytes, store.stats().recovery.damaged_bytes), (0, 0));
}

#[tokio::test]
async fn when_there_is_room_again_writes_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let acknowledged = fill_the_disk(directory.path(), true);
    assert_eq!(files(directory.path(), ".log").len(), 1);
    let store = open(directory.path());
    assert_eq!(ids(&store, Table::Logs).await, (0..acknowledged).collect::<Vec<_>>());
}
