# What a search knows, and what it probes next. The library has the same in Rust (src/ladder.rs, src/percentile.rs,
# src/results/requests), and its tests compare the two case by case.
#   count FOLDER LOAD METRIC=LIMIT... -- COMMAND...   of a point's requests, without the first wave where a number in flight is
#                                         the load, how many are over each limit, of how many: ttft:3/90 itl:0/90; or "not
#                                         reached" where fewer were in flight, or the tool's command sent fewer in a second
#   next PERCENTILE LEVEL...       by such lines on standard input, behind level and attempt, or "failed" in their place:
#                                  "probe LEVEL ATTEMPT", or at the end "end HELD EXCEEDED WHY", "-" for none
import bisect, csv, json, math, os, sys

UNITS = {"ns": 1e-6, "us": 1e-3, "\u00b5s": 1e-3, "ms": 1.0, "s": 1e3, "sec": 1e3}

def of_aiperf(file):
    for line in file:
        if not line.strip():
            continue
        record = json.loads(line)
        metadata, metrics = record["metadata"], record.get("metrics") or {}
        if metadata.get("benchmark_phase") == "warmup":
            continue

        def time(name):
            it = metrics.get(name)
            return None if it is None else math.floor(it["value"] * UNITS[it["unit"]] * 1e6 + 0.5)

        first, latency, tokens = time("time_to_first_token"), time("request_latency"), metrics.get("output_sequence_length")
        if record.get("error") is not None or metadata.get("was_cancelled") or latency is None:
            yield (metadata["request_start_ns"],)
        else:
            start, length = metadata["request_start_ns"], None if tokens is None else math.floor(tokens["value"] + 0.5)
            yield start, first, latency, length, None, max(metadata.get("request_end_ns", 0), start + latency)

def exchanges(file):
    """The requests of GenAI-Perf's file, one after the other: all of it may not fit into memory."""
    decoder, text, at, size = json.JSONDecoder(), "", 0, 1 << 20
    for key in '"experiments"', '"requests"', "[":
        while text.find(key, at) < 0:
            more = file.read(size)
            if not more:
                raise ValueError("no requests")
            text += more
        at = text.find(key, at) + len(key)
    while True:
        while at < len(text) and text[at] in " \t\r\n,":
            at += 1
        if at < len(text) and text[at] == "]":
            return
        try:
            exchange, at = decoder.raw_decode(text, at)
        except ValueError:
            more = file.read(size)
            if not more:
                raise
            text, at, size = text[at:] + more, 0, size * 2
            continue
        size = 1 << 20
        yield exchange

def events(text):
    """Each event of a response, and what it counts as when it is no JSON."""
    if text.startswith("{"):
        return [(text, 0)]
    lines = [line[6:] for line in text.split("\n") if line.startswith("data: ")]
    return [(line, int(line.strip() != "[DONE]")) for line in lines]

def texts_of(text):
    """How many events have a text, and its letters."""
    count = letters = 0
    for event, otherwise in events(text):
        try:
            choices = json.loads(event).get("choices", [])
            contents = [(choice.get(key) or {}).get("content") for choice in choices for key in ("delta", "message")]
            own = sum(len(it or "") for it in contents + [choice.get("text") for choice in choices])
            count, letters = count + (own > 0), letters + own
        except (ValueError, AttributeError, TypeError):
            count, letters = count + otherwise, letters + otherwise
    return count, letters

def tokens_of(text):
    said = None
    if '"completion_tokens"' in text:
        for event, _ in events(text):
            try:
                said = (json.loads(event).get("usage") or {}).get("completion_tokens", said)
            except (ValueError, AttributeError, TypeError):
                pass
    return said

def of_genai_perf(file):
    for exchange in exchanges(file):
        times = exchange.get("response_timestamps", [])
        texts = [output.get("response", "") for output in exchange.get("response_outputs", [])]
        if len(times) != len(texts):
            raise ValueError("not each response has a time")
        counts = [texts_of(text) for text in texts]
        with_text = [time for time, (count, _) in zip(times, counts) if count]
        if not with_text:
            yield (exchange["timestamp"],)
            continue
        is_streamed = any(not text.startswith("{") for text in texts)
        tokens = next((said for said in map(tokens_of, reversed(texts)) if said is not None), None)
        letters = None
        if tokens is None and is_streamed:
            tokens, letters = map(sum, zip(*counts))
        start = exchange["timestamp"]
        first, last = with_text[0], with_text[-1]
        yield start, first - start if is_streamed else None, last - start, tokens, letters, max(times[-1], last)

def lengths(folder):
    """By the tool's own table, how many tokens an answer has: mean, least and most. Old releases of GenAI-Perf write CSV alone."""
    path = os.path.join(folder, "profile_export_genai_perf.")
    if os.path.exists(path + "json"):
        with open(path + "json", encoding="utf-8") as file:
            row = json.load(file)["output_sequence_length"]
    else:
        with open(path + "csv", encoding="utf-8") as file:
            head, *rows = [row for row in csv.reader(file) if row]
        own = next(row for row in rows if row[0].startswith(("Output Sequence Length", "Num Output Token")))
        row = {name: float(cell.replace(",", "")) for name, cell in zip(head[1:], own[1:])}
    return row["avg"], row.get("min"), row.get("max")

def with_tokens(folder, requests):
    """A server may put several tokens into a piece, and more in one answer than in another: where the tool's table has another
    number of tokens, they are shared by the letters of the answers (src/results/requests.rs)."""
    of_pieces = [request for request in requests if request and request[4] is not None]
    pieces, letters = sum(request[3] for request in of_pieces), sum(request[4] for request in of_pieces)
    try:
        mean, least, most = lengths(folder)
        tokens, is_one_length = mean * len(of_pieces), least is not None and least == most
        if not 0.0 < mean < math.inf or not is_one_length and abs(tokens / pieces - 1.0) <= 0.05:
            return requests
        shares = [math.floor((mean if is_one_length else tokens * request[4] / letters) + 0.5) for request in of_pieces]
    except (OSError, ValueError, LookupError, TypeError, ArithmeticError, StopIteration):
        return requests
    each = iter(shares)
    return [(*it[:3], next(each), None, it[5]) if it and it[4] is not None else it for it in requests]

def told(command, *names):
    """What the tool was told by the first of these options that it was given."""
    said = dict(zip(command, command[1:]))
    return next((said[name] for name in names if name in said), None)

def has_ramp(command):
    return told(command, "--request-rate-ramp-duration") is not None

def deviation_of(requests, command):
    """Of the rate of so many requests, as a share of it."""
    gaps = told(command, "--arrival-pattern", "--request-rate-mode", "--request-distribution")
    smoothness = float(told(command, "--arrival-smoothness") or 1) if gaps == "gamma" else 1.0
    return 0.0 if gaps == "constant" else 1 / math.sqrt((smoothness if smoothness > 0 else 1.0) * requests)

def is_short(starts, asked, command):
    """Whether fewer requests were sent in a second than were asked for, by more than chance can tell (src/results/offered.rs)."""
    if has_ramp(command) or max(starts, default=0) == min(starts, default=0):
        return False
    sent = (len(starts) - 1) / ((max(starts) - min(starts)) / 1e9)
    return sent < asked * (0.95 - 3 * deviation_of(len(starts), command))

def grows(values, deviations, command):
    """Whether a value that each request has grows by more than chance does, and to the end; by when it was sent, in seconds."""
    if len(values) < 16:
        return False
    size = len(values) // 4
    starts, means, variances = [], [], []
    for quarter in (values[place * size:][:size] for place in range(4)):
        mean = sum(value for _, value in quarter) / size
        starts.append(sum(start for start, _ in quarter) / size)
        means.append(mean)
        variances.append(sum((value - mean) ** 2 for _, value in quarter) / (size - 1) / size)
    growth, apart = means[3] - means[0], starts[3] - starts[0]
    goes_on = means[3] - means[2] >= 0.5 * (means[1] - means[0])
    deviation = max(deviation_of(len(values), command), 1 / math.sqrt(len(values)))
    least = max(apart * (0.05 + deviations * deviation), 3 * math.sqrt(variances[0] + variances[3]))
    return apart > 0 and growth > least and goes_on

def is_overloaded(requests, command):
    """Whether each request of a rate waits longer than the one before it, or finds more in flight, as src/results/offered.rs has it."""
    if None in requests or len(requests) < 16 or has_ramp(command):
        return False
    requests = sorted(requests, key=lambda request: (request[0], request[0] + request[2]))
    begin = requests[0][0]
    starts = [(request[0] - begin) / 1e9 for request in requests]
    if starts[-1] == 0:
        return False
    if grows([(start, request[2] / 1e9) for start, request in zip(starts, requests)], 2, command):
        return True
    tokens = [max(request[3] or 1, 1) for request in requests]
    first = sum((request[5] - request[0]) / 1e9 / count for request, count in zip(requests[:5], tokens)) / 5
    latency, sent = first * (sum(tokens) / len(tokens)), (len(starts) - 1) / starts[-1]
    ends = sorted(request[5] for request in requests)
    numbers = [before - bisect.bisect_right(ends, request[0]) for before, request in enumerate(requests)]
    since = max(latency, (ends[0] - begin) / 1e9)
    numbers = [(start, number / sent) for start, number in zip(starts, numbers) if start >= since]
    return starts[-1] >= 2.5 * latency and grows(numbers, 3, command)

def is_below(requests, asked):
    """Whether fewer were in flight than were asked for, in the first half (src/results/offered.rs)."""
    if None in requests or len(requests) < 3 * asked:
        return False
    spans = sorted((request[0], request[5]) for request in requests)
    start, end = spans[asked - 1][0], (spans[0][0] + spans[-1][0]) / 2
    total = sum(max(min(b, end) - max(a, start), 0) for a, b in spans)
    return end - start >= 1e9 and total < 0.9 * asked * (end - start)

def count(folder, load, limits, command):
    path = os.path.join(folder, "profile_export.jsonl")
    read = of_aiperf
    if not os.path.exists(path):
        path, read = path[:-1], of_genai_perf
    over, of = [0] * len(limits), [0] * len(limits)
    with open(path, encoding="utf-8", errors="replace") as file:
        requests = list(read(file))
    starts = [request[0] for request in requests]
    requests = [request if len(request) > 1 else None for request in requests]
    requests = with_tokens(folder, requests)
    is_rate = load.startswith("rate")
    is_missed = is_short(starts, float(load[4:]), command) or is_overloaded(requests, command) if is_rate else is_below(requests, int(load))
    if is_missed:
        return "not reached"
    # A wave starts at once, as users never do: what is judged was sent when an answer had come.
    answered = min((request[0] + request[2] for request in filter(None, requests)), default=0)
    if any(not 0 <= (it[2] if it[1] is None else it[1]) <= it[2] for it in filter(None, requests)):
        raise ValueError("times run backwards")
    judged = [request for request in requests if request is None or request[0] >= answered or is_rate]
    # The tokens of an answer that came at once have no known time between them: of more than one in twenty, there is no ITL.
    at_once = sum(first == latency and (tokens or 0) > 1 for _, first, latency, tokens, _, _ in filter(None, judged))
    has_itl = at_once * 20 <= sum(request is not None for request in judged)
    for request in judged:
        for place, (metric, limit) in enumerate(limits):
            _, first, latency, tokens, _, _ = request or (0, 0, 0, 0, None, 0)
            if request is None:
                value = math.inf
            elif first is None or metric == "itl" and (not has_itl or (tokens or 0) < 2 or first == latency):
                continue
            else:
                value = (latency - first) / 1e6 / (tokens - 1) if metric == "itl" else first / 1e6
            of[place] += 1
            over[place] += value > limit
    return " ".join(f"{metric}:{o}/{n}" for (metric, _), o, n in zip(limits, over, of))

def at_most(over, requests, share):
    """The probability that at most so many are over a limit, when each is with this probability."""
    if over >= requests:
        return 1.0
    odds, logarithm, term, total = share / (1.0 - share), requests * math.log1p(-share), 1.0, 1.0
    for k in range(over):
        term *= (requests - k) / (k + 1) * odds
        total += term
        if total > 1e200:
            term, total, logarithm = term / 1e200, total / 1e200, logarithm + math.log(1e200)
    return min(math.exp(min(logarithm + math.log(total), 0.0)), 1.0)

def judge(percentile, limits, over, requests):
    """True within, False above, None when so many requests cannot tell: as Percentile::judge has it."""
    def is_rare(probability):
        return probability <= 0.01 * (1.0 + 1e-9)

    if requests == 0:
        return None
    share = (100 - percentile) / 100
    if is_rare(at_most(over, requests, share)):
        return True
    return False if is_rare(at_most(requests - over, requests, 1.0 - share) * limits) else None

def verdict(percentile, words):
    """Whether a point holds, and by what it does not."""
    if ":" not in words[0]:
        return False, " ".join(words)
    judged = []
    for word in words:
        metric, numbers = word.split(":")
        over, requests = map(int, numbers.split("/"))
        judged.append((judge(percentile, len(words), over, requests), metric))
    above = [metric for within, metric in judged if within is False]
    if above:
        return False, above[0]
    return (True, "") if judged and all(within for within, _ in judged) else (None, "doubt")

def probe(levels, low, high, left):
    if high < len(levels):
        return (low + high - 1) // 2
    most, double = 1 << (left - 1), low
    while low and double < len(levels) and levels[double] < 2 * levels[low - 1]:
        double += 1
    return min(max(double, high - most), low + most - 1, high - 1)

def most_left(levels, low, high, left):
    """So many levels will be probed at most."""
    return left if high == len(levels) else (high - low).bit_length()

def search(percentile, levels, known):
    low, high, left, why = 0, len(levels), len(levels).bit_length() + 2, "-"
    while low < high:
        place = probe(levels, low, high, left)
        level, holds, by = levels[place], None, ""
        # "Cannot tell" is answered by more requests, once.
        for attempt in 1, 2:
            if (level, attempt) not in known:
                return f"probe {level} {attempt} {most_left(levels, low, high, left)}"
            holds, by = verdict(percentile, known[level, attempt])
            if holds is not None:
                break
        if holds:
            low = place + 1
        else:
            high, why = place, by
        left -= 1
    return f"end {levels[low - 1] if low else '-'} {levels[high] if high < len(levels) else '-'} {why}"

if __name__ == "__main__":
    if sys.argv[1] == "count":
        end = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
        limits = [(metric, float(limit)) for metric, limit in (word.split("=") for word in sys.argv[4:end])]
        print(count(sys.argv[2], sys.argv[3], limits, sys.argv[end + 1:]))
    else:
        rows = [line.split() for line in sys.stdin]
        known = {(int(row[0]), int(row[1])): row[2:] for row in rows if row}
        print(search(int(sys.argv[2]), [int(level) for level in sys.argv[3:]], known))
