"""What "run" asks about processes, logs and results.

listener PORT               the process that listens there
connections PORT            how many connections to it are open
left JOB                    processes of that job, and of a server of its kind, that are still there
told LOG JOB SECONDS        when the job's server step got SIGTERM for the first time after SECONDS since 1970
manifest FILE EXPRESSION    EXPRESSION of the manifest m
valid STAGE JOB             a sentence for each point of that job, or of one that it resumes, whose result is not right
last STAGE JOB              when its last point got its final name
gap STAGE JOB               the longest time from the last answer of a point to the first request of the next, in seconds
cost STAGE JOB              what samples of the GPU cost, against what its runs of one point differ by
figures STAGE JOB           how long things took in that job
absent FILE                 packages that the file names and this Python lacks
"""
import bisect
import datetime
import importlib.metadata
import itertools
import json
import math
import os
import pathlib
import re
import statistics
import sys
import time


def sockets(port, state):
    """Sockets of this port and state: 01 is open, 0A listens."""
    for name in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in pathlib.Path(name).read_text().splitlines()[1:] if os.path.exists(name) else []:
            fields = line.split()
            if int(fields[1].split(":")[1], 16) == port and fields[3] == state:
                yield fields[9]


def processes():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def read(pid, name):
    try:
        return pathlib.Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def listener(port):
    wanted = {f"socket:[{inode}]" for inode in sockets(int(port), "0A")}
    for pid in sorted(processes()):
        try:
            files = os.listdir(f"/proc/{pid}/fd")
        except OSError:
            continue
        for file in files:
            try:
                if os.readlink(f"/proc/{pid}/fd/{file}") in wanted:
                    return print(pid)
            except OSError:
                pass
    sys.exit(1)


def connections(port):
    print(len(list(sockets(int(port), "01"))))


def left(job):
    """A program may have overwritten its environment with its title, so its name counts, too."""
    for pid in processes():
        words = read(pid, "cmdline").replace(b"\0", b" ").decode(errors="replace").strip()
        ours = f"SLURM_JOB_ID={job}".encode() in read(pid, "environ").split(b"\0")
        state = read(pid, "stat").rpartition(b")")[2].split()[:1]
        if (ours or re.match(r"VLLM|(\S*python3?\S* )?\S*/vllm serve|sglang::|\S*python3? -m sglang\.", words)) and state != [b"Z"]:
            print(pid, words[:120])


def epoch(text):
    return datetime.datetime.fromisoformat(text).astimezone().timestamp()


def told(log, job, after):
    pattern = re.compile(rf"\[(\S+)\] .*Sent signal 15 to StepId={job}\.(\d+)")
    for line in pathlib.Path(log).read_text(errors="replace").splitlines():
        found = pattern.match(line)
        if found and epoch(found[1]) >= float(after):
            return print(f"{epoch(found[1]):.3f}")
    sys.exit(1)


def load(file):
    return json.loads(pathlib.Path(file).read_text())


def manifest(file, expression):
    print(eval(expression, {"m": load(file), "len": len, "set": set, "sorted": sorted}))


def folders(stage, job):
    """Points of this job and of those that it resumes, with their folders, in the order in which they were finished."""
    results = pathlib.Path(stage, "results")
    points = [(point, results / point["folder"]) for point in load(results / f"run_{job}.json")["points"]]
    return sorted((row for row in points if row[1].is_dir()), key=lambda row: row[1].stat().st_ctime)


def requests(folder):
    """Start and end of each request, in seconds since 1970."""
    lines, raw = folder / "profile_export.jsonl", folder / "profile_export.json"
    if lines.exists():
        rows = [json.loads(line) for line in lines.read_text().splitlines()]
        rows = [row["metadata"] for row in rows if row["metadata"]["benchmark_phase"] == "profiling"]
        return [(row["request_start_ns"] / 1e9, row["request_end_ns"] / 1e9) for row in rows]
    rows = load(raw)["experiments"][0]["requests"]
    return [(row["timestamp"] / 1e9, row["response_timestamps"][-1] / 1e9) for row in rows]


def summary(folder):
    for name in ("profile_export_aiperf.json", "profile_export_genai_perf.json"):
        if (folder / name).exists():
            return load(folder / name)
    raise SystemExit(f"{folder} has no summary")


def valid(stage, job):
    rows = [(point, part) for point, folder in folders(stage, job) for part in sorted(folder.glob("server-*")) or [folder]]
    for point, folder in rows:
        numbers = summary(folder)
        asked, tokens = point["requests"], point["output_sequence_length"]
        counted = numbers["request_count"]["avg"]
        length = numbers["output_sequence_length"]["avg"]
        if counted != asked:
            print(f"{folder.name}: {counted} requests, {asked} were asked for")
        if len(requests(folder)) != asked:
            print(f"{folder.name}: {len(requests(folder))} requests have a record, {asked} were asked for")
        if numbers.get("error_summary"):
            print(f"{folder.name}: errors: {numbers['error_summary']}")
        if not 0.8 * tokens <= length <= 1.2 * tokens:
            print(f"{folder.name}: {length} tokens in an answer, {tokens} were asked for")
        for metric in ("time_to_first_token", "inter_token_latency", "request_latency", "output_token_throughput"):
            if not numbers[metric]["avg"] > 0:
                print(f"{folder.name}: {metric} is {numbers[metric]['avg']}")


def last(stage, job):
    made = folders(stage, job)
    if not made:
        sys.exit(1)
    print(f"{made[-1][1].stat().st_ctime:.3f}")


def said(log, words, day):
    """When a line of the log with these words was written, in seconds since 1970."""
    for line in log:
        if words in line and re.match(r"\d\d:\d\d:\d\d ", line):
            return epoch(f"{day}T{line[:8]}")
    return None


def hits(point):
    """Share of the prompts' tokens that the server found in its prefix cache."""
    asked, found = point["prefix_cache_queries"], point["prefix_cache_hits"]
    return f"{100 * found / asked:.1f} %" if asked else "unknown"


def gap(stage, job):
    spans = sorted((min(start for start, _ in rows), max(end for _, end in rows)) for rows in (requests(folder) for _, folder in folders(stage, job)))
    print(f"{max(after[0] - before[1] for before, after in zip(spans, spans[1:])):.1f}")


def cost(stage, job):
    """Succeeds when it is surely less, by two standard errors, than the mean difference of two runs."""
    lines = pathlib.Path(stage, "results", f"telemetry_{job}.0.0.csv").read_text().splitlines()
    samples = [datetime.datetime.strptime(line.split(",")[0] + "+0000", "%Y/%m/%d %H:%M:%S.%f%z").timestamp() for line in lines if "GPU-" in line]
    runs, beside = [], {}
    for _, folder in folders(stage, job):
        runs.append([])
        for line in (folder / "profile_export.jsonl").read_text().splitlines():
            row = json.loads(line)
            if row["metadata"]["benchmark_phase"] != "profiling":
                continue
            now = row["metadata"]["request_start_ns"] / 1e9 + row["metrics"]["time_to_first_token"]["value"] / 1e3
            for latency in row["metrics"]["inter_chunk_latency"]["value"]:
                now += latency / 1e3
                runs[-1].append(latency)
                # The sample before and the one after.
                number = bisect.bisect(samples, now + 0.05) - 1
                if number >= 0 and now - samples[number] < 0.95:
                    beside.setdefault(number, ([], []))[now - samples[number] > 0.15].append(latency)
    means = [statistics.fmean(run) for run in runs]
    mean = statistics.fmean(means)
    # A sample delays the tokens of a fifth of its second.
    delays = [20 * (statistics.fmean(near) - statistics.fmean(far)) / mean for near, far in beside.values() if min(len(near), len(far)) > 50]
    delay, error = statistics.fmean(delays), statistics.stdev(delays) / math.sqrt(len(delays))
    pairs = [100 * abs(a - b) / mean for a, b in itertools.combinations(means, 2)]
    print(f"           | runs: {' '.join(f'{each:.3f}' for each in means)} ms between tokens; two differ by {statistics.fmean(pairs):.2f} % on average")
    print(f"           | {len(delays)} samples: they cost {delay:.2f} % of the time between tokens, with a standard error of {error:.2f}")
    sys.exit(len(delays) < 100 or abs(delay) + 2 * error >= statistics.fmean(pairs))


def figures(stage, job):
    log = pathlib.Path(stage, "logs", f"benchmarking_{job}.out").read_text(errors="replace").splitlines()
    run = load(pathlib.Path(stage, "results", f"run_{job}.json"))
    day = time.strftime("%Y-%m-%d", time.localtime(epoch(run["start"])))
    number = next((re.search(r"ready after (\d+) s", line) for line in log if "ready after" in line), None)
    ready = said(log, "the server is ready after", day)
    print(f"ready after {number[1] if number else '?'} s")
    busy = 0
    for point, folder in folders(stage, job):
        if not folder.name.endswith(f"_{job}"):
            continue
        spans = sorted(requests(folder))
        covered, until = 0, 0
        for start, end in spans:
            covered += max(0, end - max(start, until))
            until = max(until, end)
        busy += covered
        name = f"{point['use_case']} {point['input_sequence_length']}/{point['output_sequence_length']} at {point['concurrency']}"
        begun = said(log, f": {point['use_case']} {point['input_sequence_length']}/{point['output_sequence_length']}, concurrency {point['concurrency']},", day)
        start_up = f"{spans[0][0] - begun:.0f} s" if begun else "?"
        print(f"{name}: {point['seconds']} s, first request after {start_up}, requests in flight for {covered:.1f} s, in the prefix cache {hits(point)}")
    whole = epoch(run["end"]) - ready if ready else 0
    if whole and run["exit_code"] == 0:
        print(f"requests in flight for {busy:.0f} of the {whole:.0f} s between ready and the end: {100 * busy / whole:.0f} %")


def absent(file):
    for line in pathlib.Path(file).read_text().splitlines():
        for name in line.split() if not line.startswith("#") else []:
            try:
                importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                print(name)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
