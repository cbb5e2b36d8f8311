//! `report`: reads what runs left behind, and says it as a table, as CSV, as JSON, as an HTML page, as
//! a picture, as Markdown or, of a gate, as JUnit's XML.

use std::collections::BTreeMap;
use std::process::ExitCode;

use camino::{Utf8Path, Utf8PathBuf};
use clap::{ArgGroup, Args, ValueEnum};
use nim_slurm::results::{Gate, Limits, Point, ReadProblem, Run, RunId, Statistic};
use nim_slurm::{Report, ValueError, plain, shell_word};

use crate::demo;
use crate::output::{Failure, input, is_quiet, note, other, print, program, tell};

/// Report the results of GenAI-Perf and AIPerf in a results folder
///
/// What cannot be read is named on stderr and does not change the exit code. Exit code: 1 when --job names
/// a job without results; with --gate, 3 when something got worse and 4 when that cannot be told.
#[derive(Args)]
#[command(group = ArgGroup::new("before").args(["against", "against_model"]).multiple(true))]
pub(crate) struct Arguments {
    /// Folder with results, the folder of one point, or the stage path
    #[arg(required_unless_present = "demo")]
    results_dir: Option<Utf8PathBuf>,

    /// Something more, which is refused with what to write
    #[arg(hide = true, conflicts_with = "demo")]
    more: Vec<String>,

    /// Report sample results, which a formula makes; writes sample-report.html unless --format or --out
    /// says something else
    #[arg(long, conflicts_with_all = ["results_dir", "job", "against"])]
    demo: bool,

    /// Only points of these jobs: those that they finished, and those of earlier jobs that they went on from; an
    /// array's number stands for all its tasks
    #[arg(long, value_name = "ID[,ID]", value_delimiter = ',')]
    job: Vec<RunId>,

    /// Only points of this model, as result folders name it, also of earlier results that have it; a variant of the
    /// server is MODEL-VARIANT
    #[arg(long, value_name = "MODEL", conflicts_with = "demo")]
    model: Option<String>,

    /// What to write [default: what the end of --out's name says, else table; html with --demo]
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,

    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,

    /// Write to FILE; what is there is kept as FILE.bak-N
    #[arg(long, value_name = "FILE")]
    out: Option<Utf8PathBuf>,

    /// Limit on the time to first token, in ms
    #[arg(long, value_name = "MS", value_parser = milliseconds, allow_negative_numbers = true)]
    ttft: Option<f64>,

    /// Limit on the inter-token latency, in ms
    #[arg(long, value_name = "MS", value_parser = milliseconds, allow_negative_numbers = true)]
    itl: Option<f64>,

    /// What a GPU costs in an hour, in any currency: the report says what a million tokens cost
    #[arg(long, value_name = "PRICE", value_parser = price, allow_negative_numbers = true)]
    price: Option<f64>,

    /// Statistic that is shown of latencies, and that the limits are on; avg by default. Without it and
    /// without a limit, a use case that was searched has its search's limits and percentile
    #[arg(long, value_name = "STATISTIC")]
    at: Option<At>,

    /// Earlier results to compare with: another folder, or jobs in the same one, with commas between. Without
    /// --job, all other points are compared with those jobs'
    #[arg(long, value_name = "RESULTS_DIR_OR_JOB")]
    against: Option<Utf8PathBuf>,

    /// Compare with this model: with a variant of the server that was measured in the same jobs or, with --against, in
    /// those results
    #[arg(long, value_name = "MODEL", conflicts_with = "demo")]
    against_model: Option<String>,

    /// Judge by this what got worse, as in "throughput 5%, ttft 10%", of throughput, requests (per second), ttft, itl and
    /// latency: exit code 0 when nothing did, 3 when something did, 4 when it cannot be told; it takes repeats on both
    /// sides (sweep.repeat)
    #[arg(long, value_name = "GATE", requires = "before")]
    gate: Option<Gate>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Table,
    Csv,
    Json,
    Html,
    Svg,
    /// Rows as InferenceX's result files have them
    Inferencex,
    /// llm-d's benchmark report 0.2, one in a line for each point
    LlmD,
    /// GitHub's Markdown, as for a job's summary
    Markdown,
    /// What --gate says, for a CI
    Junit,
}

#[derive(Clone, Copy, ValueEnum)]
enum At {
    Avg,
    P50,
    P90,
    P95,
    P99,
}

impl From<At> for Statistic {
    fn from(at: At) -> Self {
        match at {
            At::Avg => Self::Avg,
            At::P50 => Self::P50,
            At::P90 => Self::P90,
            At::P95 => Self::P95,
            At::P99 => Self::P99,
        }
    }
}

impl Arguments {
    /// What is written: as `--format` says, else as the file is called.
    fn format(&self) -> Result<Format, Failure> {
        let end = self.out.as_deref().and_then(Utf8Path::extension);
        let formats = Format::value_variants().iter().copied();
        // Anything may be in a .txt.
        let mut formats = formats.filter(|format| !matches!(format, Format::Table));
        let by_name = formats
            .find(|format| end.is_some_and(|end| end.eq_ignore_ascii_case(format.extension())));
        let given = if self.json {
            Some(Format::Json)
        } else {
            self.format
        };
        match (given, by_name, &self.out) {
            (Some(given), Some(by_name), Some(out)) if given.extension() != by_name.extension() => {
                let (end, given, by_name) = (given.extension(), given.name(), by_name.name());
                Err(Failure::Input(
                    format!("--format {given} does not go together with --out {out}: write --format {by_name}, or name the file .{end}")
                        .into(),
                ))
            }
            (Some(format), ..) | (None, Some(format), _) => Ok(format),
            (None, None, Some(out)) if end.is_some_and(|end| !end.eq_ignore_ascii_case("txt")) => {
                Err(Failure::Input(
                    format!(
                        "the name {out} says no format: .txt, .csv, .json, .html, .svg, .md or .xml is allowed at its end; \
                         or add --format"
                    )
                    .into(),
                ))
            }
            (None, None, _) if self.demo => Ok(Format::Html),
            (None, None, _) => Ok(Format::Table),
        }
    }
}

impl Format {
    fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// How a file of it is called.
    const fn extension(self) -> &'static str {
        match self {
            Self::Table => "txt",
            Self::Csv => "csv",
            Self::Json | Self::Inferencex | Self::LlmD => "json",
            Self::Html => "html",
            Self::Svg => "svg",
            Self::Markdown => "md",
            Self::Junit => "xml",
        }
    }
}

fn milliseconds(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|limit: &f64| limit.is_finite() && *limit > 0.0)
        .ok_or_else(|| "a number of milliseconds above 0 is allowed".to_owned())
}

fn price(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|price: &f64| price.is_finite() && *price > 0.0)
        .ok_or_else(|| "a price above 0 is allowed, such as 2.5, without a currency".to_owned())
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let format = arguments.format()?;
    if matches!(format, Format::Junit) && arguments.gate.is_none() {
        let words = "--format junit needs a gate: add --against RESULTS_DIR_OR_JOB or --against-model MODEL, and --gate \"throughput 5%\"";
        return Err(Failure::Input(words.into()));
    }
    if let (Some(folder), Some(more)) = (&arguments.results_dir, arguments.more.first()) {
        return Err(Failure::Input(unexpected(folder, more).into()));
    }
    let folder = arguments.results_dir.as_deref().map(results_of);
    let (run, before) = match &folder {
        None => (demo::read()?, None),
        Some(folder) => sides(folder, arguments)?,
    };
    let has_nothing = run.points().is_empty() && run.failed_searches().is_empty();
    if has_nothing && !arguments.job.is_empty() {
        name_problems(&run);
        return Err(Failure::Other(no_points(&run, &arguments.job).into()));
    }
    let unknown = jobs_without_results(&run, &arguments.job);
    if !unknown.is_empty() {
        let names: Vec<_> = unknown.iter().map(RunId::as_str).collect();
        let words = format!(
            "{} has no results of job {}",
            run.path(),
            names.join(" or ")
        );
        return Err(Failure::Other(words.into()));
    }
    let mut limits = Limits::new(arguments.at.map_or(Statistic::Avg, Statistic::from));
    if let Some(limit) = arguments.ttft {
        limits = limits.time_to_first_token(limit);
    }
    if let Some(limit) = arguments.itl {
        limits = limits.inter_token_latency(limit);
    }
    let mut report = Report::new(&run);
    if arguments.at.is_some() || !limits.is_empty() {
        report = report.with_limits(limits);
    }
    if let Some(before) = &before {
        report = report.against(before);
    }
    if let Some(gate) = &arguments.gate {
        report = report.with_gate(gate);
    }

    if let Some(price) = arguments.price {
        report = report.with_price(price);
    }

    let text = match format {
        Format::Table => report.to_table(),
        Format::Csv => report.to_csv(),
        Format::Json => report.to_json(),
        Format::Html => report.to_html(),
        Format::Svg => report.to_svg(),
        Format::Inferencex => report.to_inferencex(),
        Format::LlmD => report.to_llm_d(),
        Format::Markdown => report.to_markdown(),
        Format::Junit => report.to_junit(),
    };
    // Other formats have the name in them, as that of the folder.
    let text = match format {
        _ if !arguments.demo => text,
        Format::Table => format!("{}\n\n{text}", demo::NAME),
        Format::Markdown => format!("**{}**\n\n{text}", demo::NAME),
        _ => text,
    };
    let is_sample_page = arguments.demo && matches!(format, Format::Html);
    let sample_page = is_sample_page.then(|| Utf8Path::new(demo::PAGE));
    match arguments.out.as_deref().or(sample_page) {
        Some(path) => {
            write(path, &text)?;
            // Who writes a page sees no table.
            if let Some(said) = Report::new(&run).short_points() {
                note(&said);
            }
        }
        None => print(&text)?,
    }
    if arguments.demo {
        note(&format!("these are {}", demo::NAME));
    }
    name_problems(&run);
    name_what_is_beside(&run);
    if has_nothing {
        note(&no_points(&run, &arguments.job));
    }
    if let Some(outcome) = report.gate_outcome() {
        note(&format!("the gate says: {outcome}"));
    }
    Ok(ExitCode::from(report.exit_code()))
}

/// What could not be read. Of what is the same for many files, the first few.
fn name_problems(run: &Run) {
    const MOST: usize = 10;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for problem in run.problems() {
        let count = counts.entry(problem.message()).or_default();
        *count += 1;
        if *count <= MOST {
            note(&problem.to_string());
        }
    }
    for (message, count) in counts {
        if count > MOST {
            note(&format!(
                "{} more, which --json names: {message}",
                count - MOST
            ));
        }
    }
}

/// The folder itself, or the results in it when it is a stage path: its other folders
/// hold images, models and logs.
fn results_of(folder: &Utf8Path) -> Utf8PathBuf {
    let results = folder.join("results");
    if has_manifest(&results) {
        note(&format!(
            "{folder} is a stage path: its results are read, {results}"
        ));
        return results;
    }
    folder.to_owned()
}

/// What to write in place of a second word.
fn unexpected(folder: &Utf8Path, more: &str) -> String {
    let write = match more.parse::<RunId>() {
        Ok(_) => format!("to report that job alone, write --job {more}"),
        Err(_) => format!(
            "one folder is allowed, and all below it is read; to compare it with another, write --against {}",
            plain(more)
        ),
    };
    format!("unexpected {} behind {folder}: {write}", plain(more))
}

fn has_manifest(folder: &Utf8Path) -> bool {
    folder.read_dir_utf8().is_ok_and(|entries| {
        let is_manifest = |path: &Utf8Path| {
            path.extension() == Some("json")
                && path
                    .file_name()
                    .is_some_and(|name| name.starts_with("run_"))
        };
        entries.flatten().any(|entry| is_manifest(entry.path()))
    })
}

/// How to report on a folder.
fn command(folder: &Utf8Path) -> String {
    format!("{} report {}", program(), shell_word(folder.as_str()))
}

/// Where a point's folder alone is read, what is beside it is not.
fn name_what_is_beside(run: &Run) {
    let point = run.points().iter().find(|point| point.path() == run.path());
    let Some((job, results)) = point.and_then(|point| point.run().zip(run.path().parent())) else {
        return;
    };
    if has_manifest(results) {
        note(&format!(
            "{} is one point: to have its job's manifest and telemetry too, write {} --job {job}",
            run.path(),
            command(results)
        ));
    }
}

fn read(path: &Utf8Path, jobs: &[RunId]) -> Result<Run, Failure> {
    if let (false, Ok(job)) = (path.exists(), path.as_str().parse::<RunId>()) {
        let words = format!(
            "there is no folder {path}: to report that job, write {} report RESULTS_DIR --job {job}",
            program()
        );
        return Err(Failure::Input(words.into()));
    }
    if let (false, Ok(stage)) = (path.exists(), std::env::var("STAGE_PATH")) {
        let results = Utf8Path::new(&stage).join("results");
        if results.is_dir() {
            let words = format!("there is no folder {path}: perhaps {results} is meant");
            return Err(Failure::Input(plain(&words).into()));
        }
    }
    let run = if jobs.is_empty() {
        Run::read(path)
    } else {
        Run::read_jobs(path, jobs)
    };
    run.map_err(input)
}

/// The run to report, and the one to compare it with.
fn sides(folder: &Utf8Path, arguments: &Arguments) -> Result<(Run, Option<Run>), Failure> {
    let (run, before) = match &arguments.against {
        Some(earlier) => {
            let (run, before) = read_both(folder, arguments, earlier)?;
            (run, Some(before))
        }
        None => (read(folder, &arguments.job)?, None),
    };
    let own = || match &arguments.model {
        Some(model) => of_model(&run, "--model", model),
        None => Ok(run.clone()),
    };
    let Some(other) = &arguments.against_model else {
        // Earlier results of another model alone are compared with it all the same.
        let before = before.map(|before| match &arguments.model {
            Some(model) if before.models().contains(&model.as_str()) => before.of_model(model),
            _ => before,
        });
        return Ok((own()?, before));
    };
    let Some(before) = before else {
        let before = of_model(&run, "--against-model", other)?;
        return Ok((
            own_or_other(&run, arguments.model.as_deref(), other)?,
            Some(before),
        ));
    };
    Ok((own()?, Some(of_model(&before, "--against-model", other)?)))
}

/// The points of a model; without its name, those of the only one beside the other.
fn own_or_other(run: &Run, model: Option<&str>, other: &str) -> Result<Run, Failure> {
    let mut models = run.models();
    models.retain(|own| *own != other);
    let refused = |why: String| {
        Err(Failure::Input(
            format!("--against-model {}: {why}", plain(other)).into(),
        ))
    };
    match (model, models.as_slice()) {
        (Some(model), _) if model == other => {
            refused("--model names the same model, and it would be compared with itself".to_owned())
        }
        (Some(model), _) => of_model(run, "--model", model),
        (None, [own]) => Ok(run.of_model(own)),
        (None, []) => refused(format!(
            "{} has results of that model alone, and nothing to compare with them",
            run.path()
        )),
        (None, several) => refused(format!(
            "say with --model which one is compared with it: {}",
            listed(several)
        )),
    }
}

fn of_model(run: &Run, flag: &str, model: &str) -> Result<Run, Failure> {
    let of_model = run.of_model(model);
    if of_model.points().is_empty() {
        let there = match run.models().as_slice() {
            [] => "the results there name no model".to_owned(),
            models => format!("the models there are {}", listed(models)),
        };
        let words = format!(
            "{flag} {}: {} has no results of that model; {there}",
            plain(model),
            run.path()
        );
        return Err(Failure::Input(words.into()));
    }
    Ok(of_model)
}

/// Names of models, the first few.
fn listed(models: &[&str]) -> String {
    const MOST: usize = 10;
    let mut names: Vec<_> = models.iter().take(MOST).map(|model| plain(model)).collect();
    if models.len() > MOST {
        names.push(format!("and {} more", models.len() - MOST).into());
    }
    names.join(", ")
}

/// The run to report, and the earlier one. Jobs' numbers are a folder's name only
/// where there is such a folder.
fn read_both(
    results: &Utf8Path,
    arguments: &Arguments,
    earlier: &Utf8Path,
) -> Result<(Run, Run), Failure> {
    let jobs = arguments.job.as_slice();
    let job: Result<Vec<RunId>, ValueError> = earlier.as_str().split(',').map(str::parse).collect();
    let refused = |why: String| {
        let words = format!("--against {}: {why}", plain(earlier.as_str()));
        Err(Failure::Input(words.into()))
    };
    let job = match job {
        Ok(job) if !earlier.is_dir() => job,
        _ => {
            let earlier = results_of(earlier);
            let place = |folder: &Utf8Path| folder.canonicalize_utf8().ok();
            let is_same = earlier.is_dir() && place(results) == place(&earlier);
            if !is_same || jobs.is_empty() || arguments.against_model.is_some() {
                return Ok((read(results, jobs)?, read(&earlier, &[])?));
            }
            // Of the same folder, all other jobs.
            let rest = Run::read_other_jobs(results, jobs).map_err(input)?;
            let (own, other) = apart(&read(results, jobs)?, jobs, &rest);
            if own.points().is_empty() || other.points().is_empty() {
                let why = "it has results of these jobs alone, and nothing to compare with them";
                return refused(why.to_owned());
            }
            return Ok((own, other));
        }
    };
    // Another model of the same job is something else.
    let is_other_model =
        arguments.against_model.is_some() && arguments.against_model != arguments.model;
    if jobs.iter().any(|own| job.contains(own)) && !is_other_model {
        return refused(
            "--job names the same job, and it would be compared with itself".to_owned(),
        );
    }
    let before = read(results, &job)?;
    if before.points().is_empty() {
        return refused(format!("{results} has no results of that job"));
    }
    if !jobs.is_empty() {
        let run = read(results, jobs)?;
        if is_other_model {
            return Ok((run, before));
        }
        let (own, other) = apart(&run, jobs, &before);
        let is_empty = own.points().is_empty() || other.points().is_empty();
        if is_empty && !run.points().is_empty() {
            return refused(
                "one of the jobs went on from the other and measured nothing itself, so there is nothing to compare".to_owned(),
            );
        }
        return Ok((own, other));
    }
    let rest = Run::read_other_jobs(results, &job).map_err(input)?;
    if rest.points().is_empty() {
        return refused(format!(
            "{results} has results of that job alone, and nothing to compare with them"
        ));
    }
    Ok((rest, before))
}

/// The two sides, where one job resumed the other, or both the same: no point is compared with itself.
fn apart(run: &Run, jobs: &[RunId], before: &Run) -> (Run, Run) {
    let before = before.without_jobs(jobs);
    let points = before.points().iter();
    let earlier: Vec<_> = points.filter_map(Point::run).cloned().collect();
    (run.without_jobs(&earlier), before)
}

/// Why there is nothing to report, by the manifests where there are some.
fn no_points(run: &Run, jobs: &[RunId]) -> String {
    const MOST: usize = 3;
    let folder = run.path();
    let ends = run.manifests().iter().filter_map(|manifest| {
        let job = manifest.job_id.as_ref()?;
        Some(format!("job {job} {}", manifest.failure()?))
    });
    let ends: Vec<_> = ends.take(MOST).collect();
    let names: Vec<_> = jobs.iter().map(RunId::as_str).collect();
    if !ends.is_empty() {
        return format!("{folder} has no results: {}", ends.join("; "));
    }
    let is_tool_s = |problem: &ReadProblem| {
        let name = problem.file().file_name();
        name.is_some_and(|name| name.starts_with("profile_export"))
    };
    if jobs.is_empty() && run.problems().iter().any(is_tool_s) {
        format!("{folder} has no results that can be read: why not, is said above")
    } else if jobs.is_empty() {
        // Scripts, logs and results lie side by side in a stage path.
        let beside = folder.parent().map(|parent| parent.join("results"));
        let beside = beside.filter(|beside| beside.is_dir() && beside != folder);
        let hint = beside.map(|beside| format!("; write {}", command(&beside)));
        format!(
            "{folder} has no results: neither it nor a folder below it has a file of GenAI-Perf or AIPerf, such as \
             profile_export_genai_perf.csv or profile_export_aiperf.json{}",
            hint.unwrap_or_default()
        )
    } else {
        format!("{folder} has no results of job {}", names.join(" or "))
    }
}

/// Those of which there is neither a point nor a manifest.
fn jobs_without_results(run: &Run, jobs: &[RunId]) -> Vec<RunId> {
    let points = run.points().iter().filter_map(Point::run);
    let manifests = run.manifests().iter();
    let known: Vec<_> = points
        .chain(manifests.filter_map(|manifest| manifest.job_id.as_ref()))
        .collect();
    let of_array = |job: &RunId| format!("{job}-");
    let is_unknown = |job: &&RunId| {
        let is_of = |other: &&RunId| *other == *job || other.as_str().starts_with(&of_array(job));
        !known.iter().any(is_of)
    };
    jobs.iter().filter(is_unknown).cloned().collect()
}

fn write(path: &Utf8Path, text: &str) -> Result<(), Failure> {
    let written = Report::write(path, text).map_err(other)?;
    if is_quiet() {
        return Ok(());
    }
    tell(&match &written.backup {
        Some(backup) => format!("wrote {path}; what was there is kept as {backup}"),
        None => format!("wrote {path}"),
    });
    Ok(())
}
