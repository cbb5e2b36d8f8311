"""tokenizer.py FOLDER TEXT...: a byte-level BPE tokenizer, trained on these texts, as Hugging Face files.

It also says how many tokens random ones become when their text is read again. A model
of random weights answers with such, and the client counts what it reads.
"""
import json
import pathlib
import random
import sys

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

BEGIN, END, HEAD, HEAD_END, TURN_END = SPECIAL = ["<|begin|>", "<|end|>", "<|role|>", "<|text|>", "<|turn_end|>"]
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    f"{HEAD}{{{{ message['role'] }}}}{HEAD_END}{{{{ message['content'] }}}}{TURN_END}"
    "{% endfor %}{% if add_generation_prompt %}" f"{HEAD}assistant{HEAD_END}" "{% endif %}"
)


def main(folder, texts):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=32000,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train(texts, trainer)
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BEGIN,
        "eos_token": END,
        "pad_token": END,
        "model_max_length": 131072,
        "clean_up_tokenization_spaces": False,
        "chat_template": TEMPLATE,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")

    size = tokenizer.get_vocab_size()
    dice = random.Random(0)
    read = 0
    for _ in range(100):
        text = tokenizer.decode([dice.randrange(len(SPECIAL), size) for _ in range(128)])
        read += len(tokenizer.encode(text).ids)
    print(f"{size} tokens; 100 random ones become {read / 128:.0f} when their text is read again")


main(sys.argv[1], sys.argv[2:])
