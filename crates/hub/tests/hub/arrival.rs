//! What arrives is what was asked for, stays so, and is fetched again where it did not.

use hub::{FileState, Silent, Sources, fetch_model_again, verify};

use super::{
    Place, Reply, Request, assert_whole, file_of, fs, names_in, small, weights, with_weights,
};
use crate::server::Server;

/// The repository, in which `answer` stands for the tokenizer.
fn with_tokenizer(answer: impl Fn(&Request) -> Reply + Send + 'static) -> Server {
    Server::start(move |request| match file_of(request) {
        "tokenizer.json" => answer(request),
        "model.safetensors" => Reply::new(200, weights()).promised(),
        _ => small(request),
    })
}

#[test]
fn a_file_of_unknown_length_is_refused() {
    for sent in [800_000, 1000] {
        let server = with_weights(move |_| Reply::new(200, weights()).without_length().cut(sent));
        let place = Place::at(&server.endpoint);
        let message = place.refused("org/tiny");
        assert!(
            message.contains("model.safetensors: the server says neither"),
            "{message}"
        );
        assert_eq!(
            names_in(&place.dir()),
            [".lock", "config.json", "tokenizer.json"]
        );
    }
    let server = with_weights(|request| {
        let reply = Reply::new(200, weights()).promised().without_length();
        if request.before == 0 {
            reply.cut(1000)
        } else {
            reply
        }
    });
    assert_whole(
        &Place::at(&server.endpoint)
            .find("org/tiny")
            .expect("a promised hash is enough"),
    );
}

#[test]
fn a_web_page_and_a_pointer_are_no_files() {
    let page = "\u{feff}\n<!DOCTYPE html><html><body>Log in</body></html>";
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 12\n";
    for (body, wanted) in [
        (page, "a web page instead of `tokenizer.json`"),
        (pointer, "Git LFS's pointer to `tokenizer.json`"),
    ] {
        let server = with_tokenizer(move |_| Reply::new(200, body));
        let place = Place::at(&server.endpoint);
        let message = place.refused("org/tiny");
        assert!(
            message.contains("/tokenizer.json: ") && message.contains(wanted),
            "{message}"
        );
        assert_eq!(
            names_in(&place.dir()),
            [".lock", "config.json"],
            "nothing is kept"
        );
    }
    let server = Server::start(move |_| Reply::new(200, page));
    let place = Place::at(&server.endpoint);
    let id = "org/set".parse().expect("an id");
    let listed = hub::find_dataset(&id, &|_| true, &place.cache, &place.sources, &mut Silent);
    let message = listed.expect_err("no list").to_string();
    assert!(
        message.contains("a web page instead of the list of files"),
        "{message}"
    );
}

#[test]
fn a_token_that_cannot_be_sent_is_named() {
    let server = with_weights(|_| Reply::new(200, weights()).promised());
    let mut place = Place::at(&server.endpoint);
    place.sources.token = Some("hf_secret\nmore".to_owned());
    let message = place.refused("org/tiny");
    assert!(
        message.contains("HF_TOKEN has characters that no token has"),
        "{message}"
    );
    assert!(
        !message.contains("offline") && !message.contains("hf_secret"),
        "{message}"
    );
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn a_flipped_byte_in_a_small_file_is_seen_at_once() {
    let server = with_weights(|_| Reply::new(200, weights()).promised());
    let place = Place::at(&server.endpoint);
    place.find("org/tiny").expect("fetches");
    fs::write(place.dir().join("tokenizer.json"), r#"{"model": []}"#).expect("writes");
    place.find("org/tiny").expect("fetches again");
    let text = fs::read_to_string(place.dir().join("tokenizer.json")).expect("reads");
    assert_eq!(text, r#"{"model": {}}"#);
}

#[test]
fn a_flipped_byte_in_weights_is_found_and_mended() {
    let big: Vec<u8> = (0..9_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let body = big.clone();
    let server = with_weights(move |_| Reply::new(200, body.clone()).promised());
    let place = Place::at(&server.endpoint);
    let again = || {
        let (cache, sources) = (&place.cache, &place.sources);
        fetch_model_again("org/tiny", cache, sources, &mut Silent).expect("fetches")
    };
    let states = |name: Option<&str>| -> Vec<FileState> {
        let checked = verify(name, &place.cache, &mut Silent).expect("compares");
        checked.into_iter().map(|file| file.state).collect()
    };
    place.find("org/tiny").expect("fetches");
    assert_eq!(states(Some("org/tiny")), vec![FileState::Whole; 3]);

    let path = place.dir().join("model.safetensors");
    let mut damaged = big.clone();
    damaged[17_000_000] ^= 1;
    fs::write(&path, damaged).expect("writes");
    place
        .find("org/tiny")
        .expect("weights are too large to be hashed each time");
    let found = states(None);
    let is_damaged =
        |state: &&FileState| matches!(state, FileState::Damaged(why) if why.contains("SHA-256"));
    assert_eq!(found.iter().filter(is_damaged).count(), 1, "{found:?}");

    again();
    assert_eq!(states(Some("org/tiny")), vec![FileState::Whole; 3]);
    let sent = server.requests_for("model.safetensors").len();
    again();
    assert_eq!(
        server.requests_for("/config.json").len(),
        3,
        "asked once more"
    );
    assert_eq!(server.requests_for("model.safetensors").len(), sent + 1);

    let offline = Sources {
        offline: true,
        ..place.sources.clone()
    };
    fetch_model_again("org/tiny", &place.cache, &offline, &mut Silent).expect_err("offline");
    assert_eq!(
        states(Some("org/tiny")),
        vec![FileState::Whole; 3],
        "what is whole stays"
    );

    fs::write(place.dir().join("source.json"), "{").expect("writes");
    let message = place.refused("org/tiny");
    assert!(
        message.contains("`lingualign model pull NAME --force`"),
        "{message}"
    );
    again();
    let message = verify(Some("org/other"), &place.cache, &mut Silent).expect_err("not there");
    assert!(
        message.to_string().contains("holds nothing of `org/other`"),
        "{message}"
    );
}
