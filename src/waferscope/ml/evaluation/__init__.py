"""How good a model file is: sets with a known answer, raw answers, scores, intervals, reports."""
