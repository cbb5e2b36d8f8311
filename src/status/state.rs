//! The state of a job, as one word.

use std::fmt;

use serde::{Serialize, Serializer};

/// Makes [`JobState`] and its words from one table.
macro_rules! states {
    ($($(#[$doc:meta])* $variant:ident: $word:literal;)*) => {
        /// The state of a job, as Slurm puts it in one word. A flag, such as
        /// `COMPLETING`, stands in front of the state under it.
        ///
        /// ```
        /// use nim_slurm::JobState;
        ///
        /// assert_eq!(JobState::from_word("OUT_OF_MEMORY"), JobState::OutOfMemory);
        /// assert!(JobState::OutOfMemory.has_ended() && JobState::Pending.is_waiting());
        /// // Later releases have more words.
        /// let state = JobState::from_word("DREAMING");
        /// assert_eq!((state.to_string().as_str(), state.has_ended()), ("DREAMING", false));
        /// ```
        ///
        /// Source: squeue(1), "Job state codes", and Slurm's
        /// `src/common/slurm_protocol_defs.c`, `job_state_string`.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum JobState {
            $($(#[$doc])* $variant,)*
            /// A word that this crate does not know.
            Other(String),
        }

        impl JobState {
            /// The state that a word names.
            #[must_use]
            pub fn from_word(word: &str) -> Self {
                match word {
                    $($word => Self::$variant,)*
                    other => Self::Other(other.to_owned()),
                }
            }

            /// The word, as Slurm prints it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)*
                    Self::Other(word) => word,
                }
            }
        }
    };
}

states! {
    /// In the queue.
    Pending: "PENDING";
    /// It runs.
    Running: "RUNNING";
    /// It has its nodes and is stopped for now.
    Suspended: "SUSPENDED";
    /// It ended with exit code 0.
    Completed: "COMPLETED";
    /// A user or an administrator ended it, before or after it began.
    Cancelled: "CANCELLED";
    /// It ended with another exit code.
    Failed: "FAILED";
    /// Its time limit ended it.
    Timeout: "TIMEOUT";
    /// One of its nodes failed.
    NodeFail: "NODE_FAIL";
    /// Another job took its place.
    Preempted: "PREEMPTED";
    /// Its nodes did not start.
    BootFail: "BOOT_FAIL";
    /// It could not end before its deadline.
    Deadline: "DEADLINE";
    /// It used more memory than it had.
    OutOfMemory: "OUT_OF_MEMORY";
    /// It has ended, or was requeued, and its nodes are not free yet.
    Completing: "COMPLETING";
    /// It has its nodes, which are starting.
    Configuring: "CONFIGURING";
    /// Its size is changing.
    Resizing: "RESIZING";
    /// It is on its way back into the queue.
    Requeued: "REQUEUED";
    /// Another cluster of the federation requeued it.
    RequeueFed: "REQUEUE_FED";
    /// It is back in the queue, and held there.
    RequeueHold: "REQUEUE_HOLD";
    /// It is back in the queue, and held there for a special exit code.
    SpecialExit: "SPECIAL_EXIT";
    /// It keeps its nodes and is stopped by a signal.
    Stopped: "STOPPED";
    /// Another cluster of the federation runs it.
    Revoked: "REVOKED";
    /// Its reservation was deleted, so it is held.
    ReservationDeleted: "RESV_DEL_HOLD";
    /// A signal is on its way to it.
    Signaling: "SIGNALING";
    /// Its files are being staged out.
    StageOut: "STAGE_OUT";
}

impl JobState {
    /// True when nothing more comes of the job by itself: it is over, or held for its exit code.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        matches!(
            self,
            Self::Completed
                | Self::Cancelled
                | Self::Failed
                | Self::Timeout
                | Self::NodeFail
                | Self::Preempted
                | Self::BootFail
                | Self::Deadline
                | Self::OutOfMemory
                | Self::SpecialExit
                | Self::Revoked
        )
    }

    /// True when the job is in the queue and waits for its start.
    #[must_use]
    pub const fn is_waiting(&self) -> bool {
        matches!(
            self,
            Self::Pending
                | Self::Configuring
                | Self::Requeued
                | Self::RequeueFed
                | Self::RequeueHold
                | Self::SpecialExit
                | Self::ReservationDeleted
        )
    }
}

impl Serialize for JobState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
