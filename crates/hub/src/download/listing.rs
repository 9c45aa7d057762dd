//! Which files a repository has: the hub's answer about one revision, whose `sha` is the commit
//! and whose `siblings` are all files. Never here: fetching them.

use std::{
    io::{self, Read},
    path::Path,
};

use serde::Deserialize;

use super::{Client, Failure, MOST_ATTEMPTS, Repository, apart::apart, content};
use crate::{HubError, Progress, progress};

/// A list of files longer than this is not read.
const MOST_BYTES: u64 = 64 << 20;

/// A repository's files at one commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The commit, as the hub says it.
    pub commit: String,
    /// Paths within the repository, with slashes; whatever the hub says.
    pub names: Vec<String>,
}

#[derive(Deserialize)]
struct Reply {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
}

impl Client<'_> {
    /// Asks for the files of the repository's revision, and from now on for those of that
    /// commit.
    pub(crate) fn list(
        &mut self,
        repository: &mut Repository,
        progress: &mut dyn Progress,
    ) -> Result<Listing, HubError> {
        let url = repository.listing_url(&self.sources.endpoint);
        let mut failures = 0;
        loop {
            let (problem, pause) = match self.ask(repository, &url, progress) {
                Ok(listing) => {
                    repository.commit = Some(listing.commit.clone());
                    return Ok(listing);
                }
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing { problem, pause }) => (problem, pause),
            };
            failures += 1;
            if !self.answered || failures == MOST_ATTEMPTS {
                let advice = if self.answered {
                    "; try again later"
                } else {
                    "; is this machine offline?"
                };
                return Err(HubError::Network {
                    url,
                    problem: problem + advice,
                });
            }
            progress.note(&format!("{}: {problem}; trying again", repository.id.id));
            let time = pause.unwrap_or(self.sources.pause * (1 << (failures - 1)));
            progress::pause(time, progress, Path::new(&repository.id.id))?;
        }
    }

    fn ask(
        &mut self,
        repository: &Repository,
        url: &str,
        progress: &dyn Progress,
    ) -> Result<Listing, Failure> {
        let Some(answer) = self.request(repository, url, 0, progress)? else {
            let advice = format!(
                "there is no data set `{}` or no such revision: check the spelling",
                repository.id.id
            );
            return Err(Failure::Final(HubError::Refused {
                url: url.to_owned(),
                status: 404,
                advice,
            }));
        };
        let body = answer.response.into_body().into_reader().take(MOST_BYTES);
        let read = apart(progress, Path::new(url), || read_all(body))?;
        let text =
            read.map_err(|e| Failure::passing(format!("the list of files broke off ({e})")))?;
        if content::is_web_page(&text) {
            let problem = "the server sent a web page instead of the list of files. Open the address in a browser: a login, \
                           or a page of a proxy, may be in between";
            return Err(Failure::Final(HubError::Network {
                url: url.to_owned(),
                problem: problem.to_owned(),
            }));
        }
        let unreadable = |e| Failure::passing(format!("the list of files is no sound JSON ({e})"));
        Listing::parse(&text).map_err(unreadable)
    }
}

impl Listing {
    /// The hub's answer about a revision.
    ///
    /// # Errors
    /// It is no JSON, or lacks the commit or the files.
    pub fn parse(answer: &[u8]) -> serde_json::Result<Self> {
        let reply: Reply = serde_json::from_slice(answer)?;
        let names = reply
            .siblings
            .into_iter()
            .map(|sibling| sibling.rfilename)
            .collect();
        Ok(Self {
            commit: reply.sha,
            names,
        })
    }
}

fn read_all(mut body: impl Read) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    body.read_to_end(&mut text)?;
    Ok(text)
}
