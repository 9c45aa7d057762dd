//! What the identifier calls a language, and which close languages short texts of it are taken for.
//! Never here: looking at texts.

use schema::Language;

use super::spoken::Spoken;

/// Code, the identifier's names, and those of close languages.
type Row = (&'static str, &'static [Spoken], &'static [Spoken]);

const KIN: &[Row] = &[
    ("en", &[Spoken::English], &[]),
    ("zh", &[Spoken::Chinese], &[Spoken::Japanese]),
    ("de", &[Spoken::German], &[Spoken::Dutch]),
    ("fr", &[Spoken::French], &[]),
    ("es", &[Spoken::Spanish], &[Spoken::Portuguese]),
    (
        "it",
        &[Spoken::Italian],
        &[Spoken::Spanish, Spoken::Portuguese],
    ),
    ("nl", &[Spoken::Dutch], &[Spoken::German]),
    ("ja", &[Spoken::Japanese], &[Spoken::Chinese]),
    (
        "ru",
        &[Spoken::Russian],
        &[Spoken::Ukrainian, Spoken::Bulgarian],
    ),
    (
        "sv",
        &[Spoken::Swedish],
        &[Spoken::Danish, Spoken::Bokmal, Spoken::Nynorsk],
    ),
    ("sl", &[Spoken::Slovene], &[Spoken::Croatian]),
    ("pl", &[Spoken::Polish], &[]),
    (
        "bg",
        &[Spoken::Bulgarian],
        &[Spoken::Macedonian, Spoken::Russian],
    ),
    (
        "no",
        &[Spoken::Bokmal, Spoken::Nynorsk],
        &[Spoken::Danish, Spoken::Swedish],
    ),
    ("ms", &[Spoken::Malay], &[Spoken::Indonesian]),
    ("is", &[Spoken::Icelandic], &[]),
    ("hi", &[Spoken::Hindi], &[Spoken::Marathi]),
    ("th", &[Spoken::Thai], &[]),
    ("sw", &[Spoken::Swahili], &[]),
    ("bn", &[Spoken::Bengali], &[]),
    (
        "da",
        &[Spoken::Danish],
        &[Spoken::Bokmal, Spoken::Nynorsk, Spoken::Swedish],
    ),
    ("hr", &[Spoken::Croatian], &[Spoken::Slovene]),
    ("id", &[Spoken::Indonesian], &[Spoken::Malay]),
    ("mk", &[Spoken::Macedonian], &[Spoken::Bulgarian]),
    ("mr", &[Spoken::Marathi], &[Spoken::Hindi]),
    (
        "pt",
        &[Spoken::Portuguese],
        &[Spoken::Spanish, Spoken::Italian],
    ),
    ("uk", &[Spoken::Ukrainian], &[Spoken::Russian]),
];

/// The identifier's names of a language and of its kin; none where it does not know the language.
pub(super) fn names_of(language: Language) -> Option<(&'static [Spoken], &'static [Spoken])> {
    KIN.iter()
        .find(|(code, ..)| *code == language.code())
        .map(|(_, own, kin)| (*own, *kin))
}
