//! `cargo ship`: builds what people install.
//!
//! One build of the whole workspace has one SQLite for all of it. What is shipped has two: the server a
//! plain one, the rep's program and the library for phones one that encrypts. So each is built alone, in
//! a target directory of its own, and looked at before it is called good.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const USAGE: &str = "\
Builds the server, the rep's program and the library for phones as people install them, in
<target>/ship/<profile>.

usage: cargo ship [--dev] [--only PACKAGE[,PACKAGE..]]
  --dev     unoptimised, for tests: the same features
  --only    some of: roadbook-server, roadbook, roadbook-ffi";

/// What is shipped.
struct Artifact {
    package: &'static str,
    /// The file that comes out, in the profile's directory.
    file: String,
    encrypts: bool,
}

fn artifacts() -> Vec<Artifact> {
    let program = |name: &str| format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let library = |name: &str| {
        format!("{}{name}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX)
    };
    let artifact = |package, file, encrypts| Artifact { package, file, encrypts };
    vec![
        artifact("roadbook-server", program("roadbook-server"), false),
        artifact("roadbook", program("roadbook"), true),
        artifact("roadbook-ffi", library("roadbook_ffi"), true),
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
    let mut wanted = artifacts();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--dev" => profile = "dev",
            "--only" => {
                let names = args.next().ok_or(USAGE)?;
                for name in names.split(',') {
                    if !wanted.iter().any(|artifact| artifact.package == name) {
                        return Err(format!("`{name}` is not shipped\n{USAGE}"));
                    }
                }
                wanted.retain(|artifact| names.split(',').any(|name| name == artifact.package));
            }
            "--help" | "-h" => return Ok(USAGE.to_owned()),
            other => return Err(format!("`{other}` is not known\n{USAGE}")),
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = target(&root);
    let directory = target.join(if profile == "dev" { "debug" } else { profile });
    let mut lines = Vec::new();
    for artifact in &wanted {
        build(&root, &target, profile, artifact)?;
        let path = directory.join(&artifact.file);
        let bytes = inspect(&path, artifact)?;
        let encrypts = if artifact.encrypts { "encrypts" } else { "plain SQLite" };
        lines.push(format!("{:>8.1} MB  {encrypts:<12}  {}", bytes as f64 / 1e6, path.display()));
    }
    Ok(lines.join("\n"))
}

/// `<target>/ship`, wherever cargo was told to put its target directory.
fn target(root: &Path) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| root.join("target")).join("ship")
}

fn build(root: &Path, target: &Path, profile: &str, artifact: &Artifact) -> Result<(), String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root).args(["build", "--quiet", "--locked", "--profile", profile]);
    command.args(["--package", artifact.package]).arg("--target-dir").arg(target);
    if artifact.encrypts {
        command.args(["--features", "sqlcipher"]);
    }
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) if artifact.encrypts => Err(format!(
            "{} could not be built ({status}); encryption needs perl, make and a C compiler",
            artifact.package
        )),
        Ok(status) => Err(format!("{} could not be built ({status})", artifact.package)),
        Err(error) => Err(format!("cargo can't be run: {error}")),
    }
}

/// That it has the SQLite it is to have; and its size.
fn inspect(path: &Path, artifact: &Artifact) -> Result<usize, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    // The name of a function that only SQLCipher has.
    let name = b"sqlcipher_export";
    let encrypts = bytes.windows(name.len()).any(|window| window == name);
    if encrypts != artifact.encrypts {
        return Err(format!(
            "{} {}; it must not be installed",
            path.display(),
            if encrypts { "holds SQLCipher" } else { "does not encrypt" }
        ));
    }
    Ok(bytes.len())
}
