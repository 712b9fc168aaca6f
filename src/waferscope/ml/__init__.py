"""Everything that needs torch: the network, its training, evaluation and export."""
