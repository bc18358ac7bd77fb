"""EvolutionaryCGM: a model of evolving spectra, from which records are drawn."""
