"""A finding against the same patient's earlier one: the prior's head laid on the new one, masks compared."""
