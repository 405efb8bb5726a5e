//! A place of its own for each test: configuration, state, folders; and the binary.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A temporary folder with a configuration in it.
pub struct Sandbox {
    dir: tempfile::TempDir,
}

impl Sandbox {
    /// An empty configuration: reports go to the Maildir in the state folder.
    pub fn new() -> Self {
        let sandbox = Self { dir: tempfile::tempdir().unwrap() };
        sandbox.write(
            "config/postkeep.toml",
            "[report]\nto = [\"ann@example.org\"]\ntime-zone = \"Europe/Berlin\"\n",
        );
        fs::create_dir_all(sandbox.path("config/profiles")).unwrap();
        sandbox
    }

    /// With a profile `docs` that mirrors `source` to `target`.
    pub fn with_mirror() -> Self {
        let sandbox = Self::new();
        fs::create_dir(sandbox.path("source")).unwrap();
        sandbox.profile("docs", "mode = \"mirror\"");
        sandbox
    }

    /// Writes a profile that syncs `source` to `target`.
    pub fn profile(&self, name: &str, more: &str) {
        let (source, target) = (self.path("source"), self.path("target"));
        let text = format!("kind = \"sync\"\nsource = {source:?}\ntarget = {target:?}\n{more}\n");
        self.write(&format!("config/profiles/{name}.toml"), &text);
    }

    /// A path in the sandbox.
    pub fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    /// Writes a file, with the folders above it.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// What a file holds.
    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    /// The binary, told where everything is; nothing of the tester's own settings reaches it.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_postkeep"));
        command.args(args).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.path("home")).env("TZ", "Europe/Berlin");
        command.env("POSTKEEP_CONFIG", self.path("config")).env("POSTKEEP_STATE", self.path("state"));
        command
    }

    /// Runs the binary.
    pub fn run(&self, args: &[&str]) -> Ran {
        Ran::from(self.command(args).output().unwrap())
    }

    /// Runs the binary as somebody who is not the superuser: that one is held up by no mode. None: there is no way to.
    pub fn run_as_user(&self, args: &[&str]) -> Option<Ran> {
        if !rustix::process::geteuid().is_root() {
            return Some(self.run(args));
        }
        if Command::new("setpriv").arg("--version").output().is_err() {
            left_out("setpriv is missing");
            return None;
        }
        let user = "12345";
        assert!(Command::new("chown").args(["-R", user]).arg(self.path("")).status().unwrap().success());
        let plain = self.command(args);
        let mut command = Command::new("setpriv");
        command.args([&format!("--reuid={user}"), "--clear-groups"]).arg(plain.get_program());
        command.args(plain.get_args()).env_clear();
        command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Some(Ran::from(command.output().unwrap()))
    }

    /// Changes the state behind the binary's back: time goes by there as a test wants it.
    pub fn sql(&self, sql: &str) {
        let path = self.path("state/state.db");
        rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap();
    }

    /// The letters in the Maildir of the state folder, in the order of the runs.
    pub fn letters(&self) -> Vec<Vec<u8>> {
        let Ok(folder) = fs::read_dir(self.path("state/mail/new")) else { return Vec::new() };
        let mut files: Vec<_> = folder.map(|file| file.unwrap().path()).collect();
        files.sort_by_key(|file| id_in(file));
        files.iter().map(|file| fs::read(file).unwrap()).collect()
    }

    /// The history as the binary tells it, newest first.
    pub fn history(&self) -> Vec<serde_json::Value> {
        let ran = self.run(&["history", "--json", "--limit", "10000"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        serde_json::from_str(&ran.stdout).unwrap()
    }
}

/// The run's id in a letter's file name: its only word of 26 capitals and digits.
fn id_in(file: &Path) -> String {
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    let is_id =
        |word: &&str| word.len() == 26 && word.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    name.split(|c: char| !c.is_ascii_alphanumeric()).find(is_id).unwrap_or_default().to_owned()
}

/// How the binary ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

impl Ran {
    /// Panics with everything that was said unless the exit code is this.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

/// Answers HTTP requests with these, one after the other; what was asked comes back.
pub fn web(answers: &'static [&'static str]) -> (u16, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = move |status: &&str| {
        let (stream, _) = listener.accept().unwrap();
        let mut line = BufReader::new(stream);
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let from = head.len();
            assert!(line.read_line(&mut head).unwrap() > 0);
            if let Some(value) = head[from..].to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        line.read_exact(&mut body).unwrap();
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        line.get_mut().write_all(answer.as_bytes()).unwrap();
        head + &String::from_utf8(body).unwrap()
    };
    (port, std::thread::spawn(move || answers.iter().map(answer).collect()))
}

/// Numbers that only look random, so that a failure can be had again.
pub struct Chance(pub u64);

impl Chance {
    /// A number below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// Whether the long series are wanted.
pub fn long() -> bool {
    std::env::var_os("POSTKEEP_TEST_LONG").is_some()
}

/// Says that a test is left out; where nothing may be, that is a failure.
#[track_caller]
pub fn left_out(why: &str) {
    assert!(std::env::var_os("POSTKEEP_TEST_ALL").is_none(), "left out although nothing may be: {why}");
    eprintln!("left out: {why}");
}

/// The outside judges, which are not part of the project. Without them the tests that want them are left out, wherever.
pub fn judge(tool: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/tools").join(tool);
    if !path.exists() {
        eprintln!("left out: {tool} is not beside this checkout");
        return None;
    }
    Some(path)
}

/// Everything below a folder: path, kind, content or target, mode, time; without what is ours.
pub fn tree(root: &Path) -> Vec<String> {
    tree_at_work(root).unwrap()
}

/// The same of a tree in which somebody is at work: what was listed may be gone.
pub fn tree_at_work(root: &Path) -> std::io::Result<Vec<String>> {
    use std::os::unix::fs::MetadataExt;
    let ours = |entry: &walkdir::DirEntry| !entry.file_name().to_string_lossy().starts_with(".postkeep-");
    let walk = walkdir::WalkDir::new(root).min_depth(1).sort_by_file_name().into_iter().filter_entry(ours);
    walk.map(|entry| {
        let entry = entry?;
        let meta = entry.path().symlink_metadata()?;
        let what = if meta.is_symlink() {
            format!("-> {}", fs::read_link(entry.path())?.display())
        } else if meta.is_file() {
            format!("{:o} {:?}", meta.mode(), String::from_utf8_lossy(&fs::read(entry.path())?))
        } else {
            format!("{:o}", meta.mode())
        };
        let path = entry.path().strip_prefix(root).unwrap().display().to_string();
        Ok(format!("{path} {what} {}.{}", meta.mtime(), meta.mtime_nsec()))
    })
    .collect()
}
