//! What holds for all typed values.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use nim_slurm::container::{EnvName, Image, Mount, PyxisRelease, Registry, SquashFile};
use nim_slurm::recipe::{
    ByteSize, FileName, GenaiPerfVersion, NgcModel, RecipeName, ResultName, ServedModelName,
    Tokenizer, UrlPath, UseCase, Word,
};
use nim_slurm::slurm::{
    Account, AcctgFreq, Array, BootDelay, ClusterConstraint, Clusters, Comment, Constraint,
    CoreSpec, Count, CpuFreq, Dependency, Directives, Distribution, Exclusive, Export, FilePath,
    FreeText, GpuBind, GpuCount, GpuFreq, Gres, GresFlags, Hint, JobId, JobName, JobTime,
    KillOnInvalidDep, Licenses, MailType, MailUser, MemBind, MemUpdate, Memory, Nice, NoKill,
    NodeCount, NodeList, NodeShape, OomKillStep, OpenMode, OptionName, OutputPattern, Partition,
    Passthrough, Power, Priority, Profile, Propagate, Qos, Release, Requeue, Reservation,
    ResvPorts, Signal, SmallCount, SubmittedJob, Switches, ThreadSpec, TimeLimit, TresBind,
    TresPerTask, WaitAllNodes,
};
use nim_slurm::{Mpi, Plan, Recipe, RunId, Script, Settings, StagePath, ValueError};
use proptest::prelude::*;

/// What is accepted is shown in a form that is accepted and means the same.
fn check<T>(text: &str)
where
    T: FromStr<Err = ValueError> + Display + PartialEq + Debug,
{
    match text.parse::<T>() {
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
    macro_rules! each {
        ($($type:ty),* $(,)?) => {
            $(check::<$type>(text);)*
        };
    }
    each!(
        Account,
        AcctgFreq,
        Array,
        BootDelay,
        ByteSize,
        ClusterConstraint,
        Clusters,
        Comment,
        Constraint,
        CoreSpec,
        Count,
        CpuFreq,
        Dependency,
        Distribution,
        EnvName,
        Exclusive,
        Export,
        FileName,
        FilePath,
        FreeText,
        GenaiPerfVersion,
        GpuBind,
        GpuCount,
        GpuFreq,
        Gres,
        GresFlags,
        Hint,
        Image,
        JobId,
        JobName,
        JobTime,
        KillOnInvalidDep,
        Licenses,
        MailType,
        MailUser,
        MemBind,
        MemUpdate,
        Memory,
        Mount,
        Mpi,
        NgcModel,
        Nice,
        NoKill,
        NodeCount,
        NodeList,
        NodeShape,
        OomKillStep,
        OpenMode,
        OutputPattern,
        Partition,
        Passthrough,
        Power,
        Priority,
        Profile,
        Propagate,
        PyxisRelease,
        Qos,
        RecipeName,
        Registry,
        Release,
        Requeue,
        Reservation,
        ResultName,
        ResvPorts,
        RunId,
        ServedModelName,
        Signal,
        SmallCount,
        SquashFile,
        StagePath,
        SubmittedJob,
        Switches,
        ThreadSpec,
        TimeLimit,
        Tokenizer,
        TresBind,
        TresPerTask,
        UrlPath,
        UseCase,
        WaitAllNodes,
        Word,
    );
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

#[test]
fn types_can_cross_threads() {
    fn crosses<T: Send + Sync + 'static>() {}
    crosses::<Directives>();
    crosses::<Recipe>();
    crosses::<Settings>();
    crosses::<Plan>();
    crosses::<Script>();
    crosses::<nim_slurm::Sbatch>();
    crosses::<nim_slurm::Queue>();
    crosses::<nim_slurm::Follower>();
    crosses::<nim_slurm::Progress>();
    crosses::<ValueError>();
    crosses::<nim_slurm::FileError>();
    crosses::<nim_slurm::PlanError>();
    crosses::<nim_slurm::SubmitError>();
    crosses::<nim_slurm::ChainError>();
    crosses::<nim_slurm::StatusError>();
    crosses::<nim_slurm::VariableError>();
    crosses::<nim_slurm::WriteError>();
}
