//! The walls of the house: which crate may depend on which, one SQLite and one TLS provider, and
//! licences that are allowed. Read from `cargo metadata`, so that no tool has to be installed.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::process::Command;

use serde_json::Value;

fn metadata() -> Value {
    metadata_with(&[])
}

fn metadata_with(args: &[&str]) -> Value {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--format-version", "1", "--locked", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .args(args)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Package name -> names of everything it depends on outside tests, over any number of steps.
fn reachable(metadata: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let name = |id: &str| {
        let packages = metadata["packages"].as_array().unwrap();
        packages.iter().find(|p| p["id"] == id).unwrap()["name"].as_str().unwrap().to_owned()
    };
    let mut direct: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for node in metadata["resolve"]["nodes"].as_array().unwrap() {
        let of = direct.entry(name(node["id"].as_str().unwrap())).or_default();
        for dep in node["deps"].as_array().unwrap() {
            let kinds = dep["dep_kinds"].as_array().unwrap();
            if kinds.iter().any(|kind| kind["kind"] != "dev") {
                of.insert(name(dep["pkg"].as_str().unwrap()));
            }
        }
    }
    let all: Vec<String> = direct.keys().cloned().collect();
    all.into_iter()
        .map(|start| {
            let mut seen = BTreeSet::new();
            let mut queue = VecDeque::from([start.clone()]);
            while let Some(next) = queue.pop_front() {
                for dep in direct.get(&next).into_iter().flatten() {
                    if seen.insert(dep.clone()) {
                        queue.push_back(dep.clone());
                    }
                }
            }
            (start, seen)
        })
        .collect()
}

#[test]
fn dependencies_point_one_way() {
    let reachable = reachable(&metadata());
    let allowed: &[(&str, &[&str])] = &[
        ("roadbook-protocol", &[]),
        ("roadbook-wal", &[]),
        ("roadbook-client-core", &["roadbook-protocol", "roadbook-wal"]),
        ("roadbook", &["roadbook-client-core", "roadbook-protocol", "roadbook-wal"]),
        ("roadbook-ffi", &["roadbook-client-core", "roadbook-protocol", "roadbook-wal"]),
        ("roadbook-server", &["roadbook-protocol", "roadbook-wal"]),
        (
            "roadbook-tests",
            &[
                "roadbook-client-core",
                "roadbook-ffi",
                "roadbook-protocol",
                "roadbook-server",
                "roadbook-wal",
            ],
        ),
    ];
    for (package, allowed) in allowed {
        let ours: Vec<&String> = reachable[*package]
            .iter()
            .filter(|name| *name == "roadbook" || name.starts_with("roadbook-"))
            .collect();
        for dependency in ours {
            assert!(
                allowed.contains(&dependency.as_str()),
                "{package} must not depend on {dependency}"
            );
        }
    }
}

#[test]
fn the_protocol_has_no_disk_no_socket_and_no_runtime() {
    let reachable = reachable(&metadata());
    for forbidden in ["tokio", "rusqlite", "hyper", "rustls", "tokio-tungstenite"] {
        assert!(
            !reachable["roadbook-protocol"].contains(forbidden),
            "roadbook-protocol must not depend on {forbidden}"
        );
    }
}

#[test]
fn there_is_one_sqlite_one_websocket_and_one_tls_provider() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    for once in ["libsqlite3-sys", "rusqlite", "tungstenite", "rustls", "automerge", "ring"] {
        let count = packages.iter().filter(|p| p["name"] == once).count();
        assert_eq!(count, 1, "{once} occurs {count} times in the graph");
    }
    for never in ["aws-lc-rs", "openssl-sys", "native-tls", "bincode", "serde_cbor"] {
        assert!(packages.iter().all(|p| p["name"] != never), "{never} is in the graph");
    }
}

/// One build of server and app together would give the server the cipher too, and the app none.
#[test]
fn nothing_encrypts_but_what_is_built_to_and_openssl_is_there_for_that_alone() {
    let reachable = reachable(&metadata_with(&["--features", "roadbook/sqlcipher"]));
    assert!(reachable["roadbook"].contains("sqlcipher-src"), "the feature brings the cipher");
    for (package, reached) in &reachable {
        let allowed = ["roadbook", "rusqlite", "libsqlite3-sys", "openssl-sys"];
        let ours = package.starts_with("roadbook-");
        assert!(
            !reached.contains("openssl-sys") || ours || allowed.contains(&package.as_str()),
            "{package} must not depend on OpenSSL"
        );
    }
    for manifest in ["server/Cargo.toml", "tests/Cargo.toml", "tests/simulate/Cargo.toml"] {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(manifest);
        assert!(!std::fs::read_to_string(path).unwrap().contains("sqlcipher"), "{manifest}");
    }
}

#[test]
fn every_licence_is_on_the_list_of_deny_toml() {
    let policy =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../deny.toml")).unwrap();
    let list = policy.split("allow = [").nth(1).unwrap().split(']').next().unwrap();
    let allowed: BTreeSet<&str> = list.split('"').skip(1).step_by(2).collect();
    assert!(allowed.contains("MIT"), "the list can be read: {allowed:?}");
    let mut refused = Vec::new();
    for package in metadata_with(&["--all-features"])["packages"].as_array().unwrap() {
        let licence = package["license"].as_str().unwrap_or("");
        // `A OR B`, `A/B` leave a choice; `A AND B` demands both.
        let choices = licence.replace(['(', ')'], "").replace('/', " OR ");
        let fits = choices
            .split(" OR ")
            .any(|choice| choice.split(" AND ").all(|part| allowed.contains(part.trim())));
        if !fits {
            refused.push(format!("{}: {licence}", package["name"]));
        }
    }
    assert!(refused.is_empty(), "licences that are not on the list: {refused:#?}");
}

#[test]
fn every_dependency_is_pinned_in_the_one_table() {
    let root = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    for member in [
        "client-core",
        "client-core/protocol",
        "client-core/cli",
        "server",
        "mobile-ffi",
        "mobile-ffi/bindgen",
        "tests",
    ] {
        let manifest = std::fs::read_to_string(root.join(member).join("Cargo.toml")).unwrap();
        for line in manifest.lines() {
            assert!(
                !line.contains("version = \"") && !line.contains("= \"*\""),
                "{member}: `{line}` belongs into [workspace.dependencies]"
            );
        }
    }
    let table = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let table = table.split("[workspace.dependencies]").nth(1).unwrap();
    let table = table.split("\n[").next().unwrap();
    for line in table
        .lines()
        .filter(|l| l.contains('=') && !l.contains("path =") && !l.trim_start().starts_with('#'))
    {
        assert!(line.contains("\"="), "not pinned exactly: {line}");
    }
}
