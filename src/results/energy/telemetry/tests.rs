use std::fmt::Write as _;

use super::*;

/// 2026-11-25T03:43:18Z.
const START: u64 = 1_795_578_198;

const HEADER: &str = "timestamp, uuid, power.draw [W], utilization.gpu [%], memory.used [MiB], clocks.current.sm [MHz], clocks_event_reasons.active";

fn stamp(seconds: f64) -> String {
    let from_midnight = 3.0 * 3600.0 + 43.0 * 60.0 + 18.0 + seconds;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "of a day"
    )]
    let ms = (from_midnight * 1000.0).round() as u64;
    let (seconds, ms) = (ms / 1000, ms % 1000);
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    format!(
        "2026/11/25 {hours:02}:{minutes:02}:{:02}.{ms:03}",
        seconds % 60
    )
}

fn row(seconds: f64, gpu: u32, watts: f64) -> String {
    let at = stamp(seconds);
    format!("{at}, GPU-{gpu}, {watts:.2}, 97, 71240, 1980, 0x0000000000000000\n")
}

/// What nvidia-smi writes for two minutes, about once a second, of so many GPUs with this power.
fn file(gpus: u32, watts: impl Fn(u32, f64) -> f64) -> String {
    let mut text = format!("\n#gpu05,{START}\n{HEADER}\n");
    for second in 0..120 {
        for gpu in 0..gpus {
            let at = 0.3 + 1.013 * f64::from(second) + 0.004 * f64::from(gpu);
            text.push_str(&row(at, gpu, watts(gpu, at)));
        }
    }
    text
}

fn read(text: &str) -> Result<Telemetry, NoEnergy> {
    Reader::default().read(text.as_bytes())
}

/// In seconds from the start.
fn window(from: f64, to: f64) -> (u64, u64) {
    let at = |seconds: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "two minutes"
        )]
        let nanoseconds = (seconds * 1e9) as u64;
        START * 1_000_000_000 + nanoseconds
    };
    (at(from), at(to))
}

#[track_caller]
fn is_about(energy: &Result<Energy, NoEnergy>, watts: f64) {
    let own = energy.as_ref().unwrap().watts();
    assert!((own / watts - 1.0).abs() < 1e-6, "{own} W, {watts} W");
}

const FROM: f64 = 20.47;
const TO: f64 = 80.21;

fn of(text: &str, gpus: u32) -> Result<Energy, NoEnergy> {
    energy(&[read(text)?], window(FROM, TO), gpus)
}

#[test]
fn the_integral_of_known_curves_is_exact_to_a_thousandth() {
    type Curve = fn(f64) -> f64;
    let curves: [(&str, Curve, Curve); 3] = [
        ("constant", |_| 500.0, |t| 500.0 * t),
        ("a ramp", |t| 100.0 + 5.0 * t, |t| 100.0 * t + 2.5 * t * t),
        (
            "waves of half a minute",
            |t| 450.0 + 200.0 * (std::f64::consts::TAU / 30.0 * t).sin(),
            |t| {
                let turn = std::f64::consts::TAU / 30.0;
                450.0 * t - 200.0 / turn * (turn * t).cos()
            },
        ),
    ];
    for (name, watts, integral) in curves {
        // Each GPU has as much more as its number says.
        let text = file(8, |gpu, at| watts(at) + f64::from(gpu));
        let energy = of(&text, 8).unwrap();
        let joules = 8.0 * (integral(TO) - integral(FROM)) + 28.0 * (TO - FROM);
        let off = energy.joules() / joules - 1.0;
        assert!(
            off.abs() < 1e-3,
            "{name}: {} J, {joules} J, {off}",
            energy.joules()
        );
        assert!((energy.seconds() - (TO - FROM)).abs() < 1e-6);
        assert!((energy.watts() * energy.seconds() - energy.joules()).abs() < 1e-6);
        assert_eq!(
            (energy.utilization(), energy.memory()),
            (Some(97.0), Some(71240))
        );
    }
}

#[test]
fn what_lies_outside_of_the_point_does_not_count() {
    // Idle before, and busy with something else later.
    let text = file(1, |_, at| {
        if (19.0..=82.0).contains(&at) {
            600.0
        } else {
            9000.0
        }
    });
    assert!((of(&text, 1).unwrap().watts() - 600.0).abs() < 1e-6);
    // Between two samples.
    let telemetry = read(&file(1, |_, at| 100.0 * at)).unwrap();
    let energy = energy(&[telemetry], window(50.1, 50.3), 1).unwrap();
    assert!((energy.watts() - 5020.0).abs() < 0.1, "{}", energy.watts());
}

#[test]
fn throttling_is_what_was_seen_in_between() {
    use super::super::Throttle::*;

    for (bits, expected) in [
        ("0x0000000000000001", Some(vec![])),
        ("0x0000000000000004", Some(vec![PowerCap])),
        ("0x00000000000000e8", Some(vec![Heat, PowerBrake, Hardware])),
        ("[N/A]", None),
    ] {
        let text = file(1, |_, _| 500.0);
        let own = stamp(0.3 + 1.013 * 40.0);
        let line = text.lines().find(|line| line.starts_with(&own)).unwrap();
        let text = text.replace(line, &line.replace("0x0000000000000000", bits));
        assert_eq!(of(&text, 1).unwrap().throttling(), expected, "{bits}");
        let later = energy(&[read(&text).unwrap()], window(60.0, 80.0), 1).unwrap();
        assert_eq!(later.throttling(), Some(vec![]), "{bits}");
    }
}

/// Changes the line of sample `second` of the GPU 1.
fn at(text: &str, second: u32, change: impl Fn(&str) -> String) -> String {
    let own = stamp(0.304 + 1.013 * f64::from(second));
    text.lines().fold(String::new(), |mut all, line| {
        if line.starts_with(&own) {
            all.push_str(&change(line));
        } else {
            all.extend([line, "\n"]);
        }
        all
    })
}

/// Each would give a wrong figure, which nobody could tell from a right one.
#[test]
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn faults_of_telemetry_are_flagged() {
    let good = file(2, |_, _| 400.0);
    is_about(&of(&good, 2), 800.0);
    let from = |second: u32, text: &str| {
        let own = stamp(0.3 + 1.013 * f64::from(second));
        text[text.find(&own).unwrap()..].to_owned()
    };
    let until = |second: u32, text: &str| text[..text.len() - from(second, text).len()].to_owned();
    let again = format!("\n#gpu05,{}\n{HEADER}\n", START + 41);
    let drop = |seconds: std::ops::Range<u32>, gpus: &[u32]| {
        let lost: Vec<_> = seconds
            .flat_map(|second| gpus.iter().map(move |gpu| (second, *gpu)))
            .map(|(second, gpu)| stamp(0.3 + 1.013 * f64::from(second) + 0.004 * f64::from(gpu)))
            .collect();
        let is_lost = |line: &str| lost.iter().any(|own| line.starts_with(own));
        good.lines()
            .filter(|line| !is_lost(line))
            .flat_map(|line| [line, "\n"])
            .collect::<String>()
    };
    let cell = |from: &str, to: &str| at(&good, 40, |line| line.replace(from, to) + "\n");
    let set_back: String = good
        .lines()
        .map(|line| match line.get(11..13) {
            Some("03") if line >= &*stamp(40.0) => line.replacen(" 03:", " 02:", 1),
            _ => line.to_owned(),
        })
        .flat_map(|line| [line, "\n".to_owned()])
        .collect();
    let faults: Vec<(&str, String, &str)> = vec![
        ("no file's content", String::new(), "no_column"),
        (
            "four seconds without a sample",
            drop(40..44, &[0, 1]),
            "gap",
        ),
        ("the same of one GPU", drop(40..44, &[1]), "gap"),
        ("a GPU that is lost", drop(40..120, &[1]), "not_covered"),
        ("a GPU that was never there", drop(0..120, &[1]), "gpus"),
        ("a GPU too many", file(3, |_, _| 400.0), "gpus"),
        (
            "another GPU in its place",
            from(40, &good)
                .replace("GPU-1", "GPU-7")
                .lines()
                .fold(until(40, &good), |all, line| all + line + "\n"),
            "gpus",
        ),
        (
            "it begins too late",
            format!("\n#gpu05,{}\n{HEADER}\n{}", START + 21, from(21, &good)),
            "not_covered",
        ),
        ("it ends too early", until(78, &good), "not_covered"),
        (
            "the last line is cut",
            until(79, &good) + &from(79, &good)[..70],
            "not_covered",
        ),
        (
            "a line is cut",
            at(&good, 40, |line| line[..45].to_owned() + "\n"),
            "bad_line",
        ),
        (
            "a line is cut, and the next one goes on in it",
            at(&good, 40, |line| line[..45].to_owned()),
            "bad_line",
        ),
        (
            "words of an error",
            at(&good, 40, |_| {
                "Unable to determine the device handle for GPU1: 0000:3B:00.0: GPU is lost.  Reboot the system to recover this GPU\n".to_owned()
            }),
            "bad_line",
        ),
        (
            "a cell says that the GPU is lost",
            cell("GPU-1", "[GPU is lost]"),
            "bad_line",
        ),
        (
            "bytes that are no text",
            at(&good, 40, |_| "\u{0}\u{1b}[2J\n".to_owned()),
            "bad_line",
        ),
        (
            "a line without an end",
            at(&good, 40, |line| line.to_owned() + &"x".repeat(2000) + "\n"),
            "bad_line",
        ),
        ("a decimal comma", cell("400.00", "400,00"), "bad_line"),
        ("no power", cell("400.00", "[N/A]"), "bad_power"),
        (
            "power is not supported",
            cell("400.00", "[Not Supported]"),
            "bad_power",
        ),
        (
            "an unknown error",
            cell("400.00", "[Unknown Error]"),
            "bad_power",
        ),
        ("negative power", cell("400.00", "-400.00"), "bad_power"),
        ("no number", cell("400.00", "nan"), "bad_power"),
        ("power that cannot be", cell("400.00", "4e9"), "bad_power"),
        (
            "a unit in the cell",
            cell("400.00", "400.00 W"),
            "bad_power",
        ),
        ("kW", good.replace("[W]", "[kW]"), "unit"),
        (
            "no unit",
            good.replace("power.draw [W]", "power.draw"),
            "unit",
        ),
        (
            "no column of power",
            good.replace("power.draw [W]", "temperature.gpu"),
            "no_column",
        ),
        (
            "a field that is refused",
            format!("\n#gpu05,{START}\nField \"uuid\" is not a valid field to query.\n"),
            "no_column",
        ),
        (
            "no driver",
            format!(
                "\n#gpu05,{START}\nNVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n"
            ),
            "no_column",
        ),
        (
            "no line of launch.sh",
            good.replace('#', "gpu: "),
            "no_column",
        ),
        (
            "times of another zone",
            good.replace(" 03:", " 04:"),
            "zone",
        ),
        ("the clock is set back", set_back, "time_runs_back"),
        (
            "the clock is set forward",
            until(40, &good) + &from(40, &good).replace(" 03:4", " 03:5"),
            "gap",
        ),
        (
            "two programs write",
            at(&good, 40, |line| format!("{line}\n{line}\n")),
            "time_runs_back",
        ),
        (
            "the sampling began again",
            until(41, &good) + &again + &from(41, &good),
            "restarted",
        ),
        (
            "and says no time",
            until(41, &good) + "\n#\n" + &from(41, &good),
            "bad_line",
        ),
    ];
    assert!(faults.len() >= 20);
    for (what, text, word) in &faults {
        let why = of(text, 2).expect_err(what);
        assert_eq!(why.word(), *word, "{what}: {why}");
    }
}

/// A fault is that of its own time.
#[test]
fn points_beside_a_fault_have_their_figures() {
    let good = file(2, |_, _| 400.0);
    let again = format!("\n#gpu05,{}\n{HEADER}\n", START + 41);
    let place = good.find(&stamp(0.3 + 1.013 * 41.0)).unwrap();
    // An earlier run of the job was killed in the middle of a line.
    let text = format!("{}{again}{}", &good[..place - 20], &good[place..]);
    let telemetry = [read(&text).unwrap()];
    for (from, to) in [(5.0, 39.0), (43.0, 110.0)] {
        is_about(&energy(&telemetry, window(from, to), 2), 800.0);
    }
    for (from, to) in [(5.0, 42.0), (40.9, 41.2), (39.0, 110.0)] {
        energy(&telemetry, window(from, to), 2).unwrap_err();
    }
    for cells in ["[N/A], 71240, 1980", "97, [N/A], 1980", "97, 71240, [N/A]"] {
        let text = good.replace("97, 71240, 1980", cells);
        assert!(of(&text, 2).is_ok(), "{cells}: it is the power that counts");
    }
}

#[test]
fn the_gpus_of_two_nodes_are_a_servers() {
    let nodes = [(); 2].map(|()| file(4, |_, _| 250.0));
    let second = nodes[1].replace("GPU-", "GPU-b");
    let telemetry = [read(&nodes[0]).unwrap(), read(&second).unwrap()];
    is_about(&energy(&telemetry, window(FROM, TO), 8), 2000.0);
    let why = energy(&telemetry[..1], window(FROM, TO), 8).unwrap_err();
    assert_eq!(
        why,
        NoEnergy::Gpus {
            expected: 8,
            seen: 4
        }
    );
}

#[test]
fn a_hostile_file_is_read_within_bounds() {
    let mut lines = format!("#x,{START}\n{HEADER}\n");
    for number in 0..2000 {
        let _ = writeln!(lines, "nothing");
        lines.push_str(&row(f64::from(number) / 10.0, 0, 400.0));
    }
    assert_eq!(read(&lines).unwrap_err().word(), "unreadable");
    let mut gpus = format!("#x,{START}\n{HEADER}\n");
    (0..100).for_each(|gpu| gpus.push_str(&row(1.0, gpu, 400.0)));
    assert_eq!(read(&gpus).unwrap_err().word(), "unreadable");
    let long = "x".repeat(3_000_000);
    assert_eq!(of(&long, 1).unwrap_err().word(), "no_column");
}

#[test]
fn names_of_files() {
    let named = |name: &str| {
        let path = Utf8Path::new("results").join(name);
        TelemetryFile::named(&path).map(|file| (file.run.to_string(), file.server))
    };
    assert_eq!(
        named("telemetry_4711.0.0.csv"),
        Some(("4711".to_owned(), 0))
    );
    assert_eq!(
        named("telemetry_4711-3.2.1.csv"),
        Some(("4711-3".to_owned(), 2))
    );
    for name in [
        "telemetry_4711.csv",
        "telemetry_4711.0.csv",
        "telemetry_.0.0.csv",
        "telemetry_1.0.0.0.csv",
        "telemetry_1.x.0.csv",
    ] {
        assert_eq!(named(name), None, "{name}");
    }
}

#[test]
fn times() {
    assert_eq!(
        nanoseconds("2026/11/25 03:43:18.120"),
        Some(START * 1_000_000_000 + 120_000_000)
    );
    assert_eq!(nanoseconds("1970/01/01 00:00:00.000"), Some(0));
    assert_eq!(
        nanoseconds("2028/02/29 12:00:00.001"),
        Some(1_835_438_400_001_000_000)
    );
    for text in [
        "2026-11-25T03:43:18.120",
        "2026/11/25 03:43:18",
        "2026/13/25 03:43:18.120",
        "2026/11/25 24:43:18.120",
        "",
    ] {
        assert_eq!(nanoseconds(text), None, "{text}");
    }
}

/// A whole node is the job's, and its server has some of the GPUs.
#[test]
fn gpus_at_rest_are_not_the_server_s() {
    let node = file(8, |gpu, _| 100.0 + f64::from(gpu));
    // GPU 2 and 5 serve.
    let with = |others: &str| -> String {
        let row = |line: &str| {
            let is_own = ["GPU-2,", "GPU-5,"].iter().any(|gpu| line.contains(gpu));
            if is_own {
                line.to_owned()
            } else {
                line.replace(" 97, 71240,", others)
            }
        };
        node.lines().map(|line| row(line) + "\n").collect()
    };
    let energy = of(&with(" 0, 4,"), 2);
    is_about(&energy, 207.0);
    let energy = energy.unwrap();
    assert_eq!((energy.gpus(), energy.utilization()), (2, Some(97.0)));
    // Whose these are, nobody knows.
    let too_many = |seen| NoEnergy::Gpus { expected: 2, seen };
    for others in [" 1, 4,", " 0, 71240,", " [N/A], 4,", " 0, [N/A],"] {
        assert_eq!(of(&with(others), 2), Err(too_many(8)), "{others}");
    }
    assert_eq!(
        of(&with(" 0, 4,"), 1),
        Err(NoEnergy::Gpus {
            expected: 1,
            seen: 8
        })
    );
    assert_eq!(
        of(&with(" 0, 4,"), 4),
        Err(NoEnergy::Gpus {
            expected: 4,
            seen: 8
        })
    );
    // One that is at rest in the job's server counts.
    is_about(&of(&with(" 0, 4,"), 8), 828.0);
}
