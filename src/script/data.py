# Brings a data set into the form that the client's tool reads: a prompt a line, each once, in the file's order.
#   FORMAT KEY FILE TO SECONDS: writes {KEY: prompt} for each prompt of FILE into TO, and says how many there are, and how many
#   words have their mean length; of a trace, its requests, which are to be sent within so many seconds, and says also in how
#   many seconds, and for how many tokens.
#   FORMAT-tTURNSdMILLISECONDS has conversations in place of prompts: of so many questions, each so long after the answer before it
import hashlib, itertools, json, sys

# What would change the requests, and is not sent.
UNKNOWN = ("texts", "image", "images", "audio", "audios", "video", "videos", "role", "timestamp", "delay", "session_id",
           "output_length", "extra", "messages", "payload", "tools", "system", "system_prompt", "max_tokens")
UNKNOWN_IN_TRACE = ("session_id", "delay", "text", "text_input", "prompt", "messages", "payload", "tools", "extra")
MOST = 1 << 26

def of_lines(file):
    for number, line in enumerate(iter(lambda: file.readline(MOST), ""), 1):
        if line.strip(" \t\r\n\v\f"):
            yield f"line {number}", json.loads(line)

def of_list(file):
    """The entries of a list, or of lines, one after the other: all of it may not fit into memory."""
    decoder, text, at, number, is_list = json.JSONDecoder(), "", 0, 0, False
    while True:
        while at < len(text) and (text[at] in " \t\r\n," or text[at] == "[" and number == 0 and not is_list):
            is_list |= text[at] == "["
            at += 1
        if is_list and at < len(text) and text[at] == "]":
            if any(more.strip() for more in itertools.chain([text[at + 1:]], iter(lambda: file.read(1 << 20), ""))):
                raise ValueError(f"behind entry {number}, the list ends, and more follows: one list, or an object a line")
            return
        try:
            entry, at = decoder.raw_decode(text, at)
        except ValueError:
            if len(text) - at > MOST:
                raise
            more = file.read(max(1 << 20, len(text) - at))
            if not more and at == len(text) and not is_list:
                return
            if not more:
                raise
            text, at = text[at:] + more, 0
            continue
        number += 1
        yield f"entry {number}", entry

def prompt_of(place, entry):
    unknown = [key for key in UNKNOWN if key in entry]
    if unknown:
        raise ValueError(f"{place} has {unknown[0]}, which is not sent; take it out")
    prompts = [entry[key] for key in ("text", "text_input", "prompt") if key in entry]
    if len(prompts) != 1 or not isinstance(prompts[0], str) or not prompts[0].strip():
        raise ValueError(f"{place} must have a text under text, text_input or prompt, under one of them")
    return prompts

def questions_of(place, entry):
    turns = entry.get("conversations")
    if not isinstance(turns, list):
        raise ValueError(f"{place} has no list under conversations")
    turns = [turn for turn in turns if isinstance(turn, dict) and turn.get("from") in ("human", "user", "gpt", "assistant")]
    for turn, answer in zip(turns, turns[1:]):
        said = [turn.get("value"), answer.get("value")]
        roles = turn["from"] in ("human", "user"), answer["from"] in ("gpt", "assistant")
        if all(roles) and all(isinstance(text, str) and text.strip() for text in said):
            yield said[0]

class Trace:
    """The requests of a trace: the first is sent at 0, and each at its time behind it."""
    BLOCK = 512

    def __init__(self, most):
        self.most, self.first, self.last, self.tokens, self.count = most, None, 0, 0, 0
        self.input_tokens = 0
        self.lengths = {}

    def request_of(self, place, entry):
        at, lengths, blocks = entry.get("timestamp"), [], entry.get("hash_ids", [])
        unknown = [key for key in UNKNOWN_IN_TRACE if key in entry]
        if unknown:
            raise ValueError(f"{place} has {unknown[0]}, which is not sent; take it out")
        if type(at) not in (int, float) or not 0 <= at < 1e15:
            raise ValueError(f"{place} must have its time in milliseconds under timestamp")
        for key in "input_length", "output_length":
            lengths.append(entry.get(key))
            if type(lengths[-1]) is not int or not 0 < lengths[-1] < 1e8:
                raise ValueError(f"{place} must have a number of tokens under {key}, at least 1")
        if type(blocks) is not list or not all(type(block) is int and 0 <= block < 1 << 63 for block in blocks):
            raise ValueError(f"{place} must have a list of whole numbers under hash_ids, or none")
        needed = -(-lengths[0] // self.BLOCK)
        if blocks and len(blocks) != needed:
            raise ValueError(f"{place} has {len(blocks)} hash_ids, and its input_length is {needed} blocks of {self.BLOCK} tokens")
        for number, block in enumerate(blocks, 1):
            length = self.BLOCK if number < needed else lengths[0] - (needed - 1) * self.BLOCK
            if self.lengths.setdefault(block, length) != length:
                raise ValueError(f"{place} has {length} tokens under the hash_id {block}, and a line above it {self.lengths[block]}: "
                                 "AIPerf refuses that, or sends other prompts")
        at = round(at)
        if self.first is None:
            self.first = at
        if at - self.first < self.last:
            raise ValueError(f"{place} is sent before the one above it: sort the lines by timestamp")
        self.last, self.tokens, self.count = at - self.first, self.tokens + lengths[1], self.count + 1
        self.input_tokens += lengths[0]
        if self.last >= 1000 * self.most:
            raise ValueError(f"{place} is sent after {self.last // 1000} s, and sweep.point_timeout gives a point up after "
                             f"{self.most} s: raise that, or take the lines above it alone, as with head -n {self.count - 1}")
        request = {"timestamp": self.last, "input_length": lengths[0], "output_length": lengths[1]}
        return {**request, "hash_ids": blocks} if blocks else request

def main(form, key, source, target, seconds):
    form, _, talk = form.partition("-t")
    turns, delay = [int(number) for number in talk.split("d")] if talk else (1, 0)
    entries, texts_of = (of_list, questions_of) if form == "sharegpt" else (of_lines, prompt_of)
    seen, size, place, trace = set(), 0, "the beginning", Trace(int(seconds))
    # Lines end as for grep, which counts them.
    with open(source, encoding="utf-8-sig", newline="\n") as file, open(target, "w", encoding="ascii") as out:
        try:
            for place, entry in entries(file):
                if not isinstance(entry, dict):
                    raise ValueError(f"{place} is no object of JSON")
                if form == "mooncake":
                    print(json.dumps(trace.request_of(place, entry)), file=out)
                    continue
                texts = [text.strip() for text in itertools.islice(texts_of(place, entry), turns)]
                if len(texts) < turns:
                    continue
                digest = hashlib.sha256(texts[0].encode()).digest()[:16]
                if digest not in seen:
                    seen.add(digest)
                    size += len(texts[0].encode())
                    later = [{key: text, "delay": delay} for text in texts[1:]]
                    print(json.dumps({"turns": [{key: texts[0]}, *later]} if talk else {key: texts[0]}), file=out)
            if form == "mooncake" and trace.count == 0:
                raise ValueError("it has no requests")
        except UnicodeError:
            sys.exit(f"at {place} or behind it: this is no text in UTF-8")
        except json.JSONDecodeError as error:
            sys.exit(f"at {place} or behind it: this is no JSON ({error.msg})")
        except RecursionError:
            sys.exit(f"at {place} or behind it: lists within lists, too deep")
        except ValueError as error:
            sys.exit(str(error))
    if form == "mooncake":
        words = trace.input_tokens // trace.count
        print(trace.count, words, max(1, -(-trace.last // 1000)), max(1, round(trace.tokens / trace.count)))
    else:
        # A common word is a token, and few tokens have more than five bytes.
        print(len(seen), max(1, size // 5 // max(1, len(seen))))

main(*sys.argv[1:])
