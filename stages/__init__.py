"""The stages of the pipeline, one package per DVC stage, in the order in which data flows through them."""
