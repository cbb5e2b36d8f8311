//! What hostile images, model folders and neighbours try, one row each: who, what, and what
//! must hold. Many rows in one job; the runtimes' own tests (runtimes.rs) run those again
//! against which a container stands.
//!
//! Each row has a text of its own, in a file `canary.N` of each place that is not the
//! attacker's. When the job has ended, all of these are as they were, and the text is nowhere
//! else. So that each row can fail, `without_a_container_each_gets_out` runs the lines of
//! images with nothing around them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nim_slurm::ScriptKind::Launch;
use nim_slurm::container::Runtime;
use nim_slurm::recipe::ClientTool;
use nim_slurm::{HookPlace, Settings};

use crate::lab::{Job, Lab, Site, recipe, run, settings};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    /// The client's image.
    Client,
    /// The server's image.
    Server,
    /// Who made the model's folder.
    Model,
    /// Another user of the node.
    Node,
    /// Who else can write to the stage path.
    Stage,
    /// The recipe, and who names the job.
    Recipe,
}
use Who::{Client, Model, Node, Recipe, Server, Stage};

/// A row of the table.
struct Attack {
    who: Who,
    name: &'static str,
    /// What it tries, as lines of bash: an image's in its container, a neighbour's before the
    /// job starts. What they print is the loot.
    ///
    /// N is the row's number, H the user's home, S the stage path with R (results), L (logs)
    /// and M (the model); J the job, P its port, C the attacker's own folder, O what the batch
    /// script printed, X a file in the node's `/dev/shm`.
    tries: &'static str,
    /// A variable that the user has, whose value is the row's text.
    variable: &'static str,
    /// What must hold in the end, too, as lines of bash.
    holds: &'static str,
}

/// Of a row that is left out.
const NOTHING: &str = ":";

const ROW: Attack = Attack {
    who: Client,
    name: "",
    tries: "",
    variable: "",
    holds: "",
};

#[rustfmt::skip]
const IMAGE: &[Attack] = &[
    // -- what both images try, in turn
    Attack { name: "reads a file of the user's home", tries: r#"cat "$H/canary.$N""#, ..ROW },
    Attack { name: "writes to one", tries: r#"echo hers >>"$H/canary.$N""#, ..ROW },
    Attack { name: "leaves a program that the user's shell runs",
        tries: r#"echo true >"$H/.profile.$N""#, holds: r"[[ ! -e $H/.profile.$N ]]", ..ROW },
    Attack { name: "reads through a link of its own", tries: r#"ln -s "$H/canary.$N" "$C/link.$N"; cat "$C/link.$N""#, ..ROW },
    Attack { name: "writes through one", tries: r#"ln -s "$H/canary.$N" "$C/link.$N"; echo hers >"$C/link.$N""#, ..ROW },
    Attack { name: "walks up from its folder", tries: r#"cd "$C"; cat ../../canary.$N ../../../canary.$N ../../../../home/canary.$N"#, ..ROW },
    Attack { name: "leaves a program that runs as the user, for all",
        tries: r#"cp /bin/cat "$C/x.$N" && chmod 4755 "$C/x.$N" && chmod 777 "$C""#,
        holds: r#"[[ -z $(find "$R" "$S/nim_cache" -name "x.$N" -perm -4000 -printf '%h\n' |
            while read -r at; do stat -c %a "${at%/*}"; done | grep -vx 700) ]]"#, ..ROW },
    Attack { name: "reads another job's results", tries: r#"cat "$R"/canary.$N"#, ..ROW },
    Attack { name: "changes them", tries: r#"echo hers >"$R/canary.$N""#, ..ROW },
    Attack { name: "removes them", tries: r#"rm -rf "$R"/canary.$N"#, ..ROW },
    Attack { name: "reads the logs", tries: r#"cat "$L"/canary.$N"#, ..ROW },
    Attack { name: "changes them", tries: r#"echo hers >"$L/canary.$N""#, ..ROW },
    Attack { name: "tells launch.sh that the job is stopping",
        tries: r#"mkdir "$L/.stopping_$J.$N""#, holds: r"[[ ! -e $L/.stopping_$J.$N ]]", ..ROW },
    Attack { name: "leaves a point of its own in results",
        tries: r#"mkdir "$R/llama-3-70b-instruct_4_${N}9_chat_32_16_$J""#,
        holds: r"[[ ! -e $R/llama-3-70b-instruct_4_${N}9_chat_32_16_$J ]]", ..ROW },
    Attack { name: "leaves a manifest there", tries: r#"echo hers >"$R/run_9$N.json""#, holds: r"[[ ! -e $R/run_9$N.json ]]", ..ROW },
    Attack { name: "changes the model", tries: r#"echo hers >>"$M/canary.$N""#, ..ROW },
    Attack { name: "adds code to the model", tries: r#"echo hers >"$M/modeling.$N.py""#, holds: r"[[ ! -e $M/modeling.$N.py ]]", ..ROW },
    Attack { name: "removes a file of the model", tries: r#"rm -f "$M/canary.$N""#, ..ROW },
    Attack { name: "exchanges an image", tries: r#"echo hers >"$S/canary.$N""#, ..ROW },
    Attack { name: "reads another recipe's cache", tries: r#"cat "$S"/nim_cache/canary.$N"#, ..ROW },
    Attack { name: "leaves code in it", tries: r#"echo hers >"$S/nim_cache/canary.$N""#, ..ROW },
    Attack { name: "reads the hub's cache of another image", tries: r#"cat "$S"/hf_cache/canary.$N"#, ..ROW },
    Attack { name: "leaves code in it", tries: r#"echo hers >"$S/hf_cache/canary.$N""#, ..ROW },
    Attack { name: "looks for a token of the user's", variable: "GITHUB_TOKEN", tries: "env | grep -a canary-", ..ROW },
    Attack { name: "looks for a password", variable: "DB_PASSWORD", tries: "env | grep -a canary-", ..ROW },
    Attack { name: "looks for a key without an underscore", variable: "OPENAI_APIKEY", tries: "env | grep -a canary-", ..ROW },
    Attack { name: "looks for the hub's token, which it does not need", variable: "HF_TOKEN", tries: "env | grep -a canary-", ..ROW },
    Attack { name: "looks for a proxy's password", variable: "https_proxy", tries: "env | grep -a canary-", ..ROW },
    Attack { name: "looks for a word in an address", variable: "DATABASE_URL", tries: "env | grep -a canary-", ..ROW },
    Attack { name: SHARED_MEMORY, tries: r#"cat "$X"; echo hers >"$X""#, holds: r#"grep -qx "canary-$N-sings" "$X""#, ..ROW },
    Attack { name: OTHER_PROCESSES, tries: r#"cat /proc/[0-9]*/root"$H/canary.$N""#, ..ROW },
];
/// pyxis and apptainer share the node's.
const SHARED_MEMORY: &str = "reads the node's shared memory, and writes to it";
/// With pyxis, they are in sight, and the kernel keeps its container, which the lab's is not, from their files.
const OTHER_PROCESSES: &str = "reads the user's home by way of the job's other processes";

/// What is no attack on this runtime.
fn left_out(runtime: Runtime) -> &'static [&'static str] {
    match runtime {
        Runtime::Podman => &[],
        Runtime::Apptainer => &[SHARED_MEMORY],
        _ => &[SHARED_MEMORY, OTHER_PROCESSES],
    }
}

#[rustfmt::skip]
const OTHERS: &[Attack] = &[
    // -- the client's image, against launch.sh: each has a point of the sweep to spoil
    Attack { name: "a point has a link", tries: r#"make_point 2; ln -s "$H/canary.$N" "$point/a.log"; leave_point"#,
        holds: "not_out 2", ..ROW },
    Attack { name: "a point has a FIFO", tries: r#"make_point 3; mkfifo "$point/a.log"; leave_point"#, holds: "not_out 3", ..ROW },
    Attack { name: "a point has a device", tries: r#"make_point 4; mknod "$point/a.log" c 1 5; leave_point"#, holds: "not_out 4", ..ROW },
    Attack { name: "a point is a link", tries: r#"make_point 6; mkdir "$C/x.$N"; mv "$point" "$C/x.$N"; ln -s "$H" "$point"; leave_point"#,
        holds: "not_out 6", ..ROW },
    Attack { name: "a point gets links when it was looked at",
        tries: r#"make_point 7; (cd "$point"; leave_point; while [[ -e $C/finished/${point##*/} ]]; do sleep 0.05; done; sleep 0.3
            ln -s "$H/canary.$N" late; mkfifo pipe; cp /bin/true x; chmod u+s x) >/dev/null 2>&1 & sleep 0.2"#,
        holds: r#"point=$R/llama-3-70b-instruct_4_7_chat_32_16_$J; [[ -d $point && -z $(ls "$point" | grep -v measurement.txt) ]]"#, ..ROW },
    Attack { name: "writes on in a point when it was looked at",
        tries: r#"make_point 5; cp /bin/true "$point/x"; chmod u+s "$point/x"
            (exec 3>>"$point/open"; leave_point; while [[ -e $C/finished/${point##*/} ]]; do sleep 0.05; done; echo hers >&3) >/dev/null 2>&1 & sleep 0.2"#,
        holds: r"point=$R/llama-3-70b-instruct_4_5_chat_32_16_$J; [[ -f $point/open && ! -s $point/open && -f $point/x && ! -u $point/x ]]", ..ROW },
    Attack { name: "a failed point has a link for its log",
        tries: r#"make_point 8; ln -s "$H/canary.$N" "$point/genai-perf.log"; mkdir -p "$C/failed"; mv "$point" "$C/failed/""#,
        holds: r"[[ ! -e $R/failed_$J/llama-3-70b-instruct_4_8_chat_32_16_$J ]]", ..ROW },
    Attack { name: "a failed point's log, which is shown, moves the cursor",
        tries: r#"make_point 9; printf 'error: \e]0;attack\a \302\2332J\n' >"$point/genai-perf.log"; mkdir -p "$C/failed"; mv "$point" "$C/failed/""#,
        holds: r#"grep -q ']0;attack' "$O" && ! LC_ALL=C grep -q $'[\e\x9b]' "$O" "$R/run_$J.json""#, ..ROW },
    Attack { name: "names that mean something to bash",
        tries: r#"cd "$C"; mkdir -p finished failed; mkdir "finished/x]\$(touch $H)" 'failed/*' failed/@ 'finished/a[$(id)]'"#,
        holds: r#"ls "$R" | grep -vE '^(canary\.[0-9]+|(run|failed|interrupted)_[0-9]+.*|telemetry_[0-9.]+csv|llama-3-70b-instruct_4_[157]_chat_32_16_[0-9]+)$' | wc -l | grep -qx 0"#, ..ROW },
    Attack { name: "rows of points that are no rows",
        tries: r#"printf '%s\n' 'llama-3-70b-instruct_4_2_chat_32_16_'"$J"'|finished|9", "x": "|' 'a|b' >>"$C/points""#,
        holds: r#"! grep -q '"x"' "$R/run_$J.json" && [[ ! $(<"$R/run_$J.json") =~ _4_2_chat[^}]*\"finished\" ]]"#, ..ROW },
    Attack { name: "a state that is a FIFO", tries: r#"mkfifo "$C/state.7""#, holds: r#"grep -q "points are in" "$O""#, ..ROW },

    // The secret of all tests on Slurm is looked for, too.
    Attack { name: "looks for NGC's key, which is the server's", tries: "printenv NGC_API_KEY NGC_CLI_API_KEY", ..ROW },

    // -- who made the model's folder
    Attack { who: Model, name: "a link to a file of the user's, which the server reads", tries: r#"ln -s "$H/canary.$N" "$M/link""#,
        holds: r#"grep -q 'No such file' "$S"/nim_cache/*/*/read.link"#, ..ROW },
    Attack { who: Server, name: "reads that link", tries: r#"cat "$M/link" >"$C/read.link" 2>&1"#, ..ROW },
    Attack { who: Model, name: "a FIFO", tries: r#"mkfifo "$M/pipe""#, holds: r#"grep -q "points are in" "$O""#, ..ROW },
    Attack { who: Model, name: "a link to all of the disk, and one to itself", tries: r#"ln -s / "$M/all"; ln -s . "$M/loop""#,
        holds: r#"grep -q "points are in" "$O""#, ..ROW },
    Attack { who: Model, name: "a device without an end", tries: r#"mknod "$M/zero.safetensors" c 1 5"#,
        holds: r#"grep -q "points are in" "$O""#, ..ROW },

    // -- another user of the node
    Attack { who: Node, name: "a FIFO in the place of the port's claim", tries: r#"mkfifo "/tmp/nim-slurm-port-$P.$J""#,
        holds: r#"grep -q "points are in" "$O""#, ..ROW },
    Attack { who: Node, name: "a claim for a job that is not there", tries: r#"mkdir "/tmp/nim-slurm-port-$P.1""#,
        holds: r#"grep -q "points are in" "$O""#, ..ROW },
    Attack { who: Node, name: "a link to a home in the place of a claim", tries: r#"mkdir "$H/empty.$N"; ln -s "$H/empty.$N" "/tmp/nim-slurm-port-$P.2""#,
        holds: r"[[ -d $H/empty.$N ]]", ..ROW },

    // -- who else can write to the stage path
    Attack { who: Stage, name: "the server's log is a link", tries: r#"ln -s "$H/canary.$N" "$L/server_$J.out""#,
        holds: r"[[ -f $L/server_$J.out && ! -L $L/server_$J.out ]]", ..ROW },
    Attack { who: Stage, name: "the client's log is a FIFO", tries: r#"mkfifo "$L/benchmarking_$J.out""#,
        holds: r"[[ -f $L/benchmarking_$J.out ]]", ..ROW },
    Attack { who: Stage, name: "the manifest is a link", tries: r#"ln -s "$H/canary.$N" "$R/run_$J.json""#,
        holds: r"[[ -f $R/run_$J.json && ! -L $R/run_$J.json ]]", ..ROW },
    Attack { who: Stage, name: "the manifest's part is a FIFO", tries: r#"mkfifo "$R/run_$J.json.part""#,
        holds: r"[[ -f $R/run_$J.json && ! -L $R/run_$J.json ]]", ..ROW },
    Attack { who: Stage, name: "the port's claim is a FIFO", tries: r#"mkfifo "$L/.port_node1_$P.$J" "$L/.port_node2_$P.$J""#,
        holds: r#"grep -q "points are in" "$O""#, ..ROW },
    Attack { who: Stage, name: "the sign of the end is a link to a home", tries: r#"mkdir "$H/kept.$N"; touch "$H/kept.$N/file"; ln -s "$H/kept.$N" "$L/.stopping_$J""#,
        holds: r#"[[ $(ls -A "$H/kept.$N") == file ]]"#, ..ROW },
    Attack { who: Stage, name: "where failed points go is a link", tries: r#"mkdir "$H/kept.$N"; ln -s "$H/kept.$N" "$R/failed_$J""#,
        holds: r#"[[ -z $(ls -A "$H/kept.$N") && -d $R/failed_$J && ! -L $R/failed_$J ]]"#, ..ROW },
    Attack { who: Stage, name: "a manifest to resume that is without an end", tries: r#"ln -s /dev/zero "$R/run_7.json""#,
        holds: r#"grep -q "points are in" "$O""#, ..ROW },

    // -- what a recipe or a job's name says
    Attack { who: Recipe, name: "a job's name that counts restarts", tries: "true",
        holds: r#"grep -q '"restart": 0' "$R/run_$J.json""#, ..ROW },
    Attack { who: Recipe, name: "a variable that mounts the home, for the runtime", tries: "true",
        holds: r#"grep -q 'No such file' "$S"/nim_cache/*/*/read.mount"#, ..ROW },
    Attack { who: Server, name: "reads that mount", tries: r#"cat "/loot/canary.$N" >"$C/read.mount" 2>&1"#, ..ROW },
];

/// What each of these lines may use.
const COMMON: &str = r#"
take() { [[ ! -d $run/taken.$1 ]]; } # the client measures none that is made here
make_point() { point=$C/llama-3-70b-instruct_4_$1_chat_32_16_$J; mkdir -p "$point" "$C/taken.$((10 - $1))"; } # they go down
leave_point() { mkdir -p "$C/finished"; mv -nT "$point" "$C/finished/${point##*/}"; }
not_out() { [[ ! -e $R/llama-3-70b-instruct_4_$1_chat_32_16_$J && ! -L $R/llama-3-70b-instruct_4_$1_chat_32_16_$J ]]; }
"#;

fn text(row: usize) -> String {
    format!("canary-{row}-sings")
}

/// The table, against one user's stage path.
pub(crate) struct Attacks {
    rows: Vec<Attack>,
    home: PathBuf,
    stage: PathBuf,
    port: u16,
}

impl Attacks {
    /// All rows, or those of images alone against which a container stands; podman's stands
    /// against all.
    fn new(folder: &Path, only_contained: bool, runtime: Runtime) -> Self {
        let mut rows = Vec::new();
        for who in [Client, Server] {
            rows.extend(IMAGE.iter().map(|row| Attack { who, ..*row }));
        }
        for row in rows
            .iter_mut()
            .filter(|row| left_out(runtime).contains(&row.name))
        {
            row.tries = NOTHING;
        }
        if !only_contained {
            rows.extend(OTHERS.iter().map(|row| Attack { ..*row }));
        }
        Self {
            rows,
            home: folder.join("home"),
            stage: folder.join("stage"),
            port: recipe().server.port,
        }
    }

    /// Those that a site's runtime must keep in their containers, in its settings.
    pub(crate) fn contained(site: &Site, settings: Settings) -> (Self, Settings) {
        let attacks = Self::new(&site.folder, true, settings.runtime());
        let settings = attacks.arm(settings);
        (attacks, settings)
    }

    /// The rows that are not left out, by their numbers.
    fn tried(&self) -> impl Iterator<Item = (usize, &Attack)> {
        let rows = self.rows.iter().enumerate();
        rows.filter(|(_, attack)| attack.tries != NOTHING)
    }

    fn model(&self) -> PathBuf {
        self.stage.join("llama3-70b-instruct_vhf")
    }

    /// The places that are not the attackers'.
    fn places(&self) -> [PathBuf; 7] {
        let below = ["results", "logs", "nim_cache", "hf_cache"];
        let [results, logs, cache, hub] = below.map(|name| self.stage.join(name));
        let (home, stage) = (self.home.clone(), self.stage.clone());
        [home, stage, results, logs, cache, hub, self.model()]
    }

    /// Puts the canaries there, and the users' variables into the site.
    fn plant(&self) {
        for place in self.places() {
            fs::create_dir_all(&place).unwrap();
            for (row, _) in self.tried() {
                fs::write(place.join(format!("canary.{row}")), text(row)).unwrap();
            }
        }
        for (row, attack) in self.tried().filter(|(_, row)| row.name == SHARED_MEMORY) {
            assert_ne!(attack.holds, "");
            fs::write(self.in_shared_memory(row), text(row)).unwrap();
        }
    }

    pub(crate) fn prepare(&self, site: &mut Site) {
        self.plant();
        for (name, value) in self.variables() {
            site.set(name, &value);
        }
    }

    /// The variables of the user. Of two rows with one name, both texts are in it.
    fn variables(&self) -> BTreeMap<&'static str, String> {
        let mut variables: BTreeMap<&str, String> = BTreeMap::new();
        for (row, attack) in self.rows.iter().enumerate() {
            if !attack.variable.is_empty() {
                let value = variables.entry(attack.variable).or_default();
                value.push_str(&text(row));
            }
        }
        for name in ["DATABASE_URL", "https_proxy"] {
            let value = variables.get_mut(name).unwrap();
            *value = format!("http://me:{value}@proxy.site:1");
        }
        variables
    }

    fn in_shared_memory(&self, row: usize) -> PathBuf {
        let home = self.home.to_str().unwrap().replace('/', "_");
        PathBuf::from(format!("/dev/shm/canary{home}.{row}"))
    }

    fn names(&self, row: usize) -> String {
        let [home, stage, model] =
            [&self.home, &self.stage, &self.model()].map(|path| path.to_str().unwrap().to_owned());
        format!(
            "N={row} H={home} S={stage} R={stage}/results L={stage}/logs M={model} P={} X={}\n",
            self.port,
            self.in_shared_memory(row).display()
        )
    }

    /// The lines of an image, as a hook in its container.
    fn lines(&self, who: Who) -> String {
        let own = match who {
            Client => "C=$S/results/.run_$J/client",
            _ => "C=$(echo \"$S\"/nim_cache/0/*)",
        };
        let mut lines = COMMON.to_owned();
        for (row, attack) in self.tried() {
            if attack.who == who {
                let names = self.names(row);
                let tries = attack.tries;
                write!(
                    lines,
                    "{names}J=$SLURM_JOB_ID\n{own}\n(set +eu; exec >\"$C/loot.$N\" 2>&1; trap - ERR\n{tries}) </dev/null || true\n"
                )
                .unwrap();
            }
        }
        lines
    }

    /// Has images that do all this.
    fn arm(&self, settings: Settings) -> Settings {
        settings
            .with_hook(HookPlace::InClient, self.lines(Client).parse().unwrap())
            .with_hook(HookPlace::InServer, self.lines(Server).parse().unwrap())
    }

    /// Has the others do theirs, before the job starts.
    fn before(&self, job: u32) {
        for (row, attack) in self.rows.iter().enumerate() {
            if !matches!(attack.who, Client | Server) {
                let program = format!(
                    "{COMMON}{}J={job}\nset -e\n{}",
                    self.names(row),
                    attack.tries
                );
                run(Command::new("bash").args(["-c", &program]));
            }
        }
    }

    /// What did not hold, a line each.
    fn got_out(&self, folder: &Path, job: &str, output: &Path) -> Vec<String> {
        let mut faults = Vec::new();
        let mut fault = |row: usize, what: String| {
            let Attack { who, name, .. } = self.rows[row];
            faults.push(format!("{who:?}: {name} ({row}): {what}"));
        };
        for place in self.places() {
            for (row, _) in self.tried() {
                let path = place.join(format!("canary.{row}"));
                let is_file = fs::symlink_metadata(&path).is_ok_and(|path| path.is_file());
                if !is_file || fs::read_to_string(&path).unwrap() != text(row) {
                    fault(row, format!("{} was changed", path.display()));
                }
            }
        }
        // grep -r opens no FIFO and follows no link.
        let found = Command::new("grep")
            .args([
                "-raoE",
                "canary-[0-9]+-sings",
                "--exclude=*.sqsh",
                "--exclude=*.sif",
            ])
            .args([
                "--exclude=*.tar",
                "--exclude=*.safetensors",
                "--exclude=*.engine",
            ])
            .arg(folder)
            .output()
            .unwrap();
        for line in String::from_utf8_lossy(&found.stdout).lines() {
            let (path, text) = line.rsplit_once(':').unwrap();
            let row = text.split('-').nth(1).unwrap().parse().unwrap();
            if !path.ends_with(&format!("/canary.{row}")) {
                fault(row, format!("its text is in {path}"));
            }
        }
        for (row, attack) in self.tried().filter(|(_, attack)| !attack.holds.is_empty()) {
            let program = format!("{COMMON}{}J={job}\n{}", self.names(row), attack.holds);
            let mut bash = Command::new("timeout");
            bash.args(["120", "bash", "-c", &program]).env("O", output);
            match bash.status().unwrap().code() {
                Some(0) => {}
                Some(124) => fault(row, format!("ran out of time (120 s): {}", attack.holds)),
                _ => fault(row, format!("does not hold: {}", attack.holds)),
            }
        }
        faults
    }

    /// All held, and each was tried.
    #[track_caller]
    pub(crate) fn assert_held(&self, site: &Site, job: &str) {
        let output = site.folder.join(format!("slurm-{job}.out"));
        let faults = self.got_out(&site.folder, job, &output);
        assert!(
            faults.is_empty(),
            "{}\n{}",
            faults.join("\n"),
            fs::read_to_string(&output).unwrap()
        );
        let run_folder = site.results().join(format!(".run_{job}/client"));
        let cache = fs::read_dir(self.stage.join("nim_cache/0")).unwrap();
        let cache = cache.map(|entry| entry.unwrap().path());
        let cache = cache.filter(|path| path.is_dir()).collect::<Vec<_>>();
        assert_eq!(cache.len(), 1, "{cache:?}");
        for (row, attack) in self.tried() {
            let folder = match attack.who {
                Client => &run_folder,
                Server => &cache[0],
                _ => continue,
            };
            assert!(
                folder.join(format!("loot.{row}")).exists(),
                "not tried: {}",
                attack.name
            );
        }
        println!("{} attacks, none got out", self.tried().count());
    }
}

impl Drop for Attacks {
    fn drop(&mut self) {
        for row in 0..self.rows.len() {
            let _ = fs::remove_file(self.in_shared_memory(row));
        }
    }
}

/// The whole table, in one job.
#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn attack_table() {
    let lab = Lab::enter_first();
    let mut recipe = recipe()
        .with_use_cases(["chat:32/16".parse().unwrap()])
        .with_concurrency(1..10);
    // launch.sh sees no difference, and the points are many.
    assert!(matches!(recipe.client.tool, ClientTool::GenaiPerf(_)));
    let mut site = Site::ready(&lab, "attacks", recipe.clone());
    let attacks = Attacks::new(&site.folder, false, Runtime::Pyxis);
    assert!(attacks.rows.len() >= 40);
    let mount = format!("{}:/loot", attacks.home.display());
    for name in ["APPTAINER_BIND", "SINGULARITY_BIND", "CONTAINERS_CONF"] {
        let value = mount.parse().unwrap();
        let environment = &mut recipe.server.environment;
        environment.insert(name.parse().unwrap(), value);
    }
    site.render(recipe, attacks.arm(settings("exclusive = false")));
    attacks.prepare(&mut site);
    // Job numbers are no secret: this is the one before the next.
    let last: u32 = lab.wrap(&[], "true").parse().unwrap();
    attacks.before(last + 1);
    let words = [
        "--job-name=x Restarts=9 Command=/bin/false",
        "--comment=y Restarts=8",
    ];
    let job: Job<'_> = site.submit_with(&lab, Launch, &words);
    assert_eq!(
        job.id,
        (last + 1).to_string(),
        "somebody else uses this lab"
    );
    let ended = job.wait();
    println!("{}\n{:?}", ended.output, ended.took);
    for claim in [&*ended.id, "1", "2"] {
        let claim = format!("/tmp/nim-slurm-port-{}.{claim}", attacks.port);
        let _ = fs::remove_file(&claim);
        let _ = fs::remove_dir(&claim);
    }
    attacks.assert_held(&site, &ended.id);
    site.assert_no_secret();
    // The measured point, and two that were added to when they were out.
    assert_eq!(site.points().len(), 3, "{:?}", site.points());
    let manifest = site.manifest(&ended.id);
    assert_eq!(manifest["exit_code"], ended.code);
    assert!(matches!(ended.code, 1 | 5), "{}", ended.output);
    let script = site.folder.join("launch.sh");
    let next = format!("RESUME_JOB_ID={} sbatch {}", ended.id, script.display());
    assert!(ended.output.contains(&next), "{}", ended.output);
}

/// Each row of an image's is one that is seen when nothing stands against it.
#[test]
fn without_a_container_each_gets_out() {
    let folder = tempfile::tempdir().unwrap();
    let count = Attacks::new(folder.path(), true, Runtime::Podman)
        .rows
        .len();
    for row in 0..count {
        let folder = tempfile::tempdir().unwrap();
        let mut attacks = Attacks::new(folder.path(), true, Runtime::Podman);
        let variables = attacks.variables();
        for (other, attack) in attacks.rows.iter_mut().enumerate() {
            if other != row {
                attack.tries = NOTHING;
            }
        }
        attacks.plant();
        let output = folder.path().join("slurm-1.out");
        for own in ["results/.run_1/client", "nim_cache/0/own"] {
            fs::create_dir_all(attacks.stage.join(own)).unwrap();
        }
        assert_eq!(attacks.got_out(folder.path(), "1", &output), [""; 0]);
        let attack = &attacks.rows[row];
        let mut bash = Command::new("timeout");
        bash.args(["120", "bash", "-c", &attacks.lines(attack.who)])
            .env("SLURM_JOB_ID", "1")
            .envs(variables);
        run(&mut bash);
        let faults = attacks.got_out(folder.path(), "1", &output);
        assert!(
            faults
                .iter()
                .any(|fault| fault.contains(&format!("({row})"))),
            "{:?}: {} is not seen: {faults:?}",
            attack.who,
            attack.name
        );
    }
}
