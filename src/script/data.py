# Brings a data set into the form that the client's tool reads: a prompt a line, each once, in the file's order.
#   FORMAT KEY FILE TO: writes {KEY: prompt} for each prompt of FILE into TO, and says how many there are
import hashlib, json, sys

# What would change the requests, and is not sent.
UNKNOWN = ("texts", "image", "images", "audio", "audios", "video", "videos", "role", "timestamp", "delay", "session_id",
           "output_length", "extra")
MOST = 1 << 26

def of_lines(file):
    for number, line in enumerate(iter(lambda: file.readline(MOST), ""), 1):
        if line.strip():
            yield f"line {number}", json.loads(line)

def of_list(file):
    """The entries of a list, or of lines, one after the other: all of it may not fit into memory."""
    decoder, text, at, number, is_list = json.JSONDecoder(), "", 0, 0, False
    while True:
        while at < len(text) and (text[at] in " \t\r\n," or text[at] == "[" and number == 0 and not is_list):
            is_list |= text[at] == "["
            at += 1
        if is_list and at < len(text) and text[at] == "]":
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
    return prompts[0]

def question_of(place, entry):
    turns = entry.get("conversations")
    if not isinstance(turns, list):
        raise ValueError(f"{place} has no list under conversations")
    turns = [turn for turn in turns if isinstance(turn, dict) and turn.get("from") in ("human", "user", "gpt", "assistant")]
    for turn, answer in zip(turns, turns[1:]):
        said = [turn.get("value"), answer.get("value")]
        roles = turn["from"] in ("human", "user"), answer["from"] in ("gpt", "assistant")
        if all(roles) and all(isinstance(text, str) and text.strip() for text in said):
            return said[0]
    return None

def main(form, key, source, target):
    entries, prompt = (of_lines, prompt_of) if form == "prompts" else (of_list, question_of)
    seen, place = set(), "the beginning"
    with open(source, encoding="utf-8-sig") as file, open(target, "w", encoding="ascii") as out:
        try:
            for place, entry in entries(file):
                if not isinstance(entry, dict):
                    raise ValueError(f"{place} is no object of JSON")
                text = prompt(place, entry)
                if text is None:
                    continue
                text = text.strip()
                digest = hashlib.sha256(text.encode()).digest()[:16]
                if digest not in seen:
                    seen.add(digest)
                    print(json.dumps({key: text}), file=out)
        except UnicodeError:
            sys.exit(f"at {place} or behind it: this is no text in UTF-8")
        except json.JSONDecodeError as error:
            sys.exit(f"at {place} or behind it: this is no JSON ({error.msg})")
        except RecursionError:
            sys.exit(f"at {place} or behind it: lists within lists, too deep")
        except ValueError as error:
            sys.exit(str(error))
    print(len(seen))

main(*sys.argv[1:])
