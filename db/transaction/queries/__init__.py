"""Every statement of the transaction domain: batches in, single edits, folds out, reads for clients."""
