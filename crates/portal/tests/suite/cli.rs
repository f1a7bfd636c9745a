//! The commands, as an installer types them.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::bench::{TestDatabase, free_order, paid_order, shipped};
use serde_json::{Value, json};

/// A config in `folder` that differs from the shipped one only in its paths.
fn config(folder: &Path) -> PathBuf {
    let text = std::fs::read_to_string(shipped("portal.toml")).unwrap();
    let text = text
        .replace("data_dir = \"../.work/portal\"", "data_dir = \"data\"")
        .replace("programmes_dir = \"programmes\"", &format!("programmes_dir = {:?}", shipped("programmes")))
        .replace("\"../firmware-profiles\"", &format!("{:?}", shipped("../firmware-profiles")));
    let database = TestDatabase::new(folder);
    let section = database.section().to_string();
    // It is not dropped before the test's programs end, so never; the server goes as a whole.
    std::mem::forget(database);
    let text = text.replace("../.work/secrets/", "").replace("kind = \"sqlite\"\n", &section);
    std::fs::create_dir(folder.join("tokens")).unwrap();
    let tokens = folder.join("tokens");
    let softhsm = format!("directories.tokendir = {}\nobjectstore.backend = file\n", tokens.display());
    std::fs::write(folder.join("softhsm2.conf"), softhsm).unwrap();
    let file = folder.join("portal.toml");
    std::fs::write(&file, text).unwrap();
    file
}

/// Vault, CA and broker files, as an installer makes them first.
fn initialise(config: &Path) {
    let (code, _, err) = portal(config, &["init"], "");
    assert_eq!(code, 0, "{err}");
}

/// Exit code, standard output, standard error.
fn portal(config: &Path, arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_portal"))
        .arg("--config")
        .arg(config)
        .args(arguments)
        .env("SOFTHSM2_CONF", config.with_file_name("softhsm2.conf"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that does not read its input may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn check_config_names_the_programmes_or_the_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let (code, out, err) = portal(&config, &["check-config"], "");
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("yuncaidun") && out.contains("luzhou-laojiao"), "{out}");
    let good = std::fs::read_to_string(&config).unwrap();
    for (url, fits) in [
        ("https://platform.example/hook?key=1", true),
        ("http://127.0.0.1:9/hook", true),
        ("http://platform.example/hook", false),
        ("http://127.0.0.1.evil.example/hook", false),
        ("http://127.0.0.1@evil.example/hook", false),
    ] {
        let hook = "[[webhook]]\nprogramme = \"yuncaidun\"\nsecret_file = \"hook\"\nurl";
        std::fs::write(&config, format!("{good}\n{hook} = \"{url}\"\n")).unwrap();
        let (code, _, err) = portal(&config, &["check-config"], "");
        assert_eq!((code == 0, err.contains("webhook[0].url")), (fits, !fits), "{url}: {err}");
    }
    std::fs::write(&config, good.replace("seconds = 900", "seconds = 9")).unwrap();
    let (code, _, err) = portal(&config, &["check-config"], "");
    assert!(code == 1 && err.contains("leases.seconds") && err.contains("portal.toml:"), "{err}");
}

#[test]
fn an_operator_is_added_once_and_the_password_has_rules() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let add = |name: &str, password: &str| portal(&config, &["operator", "add", name], password);
    assert_eq!(add("li.shen", "a long enough password\n").0, 0);
    let (code, _, err) = add("li.shen", "another long password\n");
    assert!(code == 1 && err.contains("already"), "{err}");
    let (code, _, err) = add("wang", "pw-7777\n");
    assert!(code == 1 && err.contains("12 characters") && !err.contains("pw-7777"), "{err}");
    assert_eq!(add("Wang Li", "a long enough password\n").0, 1);
}

#[test]
fn a_file_of_orders_is_imported_row_by_row_and_again_without_harm() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    initialise(&config);
    let file = folder.path().join("orders.json");
    let mut good = paid_order(2);
    good["number"] = json!("SAAS120261122093000000001");
    let mut bad = free_order();
    bad["number"] = json!("SAAS120261122093000000002");
    bad["handler"]["id_number"] = json!("1");
    std::fs::write(&file, json!([good, bad]).to_string()).unwrap();
    for outcome in ["accepted", "repeated"] {
        let (code, out, err) = portal(&config, &["import", file.to_str().unwrap()], "");
        assert!(code == 1 && err.contains("1 of 2 orders"), "{err}");
        let report: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(report["results"][0]["outcome"], outcome);
        assert_eq!(report["results"][1]["errors"][0]["field"], "handler.id_number");
    }
    bad["handler"]["id_number"] = good["handler"]["id_number"].clone();
    std::fs::write(&file, json!([good, bad]).to_string()).unwrap();
    let (code, out, err) = portal(&config, &["import", file.to_str().unwrap()], "");
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("repeated") && out.contains("accepted"), "{out}");
    let (code, _, err) = portal(&config, &["import", "/nowhere.json"], "");
    assert!(code == 1 && err.contains("/nowhere.json"), "{err}");
}

#[test]
fn a_job_is_released_and_parked_messages_are_listed_at_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    initialise(&config);
    let number: model::OrderNumber = "SAAS120261122093000000001".parse().unwrap();
    let mut order = paid_order(1);
    order["number"] = json!(number);
    let file = folder.path().join("orders.json");
    std::fs::write(&file, order.to_string()).unwrap();
    assert_eq!(portal(&config, &["import", file.to_str().unwrap()], "").0, 0);
    let job = format!("{number}-1");
    let release =
        |reason: &str| portal(&config, &["job", "release", &job, "--key", "lost", "--reason", reason], "");
    let (code, _, err) = release("燃");
    assert!(code == 1 && err.contains("there is no job"), "{err}");

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let db = runtime.block_on(async {
        let config = portal::config::Config::load(&config).unwrap();
        let db = portal::db::open(&config).await.unwrap();
        // What the order says is sealed by a vault that only the portal's own process opens.
        let approved = "update orders set state = 'awaiting_production'";
        sqlx::query(approved).execute(&db).await.unwrap();
        let stuck = "insert into jobs (job, order_number, idx, programme, certificate, profiles, holder, state, station) \
                     values ($1, $2, 1, 'xiamen-jinlong', 'unit', '[]', '', 'stuck', 'bench-1')";
        sqlx::query::<portal::db::Sql>(stuck).bind(&job).bind(number.as_str()).execute(&db).await.unwrap();
        let parked = "insert into parked values ('1', 'ukey/v1/bench-1/up', 'not JSON', $1, 3, 0, 0)";
        sqlx::query::<portal::db::Sql>(parked).bind(vec![0u8]).execute(&db).await.unwrap();
        db
    });
    assert_eq!(release("").0, 1);
    assert_eq!(release("工位烧毁").0, 0);
    let waiting = "select count(*) from jobs where state = 'waiting' and station is null";
    let waiting =
        runtime.block_on(sqlx::query_scalar::<portal::db::Sql, i64>(waiting).fetch_one(&db)).unwrap();
    assert_eq!(waiting, 1);
    let history = runtime.block_on(portal::orders::history(&db, &number)).unwrap();
    assert_eq!(history.last().unwrap().who, "command-line");
    let (code, out, err) = portal(&config, &["parked"], "");
    assert_eq!(code, 0, "{err}");
    assert!(
        out.contains("not JSON") && out.contains("1 bytes") && out.contains("1 messages are parked"),
        "{out}"
    );
}

#[test]
fn a_programme_that_names_a_profile_which_is_not_there_is_told_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let programmes = folder.path().join("programmes");
    std::fs::create_dir(&programmes).unwrap();
    let text = std::fs::read_to_string(shipped("programmes/yuncaidun.toml")).unwrap();
    let write = |profiles: &str| {
        let text = text.replace("profiles = []", &format!("profiles = {profiles}"));
        std::fs::write(programmes.join("yuncaidun.toml"), &text).unwrap();
        1 + text.lines().position(|line| line.starts_with("profiles = ")).unwrap()
    };
    let shipped = format!("programmes_dir = {:?}", shipped("programmes"));
    let text = std::fs::read_to_string(&config).unwrap().replace(&shipped, "programmes_dir = \"programmes\"");
    std::fs::write(&config, text).unwrap();
    let line = write("[\"ukey/virtual\", \"ukey/vrtual\"]");
    for command in ["check-config", "serve"] {
        let (code, _, err) = portal(&config, &[command], "");
        assert_eq!(code, 1, "{err}");
        let place = format!("yuncaidun.toml:{line}: key.profiles[1]");
        assert!(
            err.contains(&place) && err.contains("ukey/vrtual") && err.contains("longmai/gm3000"),
            "{err}"
        );
    }
    write("[\"ukey/virtual\"]");
    assert_eq!(portal(&config, &["check-config"], "").0, 0);
}

#[test]
fn p5_a_delivery_is_registered_whole_once_and_wrong_rows_are_told_with_their_lines() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    std::fs::create_dir(folder.path().join("data")).unwrap();
    let file = folder.path().join("lot.csv");
    let add = |lot: &str, text: &str| {
        std::fs::write(&file, text).unwrap();
        portal(&config, &["stock", "add", "--lot", lot, file.to_str().unwrap()], "")
    };
    let good = "\u{feff}maker,model,serial\r\nukey,virtual,V1\r\nukey,virtual,V2\r\n";
    let (code, _, err) =
        add("L1", "maker,model,serial\nukey,virtual,V1\nukey,virtual\n\nukey,virtual,V1\n,,\n");
    assert!(code == 1 && err.contains("3 rows are wrong"), "{err}");
    for told in
        ["line 3: it has 2 values", "line 5: key ukey/virtual/V1 stands in the file twice", "line 6: "]
    {
        assert!(err.contains(told), "{told} is in {err}");
    }
    let (code, out, err) = add("L1", good);
    assert!(code == 0 && out.contains("2 keys registered, 0 were"), "{out}{err}");
    let (code, out, _) = add("L1", good);
    assert!(code == 0 && out.contains("0 keys registered, 2 were"), "{out}");
    let (code, _, err) = add("L2", good);
    assert!(code == 1 && err.contains("line 2:") && err.contains("in lot \"L1\""), "{err}");
    for (lot, text) in [("", good), ("L3", "ukey,virtual,V3\n"), ("L3", "")] {
        assert_eq!(add(lot, text).0, 1, "{lot} {text}");
    }
    let many: String = (0..=5_000).map(|n| format!("ukey,virtual,N{n}\n")).collect();
    let (code, _, err) = add("L3", &format!("maker,model,serial\n{many}"));
    assert!(code == 1 && err.contains("more than 5000"), "{err}");
}

#[test]
fn n12_the_balance_is_a_command() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    std::fs::create_dir(folder.path().join("data")).unwrap();
    let file = folder.path().join("lot.csv");
    std::fs::write(&file, "maker,model,serial\nukey,virtual,V1\nukey,virtual,V2\n").unwrap();
    let (code, _, err) = portal(&config, &["stock", "add", "--lot", "L1", file.to_str().unwrap()], "");
    assert_eq!(code, 0, "{err}");
    let (code, out, err) = portal(&config, &["stock", "balance"], "");
    assert!(code == 0 && out.contains("lot L1: registered 2 = blank 2"), "{out}{err}");
    assert_eq!(portal(&config, &["stock", "balance", "--lot", "L1"], "").0, 0);
    let (code, _, err) = portal(&config, &["stock", "balance", "--lot", "L2"], "");
    assert!(code == 1 && err.contains("L2"), "{err}");
}

#[test]
fn what_is_kept_over_its_time_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    initialise(&config);
    let orders = folder.path().join("orders.json");
    std::fs::write(&orders, free_order().to_string()).unwrap();
    let (code, _, err) = portal(&config, &["import", orders.to_str().unwrap()], "");
    assert_eq!(code, 0, "{err}");
    let (code, out, err) = portal(&config, &["retention", "report"], "");
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("yuncaidun  contents kept") && out.contains("1 kept, 0 due"), "{out}");
    assert!(out.contains("0 orders are over their time"), "{out}");
}
