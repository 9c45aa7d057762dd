"""Scores of sacrebleu 2.6 for the golden test beside this file.

    python -m venv venv && venv/bin/pip install sacrebleu==2.6.0
    venv/bin/python crates/compare/tests/translation/reference.py
"""
import json
import pathlib
import random

import sacrebleu
from sacrebleu.metrics import BLEU, CHRF

TOKENISERS = ["13a", "zh", "char"]

# Answer and reference: many scripts, signs that the rules treat apart, lines without words.
LINES = [
    ("The cat sat on the mat.", "The cat is sitting on the mat."),
    ("", ""),
    ("", "Nothing was said."),
    ("Something was said.", ""),
    ("   ", "a"),
    ("a", "a"),
    ("a b", "a b"),
    ("a b c", "a b c"),
    ("Hello, world!", "Hello , world !"),
    ("It costs $3.50, or 1,000.25 - not 7-8.", "It costs $3.50 or 1,000.25, not 7-8 ."),
    ("don't (hi) [x] {y} a/b a\\b 'quoted' \"so\"", "don't ( hi ) [x] {y} a/b a\\b 'quoted' \"so\""),
    ("...,,,.5.,a 1.a .1 2-3 4--5 -6", "... ,,, .5 ., a 1.a .1 2-3 4 - - 5 -6"),
    ("&quot;A&amp;B&quot; &lt;b&gt; &amp;lt;", "\"A&B\" <b> &lt;"),
    ("x <skipped> y", "x y"),
    ("well-\nknown line\nbreak", "wellknown line break"),
    ("Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich", "Zwölf Boxkämpfer jagten Viktor über den Sylter Deich."),
    ("Быстрая лиса перепрыгнула через собаку.", "Быстрая коричневая лиса прыгает через ленивую собаку."),
    ("Ο γρήγορος αλεπού", "Η γρήγορη αλεπού πηδά."),
    ("مرحبا بالعالم، كيف حالك؟", "مرحبا يا عالم، كيف الحال؟"),
    ("שלום עולם", "שלום לעולם!"),
    ("नमस्ते दुनिया, आप कैसे हैं?", "नमस्कार दुनिया, आप कैसे हैं?"),
    ("আমি বাংলায় গান গাই।", "আমি বাংলায় গান গাইছি।"),
    ("ฉันชอบกินข้าวผัด", "ฉันชอบกินข้าวเหนียว"),
    ("ខ្ញុំស្រលាញ់", "ខ្ញុំ ស្រលាញ់ អ្នក"),
    ("我喜欢吃苹果。", "我爱吃苹果。"),
    ("他在2024年说:“你好,世界!”", "2024年,他说:“你好,世界。”"),
    ("這是(繁體)中文 mixed with English 3.5%", "這是（繁體）中文 mixed with English, 3.5%"),
    ("今日は天気がいいですね。", "今日はとても良い天気です。"),
    ("カタカナとﾊﾝｶｸ", "カタカナと半角"),
    ("저는 한국어를 공부합니다.", "저는 한국어 공부를 해요."),
    ("😀 emoji 😀👍🏽", "😀 emoji 👍🏽"),
    ("𠀀𠀁 beyond the plane 丽", "𠀀𠀂 beyond a plane"),
    ("“typographic” – quotes … and ‘more’", "“typographic” — quotes... and 'more'"),
    ("no\u00a0break\u2009thin\u3000wide\u200bzero\tand\u001fcontrol", "no break thin wide zero and control"),
    ("ends in spaces  \t ", "ends in spaces"),
    ("é e\u0301 ﬁ ŉ İ ß", "é é fi ŉ i ss"),
    ("Premise: A man plays. Hypothesis: \"He sings.\"", "Premise: A man is playing. Hypothesis: He sings."),
    ("the the the the the the the", "the cat is on the mat"),
    ("a.b,c 1.5,6 .,", "a. b, c 1.5, 6 . ,"),
    ("Ñandú corrió más rápido, ¿verdad?", "El ñandú corrió más rápido, ¿no?"),
    ("Xin chào thế giới", "Chào thế giới"),
    ("Habari ya dunia", "Habari za ulimwengu"),
    ("Þetta er íslenska", "Þetta er íslenskur texti"),
]


def corpora():
    """Lists of line numbers: all, pieces, repetitions, one line, only lines without words."""
    everything = list(range(len(LINES)))
    yield everything
    yield [0]
    yield [1]
    yield [1, 2, 3]
    yield [5, 6, 7]
    generator = random.Random(7)
    for size in (3, 5, 8, 13, 21, 34, 60):
        yield generator.choices(everything, k=size)


def numbers(texts):
    bleus = {name: BLEU(tokenize=name) for name in TOKENISERS}
    chrf = CHRF(word_order=2)
    answers, references = [a for a, _ in texts], [[r for _, r in texts]]
    found = {name: bleu.corpus_score(answers, references).score for name, bleu in bleus.items()}
    found["chrf"] = chrf.corpus_score(answers, references).score
    return found


def sentence(answer, reference):
    found = {
        name: BLEU(tokenize=name, effective_order=True).sentence_score(answer, [reference]).score
        for name in TOKENISERS
    }
    found["chrf"] = CHRF(word_order=2).sentence_score(answer, [reference]).score
    return found


def main():
    tokenisers = {name: BLEU(tokenize=name)._preprocess_segment for name in TOKENISERS}
    lines = [
        {
            "answer": answer,
            "reference": reference,
            "words": {name: split(answer).split() for name, split in tokenisers.items()},
            "scores": sentence(answer, reference),
        }
        for answer, reference in LINES
    ]
    one = BLEU()
    one.corpus_score(["a"], [["a"]])
    plus = CHRF(word_order=2)
    plus.corpus_score(["a"], [["a"]])
    golden = {
        "sacrebleu": sacrebleu.__version__,
        "bleu": str(one.get_signature()),
        "chrf": str(plus.get_signature()),
        "lines": lines,
        "corpora": [{"lines": some, "scores": numbers([LINES[i] for i in some])} for some in corpora()],
    }
    path = pathlib.Path(__file__).with_name("golden.json")
    path.write_text(json.dumps(golden, ensure_ascii=False, indent=1) + "\n")


main()
