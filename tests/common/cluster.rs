//! What `cluster.sh` needs: images, models, results and a server's answers.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use nim_slurm::{Plan, Recipe, Settings};

/// Puts these programs, and what they give, into a folder that scripts see as `/mnt`.
pub(crate) fn furnish(folder: &Path, programs: &[&str]) {
    for name in ["bin", "given", "stage"] {
        fs::create_dir_all(folder.join(name)).unwrap();
    }
    let cluster = folder.join("bin/cluster.sh");
    fs::copy("tests/common/cluster.sh", &cluster).unwrap();
    fs::set_permissions(&cluster, fs::Permissions::from_mode(0o755)).unwrap();
    for program in programs.iter().chain(&["perf_analyzer"]) {
        symlink("cluster.sh", folder.join("bin").join(program)).unwrap();
    }
    put_images(&folder.join("given"));
    put_models(&folder.join("given"));
}

/// A port that nobody has at this moment.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

#[track_caller]
pub(crate) fn run(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {output:?}");
}

/// An image in each format.
fn put_images(given: &Path) {
    fs::write(given.join("manifest.json"), "[]").unwrap();
    run(Command::new("mksquashfs").current_dir(given).args([
        "manifest.json",
        "image.sqsh",
        "-quiet",
        "-no-progress",
    ]));
    run(Command::new("tar").current_dir(given).args([
        "--create",
        "--file=image.tar",
        "manifest.json",
    ]));
    let mut sif = b"#!/usr/bin/env run-singularity\n\0SIF_MAGIC\0".to_vec();
    sif.resize(112, 0);
    sif.extend(128_u64.to_le_bytes());
    sif.extend(4_u64.to_le_bytes());
    sif.resize(132, 0);
    fs::write(given.join("image.sif"), sif).unwrap();
}

/// A model of the hub, and weights and an engine of NGC.
fn put_models(given: &Path) {
    let header = br#"{"a":{"dtype":"U8","shape":[2000],"data_offsets":[0,2000]}}"#;
    let mut shard = (header.len() as u64).to_le_bytes().to_vec();
    shard.extend(header);
    shard.resize(shard.len() + 2000, 0);
    let weights = |folder: PathBuf| {
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("config.json"), "{}").unwrap();
        fs::write(folder.join("tokenizer.json"), "{}").unwrap();
        fs::write(folder.join("model-1.safetensors"), &shard).unwrap();
        let index =
            r#"{"metadata": {"total_size": 2000}, "weight_map": {"a": "model-1.safetensors"}}"#;
        fs::write(folder.join("model.safetensors.index.json"), index).unwrap();
    };
    weights(given.join("hub"));
    weights(given.join("ngc/hf/llama3-70b-instruct_vhf"));
    let engine = "0.10.0+cbc614f5-h100x4-fp8-throughput";
    let folder = given.join(format!("ngc/{engine}/llama3-70b-instruct_v{engine}"));
    fs::create_dir_all(&folder).unwrap();
    for rank in 0..4 {
        fs::write(folder.join(format!("rank{rank}.engine")), [0; 500]).unwrap();
    }
    let table = "tests/data/genai-perf/0.0.10/profile_export_genai_perf.csv";
    fs::copy(table, given.join("profile_export_genai_perf.csv")).unwrap();
}

pub(crate) fn settings() -> Settings {
    Settings::from_toml("srun.mpi = 'none'").unwrap()
}

/// A small model of the hub, and two points.
pub(crate) fn plan(port: u16) -> Plan {
    let mut recipe = Recipe::built_in("llama3-3-70b-h100x4-vllm").unwrap();
    recipe.server.disk = "1 MiB".parse().unwrap();
    recipe.server.port = port.to_string().parse().unwrap();
    recipe.server.ready_timeout = 60;
    recipe.client.disk = "1 MiB".parse().unwrap();
    recipe.model.weights.size = "2100 B".parse().unwrap();
    recipe.model.weights.files = vec!["config.json".parse().unwrap()];
    // As many as the table counts.
    recipe.sweep.min_requests = 250;
    let recipe = recipe
        .with_concurrency([1, 2])
        .with_use_cases(["chat:128/128".parse().unwrap()]);
    Plan::new(recipe, settings()).unwrap()
}

/// Answers on this port as a server does from when its step begins.
pub(crate) fn with_server(folder: &Path, port: u16, work: impl FnOnce()) {
    let serving = folder.join("serving");
    let _ = fs::remove_file(&serving);
    let is_over = AtomicBool::new(false);
    let goes_on = || !is_over.load(Ordering::Relaxed);
    thread::scope(|scope| {
        scope.spawn(|| {
            let pause = || thread::sleep(Duration::from_millis(20));
            while goes_on() && !serving.exists() {
                pause();
            }
            let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
            listener.set_nonblocking(true).unwrap();
            while goes_on() {
                match listener.accept() {
                    Ok((stream, _)) => answer(stream),
                    Err(_) => pause(),
                }
            }
        });
        let _over = Over(&is_over);
        work();
    });
}

/// Says so in the end, also when a test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What launch.sh asks a server, and what a good one says.
fn answer(stream: TcpStream) {
    stream.set_nonblocking(false).unwrap();
    let mut reader = BufReader::new(stream);
    let (mut request, mut length) = (String::new(), 0);
    reader.read_line(&mut request).unwrap();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(number) = line.strip_prefix("content-length: ") {
            length = number.parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    reader.read_exact(&mut vec![0; length]).unwrap();
    let body = match request.split(' ').nth(1) {
        Some("/v1/models") => r#"{"data": [{"id": "meta-llama/Llama-3.3-70B-Instruct"}]}"#,
        // The client wants it as a stream.
        Some("/v1/chat/completions") => "data: {\"choices\": [{}]}\n\ndata: [DONE]\n\n",
        _ => "",
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let _ = reader.into_inner().write_all((head + body).as_bytes());
}
