"""How fast the stand-in server is, by a law that is known, and what it truly did.

A law is a list of NAME=VALUE, all in ms but for noise and seed; what is not named is 0:

    ttft=150,queue=2,prompt=0.05,itl=20,load=0.3,wave=400,noise=0.05,seed=7

    time to first token  = (ttft + queue * (n - 1) + prompt * p + wave, if n is new) * e
    inter-token latency  = (itl + load * (n - 1)) * e

n is the number of requests in flight when this one comes, itself included; p the number of its
prompt's tokens (words) that the prefix cache does not have; e one number for each request,
lognormal with the standard deviation noise, 1 without. n is new where the server never had so many
in flight before, as of a server that compiles and allocates for each number when it first comes: so
the first wave of a load is slow.

With batch=1, the time to each further token is that of the n at that moment, as of a server that batches
continuously: what came to a full server is faster at the end, when the others have gone.

The log has a line of JSON for each request, when its answer has ended: what the law said, what it
would have said without cache and wave (warm_ttft_ms), when the request had come, when its turn came,
and when the first and the last token were truly written, in ns since 1970.
"""
import hashlib, json, math, random

BLOCK = 16  # tokens, as of vLLM
NAMES = ("ttft", "queue", "prompt", "itl", "load", "batch", "wave", "noise", "seed")


class Law:
    def __init__(self, text):
        self.values = {name: 0.0 for name in NAMES}
        for part in filter(None, text.split(",")):
            name, _, value = part.partition("=")
            if name not in NAMES:
                raise ValueError(f"{name!r} is no part of a law: {', '.join(NAMES)} are")
            self.values[name] = float(value)
            if not 0 <= self.values[name] < math.inf:
                raise ValueError(f"{name} is {value}: a number from 0 on is allowed")
        self.in_flight = self.most = 0

    def arrive(self):
        """How many are in flight now, and whether that is new."""
        self.in_flight += 1
        is_new = self.in_flight > self.most
        self.most = max(self.most, self.in_flight)
        return self.in_flight, is_new

    def leave(self):
        self.in_flight -= 1

    def steps(self, itl, in_flight):
        """The times between tokens in ms, of a request that came as one of so many with this one."""
        law = self.values
        usual = law["itl"] + law["load"] * (in_flight - 1)
        while True:
            now = law["itl"] + law["load"] * (self.in_flight - 1)
            yield itl * now / usual if law["batch"] and usual else itl

    def times(self, number, in_flight, prompt, is_new=False):
        """Time to first token and inter-token latency of the request of this number, in ms."""
        law = self.values
        noise = random.Random(f"{law['seed']:g} {number}").gauss(0, 1) * law["noise"]
        # The mean of a lognormal is above its median.
        factor = math.exp(noise - law["noise"] ** 2 / 2)
        ttft = law["ttft"] + law["queue"] * (in_flight - 1) + law["prompt"] * prompt
        return (ttft + law["wave"] * is_new) * factor, (law["itl"] + law["load"] * (in_flight - 1)) * factor


class PrefixCache:
    """Blocks of prompts that have been seen. One that is off finds nothing, and counts nothing."""

    def __init__(self, is_on):
        self.is_on = is_on
        self.blocks = set()
        self.queries = 0
        self.hits = 0

    def take(self, words):
        """How many of a prompt's first tokens are there; the others are from now on."""
        if not self.is_on:
            return 0
        self.queries += len(words)
        found, is_known, chain = 0, True, b""
        for end in range(BLOCK, len(words) + 1, BLOCK):
            block = " ".join(words[end - BLOCK:end])
            chain = hashlib.sha256(chain + block.encode()).digest()
            is_known = is_known and chain in self.blocks
            # The last token is worked out in any case, and with it its block.
            if is_known and end < len(words):
                found = end
            self.blocks.add(chain)
        self.hits += found
        return found

    def reset(self):
        self.blocks.clear()


class TrueTimes:
    def __init__(self, path):
        self.file = open(path, "a", buffering=1) if path else None

    def write(self, **line):
        if self.file:
            self.file.write(json.dumps(line, separators=(",", ":")) + "\n")


def metrics(model, cache, law, prompt_tokens, generated_tokens):
    """What vLLM says at /metrics, as far as it is about this."""
    lines = []
    for name, kind, what, value in (
        ("num_requests_running", "gauge", "Number of requests in model execution batches.", law.in_flight),
        ("prefix_cache_queries_total", "counter", "Prefix cache queries, in terms of number of queried tokens.", cache.queries),
        ("prefix_cache_hits_total", "counter", "Prefix cache hits, in terms of number of cached tokens.", cache.hits),
        ("prompt_tokens_total", "counter", "Number of prefill tokens processed.", prompt_tokens),
        ("generation_tokens_total", "counter", "Number of generation tokens processed.", generated_tokens),
    ):
        lines.append(f"# HELP vllm:{name} {what}")
        lines.append(f"# TYPE vllm:{name} {kind}")
        lines.append(f'vllm:{name}{{engine="0",model_name="{model}"}} {float(value)}')
    return "\n".join(lines) + "\n"

