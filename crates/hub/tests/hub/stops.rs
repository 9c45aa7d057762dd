//! A user who wants to stop is heard, whatever the server does; and a name in the cache that is a
//! link is not written through.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use hub::{Progress, find_model_from, verify};

use super::{COMMIT, Place, Reply, fs, names_in, small, weights, with_weights};
use crate::server::{Server, wait_for};

/// Wants to stop when it is asked for the second time after a transfer has begun whose name ends
/// so, and keeps what it is told.
struct Impatient {
    within: &'static str,
    has_begun: bool,
    asked: AtomicUsize,
    notes: Vec<String>,
}

impl Impatient {
    /// With no name: from the beginning on.
    fn within(within: &'static str) -> Self {
        Self {
            within,
            has_begun: within.is_empty(),
            asked: AtomicUsize::new(0),
            notes: Vec::new(),
        }
    }
}

impl Progress for Impatient {
    fn start(&mut self, what: &str, _: Option<u64>) {
        self.has_begun |= what.ends_with(self.within);
    }

    fn advance(&mut self, _: u64) {}
    fn finish(&mut self) {}

    fn is_interrupted(&self) -> bool {
        self.has_begun && self.asked.fetch_add(1, Ordering::SeqCst) > 0
    }

    fn note(&mut self, text: &str) {
        self.notes.push(text.to_owned());
    }
}

/// Fetching ends while the server holds the connection: it has not been waited for.
fn stops_while_held(within: &'static str, start: impl FnOnce(&Arc<AtomicBool>) -> Server) -> Place {
    let release = Arc::new(AtomicBool::new(false));
    let server = start(&release);
    let place = Place::at(&server.endpoint);
    let mut user = Impatient::within(within);
    let stopped = find_model_from("org/tiny", &place.cache, &place.sources, &mut user);
    let is_released = release.swap(true, Ordering::SeqCst);
    let message = stopped.expect_err("stopped").to_string();
    assert!(message.contains("interrupted; run the same"), "{message}");
    assert!(!is_released && user.notes.is_empty(), "{:?}", user.notes);
    place
}

#[test]
fn a_silent_server_keeps_nobody_waiting() {
    stops_while_held("", |release| {
        let release = Arc::clone(release);
        Server::start(move |request| {
            wait_for(&release);
            small(request)
        })
    });
}

#[test]
fn a_body_that_does_not_go_on_keeps_nobody_waiting() {
    let place = stops_while_held("model.safetensors", |release| {
        let release = Arc::clone(release);
        with_weights(move |_| {
            Reply::new(200, weights())
                .promised()
                .cut(1000)
                .held(&release)
        })
    });
    let part = place.dir().join("model.safetensors.part");
    assert!(part.is_file(), "{:?}", names_in(&place.dir()));
}

#[test]
fn a_list_that_does_not_go_on_keeps_nobody_waiting() {
    let release = Arc::new(AtomicBool::new(false));
    let held = Arc::clone(&release);
    let list = format!("{{\"sha\": \"{COMMIT}\", \"siblings\": []}}");
    let server = Server::start(move |_| Reply::new(200, list.as_str()).cut(10).held(&held));
    let place = Place::at(&server.endpoint);
    let id = "org/set".parse().expect("an id");
    let mut user = Impatient::within("");
    let listed = hub::find_dataset(&id, &|_| true, &place.cache, &place.sources, &mut user);
    release.store(true, Ordering::SeqCst);
    let message = listed.expect_err("stopped").to_string();
    assert!(message.contains("interrupted; run the same"), "{message}");
    assert!(user.notes.is_empty(), "{:?}", user.notes);
}

#[test]
fn hashing_stops() {
    let server = with_weights(|_| Reply::new(200, weights()).promised());
    let place = Place::at(&server.endpoint);
    place.find("org/tiny").expect("fetches");
    let stopped = verify(None, &place.cache, &mut Impatient::within(""));
    let message = stopped.expect_err("stopped").to_string();
    assert!(message.contains("interrupted; run the same"), "{message}");
}

// In a cache that several users share, a name may be a link to somebody's file.
#[cfg(unix)]
#[test]
fn nothing_is_written_through_a_link() {
    for name in [".lock", "model.safetensors.part"] {
        let server = with_weights(|_| Reply::new(200, weights()).promised());
        let place = Place::at(&server.endpoint);
        fs::create_dir_all(place.dir()).expect("a folder");
        let target = place.cache.root().join("mine.txt");
        fs::write(&target, "mine").expect("writes");
        let link = place.dir().join(name);
        std::os::unix::fs::symlink(&target, &link).expect("links");
        let message = place.refused("org/tiny");
        assert!(
            message.contains(&format!("{name}: it is a link to"))
                && message.contains("remove the link"),
            "{message}"
        );
        assert_eq!(fs::read(&target).expect("reads"), b"mine", "{name}");
        fs::remove_file(&link).expect("removes");
        place.find("org/tiny").expect("fetches");
    }
}
