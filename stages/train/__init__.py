"""Feature tables -> the predictions of each model for the subjects that it has not learnt from, fold by fold."""
