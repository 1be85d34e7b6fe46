use std::io::Write;

use super::*;

fn load(
    flags: &[(&str, &str)],
    env: &[(&str, &str)],
    file: Option<&str>,
) -> Result<Config, ConfigError> {
    let flags: Vec<_> = flags.iter().map(|(k, v)| (*k, (*v).to_owned())).collect();
    let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    let mut on_disk = tempfile::NamedTempFile::new().unwrap();
    if let Some(text) = file {
        on_disk.write_all(text.as_bytes()).unwrap();
    }
    Config::load(&flags, env, file.map(|_| on_disk.path()))
}

#[test]
fn flags_win_over_environment_over_file_over_default() {
    let file = "listen = '127.0.0.1:1'\ncode_minutes = 20\ndrain_seconds = 5\n";
    let env = [("ROADBOOK_LISTEN", "127.0.0.1:2"), ("ROADBOOK_CODE_MINUTES", "30")];
    let config = load(&[("listen", "127.0.0.1:3")], &env, Some(file)).unwrap();
    assert_eq!(config.listen, "127.0.0.1:3");
    assert_eq!(config.code_minutes, 30);
    assert_eq!(config.drain_seconds, 5);
    assert_eq!(config.connections_max, Config::default().connections_max);
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_one() {
    let error = load(&[], &[], Some("drain_secs = 3\n")).unwrap_err().to_string();
    assert!(error.contains("did you mean `drain_seconds`"), "{error}");
    let error = load(&[], &[("ROADBOOK_LISTN", "x")], None).unwrap_err().to_string();
    assert!(error.contains("ROADBOOK_LISTEN"), "{error}");
    // Variables of the project's other programs are none of the server's business.
    load(&[], &[("ROADBOOK_FAILPOINT", "merge_after_commit"), ("ROADBOOK_HOME", "/x")], None)
        .unwrap();
}

#[test]
fn a_value_that_does_not_fit_is_refused_with_its_place() {
    let error = load(&[], &[("ROADBOOK_CODE_MINUTES", "soon")], None).unwrap_err().to_string();
    assert!(
        error.contains("environment") && error.contains("code_minutes") && error.contains("1440"),
        "{error}"
    );
    let error = load(&[("listen", "7430")], &[], None).unwrap_err().to_string();
    assert!(error.contains("HOST:PORT"), "{error}");
    assert!(load(&[], &[], Some("listen = { a = 1 }")).is_err());
}

#[test]
fn the_strongest_layer_alone_decides_about_tls() {
    let file = "tls_cert = '/c.pem'\ntls_key = '/k.pem'\n";
    assert!(matches!(load(&[], &[], Some(file)).unwrap().tls(), Ok(Tls::Files { .. })));
    assert_eq!(load(&[("plain", "true")], &[], Some(file)).unwrap().tls().unwrap(), Tls::Plain);
    assert_eq!(load(&[], &[], None).unwrap().tls().unwrap(), Tls::SelfSigned);
    assert!(load(&[("plain", "true"), ("tls_self_signed", "true")], &[], None).is_err());
    assert!(
        load(&[("tls_cert", "/c.pem")], &[], None).unwrap_err().to_string().contains("tls_key")
    );
}

#[test]
fn plain_is_refused_where_others_could_listen() {
    let open = load(&[("plain", "true"), ("listen", "0.0.0.0:0")], &[], None).unwrap();
    let error = open.listen_addresses().unwrap_err().to_string();
    assert!(error.contains("--plain") && error.contains("--tls-self-signed"), "{error}");
    let local = load(&[("plain", "true"), ("listen", "127.0.0.1:0")], &[], None).unwrap();
    assert_eq!(local.listen_addresses().unwrap().len(), 1);
}

#[test]
fn the_default_that_the_table_shows_is_the_default() {
    for key in KEYS.iter().filter(|k| k.default != "none" && !k.default.contains(' ')) {
        let mut config =
            Config { listen: "x:1".into(), data: "x".into(), log: "x".into(), ..Config::default() };
        (key.set)(&mut config, key.default).unwrap();
        let same =
            Config { listen: "x:1".into(), data: "x".into(), log: "x".into(), ..Config::default() };
        let shown = match key.name {
            "listen" => config.listen == Config::default().listen,
            "data" => config.data == Config::default().data,
            "log" => config.log == Config::default().log,
            _ => config == same,
        };
        assert!(shown, "{} is documented as {}", key.name, key.default);
    }
}

#[test]
fn the_documentation_lists_exactly_the_settings() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let text = std::fs::read_to_string(path).unwrap();
    assert!(
        text.contains(&markdown_table()),
        "docs/configuration.md should hold this table:\n{}",
        markdown_table()
    );
}
