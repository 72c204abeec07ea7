use tachograph_store::{Signal, StoreError, Table};

use crate::toy::{ids, open, try_sql, write};

#[tokio::test]
async fn what_writes_or_reads_anything_but_the_tables_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    write(&store, Signal::Traces, [1]).await.unwrap();
    let stolen = directory.path().join("stolen.csv");
    for statement in [
        "CREATE TABLE t AS SELECT * FROM spans".to_owned(),
        "CREATE VIEW v AS SELECT * FROM spans".to_owned(),
        format!("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '{}'", stolen.display()),
        format!("COPY spans TO '{}'", stolen.display()),
        "INSERT INTO spans SELECT * FROM spans".to_owned(),
        "DELETE FROM spans".to_owned(),
        "UPDATE spans SET duration_ns = 0".to_owned(),
        "DROP TABLE spans".to_owned(),
        "SET datafusion.execution.target_partitions = 100".to_owned(),
        "SHOW TABLES".to_owned(),
        "EXPLAIN ANALYZE SELECT * FROM spans".to_owned(),
        "PREPARE p AS SELECT 1".to_owned(),
        "BEGIN".to_owned(),
        "SELECT 1; SELECT 2".to_owned(),
        "SELECT 1; DROP TABLE spans".to_owned(),
        "".to_owned(),
        ";".to_owned(),
    ] {
        let error = try_sql(&store, &statement).await.unwrap_err();
        assert!(matches!(error, StoreError::NotSelect(_)), "{statement}: {error}");
    }
    for statement in [
        "SELEC 1".to_owned(),
        "SELECT nothing FROM spans".to_owned(),
        "SELECT * FROM nothing".to_owned(),
        format!("SELECT * FROM '{}'", stolen.display()),
        "SELECT * FROM read_csv('/etc/passwd')".to_owned(),
        "SELECT * FROM information_schema.df_settings".to_owned(),
        "SELECT repeat('x', 2000000000)".to_owned(),
        "SELECT * INTO stolen FROM spans".to_owned(),
        "SELECT 1 / 0 FROM spans".to_owned(),
        "SELECT CAST(service AS INT) FROM spans".to_owned(),
    ] {
        let error = try_sql(&store, &statement).await.unwrap_err();
        assert!(matches!(error, StoreError::Query(_) | StoreError::NotSelect(_)), "{statement}: {error:?}");
    }
    assert!(!stolen.exists());
    assert_eq!(ids(&store, Table::Spans).await, [1]);
}

#[tokio::test]
async fn the_fault_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let error = try_sql(&store, "SELECT nothing FROM spans").await.unwrap_err().to_string();
    assert!(error.contains("nothing") && !error.contains("backtrace"), "{error}");
    let error = try_sql(&store, "DROP TABLE spans").await.unwrap_err().to_string();
    assert_eq!(error, "only one SELECT statement is allowed: DROP TABLE spans");
}
