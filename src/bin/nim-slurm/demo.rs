//! `report --demo`: sample results, to see a report without a cluster.

use std::{env, fs, io};

use camino::Utf8PathBuf;
use nim_slurm::results::Run;

use crate::output::{Failure, other, own_folder};

/// What reports call the sample results.
pub(crate) const NAME: &str = "sample results (from a formula, not measured)";

/// The page that is written unless `--format` or `--out` says something else.
pub(crate) const PAGE: &str = "sample-report.html";

/// Use case, input and output tokens, TTFT with one request in flight (ms), and how each further request slows it.
const USE_CASES: [(&str, u32, u32, f64, f64); 2] = [
    ("chat", 128, 128, 28.0, 1.1),
    ("rag", 4096, 256, 210.0, 14.0),
];

/// Writes the sample results into a folder of their own, reads them as any others, and removes the folder.
pub(crate) fn read() -> Result<Run, Failure> {
    let here = own_folder()?;
    let folder = env::temp_dir().join(format!("nim-slurm-demo-{}", std::process::id()));
    fs::create_dir(&folder).map_err(|error| {
        let words = format!(
            "cannot make {} for the sample results: {error}; export TMPDIR=...",
            folder.display()
        );
        Failure::Other(words.into())
    })?;
    // A report names the folder as it was given.
    let run = env::set_current_dir(&folder)
        .and_then(|()| write_points())
        .and_then(|()| Run::read(NAME).map_err(io::Error::other));
    let back = env::set_current_dir(here);
    let removed = fs::remove_dir_all(&folder);
    let run = run.map_err(other)?;
    back.and(removed).map_err(other)?;
    Ok(run)
}

fn write_points() -> io::Result<()> {
    for (use_case, input, output, first, slower) in USE_CASES {
        for concurrency in [1, 2, 4, 8, 16, 32, 64, 128, 256] {
            let name = format!("sample-model_4_{concurrency}_{use_case}_{input}_{output}_1");
            let folder = Utf8PathBuf::from(NAME).join(name);
            fs::create_dir_all(&folder)?;
            let table = table(input, output, concurrency, first, slower);
            fs::write(folder.join("profile_export_genai_perf.csv"), table)?;
        }
    }
    Ok(())
}

/// A point as GenAI-Perf writes it.
fn table(input: u32, output: u32, concurrency: u32, first: f64, slower: f64) -> String {
    let others = f64::from(concurrency - 1);
    let ttft = first + slower * others;
    let itl = 9.0 + 0.09 * others + f64::from(input) / 2000.0;
    let latency = ttft + f64::from(output - 1) * itl;
    let requests = 1000.0 * f64::from(concurrency) / latency;
    let mut table = "Metric,avg,min,max,p99,p95,p90,p75,p50,p25\n".to_owned();
    for (metric, mean, spread) in [
        ("Time To First Token (ms)", ttft, 0.2),
        ("Inter Token Latency (ms)", itl, 0.05),
        ("Request Latency (ms)", latency, 0.06),
        ("Output Sequence Length (tokens)", f64::from(output), 0.0),
        ("Input Sequence Length (tokens)", f64::from(input), 0.0),
    ] {
        table.push_str(metric);
        for distance in [0.0, -1.5, 2.5, 2.3, 1.6, 1.3, 0.7, 0.0, -0.7] {
            table.push_str(&format!(",{:.2}", mean * (1.0 + spread * distance)));
        }
        table.push('\n');
    }
    table.push_str(&format!(
        "\nMetric,Value\nOutput Token Throughput (per sec),{:.2}\nRequest Throughput (per sec),{requests:.2}\nRequest Count (count),{}\n",
        requests * f64::from(output),
        1000.max(10 * concurrency)
    ));
    table
}
