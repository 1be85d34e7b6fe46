//! `cargo ship`: builds what people install.
//!
//! One build of the whole workspace has one SQLite for all of it. What is shipped has two: the server a
//! plain one, the rep's program and the library for phones one that encrypts. So the two are built apart,
//! in a target directory of their own, and what comes out is looked at before it is called good. The
//! library is optimised for its size: every user downloads it, with the app it is in.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const USAGE: &str = "\
Builds the server, the rep's program and the library for phones as people install them, in
<target>/ship/release, and the library in <target>/ship/mobile.

usage: cargo ship [--dev] [--only server|apps]
  --dev     unoptimised, for tests: the same features, all in <target>/ship/debug
  --only    the server alone, or the program and the library, which encrypt";

/// How C is compiled for the library for phones: cargo's profiles say nothing of it, and OpenSSL is
/// built for speed unless it is told otherwise.
const MOBILE_C_FLAGS: &str = include_str!("../../../mobile-ffi/packaging/c-flags");

/// What is shipped, and built in one go.
struct Part {
    name: &'static str,
    products: Vec<Product>,
    encrypts: bool,
}

/// A package, and the file that comes out, in its profile's directory.
struct Product {
    package: &'static str,
    file: String,
    profile: &'static str,
    features: &'static [&'static str],
}

fn parts() -> Vec<Part> {
    let program = |package, features| Product {
        package,
        features,
        file: format!("{package}{}", std::env::consts::EXE_SUFFIX),
        profile: "release",
    };
    let library = Product {
        package: "roadbook-ffi",
        features: &["sqlcipher"],
        file: format!("{DLL_PREFIX}roadbook_ffi{DLL_SUFFIX}"),
        profile: "mobile",
    };
    vec![
        Part { name: "server", products: vec![program("roadbook-server", &[])], encrypts: false },
        Part {
            name: "apps",
            products: vec![program("roadbook", &["sqlcipher", "keyring"]), library],
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
    let mut dev = false;
    let mut wanted = parts();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--dev" => dev = true,
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
    let mut lines = Vec::new();
    for part in &mut wanted {
        if dev {
            part.products.iter_mut().for_each(|product| product.profile = "dev");
        }
        // What has one profile is built in one go.
        for products in part.products.chunk_by(|a, b| a.profile == b.profile) {
            build(root, &target, part, products)?;
        }
        for product in &part.products {
            let directory = if dev { "debug" } else { product.profile };
            let path = target.join(directory).join(&product.file);
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

/// Builds products of a part, which have one profile.
fn build(root: &Path, target: &Path, part: &Part, products: &[Product]) -> Result<(), String> {
    let Some(first) = products.first() else { return Ok(()) };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root).args(["build", "--quiet", "--locked", "--profile", first.profile]);
    command.arg("--target-dir").arg(target);
    if first.profile == "mobile" {
        let own = std::env::var("CFLAGS").unwrap_or_default();
        command.env("CFLAGS", format!("{own} {}", MOBILE_C_FLAGS.trim()).trim());
    }
    for Product { package, features, .. } in products {
        command.args(["--package", package]);
        for feature in *features {
            command.arg("--features").arg(format!("{package}/{feature}"));
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
