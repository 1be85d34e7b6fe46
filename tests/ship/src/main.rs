//! `cargo ship`: builds what people install.
//!
//! One build of the whole workspace has one SQLite for all of it. What is shipped has two: the server a
//! plain one, the rep's program and the library for phones one that encrypts. So the two are built apart,
//! in a target directory of their own, and what comes out is looked at before it is called good.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const USAGE: &str = "\
Builds the server, the rep's program and the library for phones as people install them, in
<target>/ship/<profile>.

usage: cargo ship [--dev] [--only server|apps]
  --dev     unoptimised, for tests: the same features
  --only    the server alone, or the program and the library, which encrypt";

/// What is shipped, and built in one go.
struct Part {
    name: &'static str,
    /// Each with the file that comes out, in the profile's directory.
    packages: Vec<(&'static str, String)>,
    encrypts: bool,
}

fn parts() -> Vec<Part> {
    let program = |name: &str| format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let library = format!("{DLL_PREFIX}roadbook_ffi{DLL_SUFFIX}");
    vec![
        Part {
            name: "server",
            packages: vec![("roadbook-server", program("roadbook-server"))],
            encrypts: false,
        },
        Part {
            name: "apps",
            packages: vec![("roadbook", program("roadbook")), ("roadbook-ffi", library)],
            encrypts: true,
        },
    ]
}

fn main() -> ExitCode {
    match ship(std::env::args().skip(1)) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("ship: {error}");
            ExitCode::FAILURE
        }
    }
}

fn ship(mut args: impl Iterator<Item = String>) -> Result<String, String> {
    let mut profile = "release";
    let mut wanted = parts();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--dev" => profile = "dev",
            "--only" => {
                let name = args.next().ok_or(USAGE)?;
                wanted.retain(|part| part.name == name);
                if wanted.is_empty() {
                    return Err(format!("`{name}` is not shipped\n{USAGE}"));
                }
            }
            "--help" | "-h" => return Ok(USAGE.to_owned()),
            other => return Err(format!("`{other}` is not known\n{USAGE}")),
        }
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root =
        here.ancestors().nth(2).expect("this package lies two directories below the workspace");
    let target = target(root);
    let directory = target.join(if profile == "dev" { "debug" } else { profile });
    let mut lines = Vec::new();
    for part in &wanted {
        build(root, &target, profile, part)?;
        for (_, file) in &part.packages {
            let path = directory.join(file);
            let megabytes = inspect(&path, part.encrypts)? as f64 / 1e6;
            let encrypts = if part.encrypts { "encrypts" } else { "plain SQLite" };
            lines.push(format!("{megabytes:>8.1} MB  {encrypts:<12}  {}", path.display()));
        }
    }
    Ok(lines.join("\n"))
}

/// `ship` in the target directory: that of the environment, or the workspace's.
fn target(root: &Path) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| root.join("target")).join("ship")
}

fn build(root: &Path, target: &Path, profile: &str, part: &Part) -> Result<(), String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root).args(["build", "--quiet", "--locked", "--profile", profile]);
    command.arg("--target-dir").arg(target);
    for (package, _) in &part.packages {
        command.args(["--package", package]);
        if part.encrypts {
            command.arg("--features").arg(format!("{package}/sqlcipher"));
        }
    }
    let needs = if part.encrypts { "; the cipher needs perl, make and a C compiler" } else { "" };
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("the {} could not be built ({status}){needs}", part.name)),
        Err(error) => Err(format!("cargo can't be run: {error}")),
    }
}

/// That it has the SQLite it is to have; and its size.
fn inspect(path: &Path, is_to_encrypt: bool) -> Result<usize, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    // The name of a function that only SQLCipher has.
    let name = b"sqlcipher_export";
    let encrypts = bytes.windows(name.len()).any(|window| window == name);
    if encrypts != is_to_encrypt {
        return Err(format!(
            "{} {}; it must not be installed",
            path.display(),
            if encrypts { "holds SQLCipher" } else { "does not encrypt" }
        ));
    }
    Ok(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_the_wrong_sqlite_is_not_called_good() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("program");
        for (bytes, encrypts) in
            [(&b"..sqlcipher_export.."[..], true), (b"..sqlite3_open..", false)]
        {
            std::fs::write(&path, bytes).unwrap();
            for is_to_encrypt in [true, false] {
                let good = inspect(&path, is_to_encrypt);
                assert_eq!(good.is_ok(), is_to_encrypt == encrypts, "{good:?}");
            }
        }
    }

    #[test]
    fn what_is_not_shipped_is_named() {
        let args = |text: &str| ship(text.split(' ').map(str::to_owned)).unwrap_err();
        assert!(args("--only tests").contains("`tests` is not shipped"));
        assert!(args("--release").contains("usage"));
    }
}
