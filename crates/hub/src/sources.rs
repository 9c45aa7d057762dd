//! Where models are fetched from and with what: the hub's address and token, the pip to call.
//! Read from the environment in one place. Never here: fetching.

use std::{env, fmt, time::Duration};

use crate::{HubError, download::origin};

/// Settings of the sources.
#[derive(Clone)]
pub struct Sources {
    /// The hub's address without a slash at the end; `HF_ENDPOINT` or `https://huggingface.co`.
    pub endpoint: String,
    /// `HF_TOKEN`: sent to the endpoint's host and to nobody else, never shown.
    pub token: Option<String>,
    /// `HF_HUB_OFFLINE`: the hub is not asked.
    pub offline: bool,
    /// Commands that may be pip, in the order in which they are tried: a program and its first
    /// arguments. The variable `LINGUALIGN_PIP` names one program to use instead.
    pub pip: Vec<Vec<String>>,
    /// Pause before the first repetition of a failed request; doubles each time.
    pub pause: Duration,
}

impl Sources {
    /// Whether the hub may and can be asked.
    ///
    /// # Errors
    /// [`HubError::Network`] if not.
    pub(crate) fn check(&self) -> Result<(), HubError> {
        if self.offline {
            return Err(self.refuse("HF_HUB_OFFLINE is set, so the hub is not asked"));
        }
        // Sent as it is, such a token would fail as if there were no network.
        let token = self.token.as_deref().unwrap_or_default();
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(self.refuse(
                "the value of HF_TOKEN has characters that no token has, such as a line break or a space; set it again",
            ));
        }
        if origin(&self.endpoint).is_none() {
            return Err(self.refuse("HF_ENDPOINT must begin with https:// (or http://)"));
        }
        Ok(())
    }

    /// That the hub cannot be asked, and why.
    pub(crate) fn refuse(&self, problem: &str) -> HubError {
        HubError::Network {
            url: self.endpoint.clone(),
            problem: problem.to_owned(),
        }
    }

    /// The settings of the environment.
    pub fn from_env() -> Self {
        let text = |name: &str| {
            env::var_os(name)
                .unwrap_or_default()
                .to_string_lossy()
                .trim()
                .to_owned()
        };
        let set = |name: &str| Some(text(name)).filter(|value| !value.is_empty());
        let endpoint = set("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".into());
        let offline = set("HF_HUB_OFFLINE").is_some_and(|v| {
            !matches!(
                v.to_ascii_lowercase().as_str(),
                "0" | "false" | "no" | "off"
            )
        });
        let pip = match set("LINGUALIGN_PIP") {
            Some(program) => vec![vec![program]],
            None => default_pip(),
        };
        Self {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            token: set("HF_TOKEN"),
            offline,
            pip,
            pause: Duration::from_secs(1),
        }
    }
}

fn default_pip() -> Vec<Vec<String>> {
    let commands: &[&[&str]] = if cfg!(windows) {
        &[&["python", "-m", "pip"], &["py", "-m", "pip"], &["pip"]]
    } else {
        &[&["python3", "-m", "pip"], &["pip3"], &["pip"]]
    };
    commands
        .iter()
        .map(|words| words.iter().map(|w| (*w).to_owned()).collect())
        .collect()
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            endpoint,
            token,
            offline,
            pip,
            pause,
        } = self;
        let token = token.as_ref().map(|_| "set");
        f.debug_struct("Sources")
            .field("endpoint", endpoint)
            .field("token", &token)
            .field("offline", offline)
            .field("pip", pip)
            .field("pause", pause)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_never_shown() {
        let mut sources = Sources::from_env();
        sources.token = Some("hf_secret".into());
        let shown = format!("{sources:?}");
        assert!(
            !shown.contains("hf_secret") && shown.contains(r#"token: Some("set")"#),
            "{shown}"
        );
    }
}
