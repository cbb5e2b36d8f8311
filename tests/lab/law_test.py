#!/usr/bin/env python3
"""Tests the stand-in server's law: python3 tests/lab/law_test.py. A port is free when it is asked for."""
import http.client, json, os, pathlib, socket, statistics, subprocess, sys, tempfile, threading, time, unittest

IMAGE = pathlib.Path(__file__).resolve().parent / "image"
sys.path.insert(0, str(IMAGE))
import law

WORDS = [f"word{n}" for n in range(200)]


class LawTest(unittest.TestCase):
    def test_times_follow_the_formula(self):
        known = law.Law("ttft=100,queue=2,prompt=0.5,itl=10,load=0.3,wave=400")
        self.assertEqual(known.times(1, 1, 0), (100, 10))
        ttft, itl = known.times(2, 11, 40)
        self.assertAlmostEqual(ttft, 100 + 20 + 20)
        self.assertAlmostEqual(itl, 13)
        self.assertEqual(known.times(3, 1, 0, True), (500, 10))

    def test_noise_is_the_seed_s_and_its_mean_is_the_law_s(self):
        first, again, other = (law.Law(f"ttft=100,itl=10,noise=0.1,seed={seed}") for seed in (7, 7, 8))
        times = [first.times(n, 1, 0) for n in range(4000)]
        self.assertEqual(times, [again.times(n, 1, 0) for n in range(4000)])
        self.assertNotEqual(times[:10], [other.times(n, 1, 0) for n in range(10)])
        ttfts = [ttft for ttft, _ in times]
        self.assertAlmostEqual(statistics.mean(ttfts), 100, delta=0.6)  # 4 standard errors
        self.assertAlmostEqual(statistics.stdev(ttfts), 10, delta=0.6)

    def test_a_wave_is_slow_where_never_so_many_were_in_flight(self):
        known = law.Law("wave=1")
        self.assertEqual([known.arrive() for _ in range(2)], [(1, True), (2, True)])
        for _ in range(2):
            known.leave()
        self.assertEqual([known.arrive() for _ in range(3)], [(1, False), (2, False), (3, True)])

    def test_a_batch_gives_each_token_the_time_of_those_in_flight_then(self):
        for batch, after in ((1, 10), (0, 16)):
            known = law.Law(f"itl=10,load=2,batch={batch}")
            for _ in range(4):
                known.arrive()
            steps = known.steps(known.times(4, 4, 0)[1], 4)
            self.assertEqual([next(steps), next(steps)], [16, 16])
            for _ in range(3):
                known.leave()
            self.assertEqual(next(steps), after)

    def test_what_is_no_law_is_refused(self):
        for text in ("speed=1", "ttft", "ttft=-1", "itl=nan", "itl=inf", "ttft=fast"):
            with self.assertRaises(ValueError, msg=text):
                law.Law(text)


class PrefixCacheTest(unittest.TestCase):
    def test_whole_blocks_of_the_same_beginning_are_found(self):
        cache = law.PrefixCache(True)
        self.assertEqual(cache.take(WORDS[:100]), 0)
        self.assertEqual(cache.take(WORDS[:40] + ["another"] * 60), 32)
        self.assertEqual(cache.take(WORDS[:100]), 96)
        self.assertEqual(cache.take(WORDS[:96]), 80)  # the last token is worked out
        self.assertEqual(cache.take(["before"] + WORDS[:99]), 0)
        self.assertEqual((cache.queries, cache.hits), (496, 208))
        cache.reset()
        self.assertEqual(cache.take(WORDS[:100]), 0)
        self.assertEqual((cache.queries, cache.hits), (596, 208))

    def test_one_that_is_off_finds_nothing(self):
        cache = law.PrefixCache(False)
        self.assertEqual([cache.take(WORDS), cache.take(WORDS)], [0, 0])
        self.assertEqual((cache.queries, cache.hits), (0, 0))


class Server:
    def __init__(self, *options):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder = tempfile.TemporaryDirectory()
        self.log = pathlib.Path(self.folder.name) / "law.jsonl"
        command = [sys.executable, IMAGE / "fake_nim.py", "--port", str(self.port), "--law-log", self.log, *options]
        environment = {**os.environ, "VLLM_SERVER_DEV_MODE": "1"}
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)

    def __enter__(self):
        for _ in range(600):
            try:
                if self.ask("GET", "/v1/health/ready")[0] == 200:
                    return self
            except ConnectionError:
                pass
            time.sleep(0.05)
        self.__exit__()
        raise TimeoutError("the server is not ready")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)
        self.folder.cleanup()

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, json.dumps(body) if body else None)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def complete(self, words, tokens=4):
        body = {"model": "meta/llama3-70b-instruct", "stream": True, "max_tokens": tokens, "ignore_eos": True,
                "messages": [{"role": "user", "content": " ".join(words)}]}
        start = time.time_ns()
        status, _ = self.ask("POST", "/v1/chat/completions", body)
        return status, start, time.time_ns()

    def truth(self, count):
        """So many lines of the log. The last is written after its client has its answer."""
        for _ in range(600):
            lines = self.log.read_text().splitlines()
            if len(lines) >= count:
                break
            time.sleep(0.02)
        return [json.loads(line) for line in lines]

    def counters(self):
        lines = self.ask("GET", "/metrics")[1].splitlines()
        values = (line.split() for line in lines if not line.startswith("#"))
        return {name.split("{")[0]: float(value) for name, value in values}


class ServerTest(unittest.TestCase):
    def test_each_request_s_true_times(self):
        with Server("--law", "ttft=200,queue=50,itl=20,load=5,prompt=1") as server:
            clients = [threading.Thread(target=server.complete, args=(WORDS[:100], 6)) for _ in range(4)]
            for client in clients:
                client.start()
            for client in clients:
                client.join()
            status, start, end = server.complete(WORDS[:50], 6)
            self.assertEqual(status, 200)
            truth = sorted(server.truth(5), key=lambda line: line["request"])
            self.assertEqual(server.counters()["vllm:num_requests_running"], 0)
        self.assertEqual([line["in_flight"] for line in truth], [1, 2, 3, 4, 1])
        self.assertEqual([line["wave"] for line in truth], [True] * 4 + [False])
        for line in truth:
            in_flight = line["in_flight"]
            self.assertEqual(line["law_ttft_ms"], 200 + 50 * (in_flight - 1) + line["prompt_tokens"])
            self.assertEqual(line["law_itl_ms"], 20 + 5 * (in_flight - 1))
            first, last = ((line[name] - line["start_ns"]) / 1e6 for name in ("first_ns", "last_ns"))
            # A machine under load is late, and never early.
            self.assertGreaterEqual(first, line["law_ttft_ms"] - 1)
            self.assertGreaterEqual(last, line["law_ttft_ms"] + 5 * line["law_itl_ms"] - 1)
            self.assertEqual((line["output_tokens"], line["cached_tokens"]), (6, 0))
        self.assertTrue(start <= truth[-1]["start_ns"] <= truth[-1]["first_ns"] <= truth[-1]["last_ns"] <= end)

    def test_a_prefix_cache_that_is_on_saves_time_and_counts(self):
        with Server("--law", "prompt=5,itl=1,wave=7", "--prefix-cache", "on") as server:
            server.complete(WORDS[:100])
            server.complete(WORDS[:100])
            counters = server.counters()
            self.assertEqual(server.ask("POST", "/reset_prefix_cache")[0], 200)
            server.complete(WORDS[:100])
            truth = server.truth(3)
        self.assertEqual([line["cached_tokens"] for line in truth], [0, 96, 0])
        self.assertEqual([line["law_ttft_ms"] for line in truth], [507, 20, 500])
        self.assertEqual([line["warm_ttft_ms"] for line in truth], [500, 500, 500])
        self.assertEqual(counters["vllm:prefix_cache_queries_total"], 200)
        self.assertEqual(counters["vllm:prefix_cache_hits_total"], 96)
        self.assertEqual(counters["vllm:generation_tokens_total"], 8)

    def test_one_that_is_off_saves_none(self):
        with Server("--law", "prompt=1,itl=1", "--prefix-cache", "off") as server:
            server.complete(WORDS[:100])
            server.complete(WORDS[:100])
            self.assertEqual([line["law_ttft_ms"] for line in server.truth(2)], [100, 100])
            self.assertEqual(server.counters()["vllm:prefix_cache_hits_total"], 0)

    def test_without_these_options_it_is_as_before(self):
        with Server() as server:  # but for its log
            status, start, end = server.complete(WORDS[:10], 3)
            self.assertEqual(status, 200)
            self.assertGreaterEqual(end - start, 20e6 + 2 * 2e6)
            self.assertEqual(server.truth(1)[0]["law_ttft_ms"], 20)

    def test_a_law_that_is_none_ends_with_a_sentence(self):
        command = [sys.executable, IMAGE / "fake_nim.py", "--law", "speed=1"]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
        self.assertEqual(ended.returncode, 1)
        self.assertEqual(
            ended.stderr,
            "fake_nim: --law: 'speed' is no part of a law: ttft, queue, prompt, itl, load, batch, wave, noise, seed are\n",
        )


if __name__ == "__main__":
    unittest.main()
