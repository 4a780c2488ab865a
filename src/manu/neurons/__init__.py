"""Statistics, importance, selection and masks of neurons, for any model."""
