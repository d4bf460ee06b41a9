"""Which rows should be labelled next: evidence, scores, embeddings, selectors and the loop that drives them."""
