//! Options with few words.

use std::fmt;

use crate::value::{Fault, value};

/// A flag that is set.
///
/// ```
/// use nim_slurm::slurm::{Directives, Flag};
///
/// assert_eq!(Directives::new().hold(Flag).arguments(), ["--hold"]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Flag;

/// Makes an enum of the words that an option takes. The word of a variant is how it
/// is written; others that mean the same may follow it.
macro_rules! words {
    ($(
        $(#[$doc:meta])*
        $type:ident, $name:literal, $allowed:literal {
            $($(#[$variant_doc:meta])* $variant:ident = $word:literal $(| $other:literal)*,)*
        }
    )*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
            #[non_exhaustive]
            pub enum $type {
                $($(#[$variant_doc])* $variant,)*
            }

            impl $type {
                fn check(text: &str) -> Result<Self, Fault> {
                    match text.to_ascii_lowercase().as_str() {
                        $($word $(| $other)* => Ok(Self::$variant),)*
                        _ => Err(Fault::rule($allowed)),
                    }
                }
            }

            impl fmt::Display for $type {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str(match self {
                        $(Self::$variant => $word,)*
                    })
                }
            }

            value!($type, $name);
        )*
    };
}

words! {
    /// Whether the job shares its nodes.
    ///
    /// # Syntax
    ///
    /// * `true` (or nothing): no other job runs there. The job gets all CPUs and
    ///   GPUs, but of the memory only what it asks for: say `mem = 0` as well
    /// * `user`, `mcs`: other jobs of the same user or group may run there
    /// * `topo`: no other job in the same topology block (Slurm 24.05)
    ///
    /// Source: sbatch(1), `--exclusive`.
    ///
    /// # Errors
    ///
    /// * `group`: no such word
    ///
    /// ```
    /// use nim_slurm::slurm::Exclusive;
    ///
    /// assert_eq!(Exclusive::parse("user")?, Exclusive::User);
    /// assert!(Exclusive::parse("group").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Exclusive, "kind of exclusive node", "true, user, mcs and topo are allowed" {
        /// No other job on the nodes.
        Node = "true" | "",
        /// Only jobs of the same user.
        User = "user",
        /// Only jobs of the same security group.
        Mcs = "mcs",
        /// No other job in the same topology block.
        Topo = "topo",
    }

    /// What happens to an output file that is there.
    ///
    /// # Syntax
    ///
    /// `append` or `truncate`. Slurm looks at the first letter alone; here the word
    /// must be whole. Source: sbatch(1), `--open-mode`.
    ///
    /// # Errors
    ///
    /// * `apple`: Slurm reads append
    ///
    /// ```
    /// use nim_slurm::slurm::OpenMode;
    ///
    /// assert_eq!(OpenMode::parse("append")?, OpenMode::Append);
    /// assert!(OpenMode::parse("apple").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    OpenMode, "open mode", "append and truncate are allowed" {
        /// Keep it, and write behind it: a requeued job keeps its earlier output.
        Append = "append",
        /// Start it again.
        Truncate = "truncate",
    }

    /// That the job may be queued again, after a failure of its node or by hand.
    ///
    /// # Syntax
    ///
    /// `true` (or nothing), or `expedite`: then ahead of others (Slurm 25.11).
    /// Source: sbatch(1), `--requeue`.
    ///
    /// # Errors
    ///
    /// * `5`: how often is not for sbatch to say
    ///
    /// ```
    /// use nim_slurm::slurm::{Directives, Requeue};
    ///
    /// assert_eq!(Directives::new().requeue(Requeue::Allowed).arguments(), ["--requeue"]);
    /// assert!(Requeue::parse("5").is_err());
    /// ```
    Requeue, "way to be queued again", "true and expedite are allowed" {
        /// In its turn.
        Allowed = "true" | "" | "yes",
        /// Ahead of others.
        Expedite = "expedite",
    }

    /// Whether the job goes on when one of its nodes fails.
    ///
    /// # Syntax
    ///
    /// `true` (or nothing), and `off`. Source: sbatch(1), `--no-kill`.
    ///
    /// # Errors
    ///
    /// * `maybe`
    ///
    /// ```
    /// use nim_slurm::slurm::{Directives, NoKill};
    ///
    /// assert_eq!(Directives::new().no_kill(NoKill::Off).arguments(), ["--no-kill=off"]);
    /// assert!(NoKill::parse("maybe").is_err());
    /// ```
    NoKill, "no-kill setting", "true and off are allowed" {
        /// It goes on.
        On = "true" | "" | "yes" | "set",
        /// It ends.
        Off = "off" | "no",
    }

    /// Whether a job whose dependency can never hold is removed from the queue.
    ///
    /// # Syntax
    ///
    /// `yes` or `no`. Source: sbatch(1), `--kill-on-invalid-dep`.
    ///
    /// # Errors
    ///
    /// * `y`
    ///
    /// ```
    /// use nim_slurm::slurm::KillOnInvalidDep;
    ///
    /// assert_eq!(KillOnInvalidDep::parse("yes")?, KillOnInvalidDep::Yes);
    /// assert!(KillOnInvalidDep::parse("y").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    KillOnInvalidDep, "kill-on-invalid-dep setting", "yes and no are allowed" {
        /// It is removed.
        Yes = "yes",
        /// It waits for good.
        No = "no",
    }

    /// Whether a step is killed as a whole when one of its processes runs out of
    /// memory (Slurm 24.11).
    ///
    /// # Syntax
    ///
    /// `1` (also `true`) or `0`. Source: sbatch(1), `--oom-kill-step`.
    ///
    /// # Errors
    ///
    /// * `2`
    ///
    /// ```
    /// use nim_slurm::slurm::{Directives, OomKillStep};
    ///
    /// let directives = Directives::new().oom_kill_step(OomKillStep::WholeStep);
    /// assert_eq!(directives.arguments(), ["--oom-kill-step=1"]);
    /// assert!(OomKillStep::parse("2").is_err());
    /// ```
    OomKillStep, "oom-kill-step setting", "0 and 1 are allowed" {
        /// The whole step is killed.
        WholeStep = "1" | "true",
        /// Only the process is killed.
        Process = "0",
    }

    /// When the job begins, if its nodes must boot first.
    ///
    /// # Syntax
    ///
    /// `1`: when all are ready; `0`: when the first is. Source: sbatch(1),
    /// `--wait-all-nodes`.
    ///
    /// # Errors
    ///
    /// * `2`
    ///
    /// ```
    /// use nim_slurm::slurm::WaitAllNodes;
    ///
    /// assert_eq!(WaitAllNodes::parse("1")?, WaitAllNodes::All);
    /// assert!(WaitAllNodes::parse("2").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    WaitAllNodes, "wait-all-nodes setting", "0 and 1 are allowed" {
        /// When all nodes are ready.
        All = "1",
        /// When the first node is ready.
        First = "0",
    }

    /// What Slurm may do about the job's power (up to Slurm 23.11).
    ///
    /// # Syntax
    ///
    /// `level`. Source: sbatch(1) of 23.11, `--power`.
    ///
    /// # Errors
    ///
    /// * `low`: Slurm would drop it with a word in a log
    ///
    /// ```
    /// use nim_slurm::slurm::Power;
    ///
    /// assert_eq!(Power::parse("level")?, Power::Level);
    /// assert!(Power::parse("low").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Power, "power setting", "level is allowed" {
        /// All nodes get the same cap.
        Level = "level",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::{accepts, refuses};

    #[test]
    fn words() {
        accepts::<Exclusive>("USER", "user");
        accepts::<OpenMode>("Append", "append");
        accepts::<NoKill>("no", "off");
        accepts::<OomKillStep>("true", "1");
        refuses::<OpenMode>(
            "a",
            "cannot take \"a\" as open mode: append and truncate are allowed",
        );
        refuses::<Exclusive>(
            "x",
            "cannot take \"x\" as kind of exclusive node: true, user, mcs and topo are allowed",
        );
        refuses::<Power>(
            "foo",
            "cannot take \"foo\" as power setting: level is allowed",
        );
    }
}
