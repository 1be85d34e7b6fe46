//! `roadbook-server`: see `roadbook-server --help` and `docs/operations.md`.

fn main() -> std::process::ExitCode {
    roadbook_server::admin::run::main()
}
