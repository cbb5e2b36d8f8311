//! What holds for all typed values.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use nim_slurm::JobState;
use nim_slurm::results::{Metric, PointName, Statistic};
use nim_slurm::slurm::{
    Array, Directives, JobTime, Memory, NodeCount, NodeList, OptionName, Passthrough, Signal,
    TimeLimit,
};
use proptest::prelude::*;
use serde::de::value::{Error, StrDeserializer};

use self::every_value::{Value, Visitor, every_value};
use self::same::assert_same;

#[path = "common/every_value.rs"]
mod every_value;
#[path = "common/same.rs"]
mod same;

/// What is accepted is shown in a form that is accepted and means the same.
fn check<T: Value>(text: &str) {
    let read = text.parse::<T>();
    // A settings file is read with the same check, and tells the same.
    let from_file = T::deserialize(StrDeserializer::<Error>::new(text));
    match (&read, &from_file) {
        (Ok(value), Ok(same)) => assert_eq!(value, same),
        (Err(error), Err(same)) => assert_eq!(error.to_string(), same.to_string()),
        _ => panic!("{text:?} is {read:?} as text and {from_file:?} in a file"),
    }
    match read {
        Ok(value) => {
            let shown = value.to_string();
            assert_eq!(
                shown.parse::<T>().as_ref(),
                Ok(&value),
                "{text:?} is shown as {shown:?}"
            );
            assert!(!shown.contains('\0'));
        }
        Err(error) => {
            assert_eq!(error.given(), text);
            let sentence = error.to_string();
            assert!(sentence.contains(error.value_name()), "{sentence}");
            assert!(
                !sentence.ends_with('.') && !sentence.contains('\n') && sentence.len() < 1500,
                "{sentence}"
            );
        }
    }
}

fn check_all(text: &str) {
    struct Check<'a>(&'a str);

    impl Visitor for Check<'_> {
        fn visit<T: Value>(&mut self, _name: &'static str) {
            check::<T>(self.0);
        }
    }

    every_value(&mut Check(text));
    let names = (
        OptionName::from_key(text).map(OptionName::key),
        Metric::from_name(text).map(Metric::name),
        Statistic::from_name(text).map(Statistic::name),
    );
    assert!(
        [names.0, names.1, names.2]
            .into_iter()
            .flatten()
            .all(|name| name == text)
    );
    if let Some(point) = PointName::parse(text) {
        assert!(text.starts_with(point.model()), "{text:?}");
    }
    assert_eq!(JobState::from_word(text).as_str(), text);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in any::<String>()) {
        check_all(&text);
    }

    #[test]
    fn text_of_the_trade(text in "[a-z0-9:,/@%#=+*|&()\\[\\]. _-]{0,24}") {
        check_all(&text);
    }

    #[test]
    fn numbers(text in "[0-9]{1,30}[-:,kKmMgGtT%]{0,2}[0-9]{0,12}") {
        check_all(&text);
    }

    #[test]
    fn limits_from_durations(seconds in 1_u64..2_147_483_640, nanos in 0_u32..1_000_000_000) {
        let duration = Duration::new(seconds, nanos);
        let limit = TimeLimit::from_duration(duration).unwrap();
        let read = limit.duration().unwrap();
        prop_assert!(read >= duration && read < duration + Duration::from_secs(60));
        prop_assert_eq!(TimeLimit::parse(limit.as_str()), Ok(limit.clone()));
        prop_assert_eq!(TimeLimit::from_duration(read), Ok(limit));
    }

    #[test]
    fn limits_as_the_parts_say(days in 0_u64..9999, hours in 0_u64..24, minutes in 0_u64..60, seconds in 0_u64..60) {
        let total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds;
        prop_assume!(total > 0);
        let limit = TimeLimit::parse(&format!("{days}-{hours}:{minutes:02}:{seconds:02}")).unwrap();
        prop_assert_eq!(limit.duration(), Some(Duration::from_secs(total.div_ceil(60) * 60)));
    }

    #[test]
    fn memory_in_units(mebibytes in 1_u64..=1 << 30) {
        let memory = Memory::from_mebibytes(mebibytes).unwrap();
        prop_assert_eq!((memory.mebibytes(), memory.bytes()), (mebibytes, mebibytes << 20));
        prop_assert_eq!(Memory::parse(&memory.to_string()), Ok(memory));
    }

    #[test]
    fn arrays_by_index(first in 0_u32..500, length in 0_u32..500, step in 1_usize..9, other in 0_u32..1000) {
        let last = first + length;
        let array = Array::parse(&format!("{first}-{last}:{step},{other}%3")).unwrap();
        prop_assert!(array.indexes().eq((first..=last).step_by(step).chain([other])));
        prop_assert_eq!(Array::parse(array.as_str()), Ok(array));
    }

    #[test]
    fn nodes_by_name(first in 0_u64..500, length in 0_u64..500, width in 1_usize..6) {
        let list = NodeList::parse(&format!("n[{first:0width$}-{}],m", first + length)).unwrap();
        let names = (first..=first + length).map(|number| format!("n{number:0width$}"));
        prop_assert!(list.hosts().eq(names.chain(["m".to_owned()])));
    }

    #[test]
    fn signals_in_time(seconds in 1_u64..=65_535) {
        let warning = Duration::from_secs(seconds);
        let signal = Signal::for_batch_shell("USR1", warning).unwrap();
        prop_assert_eq!((signal.signal(), signal.warning()), ("USR1", warning));
        prop_assert!(signal.is_for_batch_shell());
        prop_assert_eq!(Signal::parse(signal.as_str()), Ok(signal));
    }

    #[test]
    fn times_from_now(seconds in 0_u64..2_147_483_647) {
        let time = JobTime::after(Duration::from_secs(seconds)).unwrap();
        prop_assert_eq!(time.delay(), Some(Duration::from_secs(seconds)));
    }

    #[test]
    fn counts_of_nodes(min in 1_u32..10_000, more in 0_u32..10_000) {
        let nodes = NodeCount::between(min..=min + more).unwrap();
        prop_assert_eq!(nodes.range(), min..=min + more);
        prop_assert_eq!(NodeCount::parse(&nodes.to_string()), Ok(nodes));
    }
}

/// No value that an option takes can smuggle in a second directive.
#[test]
fn no_option_takes_a_line_break() {
    for &name in OptionName::ALL {
        for text in ["a\n#SBATCH --uid=0", "1\n", "\r1", "a\0b", "gpu:8\n"] {
            assert!(
                Directives::new().set(name, text).is_err(),
                "{name} took {text:?}"
            );
        }
    }
    assert!(Passthrough::parse("--extra=a\n#SBATCH --uid=0").is_err());
}

/// No text goes beyond what the controller or the file system takes.
#[test]
fn no_option_takes_a_text_without_end() {
    for &name in OptionName::ALL {
        for unit in [
            "a,",
            "a",
            "1,",
            "1",
            "n[1-2],",
            "gpu:a:1,",
            "cpu=1,",
            "afterok:1,",
        ] {
            let long = unit.repeat(140_000 / unit.len());
            let long = long.trim_end_matches(',');
            assert!(
                Directives::new().set(name, long).is_err(),
                "{name} took {unit}"
            );
        }
    }
    assert!(Passthrough::parse(&format!("--new={}", "x".repeat(1024))).is_err());
}

/// Each option: its key, a value in TOML, and what sbatch is given.
const SAMPLES: &[(&str, &str, &str)] = &[
    ("job_name", "'70b #1'", "--job-name=70b #1"),
    ("account", "'proj'", "--account=proj"),
    ("partition", "'a,b'", "--partition=a,b"),
    ("qos", "'high'", "--qos=high"),
    ("reservation", "'maint'", "--reservation=maint"),
    ("wckey", "'key 7'", "--wckey=key 7"),
    ("mcs_label", "'group'", "--mcs-label=group"),
    ("clusters", "'all'", "--clusters=all"),
    ("cluster_constraint", "'!old'", "--cluster-constraint=!old"),
    ("licenses", "'a:2,b'", "--licenses=a:2,b"),
    ("constraint", "'a&b'", "--constraint=a&b"),
    ("prefer", "'a'", "--prefer=a"),
    ("batch", "'a'", "--batch=a"),
    ("nodelist", "'n[1-4]'", "--nodelist=n[1-4]"),
    ("nodefile", "'/nodes'", "--nodefile=/nodes"),
    ("exclude", "'n9'", "--exclude=n9"),
    ("extra_node_info", "'2:*:1'", "--extra-node-info=2:*:1"),
    ("sockets_per_node", "2", "--sockets-per-node=2"),
    ("cores_per_socket", "16", "--cores-per-socket=16"),
    ("threads_per_core", "1", "--threads-per-core=1"),
    ("mincpus", "4", "--mincpus=4"),
    ("tmp", "'1G'", "--tmp=1G"),
    ("contiguous", "true", "--contiguous"),
    ("spread_job", "true", "--spread-job"),
    ("use_min_nodes", "true", "--use-min-nodes"),
    ("nodes", "'1-4'", "--nodes=1-4"),
    ("ntasks", "3", "--ntasks=3"),
    ("ntasks_per_node", "4", "--ntasks-per-node=4"),
    ("ntasks_per_socket", "2", "--ntasks-per-socket=2"),
    ("ntasks_per_core", "1", "--ntasks-per-core=1"),
    ("ntasks_per_gpu", "1", "--ntasks-per-gpu=1"),
    ("ntasks_per_tres", "1", "--ntasks-per-tres=1"),
    ("cpus_per_task", "8", "--cpus-per-task=8"),
    ("cpus_per_gpu", "8", "--cpus-per-gpu=8"),
    (
        "tres_per_task",
        "'cpu=8,gres/gpu=1'",
        "--tres-per-task=cpu=8,gres/gpu=1",
    ),
    ("overcommit", "true", "--overcommit"),
    ("core_spec", "0", "--core-spec=0"),
    ("thread_spec", "2", "--thread-spec=2"),
    (
        "distribution",
        "'Block:Cyclic'",
        "--distribution=block:cyclic",
    ),
    ("hint", "'nomultithread'", "--hint=nomultithread"),
    (
        "cpu_freq",
        "'Low-High:OnDemand'",
        "--cpu-freq=low-high:ondemand",
    ),
    ("gres", "'gpu:h100:8'", "--gres=gpu:h100:8"),
    ("gpus_per_node", "8", "--gpus-per-node=8"),
    ("gpus", "'h100:8'", "--gpus=h100:8"),
    ("gpus_per_task", "1", "--gpus-per-task=1"),
    ("gpus_per_socket", "1", "--gpus-per-socket=1"),
    ("gpu_bind", "'closest'", "--gpu-bind=closest"),
    ("gpu_freq", "'high'", "--gpu-freq=high"),
    (
        "gres_flags",
        "'enforce-binding'",
        "--gres-flags=enforce-binding",
    ),
    (
        "tres_bind",
        "'gres/gpu:closest'",
        "--tres-bind=gres/gpu:closest",
    ),
    ("mem", "0", "--mem=0"),
    ("mem_per_cpu", "'4g'", "--mem-per-cpu=4G"),
    ("mem_per_gpu", "'64GB'", "--mem-per-gpu=64G"),
    ("mem_bind", "'local'", "--mem-bind=local"),
    ("mem_update", "'10@60'", "--mem-update=10@60"),
    ("oom_kill_step", "true", "--oom-kill-step=1"),
    ("exclusive", "true", "--exclusive"),
    ("oversubscribe", "true", "--oversubscribe"),
    ("time", "'1-12:00'", "--time=1-12:00"),
    ("time_min", "30", "--time-min=30"),
    ("begin", "'Now+2hours'", "--begin=now+2hours"),
    (
        "deadline",
        "'2030-01-31t12:00'",
        "--deadline=2030-01-31T12:00",
    ),
    ("delay_boot", "10", "--delay-boot=10"),
    ("wait_all_nodes", "1", "--wait-all-nodes=1"),
    ("reboot", "true", "--reboot"),
    ("array", "'0-15%4'", "--array=0-15%4"),
    ("dependency", "'afterok:7'", "--dependency=afterok:7"),
    ("kill_on_invalid_dep", "'yes'", "--kill-on-invalid-dep=yes"),
    ("hold", "true", "--hold"),
    ("nice", "true", "--nice=100"),
    ("priority", "'top'", "--priority=TOP"),
    ("signal", "'b:usr1@60'", "--signal=B:USR1@60"),
    ("requeue", "true", "--requeue"),
    ("no_requeue", "true", "--no-requeue"),
    ("no_kill", "'no'", "--no-kill=off"),
    ("open_mode", "'append'", "--open-mode=append"),
    ("output", "'%x-%j.out'", "--output=%x-%j.out"),
    ("error", "'%j.err'", "--error=%j.err"),
    ("input", "'/dev/null'", "--input=/dev/null"),
    ("chdir", "'/scratch'", "--chdir=/scratch"),
    ("export", "'ALL'", "--export=ALL"),
    ("export_file", "'/env'", "--export-file=/env"),
    ("get_user_env", "true", "--get-user-env"),
    ("propagate", "'rlimit_core'", "--propagate=CORE"),
    ("comment", "'a \"b\"'", "--comment=a \"b\""),
    ("extra", "'x=1'", "--extra=x=1"),
    ("mail_type", "'end'", "--mail-type=END"),
    ("mail_user", "'me@site.org'", "--mail-user=me@site.org"),
    ("acctg_freq", "30", "--acctg-freq=30"),
    ("profile", "'Task'", "--profile=task"),
    ("power", "'level'", "--power=level"),
    ("bb", "'capacity=1G'", "--bb=capacity=1G"),
    ("bbf", "'/bb'", "--bbf=/bb"),
    ("container", "'/bundle'", "--container=/bundle"),
    ("container_id", "'c1'", "--container-id=c1"),
    ("container_type", "'oci'", "--container-type=oci"),
    ("context", "'u:r:t'", "--context=u:r:t"),
    ("resources", "'r=1'", "--resources=r=1"),
    ("stepmgr", "true", "--stepmgr"),
    ("network", "'x'", "--network=x"),
    ("resv_ports", "true", "--resv-ports"),
    ("switches", "'1@10:00'", "--switches=1@10:00"),
    ("segment", "4", "--segment=4"),
    ("consolidate_segments", "true", "--consolidate-segments"),
    ("spread_segments", "true", "--spread-segments"),
];

#[test]
fn each_option_has_one_spelling() {
    let sampled = SAMPLES.iter().map(|&(key, ..)| key);
    let named = OptionName::ALL.iter().map(|name| name.key());
    assert_same("SAMPLES of tests/values.rs", sampled, named);
    for (&(key, value, argument), option) in SAMPLES.iter().zip(OptionName::ALL) {
        assert_eq!(key, option.key(), "SAMPLES has the order of options.rs");
        let from_toml: Directives = toml::from_str(&format!("{key} = {value}")).unwrap();
        assert_eq!(from_toml.arguments(), [argument]);
        // What is shown is read as the same, from TOML and from a command line.
        let shown = toml::to_string(&from_toml).unwrap();
        assert_eq!(
            toml::from_str::<Directives>(&shown).as_ref(),
            Ok(&from_toml)
        );
        let name = OptionName::from_key(key).unwrap();
        let mut from_text = Directives::new();
        from_text
            .set(name, &from_toml.get(name).unwrap())
            .unwrap_or_else(|error| panic!("{key}: {error}"));
        assert_eq!(from_text, from_toml);
        // No other way leads around the type; passed through, switches have it, too.
        if name != OptionName::Switches {
            let error = Passthrough::parse(argument).unwrap_err().to_string();
            assert!(
                error.ends_with(&format!("use the key {key} for --{}", name.long())),
                "{error}"
            );
        }
        let left_out: Directives = toml::from_str(&format!("{key} = false")).unwrap();
        assert!(left_out.is_omitted(name));
    }
}

#[test]
fn what_no_script_may_say_is_explained() {
    for (key, words) in [
        (
            "wait",
            "no key \"wait\": --wait: it has no place in a script",
        ),
        (
            "wrap",
            "no key \"wrap\": --wrap: it has no place in a script",
        ),
        (
            "uid",
            "no key \"uid\": --uid: only root may submit for others",
        ),
        (
            "cluster",
            "another name of --clusters: use the key clusters",
        ),
        ("tasks_per_node", "use the key ntasks_per_node"),
        (
            "container_image",
            "sbatch would run the whole script in the container",
        ),
        ("partiton", "unknown key \"partiton\""),
    ] {
        let error = toml::from_str::<Directives>(&format!("{key} = 'x'")).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
}

/// The same typed value from a TOML text, and from a bare number where it is one.
#[test]
fn serde_uses_the_same_check() {
    #[derive(serde::Deserialize, Debug)]
    struct Table {
        time: TimeLimit,
        nodes: NodeCount,
        mem: Memory,
    }

    let table: Table = toml::from_str("time = 30\nnodes = '1-4'\nmem = 0").unwrap();
    assert_eq!(
        (table.time.minutes(), table.nodes.max(), table.mem.is_all()),
        (Some(30), 4, true)
    );
    let error = toml::from_str::<Table>("time = 30\nnodes = -4\nmem = 0")
        .unwrap_err()
        .to_string();
    assert!(error.contains("line 2, column 9"), "{error}");
    assert!(
        error.contains("cannot take \"-4\" as node count: a range needs both ends, as in 1-4"),
        "{error}"
    );
}

/// The sources of the crate, without their unit tests.
fn sources(folder: &Path, texts: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, texts);
        } else {
            let text = fs::read_to_string(&path).unwrap();
            let (code, _) = text
                .split_once("#[cfg(test)]\nmod tests {\n")
                .unwrap_or((&text, ""));
            texts.push(code.to_owned());
        }
    }
}

/// The word with which a text begins.
fn first_word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

/// What is read as a part of settings, of a recipe, of a manifest, or of a tool's results.
const FILE_PARTS: &[&str] = &[
    "Architecture",
    "AroundTable",
    "ArrayBy",
    "Arrival",
    "Choice",
    "Client",
    "ClientOptions",
    "ClientTool",
    "Cluster",
    "ContainerTable",
    "Message",
    "Count",
    "DataFormat",
    "DataSet",
    "Decimal",
    "Directives",
    "Engine",
    "Event",
    "Exchange",
    "Goal",
    "Goodput",
    "GpuRequest",
    "HooksTable",
    "JobOptions",
    "Key",
    "LaunchTable",
    "Manifest",
    "Measured",
    "Metadata",
    "Model",
    "NodeUse",
    "OptionKey",
    "Other",
    "Part",
    "Piece",
    "PointRow",
    "Prefix",
    "PrefixCache",
    "Proxy",
    "Recipe",
    "Record",
    "RecordMetrics",
    "ReplicaUse",
    "RunImage",
    "RunImages",
    "Runtime",
    "Search",
    "SearchGoal",
    "SearchedLoad",
    "Server",
    "SettingsFile",
    "SrunTable",
    "Sweep",
    "Tensor",
    "Tensors",
    "Usage",
    "UseCase",
    "UseCaseTable",
    "Variant",
    "Weights",
    "WeightsTable",
];

/// The types that serde reads, but for the values.
fn file_parts(code: &str) -> Vec<&str> {
    let by_hand = code.lines().filter_map(|line| {
        let (_, name) = line.split_once("Deserialize<'de> for ")?;
        Some(first_word(name))
    });
    let derived = code.split("#[derive(").skip(1).filter_map(|text| {
        let (derives, rest) = text.split_once(')')?;
        let (_, name) = rest
            .split_once("struct ")
            .into_iter()
            .chain(rest.split_once("enum "))
            .min_by_key(|(before, _)| before.len())?;
        derives.contains("Deserialize").then(|| first_word(name))
    });
    by_hand
        .chain(derived)
        .filter(|name| !name.is_empty())
        .collect()
}

/// `tests/memory.rs` and `tests/mutated_files.rs` read them whole.
#[test]
fn every_part_of_a_file_is_in_the_list() {
    let mut texts = Vec::new();
    sources(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut texts,
    );
    let parts: BTreeSet<_> = texts.iter().flat_map(|code| file_parts(code)).collect();
    let place = "FILE_PARTS of tests/values.rs";
    assert_same(place, FILE_PARTS.iter().copied(), parts);
}
