"""Chat templates in a folder, rendered by this program and by transformers.

    cargo build --workspace --example render_chats
    python tests/differential/chat_templates.py target/debug/examples/render_chats FOLDER

FOLDER holds one template a file (*.jinja), as models publish them; none is in this repository. Each
renders conversations of one to five turns, asking for an answer and not. Thinking is switched
off as the program does it, and the day is the one that the program tells. Compared are the
texts, byte for byte. SHOW=1 prints what differs.
"""

import datetime
import json
import os
import subprocess
import sys
from pathlib import Path

from transformers.utils import chat_template_utils


class FixedDay(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 26, 12)


TOKENS = {
    "bos_token": "<BOS>",
    "eos_token": "<EOS>",
    "unk_token": "<unk>",
    "pad_token": "<PAD>",
}
OFF = {"enable_thinking": False, "thinking": False, "thinking_budget": 0}
TEXTS = [
    "What is 2 + 2?",
    "Four: \"4\" & <b>'4'</b>",
    "Ça va ? 你好\nदो पंक्तियाँ\t{{ x }} {% y %}",
    "well",
    "one more \\n question</s>",
]


def conversations():
    for turns in range(1, len(TEXTS) + 1):
        messages = [
            {"role": ["user", "assistant"][at % 2], "content": text}
            for at, text in enumerate(TEXTS[:turns])
        ]
        for asks in (True, False):
            yield messages, asks


def render_there(template, messages, asks):
    try:
        rendered, _ = chat_template_utils.render_jinja_template(
            conversations=[messages],
            chat_template=template,
            add_generation_prompt=asks,
            **TOKENS,
            **OFF,
        )
        return {"text": rendered[0]}
    except Exception as error:
        return {"refused": f"{type(error).__name__}: {error}"}


def main():
    program, folder = sys.argv[1:]
    chat_template_utils.datetime = FixedDay
    counts = {}
    for path in sorted(Path(folder).glob("*.jinja")):
        template = path.read_text(encoding="utf-8")
        cases = list(conversations())
        asked = [
            json.dumps({"template": template, "tokens": TOKENS, "messages": messages, "asks": asks})
            for messages, asks in cases
        ]
        done = subprocess.run([program], input="\n".join(asked) + "\n", capture_output=True, text=True, check=True)
        results, shown = set(), None
        for (messages, asks), line in zip(cases, done.stdout.splitlines(), strict=True):
            here, there = json.loads(line), render_there(template, messages, asks)
            if here.keys() != there.keys():
                result = "refused here alone" if "refused" in here else "refused there alone"
            elif "refused" in here:
                result = "refused by both"
            else:
                result = "equal" if here == there else "different"
            results.add(result)
            if result not in ("equal", "refused by both"):
                shown = shown or (here, there)
        worst = ("different", "refused here alone", "refused there alone", "equal", "refused by both")
        result = next(one for one in worst if one in results)
        counts[result] = counts.get(result, 0) + 1
        if result != "equal":
            print(f"{path.name}: {result}")
        if shown and os.environ.get("SHOW"):
            print("  here: ", shown[0], "\n  there:", shown[1])
    print(counts)
    return 1 if counts.keys() - {"equal", "refused by both"} else 0


if __name__ == "__main__":
    sys.exit(main())
