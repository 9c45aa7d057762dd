//! Templates in the forms of published models, as transformers renders them
//! (`tests/golden/chats/make_chats.py`), and what is refused.

use serde_json::Value;

use super::*;

const GOLDEN: &str = include_str!("../../../../tests/golden/chats/chats.json");

fn tokens(golden: &Value) -> BTreeMap<String, String> {
    let tokens = golden["tokens"].as_object().expect("an object");
    tokens
        .iter()
        .map(|(name, token)| (name.clone(), token.as_str().expect("a text").to_owned()))
        .collect()
}

/// The first turns of the conversation; 0 are two questions in a row.
fn conversation(texts: &[&'static str], turns: usize) -> Vec<Message<'static>> {
    match turns {
        0 => texts[..2].iter().map(|text| Message::user(text)).collect(),
        _ => {
            let turn = |(at, text): (usize, &&'static str)| match at % 2 {
                0 => Message::user(text),
                _ => Message::assistant(text),
            };
            texts[..turns].iter().enumerate().map(turn).collect()
        }
    }
}

#[test]
fn forms_of_published_models_as_transformers_renders_them() {
    let golden: &'static Value = Box::leak(Box::new(serde_json::from_str(GOLDEN).expect("JSON")));
    let texts: Vec<&'static str> = golden["texts"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|text| text.as_str().expect("a text"))
        .collect();
    let (mut equal, mut refused) = (0, 0);
    for form in golden["forms"].as_array().expect("a list") {
        let name = form["name"].as_str().expect("a text");
        let text = form["template"].as_str().expect("a text");
        let template = ChatTemplate::new(name, text, tokens(golden)).expect("parses");
        for case in form["cases"].as_array().expect("a list") {
            let messages = conversation(&texts, case["turns"].as_u64().expect("a number") as usize);
            let rendered = template.render(&messages, case["asks"] == true);
            match (rendered, case["text"].as_str()) {
                (Ok(here), Some(there)) => {
                    assert_eq!(here, there, "{name} {case}");
                    equal += 1;
                }
                (Err(error), None) => {
                    let reason = case["refused"].as_str().expect("a text");
                    let wanted = format!("{name}: refuses the conversation: {reason}; ");
                    assert!(error.to_string().starts_with(&wanted), "{error}");
                    refused += 1;
                }
                (here, there) => panic!("{name} {case}: {here:?}, there {there:?}"),
            }
        }
    }
    assert_eq!(
        (golden["forms"].as_array().map(Vec::len), equal, refused),
        (Some(45), 492, 3)
    );
}

fn problem(text: &str) -> String {
    let messages = [Message::user("a"), Message::assistant("b")];
    let rendered = ChatTemplate::new("chat template of X", text, BTreeMap::new())
        .and_then(|template| template.render(&messages, true));
    let error = rendered.expect_err("refused").to_string();
    let (problem, remedy) = error.rsplit_once("; ").expect("what to do");
    assert!(
        remedy.contains("chat_template.jinja") || remedy.contains("plain"),
        "{error}"
    );
    problem
        .strip_prefix("chat template of X: ")
        .unwrap_or(problem)
        .to_owned()
}

#[test]
fn what_does_not_work_is_said_in_one_sentence() {
    let cases = [
        (
            "{% if %}",
            "does not parse: syntax error: unexpected end of block (line 1)",
        ),
        ("a\n{{ messages.x.y }}", "fails: undefined value (line 2)"),
        (
            "{{ raise_exception('only one') }}",
            "refuses the conversation: only one",
        ),
        (
            "{{ strftime_now('%Q') }}",
            "fails: invalid operation: strftime_now: `%Q` has a part that is not known (line 1)",
        ),
        (
            "{{ messages.nothing() }}",
            "fails: unknown method: sequence has no method named nothing (line 1)",
        ),
    ];
    for (text, wanted) in cases {
        assert_eq!(problem(text), wanted, "{text}");
    }
    let endless = "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}";
    assert!(
        problem(endless).starts_with("fails: engine ran out of fuel"),
        "{}",
        problem(endless)
    );
}
