//! Every typed value of the crate, for tests of what holds for all of them. A test in
//! `tests/public.rs` compares this list with what is public.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use nim_slurm::container::{EnvName, Image, Mount, PyxisRelease, Registry, SquashFile};
use nim_slurm::recipe::{
    AiperfVersion, ByteSize, DataFile, FileName, FilePattern, GenaiPerfVersion, HuggingFaceModel,
    Milliseconds, ModelPath, NgcModel, Precision, RecipeName, ResultName, Seconds, ServedModelName,
    Tokenizer, TokenizerRevision, UrlPath, UseCase, VariantName, Word,
};
use nim_slurm::results::{Gate, Metric, Statistic};
use nim_slurm::slurm::{
    Account, AcctgFreq, Array, BootDelay, ClusterConstraint, Clusters, Comment, Constraint,
    CoreSpec, Count, CpuFreq, Deadline, Dependency, Distribution, Exclusive, Export, FilePath,
    FreeText, GpuBind, GpuCount, GpuFreq, GpuType, Gres, GresFlags, Hint, JobId, JobName, JobTime,
    KillOnInvalidDep, Licenses, MailType, MailUser, MemBind, MemUpdate, Memory, MemoryPerGpu, Nice,
    NoKill, NodeCount, NodeList, NodeShape, OomKillStep, OpenMode, OutputPattern, Partition,
    Passthrough, Power, Priority, Profile, Propagate, Qos, Release, Requeue, Reservation,
    ResvPorts, ScriptBody, Signal, SmallCount, SubmittedJob, Switches, ThreadSpec, TimeLimit,
    TresBind, TresPerTask, WaitAllNodes, Wckey,
};
use nim_slurm::{
    Decimal, FolderPath, Hook, Length, Load, ModuleName, Mpi, NoProxy, Percentile, ProxyUrl, RunId,
    ScriptKind, StagePath, ValueError,
};
use serde::de::DeserializeOwned;

/// What all values have in common.
pub(crate) trait Value:
    FromStr<Err = ValueError> + DeserializeOwned + Display + PartialEq + Debug
{
}

impl<T> Value for T where
    T: FromStr<Err = ValueError> + DeserializeOwned + Display + PartialEq + Debug
{
}

/// What is done with each type.
pub(crate) trait Visitor {
    fn visit<T: Value>(&mut self, name: &'static str);
}

#[expect(clippy::too_many_lines, reason = "a list")]
pub(crate) fn every_value(visitor: &mut impl Visitor) {
    macro_rules! each {
        ($($type:ty),* $(,)?) => {
            $(visitor.visit::<$type>(stringify!($type));)*
        };
    }
    each!(
        Account,
        AcctgFreq,
        AiperfVersion,
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
        DataFile,
        Deadline,
        Decimal,
        Dependency,
        Distribution,
        EnvName,
        Exclusive,
        Export,
        FileName,
        FilePath,
        FilePattern,
        FolderPath,
        FreeText,
        Gate,
        GenaiPerfVersion,
        GpuBind,
        GpuCount,
        GpuFreq,
        GpuType,
        Gres,
        GresFlags,
        Hint,
        Hook,
        HuggingFaceModel,
        Image,
        JobId,
        JobName,
        JobTime,
        KillOnInvalidDep,
        Length,
        Licenses,
        Load,
        MailType,
        MailUser,
        MemBind,
        MemUpdate,
        Memory,
        MemoryPerGpu,
        Metric,
        Milliseconds,
        ModelPath,
        ModuleName,
        Mount,
        Mpi,
        NgcModel,
        Nice,
        NoKill,
        NoProxy,
        NodeCount,
        NodeList,
        NodeShape,
        OomKillStep,
        OpenMode,
        OutputPattern,
        Partition,
        Passthrough,
        Percentile,
        Power,
        Precision,
        Priority,
        Profile,
        Propagate,
        ProxyUrl,
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
        ScriptBody,
        ScriptKind,
        Seconds,
        ServedModelName,
        Signal,
        SmallCount,
        SquashFile,
        StagePath,
        Statistic,
        SubmittedJob,
        Switches,
        ThreadSpec,
        TimeLimit,
        Tokenizer,
        TokenizerRevision,
        TresBind,
        TresPerTask,
        UrlPath,
        UseCase,
        VariantName,
        WaitAllNodes,
        Wckey,
        Word,
    );
}
