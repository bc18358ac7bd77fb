"""EvolutionaryCGM: evolving spectra and what is drawn from them."""
