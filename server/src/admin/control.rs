//! The control socket: how a command reaches the server that owns the data directory.
//!
//! `DIR/control.sock` is a unix socket of mode 0600: whoever may read the data may give commands.
//! One request a connection. The caller sends the request and its files in parts, then `Go`; the
//! server sends output in parts, then one answer. Every part has a bound, and so have the files
//! together; a caller that stops in the middle is dropped.
//!
//! Frame: length of the payload (4 bytes, big endian), kind (1 byte), payload.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::request::{Answer, Call, Failure, FailureKind};

/// The socket's file name in the data directory.
pub const SOCKET_NAME: &str = "control.sock";

/// One frame.
const PART_BYTES_MAX: usize = 1024 * 1024;
/// All files of one request.
pub const ATTACHED_BYTES_MAX: usize = 2 * super::import::sheet::FILE_BYTES_MAX;
/// Files of one request.
const FILES_MAX: usize = 4;
/// An answer comes in so many frames at most.
const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Commands that run at once; further ones wait.
const COMMANDS_MAX: usize = 8;
/// How long the server waits for the next part of a request.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the server waits for a caller that does not take its output (an export into a pager).
const WRITE_TIMEOUT: Duration = Duration::from_secs(300);
/// Longest path that fits into a socket address.
const ADDRESS_BYTES_MAX: usize = 100;

const REQUEST: u8 = b'Q';
const FILE_PART: u8 = b'F';
const FILE_END: u8 = b'E';
const GO: u8 = b'G';
const OUTPUT: u8 = b'D';
const ANSWER_PART: u8 = b'P';
const ANSWER: u8 = b'A';

/// Carries out a request. Called on a thread where blocking is allowed.
pub type Handler =
    dyn Fn(Call, Vec<Vec<u8>>, &mut dyn Write) -> Result<Answer, Failure> + Send + Sync;

/// The socket, bound but not yet served. The file is removed when it is dropped.
pub struct Control {
    listener: UnixListener,
    path: PathBuf,
}

impl Control {
    /// Binds `DIR/control.sock` with mode 0600. The caller owns the directory's lock, so a socket
    /// file that is already there was left behind by a process that died, and is replaced.
    pub fn bind(dir: &Path) -> io::Result<Control> {
        let path = dir.join(SOCKET_NAME);
        // Bound under a name in a private directory and moved when its mode is right: at no moment
        // can another user connect.
        let private = dir.join(".control");
        remove_if_there(&private.join("s"), false)?;
        remove_if_there(&private, true)?;
        fs::create_dir(&private)?;
        fs::set_permissions(&private, fs::Permissions::from_mode(0o700))?;
        let fresh = private.join("s");
        let bound =
            at_short_path(&private, "s", |short| UnixListener::bind(short)).and_then(|listener| {
                fs::set_permissions(&fresh, fs::Permissions::from_mode(0o600))?;
                fs::rename(&fresh, &path)?;
                listener.set_nonblocking(true)?;
                Ok(listener)
            });
        fs::remove_dir(&private).or_else(|_| fs::remove_dir_all(&private))?;
        Ok(Control { listener: bound?, path })
    }

    /// Serves until `shutdown`, then waits for the commands that run.
    pub async fn serve(self, handler: Arc<Handler>, shutdown: CancellationToken) -> io::Result<()> {
        let listener = tokio::net::UnixListener::from_std(self.listener.try_clone()?)?;
        let permits = Arc::new(Semaphore::new(COMMANDS_MAX));
        loop {
            let permit = tokio::select! {
                () = shutdown.cancelled() => break,
                permit = Arc::clone(&permits).acquire_owned() => permit,
            };
            // The semaphore is never closed.
            let Ok(permit) = permit else { break };
            let stream = tokio::select! {
                () = shutdown.cancelled() => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        tracing::warn!(%error, "the control socket could not accept");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                },
            };
            let stream = stream.into_std()?;
            let handler = Arc::clone(&handler);
            tokio::task::spawn_blocking(move || {
                let _permit = permit;
                if let Err(error) = answer(stream, &*handler) {
                    tracing::debug!(%error, "a control connection ended early");
                }
            });
        }
        // Running commands hold permits: all of them back means that none runs.
        let _ = permits.acquire_many(COMMANDS_MAX as u32).await;
        Ok(())
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // A file that is gone already is as good.
        let _ = fs::remove_file(&self.path);
    }
}

fn answer(stream: UnixStream, handler: &Handler) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(READ_TIMEOUT))?;
    stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
    let mut input = io::BufReader::new(stream.try_clone()?);
    let mut output = Output { stream };
    let outcome = match read_request(&mut input) {
        Ok((call, files)) => {
            let run = std::panic::AssertUnwindSafe(|| handler(call, files, &mut output));
            std::panic::catch_unwind(run).unwrap_or_else(|_| {
                Err(Failure::new(
                    FailureKind::Internal,
                    "the command failed inside the server; its log says more",
                ))
            })
        }
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Err(Failure::new(FailureKind::Usage, error.to_string()))
        }
        Err(error) => return Err(error),
    };
    let json = serde_json::to_vec(&outcome).map_err(io::Error::other)?;
    let mut parts = json.chunks(PART_BYTES_MAX).peekable();
    while let Some(part) = parts.next() {
        let kind = if parts.peek().is_some() { ANSWER_PART } else { ANSWER };
        write_frame(&mut output.stream, kind, part)?;
    }
    Ok(())
}

fn read_request(input: &mut impl Read) -> io::Result<(Call, Vec<Vec<u8>>)> {
    let bad = |reason: &str| io::Error::new(io::ErrorKind::InvalidData, reason.to_owned());
    let (kind, payload) = read_frame(input)?;
    if kind != REQUEST {
        return Err(bad("the first part of a request must be the request"));
    }
    let call = serde_json::from_slice(&payload).map_err(|error| {
        bad(&format!("the request is not one of this server's version: {error}; use the same version of the program"))
    })?;
    let (mut files, mut file, mut total) = (Vec::new(), Vec::new(), 0);
    loop {
        match read_frame(input)? {
            (GO, _) => return Ok((call, files)),
            (FILE_PART, part) => {
                total += part.len();
                if total > ATTACHED_BYTES_MAX {
                    return Err(bad(&format!(
                        "the files have more than {ATTACHED_BYTES_MAX} bytes together; split them"
                    )));
                }
                file.extend_from_slice(&part);
            }
            (FILE_END, _) if files.len() < FILES_MAX => files.push(std::mem::take(&mut file)),
            _ => return Err(bad("the request has a part that does not belong there")),
        }
    }
}

/// Output of a command on its way to the caller.
struct Output {
    stream: UnixStream,
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for part in bytes.chunks(PART_BYTES_MAX) {
            write_frame(&mut self.stream, OUTPUT, part)?;
        }
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Gives a command to the server that owns `dir`. `None` if no server answers there.
///
/// # Errors
/// What the server refused, or that it ended in the middle.
pub fn call(
    dir: &Path,
    call: &Call,
    files: &[Vec<u8>],
    output: &mut dyn Write,
) -> Option<Result<Answer, Failure>> {
    let stream = at_short_path(dir, SOCKET_NAME, |short| UnixStream::connect(short));
    match stream {
        Ok(stream) => Some(exchange(stream, call, files, output)),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Some(Err(Failure::new(
            FailureKind::Unavailable,
            format!(
                "{}: a server runs, but its control socket belongs to another user; run the command as that user",
                dir.join(SOCKET_NAME).display()
            ),
        ))),
        // Not there, or left behind by a process that died.
        Err(_) => None,
    }
}

fn exchange(
    mut stream: UnixStream,
    call: &Call,
    files: &[Vec<u8>],
    output: &mut dyn Write,
) -> Result<Answer, Failure> {
    let lost = |error: io::Error| {
        Failure::new(
            FailureKind::Unavailable,
            format!(
                "the server ended before it had answered ({error}); look whether it did what was asked, then try again"
            ),
        )
    };
    let request = serde_json::to_vec(call)
        .map_err(|error| Failure::new(FailureKind::Internal, error.to_string()))?;
    if request.len() > PART_BYTES_MAX {
        return Err(Failure::new(
            FailureKind::Usage,
            format!(
                "the command is longer than {PART_BYTES_MAX} bytes; use --filter, or several commands"
            ),
        ));
    }
    write_frame(&mut stream, REQUEST, &request).map_err(lost)?;
    for file in files {
        for part in file.chunks(PART_BYTES_MAX) {
            write_frame(&mut stream, FILE_PART, part).map_err(lost)?;
        }
        write_frame(&mut stream, FILE_END, &[]).map_err(lost)?;
    }
    write_frame(&mut stream, GO, &[]).map_err(lost)?;
    let mut input = io::BufReader::new(stream);
    let mut json = Vec::new();
    loop {
        match read_frame(&mut input).map_err(lost)? {
            (OUTPUT, part) => output.write_all(&part).map_err(|error| {
                Failure::new(FailureKind::File, format!("the output can't be written: {error}"))
            })?,
            (kind @ (ANSWER | ANSWER_PART), part) => {
                json.extend_from_slice(&part);
                if kind == ANSWER {
                    break;
                }
                if json.len() > ANSWER_BYTES_MAX {
                    return Err(lost(io::Error::other("its answer is too long")));
                }
            }
            _ => return Err(lost(io::Error::other("it spoke another language"))),
        }
    }
    serde_json::from_slice::<Result<Answer, Failure>>(&json)
        .map_err(|error| lost(error.into()))
        .and_then(|outcome| outcome)
}

fn write_frame(stream: &mut impl Write, kind: u8, payload: &[u8]) -> io::Result<()> {
    let length = u32::try_from(payload.len()).map_err(io::Error::other)?;
    let mut head = [0; 5];
    head[..4].copy_from_slice(&length.to_be_bytes());
    head[4] = kind;
    stream.write_all(&head)?;
    stream.write_all(payload)
}

fn read_frame(stream: &mut impl Read) -> io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 5];
    stream.read_exact(&mut head)?;
    let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
    if length > PART_BYTES_MAX {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a part of {length} bytes is larger than {PART_BYTES_MAX}"),
        ));
    }
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload)?;
    Ok((head[4], payload))
}

/// Socket addresses hold about 100 bytes of path; a longer one is reached through the open
/// directory.
fn at_short_path<T>(dir: &Path, name: &str, act: impl Fn(&Path) -> io::Result<T>) -> io::Result<T> {
    let path = dir.join(name);
    if path.as_os_str().len() <= ADDRESS_BYTES_MAX {
        return act(&path);
    }
    use std::os::fd::AsRawFd;
    let open = fs::File::open(dir)?;
    act(&Path::new("/proc/self/fd").join(open.as_raw_fd().to_string()).join(name))
}

fn remove_if_there(path: &Path, dir: bool) -> io::Result<()> {
    let removed = if dir { fs::remove_dir(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::admin::request::Request;

    fn ask(login: &str) -> Call {
        Call { workspace: None, by: None, request: Request::Invite { login: login.to_owned() } }
    }

    /// A server that says what it was asked.
    fn echo() -> Arc<Handler> {
        Arc::new(|call: Call, files: Vec<Vec<u8>>, output: &mut dyn Write| {
            let Request::Invite { login } = call.request else { panic!("a bug") };
            if login == "nobody" {
                return Err(Failure::refused("user `nobody` does not exist"));
            }
            for file in &files {
                output.write_all(file).unwrap();
            }
            Ok(Answer::new(json!({ "login": login, "files": files.len() }), login))
        })
    }

    async fn asked(
        dir: &Path,
        login: &str,
        files: Vec<Vec<u8>>,
    ) -> (Option<Result<Answer, Failure>>, Vec<u8>) {
        let (dir, ask) = (dir.to_owned(), ask(login));
        tokio::task::spawn_blocking(move || {
            let mut output = Vec::new();
            (call(&dir, &ask, &files, &mut output), output)
        })
        .await
        .unwrap()
    }

    #[tokio::test]
    async fn a_command_its_files_and_its_output_make_the_round_trip() {
        let dir = tempfile::tempdir().unwrap();
        let control = Control::bind(dir.path()).unwrap();
        let mode = fs::metadata(dir.path().join(SOCKET_NAME)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let shutdown = CancellationToken::new();
        let server = tokio::spawn(control.serve(echo(), shutdown.clone()));

        let large = vec![7_u8; PART_BYTES_MAX * 2 + 5];
        let (answer, output) = asked(dir.path(), "anna", vec![large.clone(), b"x".to_vec()]).await;
        assert_eq!(answer.unwrap().unwrap().data, json!({ "login": "anna", "files": 2 }));
        assert_eq!(output.len(), large.len() + 1);

        let (refused, _) = asked(dir.path(), "nobody", vec![]).await;
        assert_eq!(refused.unwrap().unwrap_err().kind, FailureKind::Refused);

        shutdown.cancel();
        server.await.unwrap().unwrap();
        assert!(!dir.path().join(SOCKET_NAME).exists());
        assert!(asked(dir.path(), "anna", vec![]).await.0.is_none());
    }

    #[tokio::test]
    async fn a_panicking_command_is_answered_and_the_next_one_too() {
        let dir = tempfile::tempdir().unwrap();
        let shutdown = CancellationToken::new();
        let handler: Arc<Handler> = Arc::new(|call: Call, _: Vec<Vec<u8>>, _: &mut dyn Write| {
            let Request::Invite { login } = call.request else { panic!("a bug") };
            assert_ne!(login, "bomb");
            Ok(Answer::new(json!(login), ""))
        });
        let server =
            tokio::spawn(Control::bind(dir.path()).unwrap().serve(handler, shutdown.clone()));
        let (failed, _) = asked(dir.path(), "bomb", vec![]).await;
        assert_eq!(failed.unwrap().unwrap_err().kind, FailureKind::Internal);
        assert!(asked(dir.path(), "anna", vec![]).await.0.unwrap().is_ok());
        shutdown.cancel();
        server.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_stale_socket_is_nobody_and_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        drop(UnixListener::bind(dir.path().join(SOCKET_NAME)).unwrap());
        assert!(dir.path().join(SOCKET_NAME).exists());
        assert!(asked(dir.path(), "anna", vec![]).await.0.is_none());
        let shutdown = CancellationToken::new();
        let server =
            tokio::spawn(Control::bind(dir.path()).unwrap().serve(echo(), shutdown.clone()));
        assert!(asked(dir.path(), "anna", vec![]).await.0.unwrap().is_ok());
        shutdown.cancel();
        server.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_path_longer_than_a_socket_address_works() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("d".repeat(90)).join("e".repeat(90));
        fs::create_dir_all(&dir).unwrap();
        let shutdown = CancellationToken::new();
        let server = tokio::spawn(Control::bind(&dir).unwrap().serve(echo(), shutdown.clone()));
        assert!(asked(&dir, "anna", vec![]).await.0.unwrap().is_ok());
        shutdown.cancel();
        server.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn what_is_no_request_is_refused_without_being_read_to_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let shutdown = CancellationToken::new();
        let server =
            tokio::spawn(Control::bind(dir.path()).unwrap().serve(echo(), shutdown.clone()));
        let path = dir.path().join(SOCKET_NAME);
        let answers = tokio::task::spawn_blocking(move || {
            [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\0\0\0\x02Q{}", b"\0\0\0\0G"].map(|bytes| {
                let mut stream = UnixStream::connect(&path).unwrap();
                stream.write_all(bytes).unwrap();
                let (kind, json) = read_frame(&mut stream).unwrap();
                (kind, serde_json::from_slice::<Result<Answer, Failure>>(&json).unwrap())
            })
        })
        .await
        .unwrap();
        for (kind, answer) in answers {
            assert_eq!((kind, answer.unwrap_err().kind), (ANSWER, FailureKind::Usage));
        }
        shutdown.cancel();
        server.await.unwrap().unwrap();
    }
}
