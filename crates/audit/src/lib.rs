//! What is wrong with data: findings about test sets and translation pairs, each with its evidence and a suggestion.
//! Never here: repairing, models, printing, the network.
