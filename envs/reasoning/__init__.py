"""Differential diagnosis by Bayes' rule: conditionals, priors by context, evidence read in documents, the posterior."""
