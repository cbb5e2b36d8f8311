#!/usr/bin/env python3
"""A small NIM-like OpenAI-compatible server. Standard library only, asyncio, HTTP/1.1 keep-alive.

GET  /v1/health/live    200 at once
GET  /v1/health/ready   503 until --startup-delay seconds after start, then 200; so does /health
GET  /v1/models         the one model
POST /v1/chat/completions, /v1/completions
     honours max_tokens / max_completion_tokens, min_tokens, ignore_eos, stream,
     stream_options.include_usage

Faults: --die-after-requests K (exit 1 when request K+1 arrives, mid-load),
        --die-mid-stream (die half-way through the stream of that request instead),
        --hang (accept requests, never answer), --hang-after-requests K,
        --error-after-requests K (HTTP 500 from then on)
        --refuse-fields A,B (a request that has one of them gets HTTP 422, as from transformers serve)
        --max-prompt-words N (a longer prompt gets HTTP 400, as if the model's context were too short)
        --hang-over-words N (a longer prompt is never answered; others are)
        --exit-at-once (exit 1 before anything), --die-before-ready S (exit 1 after S seconds of
        a start that never ends), --term-delay S (SIGTERM takes S seconds; not ready meanwhile),
        --term-kills (dies by SIGTERM), --log NAME (prints logs/NAME.log, exit 1; after --die-before-ready S
        if that is given)

A known speed, see law.py: --law NAME=VALUE,... in place of --ttft-ms and --itl-ms,
        --prefix-cache on|off (with VLLM_SERVER_DEV_MODE=1, POST /reset_prefix_cache empties it),
        --template-words N (so many words in front of each prompt, as of a chat's template),
        --law-log FILE (true times). With any of them, GET /metrics has vLLM's counters.
        --nice N (-15 is a server that does not wait for its turn on a busy machine)

The log has the body of the first request, and of each later one that has other fields. It
says "ready at EPOCH" at the end of the startup delay, and "first load request at EPOCH"
when the first prompt of more than 60 words comes in: what lies between, the server stood idle.
"""
import argparse, asyncio, itertools, json, os, random, selectors, signal, sys, time, uuid

ap = argparse.ArgumentParser()
ap.add_argument("--host", default="127.0.0.1")
ap.add_argument("--port", type=int, default=8000)
ap.add_argument("--model", default="meta/llama3-70b-instruct")
ap.add_argument("--startup-delay", type=float, default=0)
ap.add_argument("--ttft-ms", type=float, default=20)
ap.add_argument("--itl-ms", type=float, default=2)
ap.add_argument("--default-tokens", type=int, default=16, help="length when eos is not ignored and no min_tokens")
ap.add_argument("--die-after-requests", type=int, default=0)
ap.add_argument("--die-mid-stream", action="store_true")
ap.add_argument("--hang", action="store_true")
ap.add_argument("--hang-after-requests", type=int, default=0)
ap.add_argument("--error-after-requests", type=int, default=0)
ap.add_argument("--refuse-fields", type=lambda text: set(text.split(",")), default=set())
ap.add_argument("--max-prompt-words", type=int, default=0)
ap.add_argument("--hang-over-words", type=int, default=0)
ap.add_argument("--exit-at-once", action="store_true")
ap.add_argument("--die-before-ready", type=float)
ap.add_argument("--term-delay", type=float, default=0)
ap.add_argument("--term-kills", action="store_true")
ap.add_argument("--log")
ap.add_argument("--bind-late", action="store_true", help="do not even listen before --startup-delay")
ap.add_argument("--usage-always", action="store_true", help="usage in the last chunk even if not asked for")
ap.add_argument("--law")
ap.add_argument("--prefix-cache", choices=("on", "off"))
ap.add_argument("--template-words", type=int, default=0)
ap.add_argument("--law-log")
ap.add_argument("--nice", type=int, default=0)
ap.add_argument("--seed", type=int, default=0)
A = ap.parse_args()

LAW = CACHE = None
if A.law is not None or A.prefix_cache or A.law_log:
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import law

    try:
        LAW = law.Law(f"ttft={A.ttft_ms},itl={A.itl_ms}" if A.law is None else A.law)
    except ValueError as error:
        sys.exit(f"fake_nim: --law: {error}")
    CACHE = law.PrefixCache(A.prefix_cache == "on")
    TRUTH = law.TrueTimes(A.law_log)

T0 = time.monotonic()
WORDS = [" the", " and", " to", " of", " a", " in", " that", " is", " my", " with", " not", " for", " it", " his"]
RNG = random.Random(A.seed)
N = {"req": 0, "done": 0, "prompt": 0, "generated": 0}
LOAD_WORDS = 60  # a longer prompt is load, a shorter one a question whether the server works
READY = False
LOADED = False
SHAPES = []  # of the requests so far


def log(*a):
    print("%.3f" % (time.monotonic() - T0), *a, flush=True)


def epoch(what):
    log(f"{what} at {time.time():.3f}")


def head(status, ctype, length=None, extra=""):
    reason = {200: "OK", 400: "Bad Request", 404: "Not Found", 422: "Unprocessable Entity", 500: "Internal Server Error", 503: "Service Unavailable"}[status]
    h = f"HTTP/1.1 {status} {reason}\r\ncontent-type: {ctype}\r\n{extra}"
    h += "transfer-encoding: chunked\r\n\r\n" if length is None else f"content-length: {length}\r\n\r\n"
    return h.encode()


async def reply(w, status, obj):
    b = json.dumps(obj).encode()
    w.write(head(status, "application/json", len(b)) + b)
    await w.drain()


def log_new_shape(body, headers):
    """Logs a body when none before had the same fields, whatever the numbers in them."""
    body = {**body, **{name: "..." for name in ("messages", "prompt") if name in body}}
    shape = {name: type(value) is int or value for name, value in body.items()}
    if shape not in SHAPES:
        log("another request body" if SHAPES else "first request body", json.dumps(body)[:600], "headers", headers)
        SHAPES.append(shape)


def sse(obj):
    p = b"data: " + (obj if isinstance(obj, bytes) else json.dumps(obj, separators=(",", ":")).encode()) + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(p), p)


def prompt_words(body):
    if "messages" in body:
        words = []
        for m in body["messages"]:
            c = m.get("content")
            if isinstance(c, list):
                c = " ".join(p.get("text", "") for p in c)
            words += (c or "").split()
        return words
    p = body.get("prompt", "")
    return (" ".join(p) if isinstance(p, list) else p).split()


class Selector(selectors.DefaultSelector):
    """Knows when it last looked: what had come by then may wait long for its turn."""

    looked = (0, 0.0)
    looks = 0

    def select(self, timeout=None):
        events = super().select(timeout)
        Selector.looked = (time.time_ns(), time.monotonic())
        Selector.looks += 1
        return events


class Reader(asyncio.StreamReader):
    """Knows when a request's first bytes came, in ns since 1970 and by the monotonic clock."""

    came = None

    def __init__(self):
        super().__init__()
        self.opened = (Selector.looks, Selector.looked)

    def feed_data(self, data):
        looks, opened = self.opened
        # asyncio looks twice before it reads from a new connection: what is there then has come with it.
        self.came = self.came or (opened if Selector.looks <= looks + 2 else Selector.looked)
        super().feed_data(data)


async def generate(w, path, body, came):
    N["req"] += 1
    me = N["req"]
    prompt = prompt_words(body)
    pin = len(prompt)
    global LOADED
    if pin > LOAD_WORDS and not LOADED:
        LOADED = True
        epoch("first load request")
    if A.hang_over_words and pin > A.hang_over_words:
        log("hang on request", me, "of", pin, "words")
        await asyncio.sleep(10 ** 6)
    if A.hang or (A.hang_after_requests and me > A.hang_after_requests):
        log("hang on request", me)
        await asyncio.sleep(10 ** 6)
    if A.error_after_requests and me > A.error_after_requests:
        return await reply(w, 500, {"object": "error", "message": "Internal Server Error", "type": "internal_error", "code": 500})
    doomed = A.die_after_requests and me > A.die_after_requests
    if doomed and not A.die_mid_stream:
        log("dying on request", me)
        os._exit(1)
    if body.get("model") != A.model:
        return await reply(w, 404, {"object": "error", "message": f"The model `{body.get('model')}` does not exist.", "type": "NotFoundError", "code": 404})
    refused = sorted(A.refuse_fields & body.keys())
    if refused:
        log("refusing request", me, "for", *refused)
        names = ", ".join(repr(name) for name in refused)
        return await reply(w, 422, {"detail": f"Unexpected keys in the request: {{{names}}}"})
    chat = path.endswith("chat/completions")
    mx = body.get("max_completion_tokens") or body.get("max_tokens") or 16
    mn = body.get("min_tokens") or 0
    n = mx if body.get("ignore_eos") else max(mn, min(mx, A.default_tokens))
    n = min(n, mx)
    if A.max_prompt_words and pin > A.max_prompt_words:
        log("refusing request", me, "of", pin, "words")
        return await reply(w, 400, {"object": "error", "message": f"This model's maximum context length is {A.max_prompt_words + mx} tokens. However, you requested {pin + mx} tokens ({pin} in the messages, {mx} in the completion). Please reduce the length of the messages or completion.", "type": "BadRequestError", "param": None, "code": 400})
    usage = {"prompt_tokens": pin, "total_tokens": pin + n, "completion_tokens": n}
    rid = ("chat-" if chat else "cmpl-") + uuid.UUID(int=RNG.getrandbits(128)).hex
    base = {"id": rid, "object": "chat.completion.chunk" if chat else "text_completion", "created": int(time.time()), "model": A.model}
    words = [WORDS[(me + i) % len(WORDS)] for i in range(n)]
    fin = "length" if n == mx else "stop"

    def choice(text, finish=None, role=False):
        if chat:
            d = {"role": "assistant", "content": text} if role else ({"content": text} if text is not None else {})
            return {**base, "choices": [{"index": 0, "delta": d, "logprobs": None, "finish_reason": finish}]}
        return {**base, "choices": [{"index": 0, "text": text or "", "logprobs": None, "finish_reason": finish}]}

    if LAW is None:
        return await answer(w, body, chat, base, words, choice, usage, fin, doomed, me, A.ttft_ms, itertools.repeat(A.itl_ms), came[1])
    turn = time.time_ns()
    in_flight, is_new = LAW.arrive()
    cached = CACHE.take(["template"] * A.template_words + prompt)
    ttft, itl = LAW.times(me, in_flight, pin - cached, is_new)
    try:
        first, last = await answer(w, body, chat, base, words, choice, usage, fin, doomed, me, ttft, LAW.steps(itl, in_flight), came[1])
    finally:
        LAW.leave()
    N["prompt"] += A.template_words + pin
    N["generated"] += n
    TRUTH.write(
        request=me, in_flight=in_flight, wave=is_new, prompt_tokens=pin, cached_tokens=cached, output_tokens=n,
        law_ttft_ms=ttft, law_itl_ms=itl, warm_ttft_ms=LAW.times(me, in_flight, pin)[0],
        start_ns=came[0], turn_ns=turn, first_ns=first, last_ns=last,
    )


async def answer(w, body, chat, base, words, choice, usage, fin, doomed, me, ttft_ms, steps, start):
    """Writes the answer, in the time since the request came, and says when its first and last token were written, in ns since 1970."""
    n = len(words)
    if not body.get("stream"):
        await asyncio.sleep((ttft_ms + sum(itertools.islice(steps, n))) / 1000)
        base["object"] = "chat.completion" if chat else "text_completion"
        c = {"index": 0, "logprobs": None, "finish_reason": fin}
        c.update({"message": {"role": "assistant", "content": "".join(words)}} if chat else {"text": "".join(words)})
        await reply(w, 200, {**base, "choices": [c], "usage": usage})
        N["done"] += 1
        return time.time_ns(), time.time_ns()
    w.write(head(200, "text/event-stream; charset=utf-8"))
    if chat:
        w.write(sse(choice("", role=True)))
    first, due = 0, start + ttft_ms / 1000
    for i, word in enumerate(words):
        if doomed and i == n // 2:
            log("dying mid stream on request", me)
            os._exit(1)
        due += next(steps) / 1000 if i else 0
        d = due - time.monotonic()
        if d > 0:
            await asyncio.sleep(d)
        w.write(sse(choice(word)))
        first = first or time.time_ns()
        await w.drain()
    end = time.time_ns()
    last = choice(None, fin)
    want = A.usage_always or (body.get("stream_options") or {}).get("include_usage")
    if A.usage_always:
        last["usage"] = usage
    w.write(sse(last))
    if want and not A.usage_always:
        w.write(sse({**base, "choices": [], "usage": usage}))
    w.write(sse(b"[DONE]") + b"0\r\n\r\n")
    await w.drain()
    N["done"] += 1
    return first, end


async def conn(r, w):
    try:
        while True:
            line = await r.readline()
            if not line:
                return
            method, path, _ = line.decode().split(" ", 2)
            hd = {}
            while True:
                l = (await r.readline()).decode().strip()
                if not l:
                    break
                k, v = l.split(":", 1)
                hd[k.lower()] = v.strip()
            if hd.get("expect", "").lower() == "100-continue":
                w.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            data = b""
            if "content-length" in hd:
                data = await r.readexactly(int(hd["content-length"]))
            elif hd.get("transfer-encoding", "").lower() == "chunked":
                while True:
                    n = int((await r.readline()).split(b";")[0], 16)
                    data += await r.readexactly(n)
                    await r.readline()
                    if n == 0:
                        break
            came, r.came = r.came, None
            path = path.split("?")[0]
            if method == "GET" and path == "/v1/health/live":
                await reply(w, 200, {"object": "health.response", "message": "live"})
            elif method == "GET" and path in ("/v1/health/ready", "/health"):
                await reply(w, 200 if READY else 503, {"object": "health.response", "message": "Service is ready." if READY else "Service is not ready."})
            elif method == "GET" and path == "/v1/models":
                await reply(w, 200 if READY else 503, {"object": "list", "data": [{"id": A.model, "object": "model", "created": int(time.time()), "owned_by": "system", "root": A.model}]})
            elif LAW and method == "GET" and path == "/metrics":
                text = law.metrics(A.model, CACHE, LAW, N["prompt"], N["generated"]).encode()
                w.write(head(200, "text/plain; version=0.0.4; charset=utf-8", len(text)) + text)
                await w.drain()
            elif LAW and method == "POST" and path == "/reset_prefix_cache" and os.environ.get("VLLM_SERVER_DEV_MODE") == "1":
                CACHE.reset()
                await reply(w, 200, {})
            elif method == "POST" and path in ("/v1/chat/completions", "/v1/completions"):
                if not READY:
                    await reply(w, 503, {"object": "error", "message": "Service is not ready."})
                else:
                    try:
                        body = json.loads(data)
                    except ValueError as e:
                        await reply(w, 400, {"object": "error", "message": str(e)})
                        continue
                    log_new_shape(body, hd)
                    await generate(w, path, body, came)
            else:
                await reply(w, 404, {"detail": "Not Found", "path": path})
            if hd.get("connection", "").lower() == "close":
                return
    except (ConnectionError, asyncio.IncompleteReadError, BrokenPipeError):
        pass
    finally:
        w.close()


def fail():
    """Exits as a server that says why."""
    if A.log:
        with open(os.path.join(os.path.dirname(os.path.realpath(__file__)), "logs", A.log + ".log")) as file:
            print(file.read(), end="", flush=True)
    os._exit(1)


async def load():
    """What a real server does while it loads its model: it takes its time, or dies."""
    global READY
    if A.die_before_ready is not None:
        await asyncio.sleep(T0 + A.die_before_ready - time.monotonic())
        log("dying before ready")
        fail()
    await asyncio.sleep(T0 + A.startup_delay - time.monotonic())
    READY = True
    epoch("ready")


async def terminate():
    global READY
    READY = False
    epoch("SIGTERM")
    if A.term_kills:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(A.term_delay)
    log("SIGTERM served", N)
    os._exit(0)


async def main():
    loop = asyncio.get_running_loop()
    tasks = []  # the loop itself holds them only weakly
    loop.add_signal_handler(signal.SIGTERM, lambda: tasks.append(loop.create_task(terminate())))
    if A.bind_late:
        await load()
    s = await loop.create_server(lambda: asyncio.StreamReaderProtocol(Reader(), conn), A.host, A.port, backlog=1024)
    log(f"listening on http://{A.host}:{A.port} model={A.model} ready after {A.startup_delay}s"
        f" on {len(os.sched_getaffinity(0))} CPUs")
    if not A.bind_late:
        tasks.append(loop.create_task(load()))
    async with s:
        try:
            await s.serve_forever()
        finally:
            log("served", N)

if A.exit_at_once:
    sys.exit("fake_nim: exit at once")
if A.log and A.die_before_ready is None:
    fail()
os.nice(A.nice)
asyncio.SelectorEventLoop(Selector()).run_until_complete(main())
