"""Conversations as transformers renders them, with templates of our own in the forms of published instruct models.

    pip install transformers jinja2
    python make_chats.py

Writes chats.json beside itself; `crates/data/src/chat/tests.rs` compares. A form is what a model's template puts around
turns: markers, where special tokens stand, whether a system turn is made up, what an answer begins with. The sentences are
ours, and each template uses other means of the language, as the published ones do.
"""
import datetime
import json
import pathlib

from transformers.utils import chat_template_utils

HERE = pathlib.Path(__file__).resolve().parent
TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
OFF = {"enable_thinking": False, "thinking": False, "thinking_budget": 0}
TEXTS = ["  Is it good?\n", "No \"& <b>'so'</b>", "再来一次\n\n{{ x }}", "ja", "And now? </think> "]
SYSTEM = "Be brief."

CHATML_TURNS = """{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' + '\\n' }}{% endfor %}"""
CHATML_ASKS = """{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""
ALTERNATE = """{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('turns must alternate') }}{% endif %}"""

FORMS = {
    # ChatML: Yi, SmolLM, Salamandra, EuroLLM; the others make up a system turn or switch thinking off.
    "chatml": CHATML_TURNS + CHATML_ASKS,
    "qwen2.5": """{%- if messages[0].role != 'system' %}
    {{- '<|im_start|>system\\n""" + SYSTEM + """<|im_end|>\\n' }}
{%- endif %}
{%- for m in messages %}
    {{- '<|im_start|>' ~ m.role ~ '\\n' ~ m.content ~ '<|im_end|>\\n' }}
{%- endfor %}
""" + CHATML_ASKS,
    "smollm2": """{% for m in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system
""" + SYSTEM + """<|im_end|>
' }}{% endif %}{{'<|im_start|>' + m['role'] + '
' + m['content'] + '<|im_end|>' + '
'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant
' }}{% endif %}""",
    "qwen3": """{%- set ns = namespace(last=messages|length - 1, searching=true) %}
{%- for m in messages[::-1] %}
    {%- if ns.searching and m.role == 'user' %}
        {%- set ns.searching = false %}
        {%- set ns.last = messages|length - 1 - loop.index0 %}
    {%- endif %}
{%- endfor %}
{%- for m in messages %}
    {%- set content = m.content if m.content is string else '' %}
    {%- if m.role == 'assistant' %}
        {%- set thought = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') if '</think>' in content else '' %}
        {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {{- '<|im_start|>' + m.role + '\\n' }}
        {%- if loop.index0 > ns.last and (loop.last or thought) %}
            {{- '<think>\\n' + thought.strip('\\n') + '\\n</think>\\n\\n' }}
        {%- endif %}
        {{- content + '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>' + m.role + '\\n' + content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}
""",
    "qwen3-thinking": """{% for m in messages %}
{{- '<|im_start|>' + m.role + '\\n' -}}
{%- if m.role == 'assistant' and loop.last %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif -%}
{{ m.content + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n<think>\\n' }}{% endif %}""",
    "smollm3": """{%- set enable_thinking = enable_thinking | default(true) -%}
{%- set mode = "/think" if enable_thinking else "/no_think" -%}
{{- "<|im_start|>system\\n## Data\\n\\nDate: " ~ strftime_now("%d %B %Y") ~ "\\nMode: " ~ mode ~ "\\n\\n<|im_end|>\\n" -}}
{%- for m in messages -%}
    {%- if m.role == "user" -%}
        {{ "<|im_start|>user\\n" + m.content + "<|im_end|>\\n" }}
    {%- elif m.role == "assistant" -%}
        {% generation %}
        {{ "<|im_start|>assistant\\n" + m.content.lstrip("\\n") + "<|im_end|>\\n" }}
        {% endgeneration %}
    {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{ "<|im_start|>assistant\\n" if enable_thinking else "<|im_start|>assistant\\n<think>\\n\\n</think>\\n" }}
{%- endif -%}""",
    "phi4": """{% for m in messages %}{{ '<|im_start|>' + m.role + '<|im_sep|>' + m.content + '<|im_end|>' }}{% endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant<|im_sep|>' }}{% endif %}""",
    "internlm2": "{{ bos_token }}" + CHATML_TURNS + CHATML_ASKS,
    "nemotron": """{{- bos_token }}{{ '<SPECIAL_10>System\\ndetailed thinking ' ~ ('on' if enable_thinking else 'off') ~ '\\n' }}
{%- for m in messages %}
{{- '<SPECIAL_11>' ~ m.role | capitalize ~ '\\n' ~ m.content | trim ~ '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<SPECIAL_11>Assistant\\n<think></think>' }}{% endif %}""",
    # Llama and Mistral: spaces around turns, BOS in front or nowhere.
    "llama2": """{% for m in messages %}""" + ALTERNATE + """
{%- set content = '<<SYS>>\\n""" + SYSTEM + """\\n<</SYS>>\\n\\n' + m['content'] if loop.index0 == 0 else m['content'] %}
{%- if m['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}
{%- elif m['role'] == 'assistant' %}{{ ' '  + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}""",
    "llama3": """{% set loop_messages = messages %}{% for m in loop_messages %}{% set content = '<|start_header_id|>' + m['role'] + '<|end_header_id|>

'+ m['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>

' }}{% endif %}""",
    "llama3.1": """{{- bos_token }}
{%- if not date_string is defined %}
    {%- set date_string = "26 Jul 2024" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\nToday Date: " + date_string + "\\n\\n<|eot_id|>" }}
{%- for m in messages %}
    {%- if not (m.role == 'ipython' or 'tool_calls' in m) %}
        {{- '<|start_header_id|>' + m['role'] + '<|end_header_id|>\\n\\n'+ m['content'] | trim + '<|eot_id|>' }}
    {%- elif m.tool_calls|length != 1 %}
        {{- raise_exception("one call at a time") }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
""",
    "llama3.2": """{{- bos_token }}{%- if strftime_now is defined %}{%- set day = strftime_now("%d %b %Y") %}{%- else %}{%- set day = "?" %}{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\nToday: " + day + "\\n\\n<|eot_id|>" }}
{%- for m in messages %}{{- '<|start_header_id|>' ~ m.role ~ '<|end_header_id|>\\n\\n' ~ (m.content|trim) ~ '<|eot_id|>' }}{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif %}""",
    "mistral-v1": """{{ bos_token }}{% for m in messages %}""" + ALTERNATE + """{% if m['role'] == 'user' %}{{ '[INST] ' + m['content'] + ' [/INST]' }}{% elif m['role'] == 'assistant' %}{{ m['content'] + eos_token + ' ' }}{% else %}{{ raise_exception('only user and assistant') }}{% endif %}{% endfor %}""",
    "mistral-v3": """{%- set users = messages | selectattr('role', 'equalto', 'user') | list %}
{{- bos_token }}
{%- for m in messages %}
    {%- if m.role == 'user' %}{{- '[INST] ' + m.content + '[/INST]' }}
    {%- else %}{{- ' ' + m.content | trim + eos_token }}
    {%- endif %}
{%- endfor %}
{%- if users | length == 0 %}{{ raise_exception('no question') }}{% endif %}""",
    "mistral-tekken": """{%- set today = strftime_now('%Y-%m-%d') %}{{ bos_token }}[SYSTEM_PROMPT]{{ 'Today is ' + today }}[/SYSTEM_PROMPT]
{%- for m in messages %}
    {%- if m['role'] == 'user' %}{{- '[INST]' + m['content'] + '[/INST]' }}
    {%- elif m['role'] == 'assistant' %}{{- m['content'] + eos_token }}
    {%- endif %}
{%- endfor %}""",
    # Gemma and Cohere: other names for the roles.
    "gemma": """{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system turn') }}{% endif %}{% for m in messages %}""" + ALTERNATE + """{% if (m['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = m['role'] %}{% endif %}{{ '<start_of_turn>' + role + '
' + m['content'] | trim + '<end_of_turn>
' }}{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model
'}}{% endif %}""",
    "gemma3": """{{ bos_token }}
{%- set first = '""" + SYSTEM + """\\n\\n' -%}
{%- for m in messages -%}
    {%- set role = {'assistant': 'model'}.get(m.role, m.role) -%}
    {{ '<start_of_turn>' + role + '\\n' + (first if loop.first else '') }}
    {%- if m['content'] is string -%}
        {{ m['content'] | trim }}
    {%- elif m['content'] is iterable -%}
        {%- for item in m['content'] if item.type == 'text' -%}{{ item['text'] | trim }}{%- endfor -%}
    {%- endif -%}
    {{ '<end_of_turn>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{'<start_of_turn>model\\n'}}
{%- endif -%}
""",
    "gemma4": """{%- macro turn(role, text) -%}{{ '<|turn>' + role + '\\n' + (text | trim) + '<turn|>\\n' }}{%- endmacro -%}
{{ bos_token }}{%- for m in messages -%}{{ turn('model' if m.role == 'assistant' else m.role, m.content) }}{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|turn>model\\n' }}{%- if not enable_thinking -%}{{ '<|channel>thought\\n<channel|>' }}{%- endif -%}{%- endif -%}""",
    "command-r": """{{ bos_token }}{% set names = {'user': 'USER', 'assistant': 'CHATBOT', 'system': 'SYSTEM'} %}{% for m in messages %}{{ '<|START_OF_TURN_TOKEN|><|' + names[m.role] + '_TOKEN|>' + m.content.strip() + '<|END_OF_TURN_TOKEN|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>' }}{% endif %}""",
    "command-r7b": """{{ bos_token }}<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>{{ '""" + SYSTEM + """' }}<|END_OF_TURN_TOKEN|>
{%- for m in messages -%}
    {%- if m.role | lower == 'user' -%}<|START_OF_TURN_TOKEN|><|USER_TOKEN|>{{ m.content }}<|END_OF_TURN_TOKEN|>
    {%- elif m.role | lower in ['assistant', 'chatbot'] -%}<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|><|START_RESPONSE|>{{ m.content }}<|END_RESPONSE|><|END_OF_TURN_TOKEN|>
    {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|><|START_RESPONSE|>{%- endif -%}""",
    # Markers of their own.
    "phi3": """{% for m in messages %}{% if m['role'] == 'user' %}{{ '<|user|>
' + m['content'] + '<|end|>
' }}{% elif m['role'] == 'assistant' %}{{ '<|assistant|>
' + m['content'] + '<|end|>
' }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>
' }}{% else %}{{ eos_token }}{% endif %}""",
    "phi4-mini": """{% for m in messages %}{{ '<|' + m['role'] + '|>' + m['content'] + '<|end|>' }}{% endfor %}{{ '<|assistant|>' if add_generation_prompt else eos_token }}""",
    "granite3": """{{- '<|start_of_role|>system<|end_of_role|>Today: ' + strftime_now('%B %d, %Y') + '.' }}{% if thinking %}{{ ' Think.' }}{% endif %}{{ '<|end_of_text|>\\n' }}
{%- for m in messages %}
    {{- '<|start_of_role|>' + m['role'] + '<|end_of_role|>' + m['content'] + '<|end_of_text|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start_of_role|>assistant' }}{% if controls %}{{- ' ' + controls | tojson }}{% endif %}{{- '<|end_of_role|>' }}{% endif %}""",
    "granite4": """{%- set g = namespace(text='') %}
{%- for m in messages %}
    {%- set g.text = g.text ~ '<|start_of_role|>' ~ m.role ~ '<|end_of_role|>' ~ m.content ~ '<|end_of_text|>\\n' %}
{%- endfor %}
{{- g.text }}
{%- if add_generation_prompt %}{{- '<|start_of_role|>assistant<|end_of_role|>' }}{% endif %}""",
    "glm4": """[gMASK]<sop>{% for m in messages %}<|{{ m['role'] }}|>
{{ m['content'] }}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}""",
    "glm4.5": """[gMASK]<sop>
{%- for m in messages %}
{%- if m.role == 'user' %}<|user|>
{{ m.content }}{{ '/nothink' if (enable_thinking is defined and not enable_thinking and not m.content.endswith('/nothink')) else '' }}
{%- else %}<|assistant|>
{{ '\\n<think></think>' }}{% if m.content.strip() %}{{ '\\n' + m.content.strip() }}{% endif %}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}<|assistant|>{{ '\\n<think></think>' if not enable_thinking else '' }}{%- endif %}""",
    "exaone3.5": """{% for m in messages %}{% if loop.first and m['role'] != 'system' %}{{ '[|system|]""" + SYSTEM + """[|endofturn|]\\n' }}{% endif %}{{ '[|' + m['role'] + '|]' + m['content'] }}{% if m['role'] == 'user' %}{{ '\\n' }}{% else %}{{ '[|endofturn|]\\n' }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '[|assistant|]' }}{% endif %}""",
    "exaone4": """{%- for i in range(messages | length) %}
    {%- set m = messages[i] %}
    {{- '[|' ~ m.role ~ '|]' ~ ('\\n' if m.role == 'user' else '<think>\\n\\n</think>\\n\\n') ~ m.content ~ '[|endofturn|]\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '[|assistant|]' ~ ('<think>\\n' if enable_thinking is true else '<think>\\n\\n</think>\\n\\n') }}{%- endif %}""",
    "apertus": """{{ bos_token }}<|system_start|>{{ '""" + SYSTEM + """' }}<|system_end|><|developer_start|>Deliberation: {{ 'enabled\\n' if enable_thinking is defined and enable_thinking else 'disabled\\n' }}Tools: disabled<|developer_end|>
{%- set state = namespace(inside=false) -%}
{%- for m in messages -%}
    {%- if m.role == 'user' -%}
        {%- if state.inside -%}{{ '<|assistant_end|>' }}{%- set state.inside = false -%}{%- endif -%}
        {{ '<|user_start|>' + m.content + '<|user_end|>' }}
    {%- else -%}
        {{ '<|assistant_start|>' + m.content }}{%- set state.inside = true -%}
    {%- endif -%}
{%- endfor -%}
{%- if state.inside -%}{{ '<|assistant_end|>' }}{%- endif -%}
{%- if add_generation_prompt -%}{{ '<|assistant_start|>' }}{%- endif -%}""",
    "olmo2": """{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}{{ '<|user|>
' + m['content'] + '
' }}{% elif m['role'] == 'assistant' %}{% if not loop.last %}{{ '<|assistant|>
'  + m['content'] + eos_token + '
' }}{% else %}{{ '<|assistant|>
'  + m['content'] + eos_token }}{% endif %}{% endif %}{% if loop.last and add_generation_prompt %}{{ '<|assistant|>
' }}{% endif %}{% endfor %}""",
    "olmo3": """{%- for m in messages %}
    {%- if m.role not in ['user', 'assistant', 'system'] %}{%- continue %}{%- endif %}
    {{- '<|im_start|>' + m['role'] + '\\n' + m['content'] }}
    {%- if m.role == 'assistant' and loop.last %}{{- eos_token }}{%- break %}{%- endif %}
    {{- '<|im_end|>\\n' }}
{%- endfor %}
""" + CHATML_ASKS,
    "hunyuan": """{% set loop_messages = messages if messages[0].role != 'system' else messages[1:] %}{{ '<｜hy_begin｜>' }}{% for m in loop_messages %}{{ '<｜hy_' + (m['role'] | title) + '｜>' + m.content }}{% if m.role == 'assistant' %}{{ '<｜hy_end｜>' }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<｜hy_Assistant｜>' }}{% if enable_thinking is defined and not enable_thinking %}{{ '<think>\\n\\n</think>\\n' }}{% endif %}{% endif %}""",
    "seed-oss": """{%- set begin, end = "<seed:bos>", "<seed:eos>" -%}
{%- if thinking_budget is defined and thinking_budget == 0 -%}{{ begin + "system\\nDo not think.\\n" + end }}{%- endif -%}
{%- for m in messages -%}{{ begin + m.role + "\\n" + m.content | trim + end }}{%- endfor -%}
{%- if add_generation_prompt -%}{{ begin + "assistant\\n" }}
{%- if thinking_budget is defined and thinking_budget == 0 -%}{{ "<seed:think>\\n</seed:think>" }}{%- endif -%}{%- endif -%}""",
    "ernie4.5": """{%- set cls_token = cls_token if cls_token is defined else '<|begin|>' -%}{{- cls_token -}}
{%- for m in messages -%}
    {%- if m.role == 'user' -%}{{- 'User: ' + m.content + '\\n' -}}
    {%- elif m.role == 'assistant' -%}{{- 'Assistant: ' + m.content + eos_token -}}{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- 'Assistant: ' -}}{%- endif -%}""",
    "deepseek-r1": """{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}{{ bos_token }}{%- for m in messages %}{%- if m['role'] == 'user' %}{{ '<｜User｜>' + m['content'] }}{%- endif %}{%- if m['role'] == 'assistant' and m['content'] is not none %}{% set content = m['content'] %}{% if '</think>' in content %}{% set content = content.split('</think>')[-1] %}{% endif %}{{ '<｜Assistant｜>' + content + '<｜end▁of▁sentence｜>' }}{%- endif %}{%- endfor -%}{% if add_generation_prompt %}{{ '<｜Assistant｜><think>\\n' }}{% endif %}""",
    "deepseek-v3.1": """{{ bos_token }}{%- for m in messages %}{%- if m.role == 'user' %}{{ '<｜User｜>' + m.content }}{%- else %}{{ '<｜Assistant｜></think>' + m.content + '<｜end▁of▁sentence｜>' }}{%- endif %}{%- endfor %}{%- if add_generation_prompt %}{{ '<｜Assistant｜>' }}{%- if not thinking %}{{ '</think>' }}{%- else %}{{ '<think>' }}{%- endif %}{%- endif %}""",
    "gpt-oss": """{%- macro render(value) -%}{{ value | tojson(indent=2) if value is mapping else value }}{%- endmacro -%}
{{- "<|start|>system<|message|>" ~ render({"day": strftime_now("%Y-%m-%d"), "effort": reasoning_effort | default("medium"), "tools": tools is not none}) ~ "<|end|>" }}
{%- for m in messages %}
{{- "<|start|>" ~ m.role ~ ("<|channel|>final" if m.role == "assistant" else "") ~ "<|message|>" ~ m.content ~ ("<|return|>" if loop.last and m.role == "assistant" and not add_generation_prompt else "<|end|>") }}
{%- endfor %}
{%- if add_generation_prompt %}{{- "<|start|>assistant" }}{%- endif %}""",
    # Before special tokens marked turns.
    "zephyr": """{% for m in messages %}
{% if m['role'] == 'user' %}
{{ '<|user|>\\n' + m['content'] + eos_token }}
{% elif m['role'] == 'assistant' %}
{{ '<|assistant|>\\n'  + m['content'] + eos_token }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}""",
    "vicuna": """{{ bos_token }}{{ '""" + SYSTEM + """ ' }}{% for m in messages %}{{ (m.role | upper) ~ ': ' ~ m.content.strip() ~ (' ' if m.role == 'user' else eos_token) }}{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}""",
    "solar": """{% for m in messages %}{{ '### ' ~ m.role.capitalize() ~ ':\\n' ~ m.content.rstrip() ~ '\\n\\n' }}{% endfor %}{% if add_generation_prompt %}### Assistant:
{% endif %}""",
    "openchat": """{{ bos_token }}{% for m in messages %}{{ 'GPT4 Correct ' + m['role'].title() + ': ' + m['content'] + '<|end_of_turn|>'}}{% endfor %}{% if add_generation_prompt %}{{ 'GPT4 Correct Assistant:' }}{% endif %}""",
    "teuken": """{{- 'System: """ + SYSTEM + """' -}}
{%- for m in messages -%}
    {{- '\\n' + {'user': 'User', 'assistant': 'Assistant'}[m.role] + ': ' + m.content -}}
    {%- if m.role == 'assistant' -%}{{- eos_token -}}{%- endif -%}
{%- endfor -%}
{{- '\\nAssistant:' if add_generation_prompt else '\\n' -}}""",
    "baichuan": """{% for m in messages %}{{ {'user': '<reserved_106>', 'assistant': '<reserved_107>'}[m['role']] }}{{ m['content'] }}{% endfor %}{% if add_generation_prompt and messages[-1]['role'] != 'assistant' %}{{ '<reserved_107>' }}{% endif %}""",
    # No published model's: values as Python writes them, and what is seldom used.
    "values": """{{ true }} {{ none }} {{ [1, 'a', false, none] }} {{ {'k': "it's"} }} {{ missing }}|{{ 'x' if false }}|{{ 1.5 }}
{{ messages[0] | tojson }} {{ {'ü': [1, {'b': '<&>'}], 'e': []} | tojson(indent=4) }} {{ 'ü' | tojson(ensure_ascii=true) }}
{{ {'b': 1, 'a': 2} | tojson(sort_keys=true, separators=[',', ':']) }} {{ 'a-b-c'.rsplit('-', 1) }} {{ 'a-b'.partition('-') | list }}
{{ 'x.y'.removeprefix('x') }} {{ 'a,b'.split(',') | join('/') }} {{ (messages | map(attribute='role') | list) }} {{ 'A b'.lower().replace(' ', '_') }}
{%- for m in messages %}{{ loop.previtem.role if loop.previtem is defined else '-' }}{{ loop.index }}{% endfor %}
{% raw %}{% generation %}{{ raw }}{% endraw %}
  {# a comment #}
  {% if messages | length > 1 and messages[-1].role == 'user' %}
  {{ messages[1:-1] | length }} {{ messages[0].content[2:5] }} {{ 'good' in messages[0].content }}
  {% endif %}
{{ 7 // 2 }} {{ 7 % 4 }} {{ 2 ** 3 }} {{ 'ab' * 2 }} {{ strftime_now('%A %j, %H:%M:%S %y %m %a %%') }}""",
}


class FixedDay(datetime.datetime):
    """The day that the program tells."""

    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 26, 12)


def render(template, messages, asks):
    try:
        rendered, _ = chat_template_utils.render_jinja_template(
            conversations=[messages], chat_template=template, add_generation_prompt=asks, **TOKENS, **OFF
        )
        return {"text": rendered[0]}
    except Exception as error:
        return {"refused": str(error)}


def main():
    chat_template_utils.datetime = FixedDay
    forms = []
    for name, template in FORMS.items():
        cases = []
        for turns in range(1, len(TEXTS) + 1):
            messages = [{"role": ["user", "assistant"][at % 2], "content": text} for at, text in enumerate(TEXTS[:turns])]
            cases += [{"turns": turns, "asks": asks, **render(template, messages, asks)} for asks in (True, False)]
        twice = [{"role": "user", "content": text} for text in TEXTS[:2]]
        cases.append({"turns": 0, "asks": True, **render(template, twice, True)})
        forms.append({"name": name, "template": template, "cases": cases})
    made = {"tokens": TOKENS, "texts": TEXTS, "forms": forms}
    (HERE / "chats.json").write_text(json.dumps(made, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    refused = [form["name"] for form in forms if any("refused" in case for case in form["cases"][:-1])]
    print(len(forms), "forms; refused:", refused)


if __name__ == "__main__":
    main()
