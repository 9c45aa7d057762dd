//! Lines in one language to lines in another: engines, a cache in which no line is paid for twice, resumable jobs.
//! Never here: label words and templates (they are never sent), models, printing.
