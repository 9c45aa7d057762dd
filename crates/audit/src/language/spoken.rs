//! The languages that the identifier knows: the twenty of the paper, and those that they are confused
//! with. Never here: how they are told apart.

/// A language, or a written form of one, with a name of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Spoken {
    Bengali,
    Bokmal,
    Bulgarian,
    Chinese,
    Croatian,
    Danish,
    Dutch,
    English,
    French,
    German,
    Hindi,
    Icelandic,
    Indonesian,
    Italian,
    Japanese,
    Macedonian,
    Malay,
    Marathi,
    Nynorsk,
    Polish,
    Portuguese,
    Russian,
    Slovene,
    Spanish,
    Swahili,
    Swedish,
    Thai,
    Ukrainian,
}

/// Languages that share a script, in the order of the table of n-grams.
pub(super) type Sharing = &'static [Spoken];

pub(super) const LATIN: Sharing = &[
    Spoken::Bokmal,
    Spoken::Croatian,
    Spoken::Danish,
    Spoken::Dutch,
    Spoken::English,
    Spoken::French,
    Spoken::German,
    Spoken::Icelandic,
    Spoken::Indonesian,
    Spoken::Italian,
    Spoken::Malay,
    Spoken::Nynorsk,
    Spoken::Polish,
    Spoken::Portuguese,
    Spoken::Slovene,
    Spoken::Spanish,
    Spoken::Swahili,
    Spoken::Swedish,
];
pub(super) const CYRILLIC: Sharing = &[
    Spoken::Bulgarian,
    Spoken::Macedonian,
    Spoken::Russian,
    Spoken::Ukrainian,
];
pub(super) const DEVANAGARI: Sharing = &[Spoken::Hindi, Spoken::Marathi];
